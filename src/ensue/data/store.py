"""Prepared data in a folder of the run, so that a run goes on, and searches for copies, without its sources.

The table of contents is written last: a folder without it was not finished, and is made anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.codecs import open_codec
from ensue.data.contract import Corpus, Finding
from ensue.data.examples import CONTENTS, write_contents
from ensue.data.prepare import Prepared
from ensue.data.split import PARTS

ARRAYS = ("ids", "offsets", "unknown_at", "unknown_nats", "unknown_bytes", "unknown_sizes")
LATER = ("unknown_bytes", "unknown_sizes")
"""Not in the first runs: without them no copy goes over an unknown symbol."""
COUNTS = ("characters", "bytes", "words", "tokens")


def keep(prepared: Prepared, folder: Path) -> None:
    """Write the three parts, the codec, and how the data was read."""
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, Any] = {
        "codec": prepared.codec.to_json(),
        "kind": prepared.kind,
        "fingerprint": prepared.fingerprint,
        "findings": [asdict(finding) for finding in prepared.findings],
    }
    for part in PARTS:
        corpus: Corpus = getattr(prepared, part)
        contents[part] = {name: getattr(corpus, name) for name in COUNTS}
        for name in ARRAYS:
            path, array = _array(folder, part, name), getattr(corpus, name)
            if not (isinstance(array, np.memmap) and Path(str(array.filename)).samefile(path)):
                np.save(path, array)
    write_contents(contents, folder)


def kept(folder: Path) -> Prepared | None:
    """Open what `keep` wrote, its ids memory-mapped; None if that was not finished, or is damaged."""
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        parts = {part: _corpus(folder, part, contents[part]) for part in PARTS}
        findings = tuple(Finding(**finding) for finding in contents["findings"])
        codec = open_codec(contents["codec"])
        return Prepared(
            **parts, codec=codec, kind=contents["kind"], fingerprint=contents["fingerprint"], findings=findings
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _corpus(folder: Path, part: str, counts: dict[str, Any]) -> Corpus:
    ids = np.load(_array(folder, part, "ids"), mmap_mode="r", allow_pickle=False)
    there = [name for name in ARRAYS[1:] if name not in LATER or _array(folder, part, name).exists()]
    others: dict[str, Any] = {name: np.load(_array(folder, part, name), allow_pickle=False) for name in there}
    lines = len(others["offsets"]) - 1
    others |= {name: counts[name] for name in COUNTS[:-1]} | {"tokens": counts.get("tokens", counts["words"] + lines)}
    return Corpus(ids=ids, **others)


def _array(folder: Path, part: str, name: str) -> Path:
    return folder / (f"{part}.npy" if name == "ids" else f"{part}.{name}.npy")
