"""Read, split and encode the data of a run of `tag`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ensue.data.contract import Finding
from ensue.data.dataset import Prepared
from ensue.data.readers.word_vectors import read_vectors
from ensue.data.tagged import TaggedParts, count_covered, encode_parts, read_tagged
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.tag.settings import TagSettings


def _read(settings: TagSettings, sources: Sources) -> Prepared[TaggedParts]:
    vectors = read_vectors(Path(settings.vectors)) if settings.vectors else None
    read = read_tagged(sources.files, settings.data, settings.seed, sources.listener)
    dataset = encode_parts(read.parts, settings.codec, vectors, sources.listener)
    if vectors:
        covered, words = count_covered(dataset)
        what = f"{covered:,} of the {words:,} words of the training part have a vector"
        sources.findings.append(Finding(settings.vectors, what))
    counts = {
        part: {"sentences": len(np.unique(one.static["sentence"])), "words": int(one.offsets[-1])}
        for part, one in dataset.streams.items()
    }
    columns = read.reader.layout.to_json() if read.reader.layout else {}
    form = read.reader.format
    return sources.prepared(dataset, form, read.files, columns=columns, examples=counts)


DATA = DataSource("tag", TagSettings, TaggedParts, _read)
