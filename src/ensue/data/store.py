"""Prepared data in the run folder, for continuing a run and for searching copies without its files.

Each file has a checksum (`cache.py`).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensue.cache import Cache
from ensue.data.codecs import load_codec
from ensue.data.contract import Codec, Corpus, Finding
from ensue.data.dataset import CONTENTS, check_ids, check_offsets
from ensue.data.prepare import Prepared
from ensue.data.split import PARTS

ARRAYS = ("ids", "offsets", "unknown_at", "unknown_nats", "unknown_bytes", "unknown_sizes")
COUNTS = ("characters", "bytes", "words", "tokens")


def save(prepared: Prepared, cache: Cache) -> None:
    """Write the three parts, the codec and the notes on the data into a new folder."""
    contents: dict[str, Any] = {
        "codec": prepared.codec.to_json(),
        "format": prepared.format,
        "fingerprint": prepared.fingerprint,
        "findings": [asdict(finding) for finding in prepared.findings],
        "parts_with_files": prepared.given,
    }
    for part in PARTS:
        corpus: Corpus = getattr(prepared, part)
        contents[part] = {name: getattr(corpus, name) for name in COUNTS}
        for name in ARRAYS:
            cache.save_array(_file_name(part, name), getattr(corpus, name))
    cache.save_json(CONTENTS, contents)
    cache.finish()


def load(folder: Path) -> Prepared | None:
    """Open what `save` wrote, with ids memory-mapped; None if it was not finished.

    Raises RunError if it is damaged.
    """
    cache = Cache(folder)

    def restore(contents: Any) -> Prepared:
        codec = load_codec(contents["codec"])
        return Prepared(
            **{part: _load_corpus(cache, part, contents[part], codec) for part in PARTS},
            codec=codec,
            format=contents["format"],
            fingerprint=contents["fingerprint"],
            findings=tuple(Finding(**finding) for finding in contents["findings"]),
            given=tuple(contents["parts_with_files"]),
        )

    return cache.load_json(CONTENTS, restore) if cache.finished else None


def _load_corpus(cache: Cache, part: str, counts: dict[str, Any], codec: Codec) -> Corpus:
    arrays = {name: cache.load_array(_file_name(part, name)) for name in ARRAYS}
    others: dict[str, Any] = {name: counts[name] for name in COUNTS}
    others |= {name: np.array(array) for name, array in arrays.items() if name != "ids"}
    corpus = Corpus(ids=arrays["ids"], **others)
    _check(corpus, codec, f"of the part {part}")
    return corpus


def _check(corpus: Corpus, codec: Codec, where: str) -> None:
    """Raise ValueError for arrays and counts that do not belong to a text."""
    check_offsets(corpus.offsets, where)
    check_ids(corpus.ids, codec.size, f"the text {where}")
    if corpus.offsets[-1] != len(corpus) or (
        codec.end is not None and (np.diff(corpus.offsets) < 1).any()
    ):
        raise ValueError(f"the offsets {where} are not those of its text")
    at, nats, sizes = corpus.unknown_at, corpus.unknown_nats, corpus.unknown_sizes
    places = np.append(at, len(corpus))
    ascending = places.dtype == np.int64 and places[0] >= 0 and (places[1:] > places[:-1]).all()
    valid_nats = nats.dtype == np.float64 and nats.shape == at.shape and np.isfinite(nats).all()
    if not (ascending and valid_nats and (len(at) == 0 or (corpus.ids[at] == codec.unknown).all())):
        raise ValueError(f"the unknown symbols {where} are not those of its text")
    spelled = (
        sizes.dtype == np.int64
        and corpus.unknown_bytes.dtype == np.uint8
        and corpus.unknown_bytes.ndim == 1
    )
    valid = sizes.ndim == 1 and len(sizes) in (0, len(at)) and not (sizes < 0).any()
    if not spelled or not valid or int(sizes.sum()) != len(corpus.unknown_bytes):
        raise ValueError(f"the spellings {where} are not those of its unknown symbols")
    if any(
        type(count) is not int or count < 0 for count in (getattr(corpus, name) for name in COUNTS)
    ):
        raise ValueError(f"the counts {where} are invalid")


def _file_name(part: str, name: str) -> str:
    return f"{part}.npy" if name == "ids" else f"{part}.{name}.npy"
