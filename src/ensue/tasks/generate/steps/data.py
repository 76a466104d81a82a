"""Read, split and encode the data of a run over sequences of records."""

from __future__ import annotations

from ensue.data.dataset import Prepared
from ensue.data.steps import StepData, encode_steps, read_steps
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.generate.steps.settings import StepSettings


def _read(settings: StepSettings, sources: Sources) -> Prepared[StepData]:
    read = read_steps(sources.files, settings.data, settings.seed, sources.listener)
    dataset = encode_steps(read, sources.listener)
    counts = {
        part: {"sequences": len(one), "steps": int(one.offsets[-1])}
        for part, one in dataset.parts.items()
    }
    return sources.prepared(dataset, "steps", read.files, examples=counts)


DATA = DataSource("generate", StepSettings, StepData, _read, demo=False)
