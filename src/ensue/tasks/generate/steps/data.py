"""Read, split and encode the data of a run over sequences of records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Prepared
from ensue.data.prepare import fingerprint
from ensue.data.steps import StepData, encode_steps, read_steps
from ensue.tasks.cached import DataSource
from ensue.tasks.demos import demo_name, write_demo
from ensue.tasks.generate.steps.settings import StepSettings
from ensue.training.contract import Callback


def _read(
    settings: StepSettings, files: Sequence[Path], cache: Cache, on_event: Callback, known: Any
) -> Prepared[StepData]:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    demo = demo_name(files, "generate", "")
    paths = [write_demo(demo, cache.folder)] if demo else files
    read = read_steps(paths, settings.data, settings.seed, listener)
    dataset = encode_steps(read, listener)
    counts = {
        part: {"sequences": len(one), "steps": int(one.offsets[-1])}
        for part, one in dataset.parts.items()
    }
    sources = {path: part for part, own in read.files.items() for path in own}
    prints = fingerprint(sources, findings.append)
    about = {"format": "steps", "files": prints, "examples": counts}
    return Prepared(dataset, about, findings)


DATA = DataSource(StepSettings, StepData, _read)
