"""Prepared data in a folder of the run, so that a run goes on, and searches for copies, without its sources.

Each file has its sum, as `cache.py` says.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensue.cache import Cache
from ensue.data.codecs import open_codec
from ensue.data.contract import Corpus, Finding
from ensue.data.examples import CONTENTS
from ensue.data.prepare import Prepared
from ensue.data.split import PARTS

ARRAYS = ("ids", "offsets", "unknown_at", "unknown_nats", "unknown_bytes", "unknown_sizes")
LATER = ("unknown_bytes", "unknown_sizes")
"""Not in the first runs: without them no copy goes over an unknown symbol."""
COUNTS = ("characters", "bytes", "words", "tokens")


def keep(prepared: Prepared, cache: Cache) -> None:
    """Write the three parts, the codec, and how the data was read, into a folder that was begun."""
    contents: dict[str, Any] = {
        "codec": prepared.codec.to_json(),
        "kind": prepared.kind,
        "fingerprint": prepared.fingerprint,
        "findings": [asdict(finding) for finding in prepared.findings],
        "given": prepared.given,
    }
    for part in PARTS:
        corpus: Corpus = getattr(prepared, part)
        contents[part] = {name: getattr(corpus, name) for name in COUNTS}
        for name in ARRAYS:
            cache.save_array(_array(part, name), getattr(corpus, name))
    cache.save_json(CONTENTS, contents)
    cache.finish()


def kept(folder: Path) -> Prepared | None:
    """Open what `keep` wrote, its ids memory-mapped; None if it was not finished. Raises RunError if it is damaged."""
    cache = Cache(folder)

    def opened(contents: Any) -> Prepared:
        return Prepared(
            **{part: _corpus(cache, part, contents[part]) for part in PARTS},
            codec=open_codec(contents["codec"]),
            kind=contents["kind"],
            fingerprint=contents["fingerprint"],
            findings=tuple(Finding(**finding) for finding in contents["findings"]),
            given=tuple(contents.get("given", ())),
        )

    return cache.load_json(CONTENTS, opened) if cache.finished else None


def _corpus(cache: Cache, part: str, counts: dict[str, Any]) -> Corpus:
    there = [name for name in ARRAYS if name not in LATER or cache.has(_array(part, name))]
    arrays = {name: cache.load_array(_array(part, name)) for name in there}
    others: dict[str, Any] = {name: np.array(array) for name, array in arrays.items() if name != "ids"}
    lines = len(others["offsets"]) - 1
    others |= {name: counts[name] for name in COUNTS[:-1]} | {"tokens": counts.get("tokens", counts["words"] + lines)}
    return Corpus(ids=arrays["ids"], **others)


def _array(part: str, name: str) -> str:
    return f"{part}.npy" if name == "ids" else f"{part}.{name}.npy"
