"""Read, split and encode the data of a run of `classify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.cache import Cache
from ensue.data.codecs import load_content
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Prepared
from ensue.data.labelled import LabelledReader
from ensue.data.labelled_examples import find_files_by_part, open_readers
from ensue.data.labelled_parts import LabelledParts, prepare_labelled
from ensue.data.prepare import fingerprint
from ensue.settings import to_plain
from ensue.tasks.cached import DataSource
from ensue.tasks.classify.pretrained import pretrained_codec
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.demos import demo_name, write_demo
from ensue.tasks.proposal import change
from ensue.training.contract import Callback
from ensue.training.folder.run import Run

DEMO = "modules"


def _read(
    settings: ClassifySettings,
    files: Sequence[Path],
    cache: Cache,
    on_event: Callback,
    known: Mapping[str, Any] | None,
) -> Prepared[LabelledParts]:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    demo = demo_name(files, "classify", DEMO)
    by_part = find_files_by_part(
        [write_demo(demo, cache.folder)] if demo else files, settings.data, listener
    )
    reader, readers = open_readers(by_part, settings.data, listener)
    sources = {path: part for part, own in by_part.items() for path in own}
    sources |= {Path(settings.data.label_file): "labels"} if settings.data.label_file else {}
    about = {"format": reader.name, "files": fingerprint(sources, findings.append)}
    data = settings.data.model_copy(update={"reader": reader})
    return _encode(change(settings, data=data), readers, about, findings, known)


def read_into(run: Run, settings: ClassifySettings, reader: LabelledReader) -> None:
    """Read examples from memory into the run."""
    cache = Cache(run.cache)
    cache.begin()
    _encode(settings, {"all": reader}, {"format": "lists", "files": {}}, []).save(cache)


def _encode(
    settings: ClassifySettings,
    readers: Mapping[str, LabelledReader],
    about: Mapping[str, Any],
    findings: list[Finding],
    known: Mapping[str, Any] | None = None,
) -> Prepared[LabelledParts]:
    """Read, split and encode examples; a run that has codecs needs the pretrained run no more."""
    codec: Any = settings.codec
    if settings.pretrained:
        codec = load_content(known["content"]) if known else pretrained_codec(settings.pretrained)
    listener = Listener(findings.append)
    dataset = prepare_labelled(readers, settings.data, codec, settings.seed, listener)
    counts = {name: len(one) for name, one in dataset.streams.items()}
    own = {"settings": to_plain(settings.data), "examples": counts}
    return Prepared(dataset, {**about, **own}, findings)


DATA = DataSource(ClassifySettings, LabelledParts, _read)
