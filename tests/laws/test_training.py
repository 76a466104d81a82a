"""What the loop and its learners promise, on a tiny network."""

import importlib.util
import math
import os
import signal
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ensue.training.fit as fit_module
from ensue.batch import Batch
from ensue.errors import RunError, SettingError
from ensue.models.parameters import to_device
from ensue.models.sequence import SequenceSettings
from ensue.native import used
from ensue.settings import read
from ensue.training.contract import Note, Progress, Sample
from ensue.training.devices import (
    choose_device,
    describe_changes,
    describe_hardware,
    memory_mb,
    prepare,
    random_state,
    restore_hardware,
    set_random_state,
)
from ensue.training.failure import NonFiniteError, TrainingError
from ensue.training.fit import fit, reopen
from ensue.training.folder.run import Run
from ensue.training.gradient import GradientLearner
from ensue.training.schedules import Plateau, scale
from ensue.training.settings import (
    ConstantSettings,
    CosineSettings,
    HardwareSettings,
    PlateauSettings,
    TrainingSettings,
)
from ensue.training.time_budget import TimedStart, steps_within


def load_tiny() -> Any:
    path = Path(__file__).parents[1] / "stories" / "tiny_training.py"
    spec = importlib.util.spec_from_file_location("tiny_training", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_training"] = module
    spec.loader.exec_module(module)
    return module


tiny = load_tiny()
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def the_same_threads_afterwards() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def settings_of(**values: Any) -> TrainingSettings:
    return read(TrainingSettings, {"schedule": {"name": "constant", "warmup": 0}, **values})


def learner_of(network: nn.Module, **values: Any) -> GradientLearner:
    return GradientLearner(network, settings_of(**values), CPU)


def network_of(dropout: float = 0.0, seed: int = 0, width: int = 6) -> Any:
    torch.manual_seed(seed)
    return tiny.TinyNetwork(dropout, width).double()


def ragged_batch() -> Batch[np.ndarray]:
    ids = np.random.default_rng(0).integers(0, tiny.SIZE, size=(5, 8))
    fields = {"input": ids[:, :-1], "target": ids[:, 1:]}
    return Batch(fields, np.array([7, 3, 1, 5, 7]), np.ones(5, dtype=bool))


def difference(one: nn.Module, other: nn.Module) -> float:
    return max(
        float((a - b).detach().abs().max())
        for a, b in zip(one.parameters(), other.parameters(), strict=True)
    )


# --- learning by gradient


@pytest.mark.parametrize("parts", [2, 3, 5, 9])
def test_a_batch_in_parts_gives_the_gradient_of_the_whole(parts: int) -> None:
    whole, split = network_of(), network_of()
    one = learner_of(whole, ema_decay=0.5)
    other = learner_of(split, ema_decay=0.5, batching={"accumulation_steps": parts})
    for batch in [ragged_batch(), *tiny.TinyStreams(3).epoch(0)]:
        a, b = one.update(batch, 1.0), other.update(batch, 1.0)
        assert a.nats == pytest.approx(b.nats, rel=1e-12)
        assert a.norm == pytest.approx(b.norm, rel=1e-9)
        assert a.count == b.count
    assert difference(whole, split) < 1e-9


def test_the_state_goes_on_from_batch_to_batch_without_its_gradient() -> None:
    network, feed = network_of(), tiny.TinyStreams(2)
    learner = learner_of(network, optimiser={"learning_rate": 1e-12})
    updates = [learner.update(batch, 1.0) for batch in feed.epoch(0)]
    both = list(feed.epoch(0))
    fields = {
        name: np.concatenate([batch[name] for batch in both], axis=1)
        for name in ("input", "target")
    }
    joined = Batch(fields, np.full(4, 14), np.ones(4, dtype=bool))
    loss, _ = network.loss(joined.map(torch.tensor))
    assert sum(update.nats for update in updates) == pytest.approx(
        float(loss.nats.detach().sum()), rel=1e-6
    )
    again = learner.update(both[0], 1.0)  # fresh rows start anew
    assert again.nats == pytest.approx(updates[0].nats, rel=1e-6)


def test_clipping_limits_the_step_and_reports_the_length_before_it() -> None:
    plain, clipped = network_of(), network_of()
    values = {"name": "sgd", "learning_rate": 1.0, "momentum": 0.0, "weight_decay": 0.0}
    before = [parameter.detach().clone() for parameter in clipped.parameters()]
    norm = (
        learner_of(plain, optimiser={**values, "max_grad_norm": 1e9})
        .update(ragged_batch(), 1.0)
        .norm
    )
    update = learner_of(clipped, optimiser={**values, "max_grad_norm": 0.01}).update(
        ragged_batch(), 0.5
    )
    moved = math.sqrt(
        sum(
            float(((a - b) ** 2).detach().sum())
            for a, b in zip(before, clipped.parameters(), strict=True)
        )
    )
    assert update.norm == norm
    assert norm > 0.01
    free = learner_of(network_of(), optimiser={**values, "max_grad_norm": math.inf}).update(
        ragged_batch(), 1.0
    )
    assert free.norm == norm
    assert moved == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_matrices_decay_and_biases_do_not() -> None:
    network = network_of()
    network.head.bias.data.fill_(1.0)
    before = network.embed.weight.detach().clone()
    batch = ragged_batch()
    batch = replace(batch, fields={**batch.fields, "counted": np.zeros((5, 7))})
    learner_of(
        network, optimiser={"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.5}
    ).update(batch, 1.0)
    torch.testing.assert_close(network.embed.weight, before * 0.95)
    torch.testing.assert_close(network.head.bias, torch.ones(5, dtype=torch.float64))


def test_averaged_weights_are_used_within_and_the_last_ones_come_back() -> None:
    network = network_of(dropout=0.2)
    learner = learner_of(network, ema_decay=0.15)
    history = [network.head.bias.detach().clone()]
    for batch in tiny.TinyStreams(4).epoch(0):
        learner.update(batch, 1.0)
        history.append(network.head.bias.detach().clone())
    expected = history[0]
    for number, weights in enumerate(history[1:], 1):
        keep = min(0.15, (1 + number) / (10 + number))
        expected = keep * expected + (1 - keep) * weights
    with learner.evaluation_mode():
        assert not network.training
        torch.testing.assert_close(network.head.bias.detach(), expected)
        torch.testing.assert_close(torch.tensor(learner.arrays()["head.bias"]), expected)
    assert network.training
    assert torch.equal(network.head.bias, history[-1])


def test_a_snapshot_goes_on_with_the_same_bits() -> None:
    feed = tiny.TinyStreams(6)
    learner = learner_of(network_of(dropout=0.5), ema_decay=0.9)
    for batch in feed.epoch(0):
        learner.update(batch, 1.0)
    snapshot = learner.snapshot()
    ends = []
    for other in (learner, learner_of(network_of(dropout=0.5, seed=5), ema_decay=0.9)):
        other.restore(snapshot)
        nats = [other.update(batch, 1.0).nats for batch in feed.epoch(1, 3)]
        ends.append((nats, other.snapshot()))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1].values == ends[1][1].values
    assert all(
        torch.equal(ends[0][1].tensors[name], ends[1][1].tensors[name])
        for name in ends[0][1].tensors
    )


def test_one_batch_can_be_overfitted() -> None:
    network = network_of(width=24)
    batch = ragged_batch()
    learner = learner_of(network, optimiser={"learning_rate": 0.02})
    losses = [learner.update(batch, 1.0) for _ in range(250)]
    assert losses[0].nats / losses[0].count > 1.3
    assert (
        losses[-1].nats / losses[-1].count < 0.35
    )  # the first symbols of the rows cannot be told apart


def test_only_a_torch_module_learns_by_gradient() -> None:
    with pytest.raises(TypeError, match="SimpleNamespace is no torch module"):
        GradientLearner(SimpleNamespace(), settings_of(), CPU)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_learns_too(name: str, precision: str) -> None:
    network = network_of().float()
    rate = 0.02 if name == "adamw" else 1.0
    learner = learner_of(
        network, optimiser={"name": name, "learning_rate": rate}, hardware={"precision": precision}
    )
    losses = [
        learner.update(batch, 1.0).nats
        for epoch in range(8)
        for batch in tiny.TinyStreams().epoch(epoch)
    ]
    assert np.mean(losses[-11:]) < 0.8 * np.mean(losses[:11])


def test_a_scale_that_overflows_in_fp16_skips_the_step_and_comes_back_from_a_snapshot() -> None:
    network = network_of().float()
    learner = learner_of(network, hardware={"precision": "fp16"})
    before = network.head.bias.detach().clone()
    learner._scaler._init_scale = 1e38
    assert learner.update(ragged_batch(), 1.0).norm is None
    assert torch.equal(network.head.bias, before)
    assert learner.snapshot().values["scaler"]["scale"] == pytest.approx(5e37)
    other = learner_of(network_of().float(), hardware={"precision": "fp16"})
    other.restore(learner.snapshot())
    assert other.snapshot().values == learner.snapshot().values


# --- learning by counting


def record_feed() -> Any:
    return list(tiny.TinyStreams(3).epoch(0))


# --- schedules and budgets


def test_schedules_against_values_by_hand() -> None:
    cosine = CosineSettings(warmup=4, min_ratio=0.1)
    none = Plateau()
    assert [scale(step, 104, none, cosine) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    flat_until = 5.2
    middle = scale(55, 104, none, cosine)
    assert middle == pytest.approx(
        0.1 + 0.9 * (1 + math.cos(math.pi * (55 - flat_until) / (104 - flat_until))) / 2
    )
    assert scale(104, 104, none, cosine) == pytest.approx(0.1)
    assert [scale(step, 10, none, cosine) for step in (0, 1)] == [
        0.5,
        1.0,
    ]  # the warm-up is never more than a fifth
    assert scale(5, None, none, cosine) == scale(5, 104, none, cosine) == 1.0
    constant = ConstantSettings(warmup=0)
    assert [scale(step, 10, none, constant) for step in (0, 9)] == [1.0, 1.0]


def test_plateau_comes_down_when_validation_stalls_and_not_below_the_floor() -> None:
    settings = PlateauSettings(patience=1, factor=0.1, min_ratio=0.05, warmup=0)
    plateau, scales = Plateau(), []
    for validation in (2.0, 1.9, 1.95, 1.9, 1.8, 1.9, 1.9, 1.9, 1.9):
        plateau = plateau.after(validation, settings)
        scales.append(scale(100, 1000, plateau, settings))
    assert scales == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05])


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": math.inf},
        {"optimiser": {"learning_rate": math.inf}},
        {"optimiser": {"weight_decay": math.inf}},
    ],
)
def test_a_budget_without_end_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="cannot be inf: input should be a finite number"):
        settings_of(**values)


def test_evaluations_take_a_bounded_share_of_the_time() -> None:
    assert steps_within(60.0, 0.1, 3.0) == (480, 160)
    assert steps_within(60.0, 0.1, 100.0)[0] >= 1


@pytest.mark.parametrize("stalls", [(), (20,), (7, 20, 21)])
def test_a_step_that_waits_for_something_else_does_not_change_the_plan(
    stalls: tuple[int, ...],
) -> None:
    timer, now = TimedStart(0.0, 400.0), 0.0
    for step in range(100):
        now += 5.0 if step in stalls else 1.0 if step < 3 else 0.1 + 0.1 * (step % 2)
        done = timer.step_done(now)
    assert done
    assert timer.count(100.0, 0.0, None)[0] == pytest.approx(0.97 * 300 / 0.15, rel=0.02)


class Clock:
    """A clock that only moves when something is said to take time."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        patch.setattr(fit_module, "perf_counter", lambda: self.now)

    def learner(self, seconds: float, **values: Any) -> GradientLearner:
        learner = learner_of(network_of(), **values)
        update, calls = learner.update, 0

        def slow(batch: Batch[np.ndarray], rate_scale: float) -> Any:
            nonlocal calls
            calls += 1
            self.now += seconds if calls > 3 else 20 * seconds
            return update(batch, rate_scale)

        learner.update = slow  # type: ignore[method-assign]
        return learner

    def validate(self, seconds: float) -> float:
        self.now += seconds
        return 1.0


@pytest.mark.parametrize(("evaluation", "between"), [(0.01, None), (1.0, None), (1.0, 40)])
def test_minutes_become_steps_that_are_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluation: float, between: int | None
) -> None:
    clock = Clock(monkeypatch)
    settings = settings_of(minutes=0.5, evaluate_every=between)
    learner = clock.learner(0.05, minutes=0.5)
    notes: list[Any] = []
    with Run.create(tmp_path / "run", {}) as run:
        began = clock.now
        outcome = fit(
            learner,
            tiny.TinyStreams(),
            settings,
            run,
            lambda: clock.validate(evaluation),
            None,
            notes.append,
        )
        assert 27 < clock.now - began <= 30
        planned = tomllib.loads((run.path / "run.toml").read_text())["planned"]
    assert planned["steps"] == outcome.step == outcome.steps
    assert [note.text for note in notes if isinstance(note, Note)] == [
        f"training takes 30 s: {outcome.steps:,} steps, "
        f"{outcome.steps / len(tiny.TinyStreams()):.2g} epochs"
    ]


def test_a_training_by_minutes_is_the_training_of_so_many_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    cosine = {"schedule": {"name": "cosine", "warmup": 5}, "evaluate_every": 40}
    weights, steps = [], None
    for name in ("minutes", "steps"):
        settings = settings_of(minutes=0.5, steps=steps, **cosine)
        learner = clock.learner(0.1)
        with Run.create(tmp_path / name, {}) as run:
            steps = fit(
                learner, tiny.TinyStreams(), settings, run, None, None, lambda event: None
            ).steps
            weights.append(run.read("weights.safetensors"))
    assert weights[0] == weights[1]


def test_a_budget_in_minutes_is_kept_on_this_machine(tmp_path: Path) -> None:
    settings = settings_of(minutes=0.03)
    network = network_of()
    learner = GradientLearner(network, settings, CPU)
    with Run.create(tmp_path / "run", {}) as run:
        outcome = fit(
            learner, tiny.TinyStreams(), settings, run, lambda: 1.0, None, lambda event: None
        )
    assert outcome.how == "finished"
    assert 0.3 < outcome.seconds < 6  # 1.8 on a quiet machine; others may be at work on it


# --- the loop


def test_same_seed_same_run_and_the_loss_falls(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        tiny.train(tmp_path / name, {**tiny.SETTINGS, "steps": 60}, seed)
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in "abc"]
    assert weights[0] == weights[1] != weights[2]
    rows = Run.open(tmp_path / "a").rows("metrics.jsonl")
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert rows[-1]["validation"] < rows[0]["loss"]


def test_events_tell_what_a_person_wants_to_know(tmp_path: Path) -> None:
    events: list[Any] = []
    tiny.train(tmp_path / "run", {**tiny.SETTINGS, "steps": 12}, on_event=events.append)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.step for event in progress] == [4, 6, 8, 12]
    assert [event.validation is not None for event in progress] == [False, True, False, True]
    assert progress[1].steps == 12
    assert progress[1].epoch == pytest.approx(6 / 11)
    assert progress[0].learning_rate == pytest.approx(0.03)
    assert progress[1].per_second > 0
    assert progress[1].memory_mb > 10
    assert progress[1].eta_seconds == pytest.approx(progress[1].seconds)
    assert progress[0].norm > 0
    samples = [event for event in events if isinstance(event, Sample)]
    assert [sample.step for sample in samples] == [6, 12]
    assert len(samples[0].text) == 8


def scripted(losses: list[float]) -> Any:
    left = iter(losses)
    return lambda: next(left)


def run_scripted(path: Path, losses: list[float], **values: Any) -> tuple[Any, list[bytes]]:
    """Train with validation losses made up beforehand; give the outcome and the weights after
    every step."""
    torch.manual_seed(0)
    network, settings = tiny.TinyNetwork(0.0), settings_of(**values)
    learner = GradientLearner(network, settings, CPU)
    weights = []

    def watch(event: object) -> None:
        if isinstance(event, Progress):
            weights.append(network.head.bias.detach().clone())

    with Run.create(path, {}) as run:
        outcome = fit(learner, tiny.TinyStreams(), settings, run, scripted(losses), None, watch)
        assert torch.equal(network.head.bias, torch.tensor(run.read_arrays()["head.bias"]))
    return outcome, weights


def test_a_training_with_nothing_left_to_learn_stops(tmp_path: Path) -> None:
    every = {"steps": 50, "evaluate_every": 5, "report_every": 5}
    nearly = [0.5, 9e-4, 8e-4, 7e-4, 6e-4, 5e-4, 4e-4, 3e-4, 2e-4, 1e-4]
    outcome, _ = run_scripted(tmp_path / "solved", nearly, patience=8, **every)
    assert (outcome.how, outcome.step, outcome.best_step) == ("stopped early", 20, 20)
    outcome, _ = run_scripted(tmp_path / "patient", nearly, **every)
    assert (outcome.how, outcome.step) == ("stopped early", 20)
    density = [0.5, 9e-4, -0.1, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8]
    outcome, _ = run_scripted(tmp_path / "density", density, patience=8, **every)
    assert (outcome.how, outcome.step) == ("finished", 50)


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    losses = [3.0, 2.0, 2.5, 2.4, 1.0]
    outcome, weights = run_scripted(
        tmp_path / "run", losses, steps=50, evaluate_every=5, report_every=5, patience=2
    )
    assert (outcome.how, outcome.step, outcome.best_step, outcome.validation) == (
        "stopped early",
        20,
        10,
        2.0,
    )
    kept = torch.tensor(Run.open(tmp_path / "run").read_arrays()["head.bias"])
    assert torch.equal(kept, weights[1])
    assert not torch.equal(kept, weights[-1])
    values = {"steps": 50, "evaluate_every": 5, "patience": 2}
    learner = GradientLearner(tiny.TinyNetwork(0.0), settings_of(**values), CPU)
    with Run.resume(tmp_path / "run") as run:
        again = fit(
            learner,
            tiny.TinyStreams(),
            settings_of(**values),
            run,
            lambda: 0.5,
            None,
            lambda event: None,
        )
    assert again == outcome


def test_the_best_weights_are_kept_without_early_stopping_too(tmp_path: Path) -> None:
    outcome, weights = run_scripted(
        tmp_path / "run", [3.0, 1.0, 2.0, 4.0], steps=20, evaluate_every=5, report_every=5
    )
    assert (outcome.how, outcome.best_step) == ("finished", 10)
    assert torch.equal(
        torch.tensor(Run.open(tmp_path / "run").read_arrays()["head.bias"]), weights[1]
    )


def test_ctrl_c_finishes_the_step_saves_and_the_run_can_go_on(tmp_path: Path) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.step == 20:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = tiny.train(tmp_path / "a", on_event=interrupt)
    assert (outcome.how, outcome.step, outcome.steps) == ("interrupted", 20, 45)
    assert Run.open(tmp_path / "a").has("weights.safetensors")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert tiny.train(tmp_path / "a").how == "finished"
    tiny.train(tmp_path / "b")
    one, other = (Run.open(tmp_path / name) for name in "ab")
    assert one.read("weights.safetensors") == other.read("weights.safetensors")
    assert [row["loss"] for row in one.rows("metrics.jsonl")] == [
        row["loss"] for row in other.rows("metrics.jsonl")
    ]


def test_ctrl_c_in_the_last_evaluation_is_heard_too(tmp_path: Path) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Progress) and event.step == event.steps:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = tiny.train(tmp_path / "run", on_event=interrupt)
    assert (outcome.how, outcome.step) == ("interrupted", 45)
    assert tiny.train(tmp_path / "run").how == "finished"


def test_ctrl_c_twice_stops_at_once(tmp_path: Path) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, Progress):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tiny.train(tmp_path / "run", on_event=interrupt)
    with Run.resume(tmp_path / "run") as run:
        assert run.checkpoint() is not None


def test_a_finished_run_stays_as_it_is_until_it_is_reopened(tmp_path: Path) -> None:
    path = tmp_path / "run"
    values = {"epochs": 2, "evaluate_every": 11, "schedule": {"warmup": 3}}
    assert tiny.train(path, values).step == 22
    before = (path / "weights.safetensors").read_bytes()
    assert tiny.train(path, values).step == 22
    assert (path / "weights.safetensors").read_bytes() == before
    with Run.resume(path) as run:
        reopen(run)
    outcome = tiny.train(path, values)
    assert (outcome.how, outcome.step) == ("finished", 44)
    rates = [row["learning_rate"] for row in Run.open(path).rows("metrics.jsonl")]
    assert rates[-1] < rates[0]
    assert max(rates[3:]) > 0.9 * max(rates)  # the schedule starts again


# --- when the numbers break


class Broken(tiny.TinyNetwork):
    """Overflows in its forward pass, or only in its gradient, once `update` number `at` is
    reached."""

    def __init__(self, where: str, at: int) -> None:
        super().__init__(0.0)
        self.where, self.left = where, at

    def forward(self, inputs: Tensor, state: Any, lengths: Tensor | None = None) -> Any:
        if self.training:
            self.left -= 1
        embedded = self.embed(inputs)
        if self.left <= 0 and self.where == "output":
            state = (state[0] * math.nan,)
        if self.left <= 0 and self.where == "gradient":
            embedded = embedded + torch.sqrt(0 * embedded.sum())
        out, last = self.body(embedded, state[0][None].contiguous())
        return torch.distributions.Categorical(logits=self.head(out)), (last[0],)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("output", "an output that is not finite in layer 'body'"),
        ("gradient", "a gradient that is not finite in layer 'embed'"),
    ],
)
def test_broken_numbers_name_step_layer_and_cause_and_the_good_weights_stay(
    tmp_path: Path, where: str, message: str
) -> None:
    settings = settings_of(steps=30, evaluate_every=5)
    torch.manual_seed(0)
    learner = GradientLearner(Broken(where, 8), settings, CPU)
    with Run.create(tmp_path / "run", {}) as run:
        with pytest.raises(TrainingError) as caught:
            fit(learner, tiny.TinyStreams(), settings, run, lambda: 1.0, None, lambda event: None)
        assert str(caught.value) == (
            f"step 8: the loss is not finite: {message}; lower "
            f"training.optimiser.learning_rate (now 0.003) or "
            "training.optimiser.max_grad_norm (now 1.0); the last good weights are saved"
        )
        arrays = run.read_arrays()
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert run.checkpoint().state.step == 5


def test_the_layer_of_a_stack_whose_gradient_broke_first_is_named() -> None:
    def broken(own: Any) -> Any:
        settings = {"embedding": 4, "body": {"name": "recurrent", "width": 5, "depth": 2}}
        network = read(SequenceSettings, settings).build(tiny.SIZE)
        own(network).register_hook(lambda gradient: gradient * math.inf)
        learner = GradientLearner(network, settings_of(), CPU)
        with pytest.raises(NonFiniteError) as caught:
            learner.update(ragged_batch(), 1.0)
        return caught.value.layer

    assert broken(lambda network: network.body.cells[1]["equation/recurrent"]) == "body.cells.1"
    assert broken(lambda network: network.body.cells[0]["equation/input"]) == "body.cells.0"
    assert broken(lambda network: network.head.linear.weight) == "head.linear"
    assert broken(lambda network: network.table.weight) == "table"


def test_weights_that_overflow_are_named_and_not_kept(tmp_path: Path) -> None:
    settings = settings_of(
        steps=30, optimiser={"name": "sgd", "learning_rate": 1e38, "max_grad_norm": 1e6}
    )
    learner = GradientLearner(tiny.TinyNetwork(0.0), settings, CPU)
    with Run.create(tmp_path / "run", {}) as run:
        with pytest.raises(TrainingError, match="not finite"):
            fit(learner, tiny.TinyStreams(), settings, run, None, None, lambda event: None)
        assert all(np.isfinite(array).all() for array in run.read_arrays().values())


def test_a_validation_that_is_no_number_stops_too(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"step 5: .* a validation loss that is not finite"):
        run_scripted(tmp_path / "run", [math.nan], steps=20, evaluate_every=5)


def test_a_full_disk_in_training_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    true_fsync, left = os.fsync, 40

    def fsync(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        true_fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(RunError, match="the disk is full; make room, and try again"):
            tiny.train(tmp_path / "a")
    assert tiny.train(tmp_path / "a").how == "finished"
    tiny.train(tmp_path / "b")
    assert (
        Run.open(tmp_path / "a").read_arrays().keys()
        == Run.open(tmp_path / "b").read_arrays().keys()
    )
    same = [(tmp_path / name / "weights.safetensors").read_bytes() for name in "ab"]
    assert same[0] == same[1]


# --- devices


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("toaster", "--device: 'toaster' is not a device; use auto, cpu, cuda, cuda:1 or mps"),
        ("cpu:3", "--device: 'cpu:3' is not a device: there is one cpu; use cpu"),
        (
            "meta",
            (
                "--device: 'meta' is a device that ensue does not use; use auto, cpu, cuda, "
                "cuda:1 or mps"
            ),
        ),
        (
            "cuda",
            (
                "--device: 'cuda' is not there: torch finds no CUDA GPU on this machine; use "
                "--device cpu"
            ),
        ),
        (
            "mps",
            (
                "--device: 'mps' is not there: torch finds no Metal GPU on this machine; use "
                "--device cpu"
            ),
        ),
    ],
)
def test_a_device_that_is_not_there(
    device: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingError) as caught:
        choose_device(HardwareSettings(device=device))
    assert str(caught.value) == message
    assert choose_device(HardwareSettings()) == CPU


def test_a_gpu_too_many_and_half_precision_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingError, match=r"training.hardware.precision: 'fp16' needs a GPU; use fp32"
    ):
        choose_device(HardwareSettings(device="cpu", precision="fp16"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingError, match=r"'cuda:1' is not there: this machine has 1 GPU"):
        choose_device(HardwareSettings(device="cuda:1"))
    assert choose_device(HardwareSettings()).type == "cuda"


def test_preparing_seeds_and_sets_threads() -> None:
    settings = HardwareSettings(device="cpu", threads=1)
    draws = []
    for _ in range(2):
        device = prepare(settings, seed=4)
        draws.append(float(torch.rand(())))
    assert draws[0] == draws[1]
    assert describe_hardware(device, settings) == {
        "threads": 1,
        "device": "cpu",
        "device_name": "cpu",
        "dtype": "fp32",
        "backend": (
            f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, "
            f"ensue-native {used()}"
        ),
    }
    assert memory_mb() > 10


def test_resuming_restores_the_machine_or_names_what_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = {"threads": 3, "device": "cpu", "dtype": "fp32"}
    assert restore_hardware(HardwareSettings(), before) == HardwareSettings(threads=3, device="cpu")
    assert restore_hardware(HardwareSettings(threads=2), before).threads == 2
    assert restore_hardware(HardwareSettings(), {}) == HardwareSettings()
    assert restore_hardware(
        HardwareSettings(), {"threads": 3, "device": "cuda:0"}
    ) == HardwareSettings(threads=3)
    assert describe_changes(before, dict(before)) is None
    assert describe_changes(before, {**before, "threads": 1, "device": "mps"}) == (
        "not bit-identical to an uninterrupted training: threads is 1, was 3; device is mps, was cpu"
    )


def test_random_numbers_are_those_of_the_device_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def get(device: Any = "cuda") -> Tensor:
        asked.append(device)
        return torch.arange(3)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", get)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [get()])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: asked.append((state.tolist(), device))
    )
    on_cpu, second = random_state(CPU), torch.device("cuda:1")
    assert on_cpu.keys() == {"cpu"}
    set_random_state(on_cpu, second)
    assert asked == []
    set_random_state(random_state(second), second)
    assert asked == [second, ([0, 1, 2], second)]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: torch.arange(2))
    assert random_state(torch.device("mps")).keys() == {"cpu", "mps"}


def test_memory_is_that_of_all_gpus_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: (device + 1) * 1e6)
    assert memory_mb() == 3


def test_a_batch_becomes_tensors_of_the_same_types() -> None:
    batch = ragged_batch()
    batch["input"].flags.writeable = False  # as a memory map is
    moved = to_device(batch, CPU)
    assert moved["input"].dtype == torch.int64
    assert moved.fresh.dtype == torch.bool
    assert torch.equal(moved.lengths, torch.tensor([7, 3, 1, 5, 7]))
