"""The data of a run of `tag`: read, split, encoded, and kept in the run."""

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
Kept = tuple[dict[str, Examples], dict[str, Any]]


def read_parts(
    run: Run, settings: TagSettings, data: Sequence[Path], watch: Callback
) -> TaggedParts:
    """Read the data into the run, and describe it there; from then on its sources are not
    needed."""
    kept = _kept(run, settings, data)
    parts, contents = _parts(run, kept), kept[1]
    keep_codec(run, parts)
    counted = {
        part: {"sentences": len(np.unique(one.static["sentence"])), "words": int(one.offsets[-1])}
        for part, one in parts.parts.items()
    }
    read = {name: contents[name] for name in ("format", "columns")}
    run.describe({"data": {**read, "files": parts.files, "examples": counted}})
    for finding in parts.findings:
        watch(Note(finding))
    if settings.vectors:
        there, words = count_covered(parts)
        watch(
            Note(
                f"{settings.vectors}: {there:,} of the {words:,} words of the training "
                f"part have a vector"
            )
        )
    return parts


def parts_of(run: Run, settings: TagSettings, data: Sequence[Path]) -> TaggedParts:
    """Give the parts that the run holds, read again where its cache is damaged. Raises RunError
    where that fails."""
    return _parts(run, _kept(run, settings, data))


def _parts(run: Run, kept: Kept) -> TaggedParts:
    with format_errors(str(run.cache / CONTENTS)):
        return TaggedParts.from_json(*kept)


def keep_codec(run: Run, parts: TaggedParts) -> None:
    """Write how words and tags become ids."""
    run.write(CODEC, _codec(parts))


def vectors_of(run: Run) -> np.ndarray:
    """Give the vectors of words that came with the data."""
    return np.array(Cache(run.cache).load_array(VECTORS))


def _kept(run: Run, settings: TagSettings, data: Sequence[Path]) -> Kept:
    return load_data(
        run,
        lambda folder: _opened(folder, settings),
        lambda cache: _read(settings, data, cache),
        lambda kept: (_codec(_parts(run, kept)), kept[1]["files"]),
    )


def _opened(folder: Path, settings: TagSettings) -> Kept | None:
    kept = load_examples(folder)
    if kept is not None and settings.vectors:
        Cache(folder).load_array(VECTORS)
    return kept


def _codec(parts: TaggedParts) -> bytes:
    taught = {
        "words": parts.codec.to_json(),
        "tags": parts.tags[: parts.known_tags],
        "tokenizer": parts.tokenizer,
    }
    return json.dumps(taught).encode()


def _read(settings: TagSettings, data: Sequence[Path], cache: Cache) -> Kept:
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
    kept = load_examples(cache.folder)
    assert kept is not None
    return kept
