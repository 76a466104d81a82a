"""A trained model of sequences of records: generate, evaluate, open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import format_errors
from ensue.data.codecs.steps import StepCodec
from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.dataset import Examples
from ensue.data.labelled import Example
from ensue.data.steps import StepTable, encode_part, gather_rows, read_more
from ensue.decoding.nearest import Nearest, find_nearest
from ensue.decoding.records import continue_records
from ensue.errors import DataError, SettingError, in_python
from ensue.escape import csv_line
from ensue.evaluation.step_scoring import measure_steps, score_steps
from ensue.models.contract import StepModel
from ensue.models.steps.pool import StepPool
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC
from ensue.tasks.contract import EvaluateMixin, Trained
from ensue.tasks.generate import GenerateRequest
from ensue.tasks.generate.steps.data import DATA
from ensue.tasks.held import open_model
from ensue.tasks.in_memory import as_path
from ensue.tasks.results import Scored, find_scored_files
from ensue.training.folder.run import Run

OF_STEPS = {"samples", "length", "seed", "temperature", "novelty"}
"""Options of generate that a model of records takes."""
BATCH_SIZE = 64
"""Samples that are drawn together."""


@dataclass(frozen=True)
class GeneratedSteps:
    """One sample: the rows after those of its prompt."""

    sequence: str
    """Id of the sequence that it continues, or new-1, new-2, ..."""
    number: int
    prompt: Sequence[Mapping[str, Any]]
    """Rows of the prompt."""
    steps: Sequence[Mapping[str, Any]]
    nats: float
    """Negative log-likelihood under the model, with numbers in units of the data."""
    novelty: Nearest | None = None
    ended: bool = False
    """Whether the model ended it, rather than the length."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return {
            "sequence": self.sequence,
            "number": self.number,
            "prompt_steps": len(self.prompt),
            "steps": list(self.steps),
            "ended": self.ended,
            "nats": self.nats,
            "novelty": self.novelty and self.novelty.to_json(),
        }


class StepGenerator(EvaluateMixin, Trained):
    """The model of records that `ensue.train("generate", ...)` and `ensue.open(run)` return."""

    kind, source = "steps", DATA
    request = GenerateRequest

    def __init__(self, run: Run, model: StepModel, codec: StepCodec, table: StepTable) -> None:
        self.run, self.model, self.codec, self.table = run, model, codec, table

    def lines(self, answers: Iterable[GeneratedSteps]) -> Iterator[str]:
        """Write rows of CSV: sequence, sample and step, and then the columns of training."""
        names = self.codec.names
        own = [f"{name} (data)" if name in ("sample", "step") else name for name in names]
        id = self.table.id or "sequence"
        yield csv_line([id if id not in names else "sequence", "sample", "step", *own])
        for one in answers:
            for step, row in enumerate(one.steps, len(one.prompt) + 1):
                yield csv_line(
                    [one.sequence, one.number + 1, step, *(row[column] for column in names)]
                )

    def generate(self, prompt: Any = None, **options: Any) -> list[dict[str, Any]]:
        """Generate the rows of one sequence, after those of the prompt if there is one."""
        return list(map(dict, self.samples(prompt, 1, **options)[0].steps))

    @in_python()
    def samples(
        self, prompt: Any = None, n: int = 1, novelty: bool = False, **options: Any
    ) -> list[GeneratedSteps]:
        """Generate `n` sequences, each with its negative log-likelihood.

        `prompt` is a list of rows, or the path of a table; `options` are fields of the request.
        """
        options |= {"samples": n, "novelty": novelty}
        return list(self.answer(self.make_request(**options), prompt))

    def answer(
        self, request: GenerateRequest, data: Any = None, listener: Listener = SILENT
    ) -> Iterator[GeneratedSteps]:
        """Generate sequences: new ones, or `samples` for each that `data` begins."""
        usual = GenerateRequest()
        for name in sorted(request.model_fields_set - OF_STEPS):
            if getattr(request, name) != getattr(usual, name):
                flag, what = name.replace("_", "-"), "the run generates rows of a table, not text"
                raise SettingError(what, where=f"--{flag}", hint="leave it out")
        length = request.length if "length" in request.model_fields_set else self.codec.length
        for one in self._read_prompt(data, listener):
            yield from self._continue(one, request, length, listener)

    def _continue(
        self, one: Example | None, request: GenerateRequest, length: int, listener: Listener
    ) -> Iterator[GeneratedSteps]:
        prompt = None if one is None else encode_part([one], self.codec, whole=False).steps
        rows = [] if prompt is None else self.codec.decode(prompt)
        for first in range(0, request.samples, BATCH_SIZE):
            numbers = range(first, min(first + BATCH_SIZE, request.samples))
            found = continue_records(
                self.model, prompt, numbers, length, request.seed, request.temperature
            )
            for place, number in enumerate(numbers):
                count, seen = found.lengths[place], len(self.codec.symbols)
                lost = ~np.isfinite(found.steps["numbers"][place, :count]).all(1)
                if lost.any():
                    count = int(lost.argmax())
                    what = f"sample {number + 1} left the range of numbers after {count:,} steps"
                    listener.report("generate", what, "generate fewer, or train another model")
                steps = {name: array[place, :count] for name, array in found.steps.items()}
                steps["symbols"] = steps["symbols"][:, :seen]  # not whether it ends
                nearest = find_nearest(steps, self.parts["train"]) if request.novelty else None
                nats = float(found.nats[place, :count].sum())
                name = f"new-{number + 1}" if one is None else one.case
                made, ended = self.codec.decode(steps), bool(found.ended[place]) and not lost.any()
                yield GeneratedSteps(name, number, rows, made, nats, nearest, ended)

    def _read_prompt(self, data: Any, listener: Listener) -> Sequence[Example | None]:
        """Read the sequences to continue. Raises DataError."""
        if data is None or data == "":
            return [None]
        if isinstance(data, list | tuple):
            return [gather_rows(data, self.codec.names, "prompt")]
        path = as_path(data, "prompt")
        if not path.is_file():
            hint = "give a table whose rows begin a sequence"
            raise DataError("there is no such file", where=str(path), hint=hint)
        found = read_more([path], self.table, listener)
        if unknown := self.codec.count_unknown(encode_part(found, self.codec).steps):
            listener.on_finding(Finding(str(path), f"{unknown:,} symbols are not in training"))
        return found

    def read_part(self, paths: Sequence[Path], listener: Listener, **columns: Any) -> Examples:
        """Read and encode the sequences of files. Raises DataError."""
        files = find_scored_files(self.run, paths, self.data, listener)
        return encode_part(read_more(files, self.table, listener), self.codec)

    def score(self, part: Examples | None = None) -> Scored:
        """Compute nats per step of sequences, or of the test part."""
        examples = self.parts["test"] if part is None else part
        nats = score_steps(self.model, examples)
        of_fields = dict(zip(self.codec.fields.names, nats.mean(0).tolist(), strict=True))
        counts = {"sequences": len(examples), "steps": len(nats)}
        details: dict[str, Any] = {**counts, "nats per step of": of_fields}
        if unknown := self.codec.count_unknown(examples.steps):
            details["unknown symbols"] = unknown
        measured = measure_steps(nats, examples)
        return Scored(measured.metrics, measured.intervals, details)

    def name_piped(self, first: bytes) -> str:
        """It is a table, of a demo too."""
        named = super().name_piped(first)
        return "data.csv" if named == "data.txt" else named


def open_steps(run: Run, settings: Any) -> StepGenerator:
    """Open the trained model of a run. Raises RunError where its files are damaged."""
    where, values = str(run.path / CODEC), run.parse(CODEC, dict)
    with format_errors(where):
        codec = StepCodec.from_json(values["steps"])
        table = read_stored(StepTable, values["table"], where)
    model, _ = open_model(
        run,
        settings,
        lambda own, _: own.model.build(codec.fields),
        lambda models, _: StepPool(models),
    )
    return StepGenerator(run, model, codec, table)
