"""What the training of `generate` on sequences of records has of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.feeds import Feed, StepFeed
from ensue.data.steps import StepData, StepTable
from ensue.evaluation.scores import Measured
from ensue.evaluation.step_scoring import begin_blocks, measure_steps, score_steps
from ensue.models.steps.pool import StepPool
from ensue.settings import Settings, read
from ensue.tasks.fitting import Fitted
from ensue.tasks.generate.steps.data import DATA
from ensue.tasks.generate.steps.report import STEPS
from ensue.tasks.generate.steps.settings import MODELS
from ensue.tasks.generate.steps.trained import StepGenerator
from ensue.tasks.training import HeldOut, Training
from ensue.training.contract import Callback
from ensue.training.folder.run import Run

PIECE = 128
"""Steps of a row of a batch; a longer sequence is cut into several."""
SHOWN, ROWS = 3, 1000
"""Samples in the report, and their most rows."""


class StepTraining(Training[StepData]):
    """The training of `generate` on sequences of records."""

    source = DATA
    models = MODELS
    report = STEPS

    def baselines(self, settings: Any, data: StepData, on_event: Callback) -> list[Settings]:
        """Choose the baselines that suit the fields, other than the run's own model."""
        others: list[Any] = super().baselines(settings, data, on_event)
        return [one for one in others if one.suits(data.codec.fields)]

    def build(self, settings: Any, data: StepData) -> Any:
        """Build a model."""
        return settings.model.build(data.codec.fields)

    def start(
        self, run: Run, settings: Any, network: Any, data: StepData, on_event: Callback
    ) -> None:
        """Start symbols and ends at their frequencies in training."""
        network.head.start_at_frequencies(data["train"].steps["symbols"])

    def feed(self, settings: Any, data: StepData) -> Feed:
        """Make the training batches."""
        rows = settings.training.batching.batch_size
        return StepFeed(data["train"], rows, PIECE, settings.seed)

    def validate(self, run: Run, model: Any, settings: Any, data: StepData) -> float:
        """Compute nats per step."""
        return float(score_steps(model, data["validation"]).sum(1).mean())

    def size(self, data: StepData) -> tuple[int, str]:
        """Count the steps."""
        return int(data["train"].offsets[-1]), "steps"

    def held_out(self, fitted: Fitted, data: StepData) -> HeldOut:
        """Score each step of the validation part; blocks of steps are independent units."""
        nats = score_steps(fitted.model, data["validation"])
        return HeldOut(-nats.sum(1), np.cumsum(begin_blocks(data["validation"]), dtype=np.int64))

    def mix(self, members: Sequence[Fitted], weights: Any, data: StepData) -> StepPool:
        """Mix models over records."""
        return StepPool([one.model for one in members], weights)

    def predict(self, fitted: Fitted, data: StepData) -> NDArray[np.float64]:
        """Compute the nats of each field of the test part."""
        return score_steps(fitted.model, data["test"])

    def score(self, fitted: Fitted, data: StepData, predicted: Any, calibration: None) -> Measured:
        """Measure nats per step."""
        return measure_steps(predicted, data["test"])

    def trained(self, run: Run, fitted: Fitted, data: StepData, calibration: None) -> StepGenerator:
        """Make the model that generates."""
        return StepGenerator(run, fitted.model, data.codec, read(StepTable, data.table))

    def measure(self, trained: StepGenerator, data: StepData, predicted: Any) -> dict[str, Any]:
        """Measure nats by field, and generate samples."""
        means = predicted.mean(0).tolist()
        seed = trained.run.about["settings"]["seed"]
        length = min(data.codec.length, ROWS)
        samples = trained.samples(n=SHOWN, seed=seed, novelty=True, length=length)
        train = data["train"]
        longest = max(len(one.steps) for one in samples)
        end = min(train.offsets[1], ROWS if data.codec.ends else longest)
        first = {name: array[:end] for name, array in train.steps.items()}
        return {
            "example": data.codec.decode(first),
            "nats_per_step_of": dict(zip(data.codec.fields.names, means, strict=True)),
            "samples": [one.to_json() for one in samples],
        }


TRAINING = StepTraining()
