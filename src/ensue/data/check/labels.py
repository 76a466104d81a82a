"""The check of labelled examples, for `classify`: texts, sequences and trees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.check.contract import (
    Report,
    compute_quantiles,
    make_count_table,
    report_balance,
    report_duplicates,
)
from ensue.data.check.text import TextLook
from ensue.data.codecs.labels import DESCRIBED, check_learnable, label_names
from ensue.data.contract import Piece
from ensue.data.labelled import Content, Example
from ensue.data.labelled_examples import (
    ReadParts,
    find_files_by_part,
    open_readers,
    read_examples,
    split_examples,
)

LEFT_OUT = " left out"
"""End of findings about skipped rows, which a strict training does not skip."""


def check_labels(report: Report, files: Sequence[Path], settings: Any) -> None:
    """Read and split as a training would, without fitting codecs."""
    data, listener, first = settings.data, report.listener, files[0]
    report.format = report.described = data.reader.name
    found: ReadParts | None = None
    with report.attempt(first):
        own = find_files_by_part(files, data, listener)
        reader, readers = open_readers(own, data, listener)
        with report.attempt(first):
            found = read_examples(readers["all"], data, listener)
        # A row without text or label is a problem; the other rows are checked all the same.
        if found is None and getattr(reader, "incomplete", "") == "refuse":
            rest = reader.model_copy(update={"incomplete": "leave out"})
            lenient = replace(
                listener,
                on_finding=lambda one: listener.on_finding(
                    replace(one, what=one.what.removesuffix(LEFT_OUT))
                ),
            )
            found = read_examples(rest.build(own["all"]), data, lenient)
    if found is None:
        return
    first = own["all"][0]
    report.described = f"{data.reader.name}, with {DESCRIBED[found[1]]}"
    _report_labels(report, first, found)
    _report_contents(report, found[0])
    report_duplicates(
        report, first, found[0], lambda one: _make_key(one.content), lambda one: str(one.label)
    )
    if not report.problems:
        report.tables["parts"] = []
        with report.attempt(first):
            split, *_ = split_examples(readers, found, data, 0, listener)
            report.tables["parts"] = [
                {"part": part, "examples": len(own)} for part, own in split.items()
            ]


def _report_labels(report: Report, where: Path, found: ReadParts) -> None:
    examples, kind, delimiter, _ = found
    if kind == "regression":
        with report.attempt(where):
            check_learnable(*found)
        if not report.problems:
            report.tables["labels"] = [
                compute_quantiles("the label", [float(one.label) for one in examples])
            ]
        return
    names = [label_names(one.label, delimiter, kind) for one in examples]
    counts = Counter(chain.from_iterable(names))
    report.tables["labels"] = make_count_table("label", "examples", counts)
    if kind != "multilabel":
        report_balance(report, where, "examples", counts)
    inner = Counter(
        str(label) for one in examples for label in one.inner or () if label is not None
    )
    if inner:
        report.tables["labels of nodes"] = make_count_table("label", "nodes", inner)


def _report_contents(report: Report, examples: Sequence[Example]) -> None:
    """Report what each file holds, and how long the examples are."""
    files: list[dict[str, Any]] = []
    for name, group in groupby(examples, key=lambda one: one.file):
        own, look = list(group), TextLook(report, Path(name), whole=True)
        texts = [one for one in own if isinstance(one.content, str)]
        for one in texts:
            look.at(Piece(str(one.content), name, one.line))
        look.finish(repeated=1.0)
        row = look.row() if texts else {"file": name, "bytes": look.row()["bytes"]}
        row.pop("records", None)
        files.append(row | {"examples": len(own)})
    report.tables["files"] = files
    lengths: dict[str, list[int]] = {}
    for one in examples:
        for unit, length in _count_units(one.content).items():
            lengths.setdefault(unit, []).append(length)
    report.tables["lengths"] = [compute_quantiles(unit, found) for unit, found in lengths.items()]


def _count_units(content: Content) -> dict[str, int]:
    if isinstance(content, str):
        return {"characters": len(content), "words": len(content.split())}
    if "parent" in content:
        return {"nodes": len(content["parent"]), "words": sum(map(bool, content["word"]))}
    return {"steps": max(np.shape(values)[0] for values in content.values() if np.ndim(values))}


def _make_key(content: Content) -> Hashable:
    if isinstance(content, str):
        return content
    fields = (
        (name, one if isinstance(one, list) else np.asarray(one).tolist())
        for name, one in content.items()
    )
    return str(list(fields))
