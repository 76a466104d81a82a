"""The report of the data check. Read this page before adding a check."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import create_model

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.labelled import Example
from ensue.errors import DataError
from ensue.escape import shorten
from ensue.settings import Settings

RARE = 10
"""Examples below which a label, or a tag, is rare."""
ONE_SIDED = 0.9
"""Share of the majority label from which on accuracy is uninformative."""
NAMED = 5
"""Places that a finding names; there may be thousands."""


@dataclass(frozen=True)
class Check:
    """The check of a verb, or of one kind of its data."""

    content: str
    """What `guess_content` calls the data of the verb; empty for a verb that is never guessed."""
    parts: Mapping[str, Settings]
    """Settings of how data is read, by their names in the settings of a training."""
    run: Callable[[Report, Sequence[Path], Any], None]
    """Fills a report in, given files and settings."""
    endings: Collection[str] = ()
    """Endings of the names of its files; empty for any."""
    choices: Callable[[Sequence[Path], Mapping[str, str], Sequence[str]], Check] | None = None
    """The check of these files, flags and assignments, where there are several."""

    def choose(
        self, files: Sequence[Path], flags: Mapping[str, str], assignments: Sequence[str]
    ) -> Check:
        """Choose the check for the kind of data. Raises SettingError."""
        return self.choices(files, flags, assignments) if self.choices else self

    def make_settings(self) -> Any:
        """Make the settings, with defaults for those of a training."""
        fields: Any = {name: (type(value), value) for name, value in self.parts.items()}
        return create_model("CheckSettings", __base__=Settings, **fields)()


@dataclass
class Report:
    """What is in the data. It can be trained on without `problems`; `findings` are warnings."""

    task: str
    """The verb that the data was read for."""
    context: int
    """Symbols of one long text that a network must see at once."""
    why: str = ""
    """Why this verb was guessed, if it was not given."""
    format: str = ""
    described: str = ""
    """How the data was read, in words."""
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Statistics by topic, such as "files" and "labels": plain JSON values by column."""
    findings: list[Finding] = field(default_factory=list)
    on_progress: Callable[[int], None] = SILENT.on_progress
    """What counts the bytes that are read."""
    problems: list[Finding] = field(default_factory=list)

    @property
    def listener(self) -> Listener:
        """The listener that collects the findings of readers, and counts what they read."""
        return Listener(self.findings.append, self.on_progress)

    def report(self, where: object, what: str, hint: str | None = None) -> None:
        """Add a finding."""
        self.findings.append(Finding(str(where), what, hint))

    @contextmanager
    def attempt(self, where: object) -> Generator[None]:
        """Do steps of a training; a DataError ends them, and becomes a problem."""
        try:
            yield
        except DataError as error:
            problem = Finding(error.where or str(where), error.what, error.advice)
            self.problems += [problem] if problem not in self.problems else []


def compute_quantiles(of: str, values: Sequence[float]) -> dict[str, Any]:
    """Return a row of a table: the quantiles of some numbers.

    >>> compute_quantiles("words", [1, 2, 3])
    {'of': 'words', 'least': 1, '5 %': 1, 'median': 2, '95 %': 3, 'most': 3}
    """
    names = {"least": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "most": 1.0}
    found = np.quantile(values, list(names.values()), method="nearest")
    return {"of": of, **dict(zip(names, found.tolist(), strict=True))}


def make_count_table(column: str, unit: str, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a table of counts, the largest first, with their shares."""
    total = max(sum(counts.values()), 1)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{column: name, unit: count, "share": f"{count / total:.1%}"} for name, count in ordered]


def report_balance(report: Report, where: Path, unit: str, counts: Mapping[str, int]) -> None:
    """Report rare labels, and a label that nearly all examples have."""
    few = (name for name, count in counts.items() if count < RARE)
    if rare := sorted(few, key=lambda name: counts[name]):
        named = ", ".join(f"{shorten(name)!r} ({counts[name]})" for name in rare[:NAMED])
        named += ", ..." * (len(rare) > NAMED)
        what = f"{len(rare)} of {len(counts)} labels have fewer than {RARE} {unit}: {named}"
        report.report(where, what, "add more of them")
    most = max(counts, key=lambda name: counts[name])
    if len(counts) > 1 and counts[most] >= ONE_SIDED * sum(counts.values()):
        share = counts[most] / sum(counts.values())
        hint = "use macro F1, since accuracy hides the other labels"
        report.report(where, f"{share:.0%} of the {unit} are {shorten(most)!r}", hint)


def report_duplicates(
    report: Report,
    where: Path,
    examples: Sequence[Example],
    get_content: Callable[[Example], Hashable],
    get_label: Callable[[Example], Hashable],
) -> None:
    """Report repeated examples, and those with conflicting labels."""
    hashes = np.fromiter((hash(get_content(one)) for one in examples), np.int64, len(examples))
    _, first, same = np.unique(hashes, return_index=True, return_inverse=True)
    again, other = 0, []
    for number in np.flatnonzero(first[same] != np.arange(len(hashes))).tolist():
        one, before = examples[number], examples[int(first[same[number]])]
        if (one.file, one.line) != (before.file, before.line):
            again += 1
            if get_label(one) != get_label(before):
                other.append(f"{one.file}:{one.line} and {before.file}:{before.line}")
    if other:
        named = "; ".join(other[:NAMED]) + "; ..." * (len(other) > NAMED)
        what = (
            f"{len(other):,} of {len(first) + again:,} examples repeat an earlier one with "
            f"another label: {named}"
        )
        report.report(where, what, "correct one of the labels")
    if again > len(other):
        what = f"{again - len(other):,} of {len(first) + again:,} examples repeat an earlier one"
        hint = "remove them unless they are intended: the test part may hold copies"
        report.report(where, what, hint)
