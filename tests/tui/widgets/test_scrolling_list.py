"""Keys, wheel and clicks in a list: how far they move, which entry they find, and what is in sight then."""

from __future__ import annotations

from textual.app import App, ComposeResult

from fxtui.tui.widgets.choice_list import ChoiceList
from fxtui.tui.widgets.line_screen import LineScreen

# A heading before each five entries.
LINES = [((f"line {number}", ""),) for number in range(36)]
ENTRIES = [number for number in range(36) if number % 6]


class ListScreen(LineScreen[None]):
    """Nothing but a list."""

    def compose(self) -> ComposeResult:
        yield ChoiceList(id="choices", ascii_only=False)


class ListApp(App[None]):
    """A list of thirty entries in a terminal of ten lines."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[int] = []

    def on_mount(self) -> None:
        self.push_screen(ListScreen())

    @property
    def choices(self) -> ChoiceList:
        return self.screen.query_one(ChoiceList)

    def on_choice_list_chosen(self) -> None:
        self.chosen.append(self.choices.cursor)

    def seen(self) -> list[int]:
        """The numbers of the lines in sight."""
        return [int(self.choices.render_line(y).text.split()[1]) for y in range(self.choices.size.height)]


async def test_keys_move_by_one_by_ten_and_to_the_ends() -> None:
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.pause()
        app.choices.set_rows(LINES, ENTRIES, 0)
        app.choices.focus()
        places = []
        for key in ("down", "j", "pagedown", "up", "k", "pageup", "pageup", "end", "down", "home"):
            await pilot.press(key)
            places.append(app.choices.cursor)
        assert places == [1, 2, 12, 11, 10, 0, 0, 29, 29, 0]


async def test_the_cursor_stays_in_sight_with_the_heading_above_it() -> None:
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.pause()
        app.choices.set_rows(LINES, ENTRIES, 0)
        app.choices.focus()
        assert app.seen() == list(range(10))
        await pilot.press("end")
        assert app.seen() == list(range(26, 36))
        await pilot.press(*["up"] * 9)
        assert ENTRIES[app.choices.cursor] == 25
        assert app.seen() == list(range(24, 34))


async def test_a_click_finds_the_entry_and_a_second_one_chooses_it() -> None:
    app = ListApp()
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.pause()
        app.choices.set_rows(LINES, ENTRIES, 0)
        app.choices.focus()
        await pilot.press("end")
        await pilot.click("#choices", offset=(2, 4))
        # A heading.
        assert app.choices.cursor == 29
        await pilot.click("#choices", offset=(2, 2))
        assert ENTRIES[app.choices.cursor] == 28
        assert app.chosen == []
        await pilot.click("#choices", offset=(2, 2))
        assert [ENTRIES[at] for at in app.chosen] == [28]
