"""Read, split and encode the data of a run of `classify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.cache import Cache
from ensue.data.codecs import load_content
from ensue.data.dataset import Prepared
from ensue.data.labelled import LabelledReader
from ensue.data.labelled_examples import find_files_by_part, open_readers
from ensue.data.labelled_parts import LabelledParts, prepare_labelled
from ensue.settings import to_plain
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.pretrained import pretrained_codec
from ensue.tasks.proposal import change
from ensue.training.folder.run import Run

DEMO = "modules"


def _read(settings: ClassifySettings, sources: Sources) -> Prepared[LabelledParts]:
    by_part = find_files_by_part(sources.files, settings.data, sources.listener)
    reader, readers = open_readers(by_part, settings.data, sources.listener)
    more = {"labels": [Path(settings.data.label_file)]} if settings.data.label_file else {}
    settings = change(settings, data=settings.data.model_copy(update={"reader": reader}))
    return _encode(settings, readers, sources, reader.name, by_part | more)


def read_into(run: Run, settings: ClassifySettings, reader: LabelledReader) -> None:
    """Read examples from memory into the run."""
    cache = Cache(run.cache)
    cache.begin()
    sources = Sources((), run.cache)
    _encode(settings, {"all": reader}, sources, "lists", {}).save(cache)


def _encode(
    settings: ClassifySettings,
    readers: Mapping[str, LabelledReader],
    sources: Sources,
    format: str,
    files: Mapping[str, Sequence[Path]],
) -> Prepared[LabelledParts]:
    """Read, split and encode examples; a run that has codecs needs the pretrained run no more."""
    codec: Any = settings.codec
    if settings.pretrained:
        known = sources.codecs
        codec = load_content(known["content"]) if known else pretrained_codec(settings.pretrained)
    dataset = prepare_labelled(readers, settings.data, codec, settings.seed, sources.listener)
    counts = {name: len(one) for name, one in dataset.streams.items()}
    own = to_plain(settings.data)
    return sources.prepared(dataset, format, files, settings=own, examples=counts)


DATA = DataSource("classify", DEMO, ClassifySettings, LabelledParts, _read)
