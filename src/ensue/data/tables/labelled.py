"""Tables of labelled texts, one row each: CSV, TSV, JSON Lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

from ensue.data.contract import SILENT, Listener
from ensue.data.files import get_suffix
from ensue.data.labelled import COLUMN, Example, FunctionReader, LabelledReader
from ensue.data.tables.rows import (
    ROWS,
    SAMPLED_ROWS,
    WITHOUT_HEADER,
    Row,
    are_data,
    check_columns,
    check_endings,
    could_be_text,
    is_header,
    list_columns,
    read_csv_rows,
)
from ensue.errors import DataError
from ensue.settings import Flag, Settings

USUAL = {
    "text": ("text", "sentence", "message", "content"),
    "label": ("label", "class", "target", "category", "sentiment", "tag"),
}
"""Usual names of the columns of texts and of labels."""

LONGEST_NAME = 60
"""Characters; a longer field in the first line suggests data instead of a header."""

SEVERAL_WORDS = 3
"""Mean word count from which on a column that repeats is still text."""


class LabelledTable(Settings):
    """Read each row of a table as a text with its label."""

    name: Literal["table"] = "table"
    text: Annotated[str, Flag()] = ""
    """Text column; by default the only column that could be one."""
    label: Annotated[str, Flag()] = ""
    """Label column; by default the only column that could be one."""
    group: Annotated[str, Flag()] = ""
    """Group column: examples of one group stay in one part of the data."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first line is a header; auto says no if one of its fields occurs again.

    Counts of the columns from 0 are a header, as a data frame without names is saved.
    """
    incomplete: Literal["refuse", "leave out", "no labels"] = "refuse"
    """Rows without text or label: refuse, leave out, or no labels (multilabel: none is true)."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 1_000_000
    """Maximum length of a line, in characters."""

    def resolved(
        self, files: Sequence[Path], listener: Listener, labelled: bool = True
    ) -> LabelledTable:
        """Fill in unset columns from the first file, and report the guesses. Raises DataError."""
        check_endings(files, ROWS)
        there = self.model_copy(update={"header": _find_header(files[0], self, listener)})
        sample = _read_sample(files[0], there)
        found = _choose_columns(files[0], there, sample, labelled)
        guessed = [role for role in ("text", "label") if not getattr(self, role)]
        if labelled and guessed:
            columns = " and ".join(
                f"the {one} from column {getattr(found, one)!r}" for one in guessed
            )
            flags = " and ".join(f"--{one}" for one in guessed)
            hint = f"choose with {flags}" if len(sample[0]) > 2 else None
            listener.report(files[0], f"read {columns}", hint)
        return found

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of files; if not `labelled`, labels may be missing. Raises DataError.

        Rows without text or label raise DataError, or are skipped and counted.
        """
        how = self.resolved(files, SILENT, labelled)
        return FunctionReader(
            lambda listener: _read_examples(files, how, labelled, listener), COLUMN
        )


def _read_examples(
    files: Sequence[Path], settings: LabelledTable, labelled: bool, listener: Listener
) -> Iterator[Example]:
    """Yield the text and label of each row, with all its columns."""
    for path in files:
        if path is not files[0]:
            _choose_columns(path, settings, _read_sample(path, settings), labelled)
        without = 0
        for line, row in _read_rows(path, settings, listener):
            label = row.get(settings.label) if settings.label else None
            lacking = [settings.text] if _is_empty(row.get(settings.text)) else []
            without_label = labelled and _is_empty(label)
            label = "" if without_label else label
            if without_label and settings.incomplete != "no labels":
                lacking.append(settings.label)
            if lacking and not labelled:
                # Every row gets a prediction, so that results keep the order of the rows.
                yield Example("", None, str(path), line, None, row)
                continue
            if lacking and settings.incomplete != "leave out":
                what = f"column {lacking[0]!r} is empty in this row"
                flag_hint = "give --set incomplete='leave out'"
                flag_hint += ", or 'no labels' for multilabel data" * (lacking[0] == settings.label)
                where = f"{path}:{line}"
                raise DataError(what, where=where, hint="fill it in", flag_hint=flag_hint)
            if lacking:
                without += 1
                continue
            _refuse_no_text(row, settings, f"{path}:{line}")
            content = str(row[settings.text]).replace("\r\n", "\n").replace("\r", "\n")
            group = row.get(settings.group) if settings.group else None
            group = None if group is None else str(group)
            yield Example(content, label, str(path), line, group, row)
        if without:
            rows = f"{without:,} row{'s' * (without > 1)}"
            listener.report(path, f"{rows} without text or label left out")


def _refuse_no_text(row: Mapping[str, Any], settings: LabelledTable, where: str) -> None:
    """Raise DataError for a list or object in place of a text, or an object in place of a label."""
    for name, kinds in ((settings.text, list | dict), (settings.label, dict)):
        if name and isinstance(value := row.get(name), kinds):
            kind = "a list" if isinstance(value, list) else "an object"
            what = "a text, words with blanks between" if name == settings.text else "a name"
            hint = f"write {what}"
            raise DataError(f"column {name!r} holds {kind} in this row", where=where, hint=hint)


def _read_sample(path: Path, settings: LabelledTable) -> list[dict[str, Any]]:
    return [row for _, row in islice(_read_rows(path, settings, SILENT), SAMPLED_ROWS)]


def _read_rows(path: Path, settings: LabelledTable, listener: Listener) -> Iterator[Row]:
    kind, how = get_suffix(path), (settings.encoding, settings.max_line_length, listener)
    if settings.header != "no" or kind not in WITHOUT_HEADER:
        return ROWS[kind](path, *how)
    return read_csv_rows(path, *how, header=False)


def _find_header(path: Path, settings: LabelledTable, listener: Listener) -> Literal["yes", "no"]:
    """Return whether the first line is a header: not if a field of it recurs in its column."""
    if get_suffix(path) not in WITHOUT_HEADER or settings.header == "yes":
        return "yes"
    why = "it has no header"
    if settings.header == "auto":
        sample = _read_sample(path, settings.model_copy(update={"header": "no"}))
        first, *rows = [[*row.values()] for row in sample]
        cells = {name: [row[place] for row in rows] for place, name in enumerate(first)}
        given = (settings.text, settings.label, settings.group)
        if not are_data(first, rows) or is_header(cells, given):
            return "yes"
        why = "a field of the first line occurs again"
    listener.report(path, f"{why}, so the columns are named 'column 1', 'column 2', ...")
    return "no"


def _choose_columns(
    path: Path, settings: LabelledTable, sample: Sequence[dict[str, Any]], labelled: bool
) -> LabelledTable:
    """Fill in the unset columns. Raises DataError if a column is missing or ambiguous."""
    columns = list_columns(sample, str(path))
    values = {name: [row.get(name) for row in sample] for name in columns}
    check_columns(
        (settings.text, *((settings.label, settings.group) if labelled else ())), columns, str(path)
    )
    if labelled and settings.text and settings.text == settings.label:
        hint = "name two columns with --text and --label"
        what = f"column {settings.text!r} cannot be both text and label"
        raise DataError(what, where=str(path), hint=hint)
    if not labelled and not settings.text and any(len(name) > LONGEST_NAME for name in columns):
        hint = "add a header row with the names of the columns"
        what = "the first line looks like data, not like a header"
        raise DataError(what, where=f"{path}:1", hint=hint)
    free = [name for name in columns if name not in (settings.text, settings.label, settings.group)]
    flag = "--text" if labelled else "--column NAME"
    texts = [one for one in free if _could_be_text(values[one])]
    text = settings.text or _choose_column(path, ("text", flag), free, texts, columns)
    label, others = settings.label, [one for one in free if one != text]
    if labelled and not label:
        labels = [one for one in others if could_be_label(values[one])] or others
        label = _choose_column(path, ("label", "--label"), others, labels, columns)
    return settings.model_copy(update={"text": text, "label": label if label in columns else ""})


def _choose_column(
    path: Path,
    role_and_flag: tuple[str, str],
    free: Sequence[str],
    candidates: Sequence[str],
    columns: Sequence[str],
) -> str:
    """Return the column for a role: the one with a usual name, or the only candidate."""
    role, flag = role_and_flag
    named = [name for wanted in USUAL[role] for name in free if name.lower() == wanted]
    if named or len(candidates) == 1:
        return (named or candidates)[0]
    several = f"several columns could be the {role} ({', '.join(candidates)})"
    what = several if candidates else f"no column looks like a {role}"
    flag_hint = f"choose one of {', '.join(columns)} with {flag}"
    raise DataError(what, where=str(path), hint=f"name one {role!r}", flag_hint=flag_hint)


def _could_be_text(values: Sequence[Any]) -> bool:
    """Recognise texts: they rarely repeat, or have several words."""
    words = [len(value.split()) for value in values if isinstance(value, str) and value.strip()]
    return could_be_text(values) or sum(words) >= SEVERAL_WORDS * max(len(words), 1)


def could_be_label(values: Sequence[Any]) -> bool:
    """Distinguish labels from dates, numbers and row names: they repeat."""
    filled = [str(value) for value in values if not _is_empty(value)]
    return bool(filled) and len(set(filled)) <= max(len(filled) / 2, 2)


def _is_empty(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())
