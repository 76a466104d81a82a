"""Read, split and encode the data of a run of `tag`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Prepared
from ensue.data.prepare import fingerprint
from ensue.data.readers.word_vectors import read_vectors
from ensue.data.tagged import TaggedParts, count_covered, encode_parts, read_tagged
from ensue.tasks.cached import DataSource
from ensue.tasks.demos import demo_name, write_demo
from ensue.tasks.tag.settings import TagSettings
from ensue.training.contract import Callback

DEMO = "tokens"


def _read(
    settings: TagSettings, files: Sequence[Path], cache: Cache, on_event: Callback, known: Any
) -> Prepared[TaggedParts]:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    demo = demo_name(files, "tag", DEMO)
    paths = [write_demo(demo, cache.folder)] if demo else files
    vectors = read_vectors(Path(settings.vectors)) if settings.vectors else None
    read = read_tagged(paths, settings.data, settings.seed, listener)
    dataset = encode_parts(read.parts, settings.codec, vectors, listener)
    if vectors:
        covered, words = count_covered(dataset)
        what = f"{covered:,} of the {words:,} words of the training part have a vector"
        findings.append(Finding(settings.vectors, what))
    counts = {
        part: {"sentences": len(np.unique(one.static["sentence"])), "words": int(one.offsets[-1])}
        for part, one in dataset.streams.items()
    }
    sources = {path: part for part, own in read.files.items() for path in own}
    about = {
        "format": read.reader.format,
        "columns": read.reader.layout.to_json() if read.reader.layout else {},
        "files": fingerprint(sources, findings.append),
        "examples": counts,
    }
    return Prepared(dataset, about, findings)


DATA = DataSource(TagSettings, TaggedParts, _read)
