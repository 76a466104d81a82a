"""The settings of training. The defaults suit small recurrent networks over characters on a CPU."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ensue.settings import Settings


class BatchingSettings(Settings):
    """How the data is cut into batches."""

    mode: Literal["streams", "windows", "records"] | None = None
    """streams: contiguous text with carried state; windows: shuffled, overlapping; records: whole
    lines. Unset, the task chooses: streams for one long text, records where there are records."""
    batch_size: int = Field(16, ge=1, le=1_000_000)
    """Sequences side by side in a batch."""
    sequence_length: int = Field(64, ge=1)
    """Symbols of each row: how far back a gradient reaches in streams, or the length of a
    window. Records are whole."""
    stride: int = Field(3, ge=1)
    """Symbols from the start of one window to that of the next."""
    loss_on: Literal["all", "last"] = "all"
    """Whether all steps of a window are learned, or its last one alone, as in the classical
    exercise."""
    accumulation_steps: int = Field(1, ge=1)
    """Compute each batch in so many parts, to save memory; the gradient is that of the whole
    batch."""


class OptimiserSettings(Settings):
    """How a gradient becomes a change of the weights."""

    name: Literal["adamw", "sgd"] = "adamw"
    """adamw (Loshchilov & Hutter 2019) or sgd (with momentum, not Nesterov's)."""
    learning_rate: float = Field(0.003, gt=0, allow_inf_nan=False)
    """Learning rate at its highest; sgd wants about a hundred times more."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the running gradient that is kept (adamw's first beta)."""
    beta2: float = Field(0.99, ge=0, lt=1)
    """Share of the running squared gradient that is kept (adamw's second beta)."""
    weight_decay: float = Field(0.05, ge=0, allow_inf_nan=False)
    """Weight decay of matrices; biases and gains are left alone."""
    max_grad_norm: float = Field(1.0, gt=0, allow_inf_nan=True)
    """Longest gradient norm that is let through; inf lets all through."""


class ScheduleSettings(Settings):
    """How the rate changes over the training."""

    name: Literal["cosine", "plateau", "constant"] = "cosine"
    """cosine: down to the floor along half a wave; plateau: down a step whenever validation
    stalls; constant."""
    warmup: int = Field(50, ge=0)
    """Steps of linear rise at the beginning; never more than a fifth of the training."""
    min_ratio: float = Field(0.02, ge=0, le=1)
    """Lowest share of the rate."""
    factor: float = Field(0.5, gt=0, lt=1)
    """What plateau multiplies the rate by."""
    patience: int = Field(2, ge=0)
    """Evaluations without a gain that plateau lets pass before it does."""


class HardwareSettings(Settings):
    """Where and in which numbers it is computed."""

    device: str = "auto"
    """auto (a GPU if there is one), cpu, cuda, cuda:1 or mps."""
    threads: int | None = Field(None, ge=1, le=1024)
    """CPU threads; unset, torch chooses. The same seed gives the same bits for the same number."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers of the large products; the weights are fp32 always. fp16 needs a GPU."""


class TrainingSettings(Settings):
    """How long and how to train. `steps` counts if given, else `epochs`, else `minutes`."""

    minutes: float = Field(3.0, gt=0, allow_inf_nan=False)
    """Time for the whole command; what of it is for training is turned into a number of steps
    after a timed start."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training data."""
    steps: int | None = Field(None, ge=1)
    """Updates, one for each batch."""
    batching: BatchingSettings = BatchingSettings()
    """How the data is cut into batches."""
    optimiser: OptimiserSettings = OptimiserSettings()
    """How a gradient becomes a change of the weights."""
    schedule: ScheduleSettings = ScheduleSettings()
    """How the rate changes over the training."""
    hardware: HardwareSettings = HardwareSettings()
    """Where and in which numbers it is computed."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Share of the running average of the weights that is kept at each step; 0 uses the last
    weights."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many evaluations without a gain; if unset, only where nothing is left to learn.
    The best weights are kept in any case."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between evaluations, each with a sample and a checkpoint; unset, 20 over the training
    or fewer where they would take long."""
    report_every: int = Field(10, ge=1)
    """Steps between two lines of metrics."""
