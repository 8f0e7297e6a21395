"""When a screen asks for the trace of an image: seldom, again where no answer came, and anew after the end."""

from __future__ import annotations

from fxtui.protocol import commands as cmd
from fxtui.run.state import RunState
from fxtui.tui.dashboard.image_requests import ImageRequests
from tests.tui.fake import finished, midway, prediction

ASKS = cmd.Predict(images=(0,))


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def state_midway() -> RunState:
    state = RunState()
    for event in midway():
        state.apply(event)
    return state


def test_an_image_is_asked_for_once_an_epoch_and_not_more_often_than_it_may_be() -> None:
    clock, state = Clock(), state_midway()
    questions = ImageRequests(clock, between=3.0)
    assert questions.next_image(state, 0, 9) == ASKS
    state.apply(prediction(9, number=0))
    clock.now = 100.0
    assert questions.next_image(state, 0, 9) is None
    assert questions.next_image(state, 0, 10) == ASKS
    state.apply(prediction(10, number=0))
    clock.now += 1.0
    assert questions.next_image(state, 0, 11) is None
    clock.now += 2.5
    assert questions.next_image(state, 0, 11) == ASKS


def test_a_question_without_an_answer_is_asked_again() -> None:
    clock, state = Clock(), state_midway()
    state.apply(prediction(3, number=0))
    questions = ImageRequests(clock)
    assert questions.next_image(state, 0, 9) == ASKS
    clock.now = 4.0
    assert questions.next_image(state, 0, 9) is None
    clock.now = 6.0
    assert questions.next_image(state, 0, 9) == ASKS


def test_the_end_of_the_run_asks_anew_at_once() -> None:
    clock, state = Clock(), state_midway()
    questions = ImageRequests(clock, between=10.0)
    assert questions.next_image(state, 0, 9) == ASKS
    state.apply(finished())
    assert questions.next_image(state, 0, 9) == ASKS
    state.apply(prediction(9, number=0))
    clock.now = 60.0
    assert questions.next_image(state, 0, 9) is None
