"""The check of tagged sentences, for `tag`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from ensue.data.check.contract import (
    NAMED,
    Report,
    compute_quantiles,
    make_count_table,
    report_balance,
    report_duplicates,
)
from ensue.data.codecs.tag_schemes import find_violations, guess_scheme
from ensue.data.contract import SILENT
from ensue.data.label_kinds import find_suspicious_tags
from ensue.data.labelled import Example
from ensue.data.readers.named_parts import get_part_files
from ensue.data.readers.tagged import TaggedReader
from ensue.data.tagged import read_tagged


def check_tags(report: Report, files: Sequence[Path], settings: Any) -> None:
    """Read all sentences as a training would, and check their tags."""
    reader = TaggedReader(files, settings.data, True)
    with report.attempt(files[0]):
        report.format, report.described = reader.format, reader.described
        sentences = list(reader.examples(report.listener))
        _report_sentences(report, files[0], sentences)
        with report.attempt(files[0]):
            get_part_files("train", files, settings.data, report.listener)
        read_tagged(files, settings.data, 0, SILENT, sentences)


def _report_sentences(report: Report, where: Path, sentences: Sequence[Example]) -> None:
    """Report what the files hold, and what is wrong with their tags."""
    report.tables["files"] = [
        {"file": name, "sentences": len(words), "words": sum(words)}
        for name, words in (
            (name, [len(one.label) for one in group])
            for name, group in groupby(sentences, key=lambda one: one.file)
        )
    ]
    report.tables["lengths"] = [compute_quantiles("words", [len(one.label) for one in sentences])]
    counts = Counter(tag for one in sentences for tag in one.label)
    report.tables["tags"] = make_count_table("tag", "words", counts)
    report_balance(report, where, "words", counts)
    for finding in find_suspicious_tags(str(where), counts):
        report.report(finding.where, finding.what, finding.hint)
    _report_spans(report, sentences)
    report_duplicates(
        report,
        where,
        sentences,
        lambda one: tuple(cast("dict", one.content)["words"]),
        lambda one: tuple(one.label),
    )


def _report_spans(report: Report, sentences: Sequence[Example]) -> None:
    """Report the span scheme, and by line the tags that violate it."""
    scheme = guess_scheme(one.label for one in sentences)
    if scheme is None:
        return
    report.described += f", spans as {scheme}"
    wrong = [(one, place) for one in sentences for place in find_violations(one.label, scheme)]
    for one, place in wrong[:NAMED]:
        what = f"the tag {one.label[place]!r} is not allowed here in {scheme}"
        hint = "correct it; it is scored as in conlleval"
        report.report(f"{one.file}:{_find_line(one, place)}", what, hint)
    if len(wrong) > NAMED:
        report.report(sentences[0].file, f"{len(wrong):,} tags in total violate {scheme}")


def _find_line(one: Example, place: int) -> int:
    """Return the line of a word of a sentence."""
    return one.line + (one.row["at"][place] if "at" in one.row else 0)
