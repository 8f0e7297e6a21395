"""Advice: what is said of a run, what is not, and that noise is never called a change."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fxtui.advice.rules import RULES, advise, held_advice, next_stage, standard_error, stuck_epochs
from fxtui.protocol import events as ev
from fxtui.protocol.records import LayerRow
from fxtui.run.state import RunState, fold
from tests.run.samples import (
    STAGES,
    epoch,
    estimated,
    figures,
    layers,
    opening,
    stamped,
    trained,
    unfreezing,
    whole_run,
)


def state_of(*events: ev.Event, planned: int = 30) -> RunState:
    """A run of a ResNet-18 on 200 validation images, with these events after its opening."""
    return fold(stamped([*opening(planned), *events]))


def epochs(*accuracies: float, **every: float) -> list[ev.EpochEnd]:
    """Epochs with these validation accuracies; the best so far are marked."""
    return [
        epoch(n, val, best=val > max(accuracies[: n - 1], default=-1.0), **every)
        for n, val in enumerate(accuracies, start=1)
    ]


def unfrozen_after(number: int) -> list[ev.Event]:
    """layer4 begins to train right after an epoch, whose last batch has been told."""
    return [trained(number, 0.9)[1], unfreezing(number)]


def said(state: RunState) -> str:
    """The advice's text, empty for none."""
    advice = advise(state)
    return advice.text if advice else ""


def test_stuck_validation_says_which_stage_to_unfreeze_and_its_price() -> None:
    advice = advise(state_of(*epochs(0.8, 0.90, 0.935, 0.93, 0.935, 0.935)))
    assert advice is not None
    assert advice.key == "u"
    assert advice.text == (
        "validation stuck at 93.5% ±1.7 for 3 epochs, train 94.5%: unfreeze layer4 (u)  +8.39M params"
    )


def test_three_epochs_are_the_patience() -> None:
    assert stuck_epochs(state_of(*epochs(0.8, 0.92, 0.92, 0.92))) == 2
    assert "stuck" not in said(state_of(*epochs(0.8, 0.92, 0.92, 0.92)))
    assert "stuck" in said(state_of(*epochs(0.8, 0.92, 0.92, 0.92, 0.92)))


def test_a_gain_below_the_standard_error_is_no_gain() -> None:
    small, real = 0.92 + 0.018, 0.92 + 0.025
    assert standard_error(0.92, 200) == pytest.approx(0.0192, abs=1e-4)
    assert stuck_epochs(state_of(*epochs(0.8, 0.92, small, small, small))) == 3
    assert stuck_epochs(state_of(*epochs(0.8, 0.92, 0.92, 0.92, real))) == 0


def test_small_gains_that_add_up_to_a_real_one_count() -> None:
    assert stuck_epochs(state_of(*epochs(0.80, 0.82, 0.84, 0.86, 0.88))) <= 1


def test_with_few_images_only_large_changes_are_real() -> None:
    few = ev.DataReady(source="s", classes=("a", "b"), train=8, val=16, train_per_class=(4, 4), val_per_class=(8, 8))
    state = state_of(few, *epochs(0.75, 0.8125, 0.8125, 0.8125))
    assert stuck_epochs(state) == 3
    assert standard_error(0.75, 16) > 0.1


def test_the_next_stage_is_the_deepest_that_does_not_wholly_train() -> None:
    state = state_of(layers("layer4"))
    stage = next_stage(state)
    assert stage is not None
    assert stage.path == "layer3"
    assert next_stage(state_of(layers(*STAGES))) is None
    assert next_stage(RunState()) is None


def test_a_stage_that_trains_in_part_is_the_next() -> None:
    rows = layers().rows
    mixed = [LayerRow(**{**_fields(row), "trainable": "some"}) if row.path == "layer4" else row for row in rows]
    table = ev.Layers(rows=tuple(mixed), parameters=1, trainable_parameters=1)
    text = said(state_of(table, *epochs(0.8, 0.9, 0.9, 0.9, 0.9)))
    assert text.endswith("unfreeze layer4 (u)  the rest of it")


def test_stuck_with_everything_training_says_stop() -> None:
    advice = advise(state_of(layers(*STAGES), *epochs(0.8, 0.9, 0.9, 0.9, 0.9)))
    assert advice is not None
    assert advice.key == "s"
    assert "every layer trains: stop (s)" in advice.text


def test_what_was_tried_and_taken_back_is_not_advised_again() -> None:
    again = ev.FreezeChanged(
        before=("layer4",),
        after=(),
        origin="undo",
        text="layer4 frozen again, its optimizer state is gone",
        epoch=4,
        step=75,
        rows=layers().rows,
        trainable_parameters=5130,
    )
    state = state_of(*epochs(0.8, 0.8), *unfrozen_after(2), epoch(3, 0.8), again, *[epoch(n, 0.8) for n in range(4, 9)])
    advice = advise(state)
    assert advice is not None
    assert advice.key == "s"
    assert advice.text.endswith("layer4 was tried: stop (s), or lower the learning rate (l)")


def test_stuck_where_no_more_can_be_gained_says_stop_not_unfreeze() -> None:
    advice = advise(state_of(*epochs(0.9, 0.99, 0.99, 0.99, 0.99)))
    assert advice is not None
    assert advice.key == "s"
    assert "hardly more to gain than noise" in advice.text


def test_patience_starts_anew_after_a_change_of_freezing() -> None:
    before = epochs(0.8, 0.92, 0.92, 0.92, 0.92)
    state = state_of(*before, *unfrozen_after(5), epoch(6, 0.92), epoch(7, 0.92))
    assert stuck_epochs(state) == 1
    assert "stuck" not in said(state)


def test_a_change_that_really_hurts_says_undo() -> None:
    hurt = state_of(*epochs(0.8, 0.92), *unfrozen_after(2), epoch(3, 0.85), epoch(4, 0.88))
    advice = advise(hurt)
    assert advice is not None
    assert advice.key == "z"
    assert advice.text == "validation fell from 92.0% to 88.0% since the layers that train changed: undo (z)"
    noise = state_of(*epochs(0.8, 0.92), *unfrozen_after(2), epoch(3, 0.85), epoch(4, 0.91))
    assert "undo" not in said(noise)


def test_one_epoch_after_a_change_is_too_early_to_undo_it() -> None:
    assert "undo" not in said(state_of(*epochs(0.8, 0.92), *unfrozen_after(2), epoch(3, 0.70)))


def test_rising_training_loss_says_lower_the_rate() -> None:
    events = [epoch(n, 0.9, train_loss=loss) for n, loss in ((1, 0.40), (2, 0.45), (3, 0.60))]
    advice = advise(state_of(*events))
    assert advice is not None
    assert advice.key == "l"
    assert advice.text == "training loss rises for 2 epochs, 0.4000 to 0.6000: lower the learning rate (l)"


@pytest.mark.parametrize("losses", [(0.40, 0.401, 0.402), (0.40, 0.60, 0.59), (0.60, 0.45, 0.60)])
def test_a_loss_that_rises_little_or_not_steadily_is_let_be(losses: tuple[float, ...]) -> None:
    events = [epoch(n, 0.9, train_loss=loss) for n, loss in enumerate(losses, start=1)]
    assert "learning rate" not in said(state_of(*events))


def drifting(val: float = 0.9) -> list[ev.EpochEnd]:
    """Training goes on falling while validation loss rises for three epochs."""
    return [
        epoch(n, 0.9 if n == 1 else val, train=0.9 + n / 50, train_loss=0.4 / n, val_loss=0.3 + n / 20)
        for n in range(1, 5)
    ]


def test_drifting_apart_says_stop() -> None:
    advice = advise(state_of(*drifting()))
    assert advice is not None
    assert advice.key == "s"
    assert advice.text == "validation loss rises for 3 epochs, 0.3500 to 0.5000, while train reaches 98.0%: stop (s)"


def test_drifting_apart_with_unfrozen_layers_offers_freezing_too() -> None:
    assert said(state_of(layers("layer4"), *drifting())).endswith("stop (s) or freeze all but the head (f)")


def test_a_rising_validation_loss_with_a_real_gain_in_accuracy_is_no_drift() -> None:
    assert "validation loss" not in said(state_of(*drifting(val=0.96)))


def test_still_gaining_at_the_end_says_more_epochs() -> None:
    gaining = epochs(0.6, 0.7, 0.8, 0.88)
    advice = advise(state_of(*gaining, planned=5))
    assert advice is not None
    assert advice.key == "+"
    assert advice.text == "validation gained 18.0 points in 2 epochs and 5 are planned: more epochs (+)"
    assert advise(state_of(*gaining, planned=30)) is None
    assert "more epochs" not in said(state_of(*epochs(0.86, 0.89, 0.88, 0.90), planned=5))


def test_while_extracting_it_says_what_happens() -> None:
    state = fold(stamped([*opening()[:6], ev.ExtractionProgress(done=64, total=1000, images_per_s=99.0)]))
    assert said(state) == (
        "every image runs through the frozen layers once; epochs then read 512 features from the cache"
    )
    state.apply(layers("layer4"))
    assert said(state).endswith("epochs then read the result from the cache")


def test_paused_says_how_to_go_on() -> None:
    advice = advise(state_of(*epochs(0.8), ev.RunPaused(epoch=1, step=25)))
    assert advice is not None
    assert advice.key == "p"


def test_a_run_that_has_just_begun_to_train_needs_no_advice() -> None:
    assert advise(RunState()) is None
    assert advise(state_of()) is None
    assert advise(state_of(*epochs(0.8, 0.9))) is None


def test_the_end_names_the_best_epoch_with_its_noise_and_how_to_predict() -> None:
    assert said(fold(whole_run())) == "best is epoch 3, val 93.0% ±1.8: fxtui predict digits-demo IMAGE"


def test_a_failure_says_what_is_kept() -> None:
    best = epoch(1, 0.9, best=True)
    failed = ev.RunFinished(
        status="failed", best=figures(best), final=None, timings={}, reason="loss is NaN at step 32"
    )
    assert said(state_of(best, failed)) == "loss is NaN at step 32: kept is epoch 1, val 90.0% ±2.1"
    assert said(state_of(failed)) == "loss is NaN at step 32: nothing was saved"


def test_an_ended_run_is_given_no_advice_on_training() -> None:
    stuck = epochs(0.8, 0.9, 0.9, 0.9, 0.9)
    end = ev.RunFinished(status="stopped", best=figures(stuck[1]), final=figures(stuck[4]), timings={})
    advice = advise(state_of(*stuck, end))
    assert advice is not None
    assert advice.key == ""


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("images", [0, 1, 10_000])
def test_the_standard_error_is_never_zero_and_never_above_a_half(accuracy: float, images: int) -> None:
    assert 0 < standard_error(accuracy, images) <= 0.5


def test_every_rule_is_silent_or_speaks_on_every_moment_of_a_run() -> None:
    state = RunState()
    for event in whole_run():
        state.apply(event)
        for rule in RULES:
            advice = rule(state)
            assert advice is None or (advice.text and "\n" not in advice.text)


def _fields(row: LayerRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


HELD = ev.RunHolding(epoch=5, step=125, reason="5 of 5 epochs", best=None, device="cpu", held_bytes=1, minutes=30.0)
AT_92 = epochs(0.8, 0.9, 0.92, 0.92, 0.92)


def priced(seconds: float | None, change: str = "unfreeze_next") -> ev.CostEstimated:
    """What the next stage would cost an epoch."""
    found = estimated()
    return replace(found, change=change, then=replace(found.then, seconds_per_epoch=seconds))


def ways(*events: ev.Event, planned: int = 5) -> list[tuple[str, str]]:
    """All that is said of a held run, with the key."""
    return [(advice.text, advice.key) for advice in held_advice(state_of(*events, planned=planned))]


def test_a_held_run_says_what_could_come_next_and_its_price() -> None:
    assert ways(*AT_92, HELD, priced(0.18)) == [
        ("this run is at 92.0% ±1.9: train layer4 too (u), 5 epochs, ≈0.90 s, or go on as it is (+)", "u"),
        ("at 92.0%: train layer4 too (u), 5 epochs, ≈0.90 s, or go on as it is (+)", "u"),
        ("train layer4 too (u), 5 epochs, ≈0.90 s, or go on as it is (+)", "u"),
        ("train layer4 too (u), or go on as it is (+)", "u"),
        ("train layer4 too (u)", "u"),
    ]


def test_the_first_way_is_the_advice_of_a_held_run() -> None:
    state = state_of(*AT_92, HELD, priced(18.96), planned=5)
    advice = advise(state)
    assert advice is not None
    assert advice.text == ("this run is at 92.0% ±1.9: train layer4 too (u), 5 epochs, ≈1m 35s, or go on as it is (+)")
    assert held_advice(state_of(*AT_92)) == ()


@pytest.mark.parametrize("estimate", [[], [priced(None)], [priced(0.1, "undo")]], ids=["none", "unknown", "another"])
def test_without_an_estimate_the_price_is_in_parameters(estimate: list[ev.Event]) -> None:
    assert ways(*AT_92, HELD, *estimate)[0][0] == (
        "this run is at 92.0% ±1.9: train layer4 too (u), 5 epochs, +8.39M params, or go on as it is (+)"
    )


def test_the_epochs_are_those_planned_at_first() -> None:
    more = ev.EpochsChanged(before=5, after=40)
    began = ev.RunStarted(name="x", version="0", epochs=5, config={"train": {"epochs": 5}})
    assert "5 epochs, ≈0.50 s" in ways(began, *AT_92, more, HELD, priced(0.1))[0][0]


def test_with_everything_training_a_held_run_goes_on_or_ends() -> None:
    assert ways(layers(*STAGES), *AT_92, HELD) == [
        ("this run is at 92.0% ±1.9 and every layer trains: go on as it is (+), or end it (q)", "+"),
        ("at 92.0%, all train: go on as it is (+), or end it (q)", "+"),
    ]


def test_at_100_percent_a_held_run_ends_or_goes_on() -> None:
    assert ways(*epochs(0.9, 1.0), HELD, priced(0.1)) == [
        ("validation is at 100.0%, nothing is left to gain there: end it (q), or go on (+)", "q"),
        ("at 100.0%: end it (q), or go on (+)", "q"),
    ]


def test_what_was_tried_is_not_advised_to_a_held_run() -> None:
    again = ev.FreezeChanged(
        before=("layer4",),
        after=(),
        origin="undo",
        text="layer4 frozen again, its optimizer state is gone",
        epoch=4,
        step=75,
        rows=layers().rows,
        trainable_parameters=5130,
    )
    assert ways(*epochs(0.8, 0.8), *unfrozen_after(2), epoch(3, 0.8), again, HELD)[0] == (
        "this run is at 80.0% ±2.8 and layer4 was tried: go on as it is (+), or end it (q)",
        "+",
    )


def test_a_held_run_never_has_the_advice_of_one_in_training() -> None:
    stories = (
        epochs(0.8, 0.92, 0.92, 0.92, 0.92),
        [epoch(n, 0.9, train_loss=0.1 * n) for n in range(1, 6)],
        [epoch(n, 0.9, train=0.9 + n / 100, train_loss=1 / n, val_loss=float(n)) for n in range(1, 6)],
        [epoch(n, 0.5 + n / 10) for n in range(1, 5)],
        [],
    )
    for story in stories:
        said_of = advise(state_of(*story, HELD, planned=5))
        assert said_of is not None
        assert not any(word in said_of.text for word in ("stuck", "rises", "stop (s)", "unfreeze", "more epochs"))


def test_once_it_goes_on_it_has_the_advice_of_a_run_in_training() -> None:
    went_on = [HELD, ev.RunResumed(epoch=6, step=125)]
    assert "stuck" in said(state_of(*epochs(0.8, 0.92, 0.92, 0.92, 0.92), *went_on))
