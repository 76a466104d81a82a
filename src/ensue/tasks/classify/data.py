"""The data of a run of `classify`: read, split, encoded, and kept in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.demos import demo_meant, write_demo
from ensue.data.examples import CONTENTS, Examples, keep_examples, kept_examples
from ensue.data.labelled import LabelledReader
from ensue.data.partition import Parts, files_by_part, open_readers, partition
from ensue.data.prepare import fingerprint
from ensue.durable import shape_of
from ensue.settings import to_plain
from ensue.tasks.cached import CODEC, data_of
from ensue.tasks.choosing import change
from ensue.tasks.classify.pretrained import pretrained_codec
from ensue.tasks.classify.settings import ClassifySettings
from ensue.training.contract import Note, Watch
from ensue.training.run import Run

Kept = tuple[dict[str, Examples], dict[str, Any]]


def read_parts(run: Run, settings: ClassifySettings, data: Sequence[Path], watch: Watch) -> Parts:
    """Read the data into the run, and describe it there; from then on its sources are not needed."""
    examples, contents = _kept(run, settings, data)
    parts = _parts(run, (examples, contents))
    keep_codecs(run, parts)
    sizes = {name: len(one) for name, one in examples.items()}
    about = {name: contents[name] for name in ("kind", "reading", "files")}
    run.describe({"data": {**about, "files": contents["prints"], "examples": sizes}})
    for finding in contents["findings"]:
        watch(Note(finding))
    return parts


def parts_of(run: Run, settings: ClassifySettings, data: Sequence[Path]) -> Parts:
    """Give the parts that the run holds, read again where its cache is damaged. Raises RunError where that fails."""
    return _parts(run, _kept(run, settings, data))


def _parts(run: Run, kept: Kept) -> Parts:
    with shape_of(str(run.cache / CONTENTS)):
        return Parts.from_json(*kept)


def keep_codecs(run: Run, parts: Parts) -> None:
    """Write how examples and labels become ids."""
    run.write(CODEC, _codecs(parts))


def read_into(run: Run, settings: ClassifySettings, reader: LabelledReader) -> None:
    """Read examples that lie in no files into the run."""
    cache = Cache(run.cache)
    cache.begin()
    _encode(cache, settings, {"all": reader}, {"kind": "lists", "prints": {}}, [])


def _kept(run: Run, settings: ClassifySettings, data: Sequence[Path]) -> Kept:
    return data_of(
        run,
        kept_examples,
        lambda cache: _read(settings, data, cache),
        lambda kept: (_codecs(_parts(run, kept)), kept[1]["prints"]),
    )


def _codecs(parts: Parts) -> bytes:
    return json.dumps({"content": parts.content.to_json(), "labels": parts.labels.to_json()}).encode()


def _read(settings: ClassifySettings, data: Sequence[Path], cache: Cache) -> Kept:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    demo = demo_meant(data, "classify", "modules")
    files = files_by_part([write_demo(demo, cache.folder)] if demo else data, settings.data, listener)
    reader, readers = open_readers(files, settings.data, listener)
    reading = settings.data.model_copy(update={"reader": reader})
    sources = {path: part for part, own in files.items() for path in own}
    sources |= {Path(settings.data.label_file): "labels"} if settings.data.label_file else {}
    prints = fingerprint(sources, findings.append)
    about = {"kind": reader.name, "prints": prints}
    return _encode(cache, change(settings, data=reading), readers, about, findings)


def _encode(
    cache: Cache,
    settings: ClassifySettings,
    readers: Mapping[str, LabelledReader],
    about: Mapping[str, Any],
    findings: list[Finding],
) -> Kept:
    """Read, split and encode examples, and keep them."""
    codec = pretrained_codec(settings.pretrained) if settings.pretrained else settings.codec
    parts = partition(readers, settings.data, codec, settings.seed, Listener(findings.append))
    examples = {name: one.examples for name, one in parts.parts.items()}
    told = [str(finding) for finding in findings]
    contents = {**parts.to_json(), **about, "reading": to_plain(settings.data), "findings": told}
    keep_examples(examples, contents, cache)
    return examples, contents
