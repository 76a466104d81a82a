"""The data check: what files are, how a training would read them, and what is wrong, by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import create_model

from ensue.data.check.contract import Report
from ensue.data.check.labels import check_labels
from ensue.data.check.series import check_series
from ensue.data.check.steps import check_steps
from ensue.data.check.tags import check_tags
from ensue.data.check.text import check_texts
from ensue.data.contract import Finding, Listener
from ensue.data.detect import (
    are_steps,
    get_encoding,
    get_given,
    guess_labelled_format,
    guess_task,
    parse_assignments,
)
from ensue.data.files import find_files
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.prepare import PASSES, OnRead, ReadingProgress
from ensue.data.readers.tagged import TaggedSettings
from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.panel import SeriesSettings
from ensue.data.settings import DataSettings
from ensue.data.steps import StepDataSettings
from ensue.errors import SettingError
from ensue.settings import Settings, assign, set_flag

CHECKS: Mapping[
    str, tuple[Mapping[str, Settings], Callable[[Report, Sequence[Path], Any], None]]
] = {
    "generate": ({"data": DataSettings()}, check_texts),
    "classify": ({"data": LabelledSettings()}, check_labels),
    "tag": ({"data": TaggedSettings()}, check_tags),
    "forecast": ({"data": SeriesSettings(), "backtest": BacktestSettings()}, check_series),
}
"""By verb: its settings of how data is read, and its check."""
STEPS: tuple[Mapping[str, Settings], Callable[[Report, Sequence[Path], Any], None]] = (
    {"data": StepDataSettings()},
    check_steps,
)
"""Those of `generate` for sequences of records."""


def check(
    paths: Sequence[Path],
    task: str | None,
    own: Mapping[str, str],
    assignments: Sequence[str],
    context: int,
    on_read: OnRead = lambda *_: None,
) -> Report:
    """Read all files as the training of a verb would; without a `task`, for the most likely verb.

    `own` are flags of `ensue train VERB` about reading; `assignments` are `key=value`, as after
    `--set`; `context` is the context length of one long text. `on_read` gets the bytes read, those
    of all files, and the seconds left. Raises DataError if there is nothing
    to read, and SettingError for an invalid setting.
    """
    own = {name.replace("-", "_"): value for name, value in own.items()}
    findings: list[Finding] = []
    files = find_files(paths, Listener(findings.append))
    guess, why = (
        (task, "") if task else guess_task(files, get_encoding(parse_assignments(assignments)))
    )
    verbs = [guess] if task else sorted(CHECKS, key=lambda verb: verb != guess)
    encoding = get_encoding(parse_assignments(assignments))
    checks = dict(CHECKS)
    if own.get("format") == "steps" or ("format" not in own and are_steps(files, encoding)):
        checks["generate"] = STEPS
    settings, verb = _find_settings(checks, verbs, files, own, assignments)
    why = why if verb == guess else "it alone has the given settings"
    total = sum(path.stat().st_size for path in files)
    progress = ReadingProgress(total, PASSES * (1.0,), on_read)
    report = Report(verb, context, why, findings=findings, on_progress=progress.advance)
    checks[verb][1](report, files, settings)
    return report


def _find_settings(
    checks: Mapping[str, Any],
    verbs: Sequence[str],
    files: Sequence[Path],
    own: Mapping[str, str],
    assignments: Sequence[str],
) -> tuple[Any, str]:
    """Return the settings of the first verb that accepts all flags. Raises SettingError."""
    refused: SettingError | None = None
    for verb in verbs:
        try:
            fields: Any = {name: (type(value), value) for name, value in checks[verb][0].items()}
            settings: Any = create_model("CheckSettings", __base__=Settings, **fields)()
            if verb == "classify":
                name, _ = guess_labelled_format(files, get_given(type(settings), own, assignments))
                settings = assign(settings, f"data.reader={name}")
            for flag, value in own.items():
                settings = set_flag(settings, flag, value)
            for assignment in assignments:
                settings = assign(settings, assignment)
        except SettingError as error:
            refused = refused or error
        else:
            return settings, verb
    raise cast("SettingError", refused)
