"""Learning, as every task does it: step by step, or at one go; either way the run has its log and its arrays then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ensue.data.batching import in_order
from ensue.data.examples import Examples
from ensue.errors import Interrupted
from ensue.models.contract import Predictor
from ensue.models.weights import device_of
from ensue.training import devices
from ensue.training.by_gradient import ByGradient
from ensue.training.contract import Feed, Note, Progress, Watch
from ensue.training.fit import SOLVED, MakeSample, Validate, fit
from ensue.training.run import METRICS, Run
from ensue.training.settings import MachineSettings, TrainingSettings

SPARED = 0.1
"""The share of `minutes` kept for what comes after the training."""


@dataclass(frozen=True)
class Learned:
    """A model, how long it took, and what was chosen on which part."""

    model: Any
    seconds: float
    chosen: tuple[str, ...] = ()
    updates: int = 0
    """After which a network was best."""


def take_machine(run: Run, settings: Any, watch: Watch, *, network: bool = True) -> MachineSettings:
    """Prepare the machine, the CPU for what is no network: as it was, for a run that is resumed; what cannot be so is
    named. `settings` has the fields training and seed.
    """
    before, machine = run.about.get("machine", {}), settings.training.machine
    machine = devices.as_before(machine if network else MachineSettings(device="cpu", threads=machine.threads), before)
    device = devices.prepare(machine, settings.seed)
    now = devices.describe_machine(device, machine)
    if odd := devices.changes(before, now):
        watch(Note(odd))
    if not before:
        run.describe({"machine": now})
    return machine


def left_of(training: TrainingSettings, machine: MachineSettings, spent: float) -> TrainingSettings:
    """Give the training what the seconds spent so far, and what comes after it, leave of its minutes: half or more.

    What stands beside it may take long, and says nothing of a network that has hardly learned.
    """
    left = max(training.minutes * (1 - SPARED) - spent / 60, training.minutes / 2)
    return training.model_copy(update={"minutes": left, "machine": machine})


def learn(
    run: Run,
    network: Any,
    training: TrainingSettings,
    feed: Feed,
    validate: Validate,
    watch: Watch,
    sample: MakeSample | None = None,
) -> Learned:
    """Train until the budget is spent; the weights with the least nats on the tune part are kept, in run and network.

    Raises Interrupted, once all is saved, where a person stopped it.
    """
    device = devices.choose_device(training.machine)
    outcome = fit(ByGradient(network, training, device), feed, training, run, validate, sample, watch)
    if outcome.how == "interrupted":
        raise Interrupted(f"interrupted and saved; go on with `{run.resuming}`")
    if outcome.how == "stopped early":
        solved = outcome.validation is not None and 0 <= outcome.validation < SOLVED
        why = f"its loss is below {SOLVED}" if solved else f"no gain for {training.patience} evaluations"
        watch(Note(f"stopped early, at step {outcome.step:,} of {outcome.steps or 0:,}: {why} on the tune part"))
    if isinstance(network, nn.Module):
        network.to("cpu" if device.type == "mps" else device).eval()  # Metal has no float64, in which is scored
    chosen = f"the weights of the network, those of step {outcome.best_step}: on the tune part"
    return Learned(network, outcome.seconds, (chosen,), max(outcome.best_step, 1))


@torch.no_grad()
def mean_nats(network: Predictor, examples: Examples, rows: int) -> float:
    """Give the nats of each thing that is to be predicted, in the mean."""
    nats, count, device = 0.0, 0, device_of(network)
    for _, batch in in_order(examples, rows):
        loss, _ = network.loss(devices.to_device(batch, device))
        nats, count = nats + float(loss.nats.cpu().double().sum()), count + int(batch.counts.sum())
    return nats / max(count, 1)


def tell_fitted(run: Run, validation: float, seconds: float, learned_from: tuple[int, str], watch: Watch) -> None:
    """Log as one step of training what was fitted at one go; `validation` is in nats for each of what was learned from,
    so many of a unit."""
    count, unit = learned_from
    progress = Progress(
        step=1,
        steps=1,
        epoch=1.0,
        loss=None,
        validation=validation,
        rate=0.0,
        norm=None,
        seconds=seconds,
        unit=unit,
        per_second=count / max(seconds, 1e-9),
        eta_seconds=0.0,
        memory_mb=devices.memory_mb(),
    )
    if not run.rows(METRICS):
        run.record(progress)
    watch(progress)
