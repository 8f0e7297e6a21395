"""The command palette, for terminals of any size."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Textual's, but for keys that move in a list which does not stand on the screen yet."""

    def _action_command_list(self, action: str) -> None:
        # Textual looks up lines that such a list does not have, and fails.
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
