"""What `generate` adds to the summary and the model card of a model of records: its samples."""

from __future__ import annotations

from typing import Any

from ensue.inspection.pictures import draw_sequences
from ensue.tasks.document import Section, picture
from ensue.tasks.model_card import records
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import Run

LIMITS = (
    "The model imitates the sequences of its training data; it knows nothing of what made them.",
    "The metrics hold for sequences like those of the test part. Measure others with "
    "`ensue evaluate RUN FILE`.",
    "Each sample goes on from its own steps: errors add up, and a long one may leave the range of "
    "the data.",
)


def remarks(result: Result) -> list[str]:
    """Say how near the first sample is to the training data."""
    found = [one["novelty"]["sentence"] for one in result.details["samples"][:1] if one["novelty"]]
    return [f"novelty: {one}" for one in found]


def sections(result: Result, run: Run) -> list[Section]:
    """Show samples, and nats by field."""
    fields = [
        {"field": name, "nats": value} for name, value in result.details["nats_per_step_of"].items()
    ]
    samples: list[Any] = [one["steps"] for one in result.details["samples"]]
    nearest = [
        {"sample": one["number"] + 1, "nats": one["nats"], **one["novelty"]}
        for one in result.details["samples"]
        if one["novelty"]
    ]
    shown = {"sample": "sample", "nats": "nats", "distance": "distance", "steps": "steps"}
    shown |= {"line": "line of the sequence", "step": "from its step"}
    return [
        Section(
            "Samples",
            [
                picture(
                    "Sequences that the model generated, and one of training.",
                    draw_sequences,
                    [],
                    samples,
                    result.details["example"],
                )
            ],
        ),
        Section("Nearest stretch of training", records(nearest, shown)),
        Section("Nats per step, by field", records(fields, {"field": "field", "nats": "nats"})),
    ]


STEPS = Report(
    "sequences of records",
    {"nats_per_step": "nats/step"},
    ".3f",
    LIMITS,
    (
        (
            "ensue generate {run} --samples 5 --out paths.csv --plot paths.png",
            "generate sequences, and draw them",
        ),
        ("ensue generate {run} --prompt FILE", "continue a sequence that begins in a table"),
        ("ensue evaluate {run} FILE", "score your own sequences"),
    ),
    sections,
    remarks,
)
