"""The settings of training, and the options of every training.

The defaults suit small recurrent networks over characters on a CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.settings import Choice, Settings, SizeName


class BatchingSettings(Settings):
    """Mini-batches of examples."""

    batch_size: int = Field(16, ge=1, le=1_000_000)
    """Sequences per batch."""
    accumulation_steps: int = Field(1, ge=1)
    """Gradient accumulation: parts that each batch is computed in, to save memory."""


class RecordsSettings(BatchingSettings):
    """Mini-batches of whole records, such as lines."""

    name: Literal["records"] = "records"


class StreamsSettings(BatchingSettings):
    """Mini-batches of contiguous pieces of one long text, with the state carried."""

    name: Literal["streams"] = "streams"
    sequence_length: int = Field(64, ge=1)
    """Symbols per sequence: truncation of back-propagation."""


class AutoBatchingSettings(BatchingSettings):
    """Mini-batches of records if there are any, else of streams."""

    name: Literal["auto"] = "auto"
    sequence_length: int = Field(64, ge=1)
    """Symbols per sequence of one long text: truncation of back-propagation."""


class WindowsSettings(BatchingSettings):
    """Mini-batches of shuffled, overlapping windows of a text."""

    name: Literal["windows"] = "windows"
    sequence_length: int = Field(64, ge=1)
    """Symbols per window."""
    stride: int = Field(3, ge=1)
    """Symbols between the starts of two windows."""
    loss_on: Literal["all", "last"] = "all"
    """Steps of a window that the loss counts: all, or the last one."""


TEXT_BATCHING: dict[str, type[Settings]] = {
    "auto": AutoBatchingSettings,
    "streams": StreamsSettings,
    "windows": WindowsSettings,
    "records": RecordsSettings,
}
"""How a text is cut into the sequences of a batch."""


class OptimiserSettings(Settings):
    """Settings of every optimiser."""

    learning_rate: float = Field(0.003, gt=0, allow_inf_nan=False)
    """Learning rate at its peak; sgd needs about 100 times more than adamw."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Momentum of sgd; beta1 of adamw."""
    weight_decay: float = Field(0.05, ge=0, allow_inf_nan=False)
    """Weight decay of matrices; biases and gains have none."""
    max_grad_norm: float = Field(1.0, gt=0, allow_inf_nan=True)
    """Gradient clipping: largest norm; inf is no clipping."""


class AdamWSettings(OptimiserSettings):
    """AdamW (Loshchilov & Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    beta2: float = Field(0.99, ge=0, lt=1)
    """Decay of the running mean of squared gradients."""


class SGDSettings(OptimiserSettings):
    """Stochastic gradient descent with classical momentum."""

    name: Literal["sgd"] = "sgd"


OPTIMISERS: dict[str, type[Settings]] = {"adamw": AdamWSettings, "sgd": SGDSettings}


class ConstantSettings(Settings):
    """The peak learning rate, after a warm-up."""

    name: Literal["constant"] = "constant"
    warmup: int = Field(50, ge=0)
    """Steps of linear warm-up; at most a fifth of the training."""


class CosineSettings(Settings):
    """Half a cosine down to min_ratio, after a warm-up."""

    name: Literal["cosine"] = "cosine"
    warmup: int = Field(50, ge=0)
    """Steps of linear warm-up; at most a fifth of the training."""
    min_ratio: float = Field(0.02, ge=0, le=1)
    """Lowest learning rate, as a share of the peak."""


class PlateauSettings(Settings):
    """The peak learning rate, reduced whenever validation stalls."""

    name: Literal["plateau"] = "plateau"
    warmup: int = Field(50, ge=0)
    """Steps of linear warm-up; at most a fifth of the training."""
    min_ratio: float = Field(0.02, ge=0, le=1)
    """Lowest learning rate, as a share of the peak."""
    factor: float = Field(0.5, gt=0, lt=1)
    """Factor by which the learning rate is reduced."""
    patience: int = Field(2, ge=0)
    """Evaluations without improvement before it is reduced."""


SCHEDULES: dict[str, type[Settings]] = {
    "cosine": CosineSettings,
    "plateau": PlateauSettings,
    "constant": ConstantSettings,
}
Optimiser = Annotated[Any, Choice(OPTIMISERS, "adamw")]
Schedule = Annotated[Any, Choice(SCHEDULES, "cosine")]
TextBatching = Annotated[Any, Choice(TEXT_BATCHING, "auto")]


class HardwareSettings(Settings):
    """Device, threads and floating-point precision."""

    device: str = "auto"
    """Device: auto (a GPU if there is one), cpu, cuda, cuda:1 or mps."""
    threads: int | None = Field(None, ge=1, le=1024)
    """CPU threads; by default torch chooses. Results are bit-identical for the same seed and
    threads."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of matrix products (mixed precision); weights are always fp32. fp16 needs a
    GPU."""


class TrainingSettings(Settings):
    """Training budget and procedure. `steps` overrides `epochs`, which overrides `minutes`."""

    minutes: float = Field(3.0, gt=0, allow_inf_nan=False)
    """Time budget of the whole command; a timed start turns it into a number of steps."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training data."""
    steps: int | None = Field(None, ge=1)
    """Optimiser steps, one per batch."""
    batching: BatchingSettings = BatchingSettings()
    """Mini-batches of examples."""
    optimiser: Optimiser = AdamWSettings()
    """Optimiser: learning rate, momentum, weight decay and clipping."""
    schedule: Schedule = CosineSettings()
    """Learning rate schedule."""
    hardware: HardwareSettings = HardwareSettings()
    """Device, threads and floating-point precision."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the exponential moving average of the weights; 0 uses the last weights."""
    patience: int | None = Field(None, ge=1)
    """Early stopping after this many evaluations without improvement; the best weights are always
    used."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between evaluations, each with a sample and a checkpoint; by default at most 20
    evaluations."""
    report_every: int = Field(10, ge=1)
    """Steps between two lines of metrics."""


class TextTrainingSettings(TrainingSettings):
    """Training budget and procedure of a language model."""

    batching: TextBatching = AutoBatchingSettings()
    """Mini-batches of texts: size, sequence length and order; auto: records if there are any, else
    streams."""


class TrainingOptions(Settings):
    """Options of every training; one that is None was not given."""

    size: SizeName | None = None
    """Size of the network."""
    minutes: float | None = None
    """Time budget of the whole command in minutes; 3 if neither this nor --epochs is given."""
    epochs: int | None = None
    """Passes over the training data, instead of --minutes."""
    seed: int | None = None
    """Random seed."""
    device: str | None = None
    """Device: cpu, cuda, cuda:1, mps or auto."""
    config: Path | None = None
    """Settings file (TOML) as --show-settings prints it, or the run.toml of a run."""
