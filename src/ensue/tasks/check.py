"""Check data files for the verb that they are for. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ensue.data.check.contract import Check, Report
from ensue.data.contract import Finding, Listener
from ensue.data.detect import get_encoding, guess_content, parse_assignments
from ensue.data.files import find_files
from ensue.data.prepare import PASSES, OnRead, ReadingProgress
from ensue.errors import SettingError
from ensue.settings import assign, set_flag
from ensue.tasks import VERBS


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
    guess, why = (task, "") if task else _guess_verb(files, assignments)
    verbs = [guess] if task else sorted(VERBS, key=lambda verb: verb != guess)
    verb, chosen, settings = _find_settings(verbs, files, own, assignments)
    why = why if verb == guess else "it alone has the given settings"
    total = sum(path.stat().st_size for path in files)
    progress = ReadingProgress(total, PASSES * (1.0,), on_read)
    report = Report(verb, context, why, findings=findings, on_progress=progress.advance)
    chosen.run(report, files, settings)
    return report


def _guess_verb(files: Sequence[Path], assignments: Sequence[str]) -> tuple[str, str]:
    """Guess the verb that files are for, and say why."""
    content, why = guess_content(files, get_encoding(parse_assignments(assignments)))
    return next(name for name, verb in VERBS.items() if verb.check.content == content), why


def _find_settings(
    verbs: Sequence[str], files: Sequence[Path], own: Mapping[str, str], assignments: Sequence[str]
) -> tuple[str, Check, Any]:
    """Return the first verb that accepts all flags, its check, and the settings.

    Raises SettingError.
    """
    refused: SettingError | None = None
    for verb in verbs:
        try:
            chosen = VERBS[verb].check.choose(files, own, assignments)
            settings = chosen.make_settings()
            for flag, value in own.items():
                settings = set_flag(settings, flag, value)
            for assignment in assignments:
                settings = assign(settings, assignment)
        except SettingError as error:
            refused = refused or error
        else:
            return verb, chosen, settings
    raise cast("SettingError", refused)
