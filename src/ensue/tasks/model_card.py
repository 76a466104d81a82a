"""Write the result of a training of any task: the model card in Markdown, and the summary."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ensue.escape import for_markdown
from ensue.tasks.contract import Summary
from ensue.training.folder.run import Run


def model_card(
    what: str,
    result: Mapping[str, Any],
    sections: Sequence[tuple[str, str]],
    limits: str,
    about: Mapping[str, Any],
) -> str:
    """Write the model card from result.json, run.toml (`about`) and sections of (title, text).

    `what` the model is of is in the head. The first section has the results. A section without
    text is left out.
    """
    warnings = bullets([sentence(one) for one in result["warnings"]])
    every = [
        *sections,
        ("Model selection", bullets(result["selected"]) or "Nothing was selected."),
        ("Warnings", warnings or "None."),
        ("Notes", bullets([sentence(one) for one in about.get("notes", [])])),
        ("Limits", limits),
        ("Reproduction", _reproduction(about)),
    ]
    head = f"# {for_markdown(result['run'])}: a model of {what}"
    advice = map(for_markdown, advise(result))
    texts = [f"## {title}\n\n{text}" for title, text in every if text]
    return "\n\n".join([head, *advice, *texts]) + "\n"


def advise(result: Mapping[str, Any]) -> list[str]:
    """Write which model is recommended, how it compares, and how to train it."""
    lines = [f"Recommendation: {result['recommendation']}."]
    lines += [f"{one}." for one in result["comparison"]]
    return lines + ([result["retrain"]] if result["retrain"] else [])


def make_summary(
    run: Run,
    result: Mapping[str, Any],
    table: tuple[tuple[str, ...], list[list[str]]],
    details: Sequence[str],
    commands: Sequence[tuple[str, str]],
) -> Summary:
    """Summarise a result for a terminal: table, recommendation, warnings, details, next commands.

    `table` is columns and rows. "{run}" in a command stands for the folder of the run.
    """
    warnings = [f"Warning: {one}." for one in result["warnings"]]
    name = shlex.quote(str(run.path))
    return Summary(
        *table,
        (*advise(result), *warnings, *details),
        tuple((command.replace("{run}", name), why) for command, why in commands),
    )


def _reproduction(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    machine = ", ".join(f"{name} {value}" for name, value in about.get("hardware", {}).items())
    lines = [f"Seed {about['settings']['seed']}.", f"Versions: {versions}."]
    lines += [f"Hardware: {machine}."] if machine else []
    return for_markdown(" ".join(lines)) + " All settings are in run.toml."


def files(about: Mapping[str, Any]) -> list[str]:
    """List the data files, each with size and checksum."""
    return [
        f"{name} ({file['bytes']:,} bytes, SHA-256 {file['sha256'][:16]}…)"
        for name, file in about["data"]["files"].items()
    ]


def bullets(lines: Sequence[str]) -> str:
    """Write a Markdown list, with text from data escaped.

    >>> bullets(["one", "two"])
    '- one\\n- two'
    """
    return "\n".join(f"- {for_markdown(line)}" for line in lines)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table, with text from data escaped."""
    columns = [for_markdown(one, cell=True) for one in columns]
    rows = [[for_markdown(one, cell=True) for one in row] for row in rows]
    head = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def sentence(text: str) -> str:
    """Capitalise the first letter, and add a full stop.

    >>> sentence("use the n-gram")
    'Use the n-gram.'
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('...') else '.'}"
