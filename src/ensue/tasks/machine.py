"""What a run computes on, and how much of its time is left for learning."""

from __future__ import annotations

from typing import Any

import torch

from ensue.training import devices
from ensue.training.contract import Note, Watch
from ensue.training.run import Run
from ensue.training.settings import MachineSettings, TrainingSettings

SPARED = 0.1
"""The share of `minutes` kept for what comes after the training."""


def take_machine(
    run: Run, settings: Any, watch: Watch, *, network: bool = True
) -> tuple[torch.device, MachineSettings]:
    """Prepare the machine, the CPU for what is no network: as it was, for a run that is resumed; what cannot be so is
    named. `settings` has the fields training and seed.
    """
    machine, before = settings.training.machine, run.about.get("machine", {})
    machine = machine if network else MachineSettings(device="cpu", threads=machine.threads)
    machine = devices.as_before(machine, before)
    device = devices.prepare(machine, settings.seed)
    now = devices.describe_machine(device, machine)
    if odd := devices.changes(before, now):
        watch(Note(odd))
    if not before:
        run.describe({"machine": now})
    return device, machine


def left_of(training: TrainingSettings, machine: MachineSettings, spent: float) -> TrainingSettings:
    """Give the training what the seconds spent so far, and what comes after it, leave of its minutes: half or more.

    What stands beside it may take long, and says nothing of a network that has hardly learned.
    """
    left = max(training.minutes * (1 - SPARED) - spent / 60, training.minutes / 2)
    return training.model_copy(update={"minutes": left, "machine": machine})
