"""How `ensue check` reads the data of `generate`: a text, or sequences of records."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ensue.data.check.contract import Check
from ensue.data.check.steps import check_steps
from ensue.data.check.text import check_texts
from ensue.data.detect import are_steps, get_encoding, parse_assignments
from ensue.data.settings import DataSettings
from ensue.data.steps import StepDataSettings

TEXT = Check("text", {"data": DataSettings()}, check_texts)
STEPS = Check("text", {"data": StepDataSettings()}, check_steps)


def choose(files: Sequence[Path], flags: Mapping[str, str], assignments: Sequence[str]) -> Check:
    """Choose the check by the kind of data."""
    if "format" in flags:
        return STEPS if flags["format"] == "steps" else TEXT
    return STEPS if are_steps(files, get_encoding(parse_assignments(assignments))) else TEXT


CHECK = Check(TEXT.content, TEXT.parts, TEXT.run, choices=choose)
