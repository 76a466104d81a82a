"""The model card of any task: sections of Markdown, the last of which says how the model was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def card(sections: Sequence[tuple[str, str]], about: Mapping[str, Any]) -> str:
    """Write the card from (title, text); `about` is what run.toml says."""
    whole = [*sections, ("How it was made", _making(about))]
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in whole) + "\n"


def _making(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    machine = ", ".join(f"{name} {value}" for name, value in about.get("machine", {}).items())
    lines = [f"Seed {about['settings']['seed']}.", f"Versions: {versions}."]
    lines += [f"Machine: {machine}."] if machine else []
    return " ".join(lines) + " Every setting stands in run.toml."


def files(about: Mapping[str, Any]) -> list[str]:
    """Name the files of the data, each with its size and its sum."""
    return [
        f"{name} ({file['bytes']:,} bytes, SHA-256 {file['sha256'][:16]}…)"
        for name, file in about["data"]["files"].items()
    ]


def bullets(lines: Sequence[str]) -> str:
    """Write a list.

    >>> bullets(["one", "two"])
    '- one\\n- two'
    """
    return "\n".join(f"- {line}" for line in lines)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    head = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def sentence(text: str) -> str:
    """Begin with a capital letter, and end with a full stop.

    >>> sentence("use the n-gram")
    'Use the n-gram.'
    """
    return f"{text[:1].upper()}{text[1:]}."


def look_at(symptom: str) -> str:
    """Point to what seems to be wrong, on a terminal."""
    return f"Look at this: {symptom}."


def ailing(symptoms: Sequence[str]) -> str:
    """List what seems to be wrong."""
    return bullets([sentence(one) for one in symptoms]) or "Nothing that is looked for."
