"""Read, split and encode the data of a run of `tag`, and cache it in the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import format_errors
from ensue.cache import Cache
from ensue.data.contract import SILENT
from ensue.data.dataset import CONTENTS, Examples, load_examples, save_examples
from ensue.data.demos import demo_name, write_demo
from ensue.data.readers.named_parts import get_part_files
from ensue.data.readers.tagged import TaggedReader
from ensue.data.readers.word_vectors import Vectors, read_vectors
from ensue.data.tagged import TaggedParts, count_covered, prepare_tagged
from ensue.tasks.cached import CODEC, load_data
from ensue.tasks.tag.settings import TagSettings
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run

DEMO = "tokens"
VECTORS = "vectors.npy"
Cached = tuple[dict[str, Examples], dict[str, Any]]
"""Examples of each part, and what describes them."""


def read_parts(
    run: Run, settings: TagSettings, data: Sequence[Path], on_event: Callback
) -> TaggedParts:
    """Read the data into the run and describe it there.

    The run needs its sources no more, unless its cache is damaged.
    """
    cached = _load_or_read(run, settings, data)
    parts, contents = _make_parts(run, cached), cached[1]
    save_codec(run, parts)
    counts = {
        part: {"sentences": len(np.unique(one.static["sentence"])), "words": int(one.offsets[-1])}
        for part, one in parts.parts.items()
    }
    layout = {name: contents[name] for name in ("format", "columns")}
    run.describe({"data": {**layout, "files": parts.files, "examples": counts}})
    for finding in parts.findings:
        on_event(Note(finding))
    if settings.vectors:
        covered, words = count_covered(parts)
        what = f"{covered:,} of the {words:,} words of the training part have a vector"
        on_event(Note(f"{settings.vectors}: {what}"))
    return parts


def load_parts(run: Run, settings: TagSettings, data: Sequence[Path]) -> TaggedParts:
    """Load the parts from the cache of the run, or read them again if it is damaged.

    Raises RunError where reading fails.
    """
    return _make_parts(run, _load_or_read(run, settings, data))


def _make_parts(run: Run, cached: Cached) -> TaggedParts:
    with format_errors(str(run.cache / CONTENTS)):
        return TaggedParts.from_json(*cached)


def save_codec(run: Run, parts: TaggedParts) -> None:
    """Save the codec of words, the tags of the training data and the tokenizer."""
    run.write(CODEC, _dump_codec(parts))


def load_vectors(run: Run) -> np.ndarray:
    """Load the word vectors that the run was given, (words, width)."""
    return np.array(Cache(run.cache).load_array(VECTORS))


def _load_or_read(run: Run, settings: TagSettings, data: Sequence[Path]) -> Cached:
    return load_data(
        run,
        lambda folder: _load(folder, settings),
        lambda cache: _read(settings, data, cache),
        lambda cached: (_dump_codec(_make_parts(run, cached)), cached[1]["files"]),
    )


def _load(folder: Path, settings: TagSettings) -> Cached | None:
    cached = load_examples(folder)
    if cached is not None and settings.vectors:
        # Vectors that are damaged raise here, so that the data is read again as a whole.
        Cache(folder).load_array(VECTORS)
    return cached


def _dump_codec(parts: TaggedParts) -> bytes:
    codec = {
        "words": parts.codec.to_json(),
        "tags": parts.tags[: parts.known_tags],
        "tokenizer": parts.tokenizer,
    }
    return json.dumps(codec).encode()


def _read(settings: TagSettings, data: Sequence[Path], cache: Cache) -> Cached:
    demo = demo_name(data, "tag", DEMO)
    paths = [write_demo(demo, cache.folder)] if demo else data
    vectors: Vectors | None = read_vectors(Path(settings.vectors)) if settings.vectors else None
    if vectors is not None:
        cache.save_array(VECTORS, vectors.table)
    parts = prepare_tagged(paths, settings.data, settings.codec, settings.seed, vectors)
    reader = TaggedReader(
        get_part_files("train", paths, settings.data, SILENT)["train"], settings.data, True
    )
    columns = reader.layout.to_json() if reader.layout else {}
    save_examples(
        parts.parts, {**parts.to_json(), "format": reader.format, "columns": columns}, cache
    )
    cached = load_examples(cache.folder)
    assert cached is not None
    return cached
