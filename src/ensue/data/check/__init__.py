"""The data check: what files are, how a training would read them, and what is wrong, by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import create_model

from ensue.data.check.contract import Report
from ensue.data.check.labels import check_labels
from ensue.data.check.series import check_series
from ensue.data.check.tags import check_tags
from ensue.data.check.text import check_texts
from ensue.data.contract import Finding, Listener
from ensue.data.detect import get_encoding, guess_labelled_format, guess_task
from ensue.data.files import find_files
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.prepare import PASSES, OnRead, ReadingProgress
from ensue.data.readers.tagged import TaggedSettings
from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.panel import SeriesSettings
from ensue.data.settings import DataSettings
from ensue.errors import SettingError
from ensue.settings import Settings, assign

CHECKS: Mapping[
    str, tuple[Mapping[str, Settings], Callable[[Report, Sequence[Path], Any], None]]
] = {
    "generate": ({"data": DataSettings()}, check_texts),
    "classify": ({"data": LabelledSettings()}, check_labels),
    "tag": ({"data": TaggedSettings()}, check_tags),
    "forecast": ({"data": SeriesSettings(), "backtest": BacktestSettings()}, check_series),
}
"""By verb: its settings of how data is read, and its check."""


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
    findings: list[Finding] = []
    files = find_files(paths, Listener(findings.append))
    guess, why = (
        (task, "") if task else guess_task(files, get_encoding(_parse_assignments(assignments)))
    )
    verbs = [guess] if task else sorted(CHECKS, key=lambda verb: verb != guess)
    settings, verb = _find_settings(verbs, files, own, assignments)
    why = why if verb == guess else "it alone has the given settings"
    total = sum(path.stat().st_size for path in files)
    progress = ReadingProgress(total, PASSES * (1.0,), on_read)
    report = Report(verb, context, why, findings=findings, on_progress=progress.advance)
    CHECKS[verb][1](report, files, settings)
    return report


def _find_settings(
    verbs: Sequence[str], files: Sequence[Path], own: Mapping[str, str], assignments: Sequence[str]
) -> tuple[Any, str]:
    """Return the settings of the first verb that accepts all flags. Raises SettingError."""
    refused: SettingError | None = None
    for verb in verbs:
        try:
            keyed = {
                f"{get_key(verb, flag)}={json.dumps(value)}": f"--{flag}"
                for flag, value in own.items()
            }
            fields: Any = {name: (type(value), value) for name, value in CHECKS[verb][0].items()}
            settings: Any = create_model("CheckSettings", __base__=Settings, **fields)()
            if verb == "classify":
                name, _ = guess_labelled_format(files, _parse_assignments((*keyed, *assignments)))
                settings = assign(settings, f"data.reader={name}")
            for assignment in (*keyed, *assignments):
                settings = assign(settings, assignment, keyed.get(assignment))
        except SettingError as error:
            refused = refused or error
        else:
            return settings, verb
    raise cast("SettingError", refused)


def _parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    return {
        key: value for key, equals, value in (one.partition("=") for one in assignments) if equals
    }


def get_key(verb: str, flag: str) -> str:
    """Return the setting of a reading flag of `ensue train VERB`.

    >>> (get_key("classify", "label"), get_key("forecast", "fill"), get_key("forecast", "horizon"),
    ...  get_key("tag", "test"))
    ('data.reader.label', 'data.fill', 'backtest.horizon', 'data.test_file')
    """
    flag = flag.replace("-", "_")
    if flag in ("valid", "test"):
        return f"data.{flag}_file"
    if verb == "classify" and flag == "label_file":
        return "data.label_file"
    if verb == "classify":
        return "data.reader.name" if flag == "format" else f"data.reader.{flag}"
    if verb == "forecast" and flag == "season":
        return "backtest.season_length"
    room = "backtest" if verb == "forecast" and flag in BacktestSettings.model_fields else "data"
    return f"{room}.{flag}"
