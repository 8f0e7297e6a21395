"""Predictions and evaluations: right figures, nothing of the training disturbed, and still there after its end."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from fxtui.cli.sessions import new_session
from fxtui.config import bundled_config, load_config
from fxtui.engine.data.preprocess import Preprocessing
from fxtui.engine.job import run_job
from fxtui.engine.predicting.after_the_run import AfterTheRun
from fxtui.engine.predicting.from_checkpoint import Predictor
from fxtui.engine.predicting.image_trace import ImageTracer
from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.run.session.link import EngineLink
from fxtui.run.session.listener import Listener
from fxtui.run.session.local import LocalSession
from fxtui.run.store import RunStore
from tests.engine.models import tiny_resnet

SETTINGS = ["device=cpu", "data.limit=120", "train.epochs=3", "train.precision=fp32"]


class Asking(EngineLink):
    """A link that asks before some batches, as a user would."""

    def __init__(self, *args: object, questions: dict[int, tuple[cmd.AnyCommand, ...]]) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._asked = dict(questions)
        self._calls = 0

    def has_command(self) -> bool:
        self._calls += 1
        for command in self._asked.pop(self._calls, ()):
            self.put_command(command)
        return super().has_command()


def run(directory: Path, questions: dict[int, tuple[cmd.AnyCommand, ...]], extra: list[str]) -> LocalSession:
    config = load_config(bundled_config("demo"), [*SETTINGS, *extra])
    session = LocalSession(RunStore(directory).create(config), lambda link: run_job(config, link))
    link = session.link
    session.link = Asking(link.run, link._journal, questions=questions)
    session._listener = Listener(session.link)
    session.start()
    session.join()
    return session


def told(session: LocalSession) -> list[ev.Event]:
    return session.events()


ASKED = {
    2: (cmd.Evaluate(), cmd.Predict(images=(0,))),
    5: (cmd.Predict(images=(3, 5)),),
    8: (cmd.Evaluate(limit=7), cmd.Predict(images=(1, "nowhere.png")), cmd.Predict(images=(24,))),
}


@pytest.mark.parametrize(
    "extra", [[], ["train.ema=0.9"], ['freeze.trainable=["features.8"]']], ids=["head", "ema", "thawed"]
)
def test_questions_leave_no_trace_in_the_training(tmp_path: Path, extra: list[str]) -> None:
    plain, asked = run(tmp_path / "a", {}, extra), run(tmp_path / "b", ASKED, extra)
    states = [session.run.load_state() for session in (plain, asked)]
    curves = [[(e.train_loss, e.val_loss, e.val_accuracy) for e in state.epochs] for state in states]
    assert len(curves[0]) == 3
    assert curves[0] == curves[1]
    weights = [(s.run.checkpoints / "last" / "model.safetensors").read_bytes() for s in (plain, asked)]
    assert weights[0] == weights[1]
    events = told(asked)
    refused = [event.reason for event in events if isinstance(event, ev.CommandRefused)]
    assert refused == [
        "no epoch has been validated yet",
        "IMAGE nowhere.png: no such file",
        "val #24: there are 24 validation images, numbered from 0",
    ]
    assert [e.image for e in events if isinstance(e, ev.Prediction)] == ["val #0", "val #3", "val #5"]
    assert any(isinstance(e, ev.Evaluation) and len(e.images) == 7 for e in events)


def test_an_evaluation_names_every_image_with_its_own_loss(tmp_path: Path) -> None:
    session = run(tmp_path, {}, [])
    said = [event for event in told(session) if isinstance(event, ev.Evaluation)][-1]
    epoch = session.run.load_state().epochs[said.epoch - 1]
    losses = [image.loss for image in said.images]
    assert sorted(image.image for image in said.images) == list(range(24))
    assert losses == sorted(losses, reverse=True)
    assert sum(losses) / len(losses) == pytest.approx(epoch.val_loss, rel=1e-5)
    right = sum(image.true == image.predicted for image in said.images)
    assert right / len(losses) == pytest.approx(epoch.val_accuracy)


def test_a_prediction_agrees_with_the_evaluation_and_with_plain_torch(tmp_path: Path) -> None:
    session = run(tmp_path, {}, [])
    after = AfterTheRun(session.run)
    (said,) = after(cmd.Evaluate(limit=5))
    assert isinstance(said, ev.Evaluation)
    first = said.images[0]
    picture = tmp_path / "picture.png"
    (seen,) = after(cmd.Predict(images=(first.image,)))
    assert isinstance(seen, ev.Prediction)
    assert (seen.true, seen.predicted, seen.number) == (first.true, first.predicted, first.image)
    assert seen.loss == pytest.approx(first.loss, rel=1e-4)
    assert seen.source == "last"
    told_last = session.run.load_state().evaluation
    assert told_last is not None
    ours = next(image for image in told_last.images if image.image == first.image)
    assert (ours.predicted, ours.loss) == (seen.predicted, pytest.approx(first.loss, rel=1e-4))
    size = seen.thumbnail
    pixels = np.frombuffer(zlib.decompress(size.rgb), np.uint8).reshape(size.height, size.width, 3)
    assert pixels.shape == (64, 64, 3)
    Image.fromarray(pixels).save(picture)
    (file,) = after(cmd.Predict(images=(str(picture),)))
    assert isinstance(file, ev.Prediction)
    assert (file.true, file.loss, file.number, file.image) == (None, None, None, str(picture))
    trace = Predictor(session.run, "cpu").trace(picture)
    (best,) = AfterTheRun(run(tmp_path / "ema", {}, ["train.ema=0.9"]).run)(cmd.Predict(images=(str(picture),)))
    assert isinstance(best, ev.Prediction)
    assert best.source == "best"
    assert trace.input_shape == (1, *file.input_shape)
    logits = torch.tensor([score.logit for score in sorted(seen.scores, key=lambda score: score.label)])
    assert [score.probability for score in seen.scores] == pytest.approx(
        sorted(F.softmax(logits, 0).tolist(), reverse=True), abs=1e-5
    )
    assert seen.entropy == pytest.approx(float(torch.distributions.Categorical(logits=logits).entropy()), abs=1e-4)
    assert seen.input_shape == (3, 64, 64)
    assert seen.features == 1280
    assert len(seen.feature_bins) == 40


ALWAYS = {call: (cmd.Evaluate(limit=1000), cmd.Predict(images=(3,))) for call in range(1, 40)}


@pytest.fixture
def single_images() -> Iterator[list[int]]:
    """Grows by one whenever a network's first convolution runs on a single image."""
    found: list[int] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and len(inputs[0]) == 1:
            found.append(1)

    handle = nn.modules.module.register_module_forward_hook(look)
    yield found
    handle.remove()


@pytest.mark.parametrize(
    ("extra", "cached"),
    [
        ([], True),
        (['freeze.trainable=["features.8"]'], True),
        (['data.augment="light"'], True),
        (["train.ema=0.9"], True),
        (["cache.enabled=false"], False),
    ],
    ids=["head", "thawed", "augmented", "ema", "uncached"],
)
def test_a_prediction_between_two_epochs_agrees_with_the_epoch_and_starts_from_the_cache(
    tmp_path: Path, single_images: list[int], extra: list[str], cached: bool
) -> None:
    events = told(run(tmp_path, ALWAYS, extra))
    ends = {event.epoch: event.step for event in events if isinstance(event, ev.EpochEnd)}
    said = {event.epoch: event for event in events if isinstance(event, ev.Evaluation)}
    predictions = [event for event in events if isinstance(event, ev.Prediction)]
    at_ends = [event for event in predictions if event.step == ends.get(event.epoch)]
    assert {prediction.epoch for prediction in at_ends} == {1, 2, 3}
    for prediction in at_ends:
        (seen,) = (image for image in said[prediction.epoch].images if image.image == 3)
        assert (prediction.predicted, prediction.true) == (seen.predicted, seen.true)
        assert prediction.loss == pytest.approx(seen.loss, rel=1e-4, abs=1e-6)
        assert (prediction.features, prediction.input_shape) == (1280, (3, 64, 64))
    assert len(single_images) == (0 if cached else len(predictions))


def test_a_suffix_that_does_not_call_the_head_is_passed_over_for_the_whole_model() -> None:
    model = tiny_resnet().eval()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    tracer = ImageTracer(model, "fc", Preprocessing(32, 32, (0.5,) * 3, (0.25,) * 3), torch.device("cpu"))
    whole = tracer.run(pixels)
    for one, other in zip(tracer.run(pixels, from_cache=lambda: torch.zeros(1, 5)), whole, strict=True):
        assert torch.equal(one, other)


def test_after_its_end_a_run_still_answers_and_writes_nothing(tmp_path: Path) -> None:
    config = load_config(bundled_config("demo"), [*SETTINGS, "train.epochs=1"])
    session = new_session(config, tmp_path)
    session.start()
    session.join()
    state = session.run.load_state()
    told(session)
    journal = session.run.journal.read_bytes()
    for command in (cmd.Predict(images=(2,)), cmd.Evaluate(limit=3), cmd.UnfreezeNext(), cmd.Predict(images=(99,))):
        session.send(command)
    answers: list[ev.Event] = []
    while len([a for a in answers if isinstance(a, ev.CommandDone | ev.CommandRefused)]) < 4:
        answers += session.events()
        time.sleep(0.01)
    assert [a.reason for a in answers if isinstance(a, ev.CommandRefused)] == [
        "the run has ended",
        "val #99: there are 24 validation images, numbered from 0",
    ]
    ended, elapsed = state.phase, state.elapsed
    for answer in answers:
        state.apply(answer)
    assert (state.phase, state.elapsed) == (ended, elapsed)
    assert state.predictions["val #2"].number == 2
    assert state.evaluation is not None
    assert len(state.evaluation.images) == 3
    assert session.run.journal.read_bytes() == journal


def test_a_question_that_fails_in_any_way_is_answered_and_so_is_the_next(tmp_path: Path) -> None:
    asked: list[cmd.AnyCommand] = []

    def after(command: cmd.AnyCommand) -> list[ev.Event]:
        asked.append(command)
        if len(asked) == 1:
            raise MemoryError("no room for the model")
        return [ev.Evaluation(epoch=1, support=(1,), correct=(1,), confusion=())]

    config = load_config(bundled_config("demo"), [])
    ended = ev.RunFinished(status="finished", best=None, final=None, timings={})
    session = LocalSession(RunStore(tmp_path).create(config), lambda link: link.emit(ended), after)
    session.start()
    session.join()
    session.send(cmd.Evaluate())
    session.send(cmd.Evaluate())
    answers: list[ev.Event] = []
    while sum(isinstance(a, ev.CommandDone | ev.CommandRefused) for a in answers) < 2:
        answers += session.events()
        time.sleep(0.01)
    assert [a.reason for a in answers if isinstance(a, ev.CommandRefused)] == ["MemoryError: no room for the model"]
    assert sum(isinstance(a, ev.Evaluation) for a in answers) == 1


def test_a_command_sent_while_the_engine_comes_to_its_end_is_answered(tmp_path: Path) -> None:
    config = load_config(bundled_config("demo"), [])
    ended = ev.RunFinished(status="finished", best=None, final=None, timings={})

    def engine(link: EngineLink) -> None:
        # As after the engine has answered all that waited, and before it has said that it ends.
        link.put_command(cmd.UnfreezeNext())
        link.emit(ended)

    session = LocalSession(RunStore(tmp_path).create(config), engine)
    session.start()
    answers: list[ev.Event] = []
    while not any(isinstance(a, ev.CommandRefused) for a in answers):
        answers += session.events()
        time.sleep(0.01)
    assert [a.reason for a in answers if isinstance(a, ev.CommandRefused)] == ["the run has ended"]


def test_a_limit_below_zero_names_no_image(tmp_path: Path) -> None:
    (said,) = AfterTheRun(run(tmp_path, {}, []).run)(cmd.Evaluate(limit=-1))
    assert isinstance(said, ev.Evaluation)
    assert said.images == ()
    assert sum(said.support) == 24
