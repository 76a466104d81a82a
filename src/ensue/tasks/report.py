"""The result of a training, and the model card that tells it to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ensue.evaluation.baselines import Row
from ensue.tasks.text_model import Written

LIMITS = """\
- It has learned from one collection of text, and knows nothing but its manner; what it writes is not true or false.
- The figures hold for text like the test part. Other text costs more; `ensue evaluate RUN FILE` says how much.
- It may repeat its training data word for word: look at the novelty of what you publish."""


@dataclass(frozen=True)
class Result:
    """What came out of a training, all on the test part unless it says otherwise."""

    run: str
    rows: tuple[Row, ...]
    verdict: str
    chosen: tuple[str, ...]
    """What was chosen, and on which part."""
    samples: tuple[Written, ...]
    symptoms: tuple[str, ...]
    """What seems to have gone wrong, in words."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        samples = [sample.to_json() for sample in self.samples]
        return asdict(self) | {"rows": rows, "samples": samples}


COLUMNS = ("model", "nats/character", "95 % interval", "bits/byte", "perplexity", "seconds", "numbers")


def cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out rows, as `Result.to_json` gives them, under COLUMNS."""
    return [
        [
            row["name"],
            f"{row['nats_per_character']:.3f}",
            "{:.3f} to {:.3f}".format(*row["intervals"]["nats_per_character"]),
            f"{row['bits_per_byte']:.3f}",
            f"{row['perplexity']:.2f}",
            f"{row['seconds']:.1f}",
            f"{row['parameters']:,}",
        ]
        for row in rows
    ]


def markdown(result: Result, about: Mapping[str, Any]) -> str:
    """Write the model card; `about` is what run.toml says."""
    sections = [
        ("", f"# {result.run}: a model of text\n\n{_sentence(result.verdict)}"),
        ("Results on the test part", _table(COLUMNS, cells([row.to_json() for row in result.rows]))),
        ("Data", _data(about)),
        ("What was chosen, and on which part", _bullets(result.chosen)),
        ("What seems to be wrong", _bullets(result.symptoms) or "Nothing that is looked for: " + LOOKED_FOR),
        ("Samples, and what they have copied", "\n\n".join(map(_sample, result.samples))),
        ("Limits", LIMITS),
        ("How it was made", _making(about)),
    ]
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections) + "\n"


LOOKED_FOR = "gradients that explode or vanish, a network that learns nothing, samples that repeat themselves."


def _data(about: Mapping[str, Any]) -> str:
    data, settings = about["data"], about["settings"]
    files = [
        f"{name} ({file['bytes']:,} bytes, SHA-256 {file['sha256'][:16]}…)" for name, file in data["files"].items()
    ]
    parts = ", ".join(f"{name} {count:,}" for name, count in data["symbols"].items())
    codec = settings["codec"]["name"]
    return f"Read as {data['kind']}, in {codec}.\n\n{_bullets(files)}\n\nSymbols: {parts}."


def _making(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    machine = ", ".join(f"{name} {value}" for name, value in about.get("machine", {}).items())
    lines = [f"Seed {about['settings']['seed']}.", f"Versions: {versions}."]
    lines += [f"Machine: {machine}."] if machine else []
    return " ".join(lines) + " Every setting stands in run.toml."


def _sample(sample: Written) -> str:
    quoted = "\n".join(f"    {line}" for line in sample.text.split("\n"))
    return f"{quoted}\n\n{_sentence(str(sample.novelty))}" if sample.novelty else quoted


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
