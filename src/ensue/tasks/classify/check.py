"""How `ensue check` reads the data of `classify`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ensue.data.check.contract import Check
from ensue.data.check.labels import check_labels
from ensue.data.detect import get_given, guess_labelled_format
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.tables.long import LONG_ROWS
from ensue.settings import assign


def choose(files: Sequence[Path], flags: Mapping[str, str], assignments: Sequence[str]) -> Check:
    """Read the format that a training would guess."""
    settings = CHECK.make_settings()
    name, _ = guess_labelled_format(files, get_given(type(settings), flags, assignments))
    chosen = assign(settings, f"data.reader={name}").data
    return Check(CHECK.content, {"data": chosen}, CHECK.run)


ENDINGS = (".txt", ".ts", *LONG_ROWS)
CHECK = Check("labelled", {"data": LabelledSettings()}, check_labels, ENDINGS, choose)
