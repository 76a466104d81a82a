"""The kind of labels (multiclass, multilabel, ordinal, regression), and suspicious labels."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from math import isfinite
from statistics import mean, median
from typing import Any

from ensue.data.codecs.labels import (
    DESCRIBED,
    LabelKind,
    LabelSettings,
    collect_names,
    label_names,
)
from ensue.data.contract import Finding
from ensue.data.labelled import Example
from ensue.data.tables.number_format import NumberFormat, find_number_formats
from ensue.data.tables.numbers import as_float
from ensue.data.tables.times import is_filled
from ensue.errors import did_you_mean

FEW_NUMBERS = 20
"""Distinct whole numbers up to which they may be class names."""
MANY_IDS = 1000
"""Distinct whole numbers above which they are not class ids."""
FILLED = 0.6
"""Minimum share of class ids that occur, relative to the expectation for uniform draws."""
THIN = 0.25
"""Minimum mean frequency of the upper ids, relative to the median frequency.

Class ids are as frequent at the upper end as elsewhere; counts and scores thin out.
"""
NAMED = 5
"""Labels that a finding names."""
GROUPED = re.compile(r"[+-]?\d{1,3}([,.' ]\d{3})+")
"""Numbers with signs between their thousands."""
EMPTY = {"", "nan", "null", "none", "n/a", "na", "<na>", "nat"}
"""What programs write for a missing label, in lower case."""


def find_label_kind(
    examples: Sequence[Example], settings: LabelSettings
) -> tuple[LabelKind, str, Finding | None]:
    """Return the kind of the labels, their delimiter or decimal mark, and the guess to report."""
    if settings.kind == "multilabel" and not settings.delimiter:
        if not (sign := _find_delimiter([example.label for example in examples])):
            return "multilabel", "", None
        hint = "choose with --set data.labels.delimiter=SIGN"
        guess = Finding(examples[0].file, f"{sign!r} is used as the delimiter of labels", hint)
        return "multilabel", sign, guess
    labels, delimiter = [example.label for example in examples], settings.delimiter
    form = find_number_formats({"label": labels}, settings.decimal, {})["label"]
    hint = f"if that is wrong, give --set data.labels.decimal={form.other}"
    what = f"among the labels {form.ambiguity}"
    doubt = Finding(examples[0].file, what, hint) if form.ambiguity else None
    if settings.kind == "regression":
        return "regression", form.decimal, doubt
    if settings.kind != "auto":
        return settings.kind, delimiter, None
    kind: LabelKind = "multiclass"
    if any(isinstance(label, list | tuple) for label in labels):
        kind, why = "multilabel", "some are lists"
    elif delimiter or (delimiter := _find_delimiter(labels)):
        kind, why = "multilabel", f"some contain the delimiter {delimiter!r}"
    else:
        kind, why = _find_number_kind(labels, NumberFormat(form.decimal))
        delimiter = form.decimal if kind == "regression" else ""
    choose = "choose with --set data.labels.kind=multiclass, multilabel, ordinal or regression"
    guess = Finding(examples[0].file, f"labels read as {DESCRIBED[kind]}, because {why}", choose)
    if kind == "regression" and doubt:
        guess = replace(guess, what=f"{guess.what}; {form.ambiguity}", hint=f"{choose}; {hint}")
    return kind, delimiter, guess if why else None


def _find_delimiter(labels: Sequence[Any]) -> str:
    """Find the delimiter of labels: a sign in many labels, with fewer parts than wholes."""
    texts = [label for label in labels if isinstance(label, str)]
    for sign in ("|", ";", ", "):
        wholes = {text for text in texts if sign in text}
        parts = {part.strip() for text in texts for part in text.split(sign)}
        if (
            sum(sign in text for text in texts) > len(texts) / 20
            and len(wholes) > 1
            and len(parts) < len(set(texts))
        ):
            return sign
    return ""


def _find_number_kind(labels: Sequence[Any], form: NumberFormat) -> tuple[LabelKind, str]:
    """Distinguish measurements from classes that are named by numbers, and say why.

    The values decide, not their count. Fractions that rarely repeat are measurements. Whole numbers
    are ids if they start at 0 or 1, have few gaps, and are not rarer at the upper end. A few
    invalid cells are tolerated.
    """
    labels = [label for label in labels if isinstance(label, list | tuple) or is_filled(label)]
    values = list(_read_numbers(labels, form))
    if len(values) <= 0.9 * len(labels):
        return "multiclass", ""
    counts = Counter(values)
    few = len(counts) <= FEW_NUMBERS
    if not all(value.is_integer() for value in counts):
        if not few or len(counts) > len(values) / 2:
            return "regression", f"{len(counts):,} distinct ones are numbers"
        return "multiclass", f"there are {len(counts)} distinct numbers"
    least, most = int(min(counts)), int(max(counts))
    if _are_ids(counts, len(values)) and not few:
        return "multiclass", f"whole numbers from {least} to {most} repeat, like class ids"
    if few and (len(counts) <= len(values) / 2 or _are_ids(counts, len(values))):
        distinct = f"there are {len(counts)} distinct whole numbers"
        return "multiclass", distinct if len(counts) > 2 else ""
    why = (
        f"{len(counts):,} distinct whole numbers from {least} to {most} do not look like class ids"
    )
    return "regression", why


def _read_numbers(labels: Sequence[Any], form: NumberFormat) -> Iterator[float]:
    for label in labels:
        if (value := form.read(label)) is not None and isfinite(value):
            yield value


def _are_ids(counts: Mapping[float, int], rows: int) -> bool:
    least, most = int(min(counts)), int(max(counts))
    ids = most - least + 1
    if least not in (0, 1) or ids > MANY_IDS or ids > rows:
        return False
    reached = ids * (1 - (1 - 1 / ids) ** rows)
    upper = [counts.get(float(one), 0) for one in range(most - max(ids // 10, 3) + 1, most + 1)]
    return len(counts) >= FILLED * reached and mean(upper) >= THIN * median(counts.values())


def find_suspicious_labels(
    examples: Sequence[Example], kind: LabelKind, delimiter: str, merge: Sequence[str] = ()
) -> Iterator[Finding]:
    """Yield likely mistakes: labels that differ in case, blanks or signs alone, and missing values.

    `merge` are the given merges.
    """
    where = examples[0].file
    if kind == "regression":
        values = list(_read_numbers([one.label for one in examples], NumberFormat()))
        steps = {after - one for one, after in pairwise(values)}
        if len(values) == len(examples) > 2 and len(steps) == 1:
            what = f"the labels number the rows, from {values[0]:g} to {values[-1]:g}"
            yield Finding(where, what, "if they are not labels, name another column with --label")
        return
    written = [one.label for one in examples if isinstance(one.label, str)]
    if padded := Counter(label for label in written if label != label.strip()):
        named = ", ".join(f"{label!r} ({count:,})" for label, count in padded.most_common(NAMED))
        named += ", ..." * (len(padded) > NAMED)
        yield Finding(where, f"blanks around labels are removed: {named}")
    counts = Counter(
        chain.from_iterable(label_names(one.label, delimiter, kind) for one in examples)
    )
    groups = group_spellings(counts)
    alike = [names for key, names in groups.items() if len(names) > 1 and key not in EMPTY]
    missing = [name for key, names in groups.items() if key in EMPTY for name in names]
    pairs = [(one, names[0]) for names in alike for one in names[1:]] + [
        (name, "") for name in missing
    ]
    merged = [*merge, *(f"{one}={other}" for one, other in pairs)]
    alone = kind != "multilabel" and len(counts) - len(pairs) < 2
    hint = _describe_merge(merged, pairs, alone)
    if alike:
        what = f"labels that differ only in case or signs: {_format_groups(alike, counts)}"
        yield Finding(where, what, hint)
    if missing:
        named = " and ".join(f"{name!r} ({counts[name]:,})" for name in missing)
        what = f"labels that may mean a missing value, but are read as classes: {named}"
        yield Finding(where, what, hint)
    grouped = [label for label in written if GROUPED.fullmatch(label.strip())]
    if len(grouped) > len(examples) / 2:
        what = f"labels such as {grouped[0]!r} are read as class names"
        yield Finding(where, what, "if they are numbers, give --set data.labels.kind=regression")


def find_lacking_labels(
    examples: Sequence[Example], kind: LabelKind, delimiter: str, settings: LabelSettings
) -> Iterator[Finding]:
    """Report labels of data.labels.merge that no example has."""
    if not (others := settings.others):
        return
    there = collect_names(examples, delimiter, kind)
    if lacking := sorted(others.keys() - there):
        named = ", ".join(map(repr, lacking[:NAMED]))
        what = f"labels of data.labels.merge that no example has: {named}"
        yield Finding(examples[0].file, what, did_you_mean(lacking[0], sorted(there)))


def report_guessed_scale(names: Sequence[str], where: str) -> Iterator[Finding]:
    """Report an ordinal scale that was sorted alphabetically; numbers have an order."""
    if any(as_float(name) is None for name in names):
        what = f"the scale is in alphabetical order, lowest first: {', '.join(names)}"
        yield Finding(where, what, f"order it with {_format_setting('order', names)}")


def find_suspicious_tags(where: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Yield likely mistakes: tags that differ in case, blanks or signs alone.

    >>> [one.what for one in find_suspicious_tags("a.tsv", {"NOUN": 12, "noun": 1, "X": 3})]
    ["tags that differ only in case or signs: 'NOUN' (12) and 'noun' (1)"]
    """
    if alike := [names for names in group_spellings(counts).values() if len(names) > 1]:
        what = f"tags that differ only in case or signs: {_format_groups(alike, counts)}"
        yield Finding(where, what, "correct them in the data, unless they are intended")


def group_spellings(counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Group names that differ in case, blanks or signs alone, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        key = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        groups.setdefault(key, []).append(name)
    return groups


def _format_groups(alike: Sequence[Sequence[str]], counts: Mapping[str, int]) -> str:
    named = "; ".join(
        " and ".join(f"{name!r} ({counts[name]:,})" for name in names) for names in alike[:NAMED]
    )
    return named + (f"; and {len(alike) - NAMED} more" if len(alike) > NAMED else "")


def _describe_merge(merge: Sequence[str], pairs: Sequence[tuple[str, str]], alone: bool) -> str:
    """Return the hint of how to merge labels.

    The setting cannot express names with "=", and a class that would be `alone` is refused.
    """
    if alone or any("=" in name for pair in pairs for name in pair):
        return "correct them in the data, unless they are intended"
    others = [other for _, other in pairs]
    ways = ["read them as one"] * any(others) + ["leave them out"] * (not all(others))
    return f"{' or '.join(ways)} with {_format_setting('merge', merge)}"


def _format_setting(name: str, values: Sequence[str]) -> str:
    listed = json.dumps(list(values), ensure_ascii=False)
    return f"--set {shlex.quote(f'data.labels.{name}={listed}')}"
