"""Read, split and encode the data of a run of `classify`, and cache it in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.atomic_io import format_errors
from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import CONTENTS, Examples, load_examples, save_examples
from ensue.data.demos import demo_name, write_demo
from ensue.data.labelled import LabelledReader
from ensue.data.labelled_examples import find_files_by_part, open_readers
from ensue.data.labelled_parts import LabelledParts, prepare_labelled
from ensue.data.prepare import fingerprint
from ensue.settings import to_plain
from ensue.tasks.cached import CODEC, load_data
from ensue.tasks.classify.pretrained import pretrained_codec
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.proposal import change
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run

Cached = tuple[dict[str, Examples], dict[str, Any]]
"""Examples of each part, and what describes them."""


def read_parts(
    run: Run, settings: ClassifySettings, data: Sequence[Path], on_event: Callback
) -> LabelledParts:
    """Read the data into the run and describe it there.

    The run needs its sources no more, unless its cache is damaged.
    """
    examples, contents = _load_or_read(run, settings, data)
    parts = _make_parts(run, (examples, contents))
    save_codecs(run, parts)
    sizes = {name: len(one) for name, one in examples.items()}
    about = {name: contents[name] for name in ("format", "settings", "files")}
    run.describe({"data": {**about, "files": contents["prints"], "examples": sizes}})
    for finding in contents["findings"]:
        on_event(Note(finding))
    return parts


def load_parts(run: Run, settings: ClassifySettings, data: Sequence[Path]) -> LabelledParts:
    """Load the parts from the cache of the run, or read them again if it is damaged.

    Raises RunError where reading fails.
    """
    return _make_parts(run, _load_or_read(run, settings, data))


def _make_parts(run: Run, cached: Cached) -> LabelledParts:
    with format_errors(str(run.cache / CONTENTS)):
        return LabelledParts.from_json(*cached)


def save_codecs(run: Run, parts: LabelledParts) -> None:
    """Save the content codec and the label codec."""
    run.write(CODEC, _dump_codecs(parts))


def read_into(run: Run, settings: ClassifySettings, reader: LabelledReader) -> None:
    """Read examples from memory into the run."""
    cache = Cache(run.cache)
    cache.begin()
    _encode(cache, settings, {"all": reader}, {"format": "lists", "prints": {}}, [])


def _load_or_read(run: Run, settings: ClassifySettings, data: Sequence[Path]) -> Cached:
    return load_data(
        run,
        load_examples,
        lambda cache: _read(settings, data, cache),
        lambda cached: (_dump_codecs(_make_parts(run, cached)), cached[1]["prints"]),
    )


def _dump_codecs(parts: LabelledParts) -> bytes:
    return json.dumps(
        {"content": parts.content.to_json(), "labels": parts.labels.to_json()}
    ).encode()


def _read(settings: ClassifySettings, data: Sequence[Path], cache: Cache) -> Cached:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    demo = demo_name(data, "classify", "modules")
    files = find_files_by_part(
        [write_demo(demo, cache.folder)] if demo else data, settings.data, listener
    )
    reader, readers = open_readers(files, settings.data, listener)
    data_settings = settings.data.model_copy(update={"reader": reader})
    sources = {path: part for part, own in files.items() for path in own}
    sources |= {Path(settings.data.label_file): "labels"} if settings.data.label_file else {}
    prints = fingerprint(sources, findings.append)
    about = {"format": reader.name, "prints": prints}
    return _encode(cache, change(settings, data=data_settings), readers, about, findings)


def _encode(
    cache: Cache,
    settings: ClassifySettings,
    readers: Mapping[str, LabelledReader],
    about: Mapping[str, Any],
    findings: list[Finding],
) -> Cached:
    """Read, split and encode examples, and save them in the cache."""
    codec = pretrained_codec(settings.pretrained) if settings.pretrained else settings.codec
    parts = prepare_labelled(
        readers, settings.data, codec, settings.seed, Listener(findings.append)
    )
    examples = {name: one.examples for name, one in parts.parts.items()}
    contents = {
        **parts.to_json(),
        **about,
        "settings": to_plain(settings.data),
        "findings": [str(finding) for finding in findings],
    }
    save_examples(examples, contents, cache)
    return examples, contents
