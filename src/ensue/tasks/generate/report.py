"""The result of a training, and the model card that tells it to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any

from ensue.escape import for_markdown, for_terminal
from ensue.evaluation.ranking import Recommendation, best_model, explain_recommendation
from ensue.evaluation.unigram import TextScore
from ensue.models.ngram import NgramSettings
from ensue.settings import flatten, to_plain
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.generate.trained import GeneratedText
from ensue.tasks.model_card import bullets, files, make_summary, model_card, sentence, table
from ensue.tasks.results import retrain_command
from ensue.training.folder.run import Run

if TYPE_CHECKING:
    from ensue.tasks.generate import GenerateSettings

LIMITS = """\
- It has learned from one collection of text, and knows nothing but its manner; what it writes is
  not true or false.
- The figures hold for text like the test part. Other text costs more; `ensue evaluate RUN FILE`
  says how much.
- It may repeat its training data word for word: look at the novelty of what you publish."""


@dataclass(frozen=True)
class Result:
    """What came out of a training, all on the test part unless it says otherwise."""

    run: str
    rows: tuple[TextScore, ...]
    recommendation: Recommendation
    selected: tuple[str, ...]
    """What was chosen, and on which part."""
    samples: tuple[GeneratedText, ...]
    warnings: tuple[str, ...]
    """What seems to have gone wrong, in words."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        samples = [sample.to_json() for sample in self.samples]
        changed = {**asdict(self.recommendation), "rows": rows, "samples": samples}
        return asdict(self) | changed


COLUMNS = (
    "model",
    "nats/character",
    "95 % interval",
    "bits/byte",
    "perplexity",
    "training time",
    "parameters",
)


def cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Lay out rows, as `Result.to_json` gives them, under COLUMNS."""
    return [
        [
            row["name"],
            _figure(row["nats_per_character"], ".3f"),
            " to ".join(_figure(end, ".3f") for end in row["intervals"]["nats_per_character"]),
            _figure(row["bits_per_byte"], ".3f"),
            _figure(row["perplexity"], ".2f"),
            f"{row['seconds']:.1f} s",
            f"{row['parameters']:,}",
        ]
        for row in rows
    ]


def _figure(value: float | None, form: str) -> str:
    """Write a figure; of a network that fell apart it may be more than a number can hold, which
    JSON has not."""
    return "not finite" if value is None or not isfinite(value) else f"{value:{form}}"


def summarise(run: Run) -> Summary:
    """Tell what came of a training: the table, the sentence, a sample with its novelty, and what
    to try next."""
    result, lines = run.read_json(RESULT), []
    for sample in result["samples"][:1]:
        lines.append(f"\nA sample:\n\n{sample['text']}\n")
        if sample["novelty"]:
            lines.append(f"novelty: {sample['novelty']['sentence']}")
    commands = (
        (
            "ensue generate {run} --temperature 0.8 --novelty",
            "write more, and see what of it is copied",
        ),
        (
            "ensue evaluate {run} FILE --surprising 10",
            "score a text of your own, and find what is odd in it",
        ),
        ("ensue train generate FILE --minutes 3", "learn from a text of your own"),
    )
    return make_summary(run, result, (COLUMNS, cells(result["rows"])), lines, commands)


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card, from what result.json and run.toml (`about`) say."""
    sections = [
        ("Results on the test part", table(COLUMNS, cells(result["rows"]))),
        ("Data", _data(about)),
        ("Samples, and what they have copied", "\n\n".join(map(_sample, result["samples"]))),
    ]
    return model_card("text", result, sections, LIMITS, about)


def _data(about: Mapping[str, Any]) -> str:
    data, settings = about["data"], about["settings"]
    parts = ", ".join(f"{name} {count:,}" for name, count in data["symbols"].items())
    codec = settings["codec"]["name"]
    read = for_markdown(f"Read as {data['format']}, in {codec}.")
    return f"{read}\n\n{bullets(files(about))}\n\nSymbols: {parts}."


def _sample(sample: Mapping[str, Any]) -> str:
    # Other ends of lines than \n are shown, for after one Markdown would take the rest as its own.
    quoted = "\n".join(
        f"    {line}" for line in for_terminal(sample["text"], lines=True).split("\n")
    )
    return (
        f"{quoted}\n\n{for_markdown(sentence(sample['novelty']['sentence']))}"
        if sample["novelty"]
        else quoted
    )


def recommend(run: Run, settings: GenerateSettings, rows: Sequence[TextScore]) -> Recommendation:
    """Recommend a model, with the command that trains it if the run, the last row, has another."""
    best, found = best_model(rows), explain_recommendation(rows)
    if best is rows[-1] or best.name == "uniform":
        return found
    name = "network" if best.role == "network" else best.name
    changes = _changes(settings, best)
    return replace(found, retrain=retrain_command(run, rows[-1].name, best.name, name, changes))


def _changes(settings: GenerateSettings, wanted: TextScore) -> list[str]:
    """Give what to say of a model beside the settings of the run."""
    if wanted.role == "network":
        return ["--set", "mixture.use=never"]
    unigram = NgramSettings(order=1, smoothing="additive")
    there, usual = (to_plain(each) for each in (unigram, NgramSettings()))
    if wanted.name != "unigram":
        there = to_plain(settings.baseline)
    different = [
        ["--set", f"model.{key}={value}"]
        for key, value in flatten(there)
        if usual.get(key) != value
    ]
    return ["--model", "ngram", *chain.from_iterable(different)]
