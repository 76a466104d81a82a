"""Read, split and encode the data of a run of `classify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.codecs import load_content
from ensue.data.dataset import Prepared
from ensue.data.labelled_examples import find_files_by_part, open_readers
from ensue.data.labelled_parts import LabelledParts, prepare_labelled
from ensue.settings import to_plain
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.classify.settings import ClassifySettings
from ensue.tasks.pretrained import pretrained_codec


def _read(settings: ClassifySettings, sources: Sources) -> Prepared[LabelledParts]:
    """Read, split and encode examples; a run that has codecs needs the pretrained run no more."""
    data, listener, known = settings.data, sources.listener, sources.codecs
    files: Mapping[str, Sequence[Path]] = {}
    if sources.reader:
        format, readers = "lists", {"all": sources.reader}
    else:
        files = find_files_by_part(sources.files, data, listener)
        reader, readers = open_readers(files, data, listener)
        format, data = reader.name, data.model_copy(update={"reader": reader})
        files = files | ({"labels": [Path(data.label_file)]} if data.label_file else {})
    codec: Any = settings.codec
    if settings.pretrained:
        codec = load_content(known["content"]) if known else pretrained_codec(settings.pretrained)
    dataset = prepare_labelled(readers, data, codec, settings.seed, listener)
    counts = {name: len(one) for name, one in dataset.streams.items()}
    return sources.prepared(dataset, format, files, settings=to_plain(data), examples=counts)


DATA = DataSource("classify", ClassifySettings, LabelledParts, _read)
