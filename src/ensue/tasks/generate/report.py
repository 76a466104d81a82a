"""The result of a training, its summary and its model card."""

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
- The model imitates the style of its training data. What it generates is not factual.
- The metrics hold for text like the test part. Measure other text with `ensue evaluate RUN FILE`.
- It may repeat its training data verbatim: check the novelty of samples before you publish them."""


@dataclass(frozen=True)
class Result:
    """The result of a training, measured on the test part unless stated otherwise."""

    run: str
    rows: tuple[TextScore, ...]
    recommendation: Recommendation
    selected: tuple[str, ...]
    """What was selected, and on which part."""
    samples: tuple[GeneratedText, ...]
    warnings: tuple[str, ...]
    """Problems that were diagnosed, each with its fix."""

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        rows = [row.to_json() for row in self.rows]
        samples = [sample.to_json() for sample in self.samples]
        *baselines, own = [(row["name"], _metrics(row)) for row in rows]
        changed = {**asdict(self.recommendation), "rows": rows, "samples": samples}
        return asdict(self) | {"metrics": own[1], "baselines": dict(baselines)} | changed


METRICS = (
    "nats_per_character",
    "bits_per_character",
    "bits_per_byte",
    "perplexity",
    "perplexity_per_token",
)


def _metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Give the metrics of a row under the key that the results of all verbs have."""
    return {name: row[name] for name in METRICS if name in row}


COLUMNS = (
    "model",
    "nats/character",
    "95 % interval",
    "bits/byte",
    "perplexity",
    "training time",
    "parameters",
)


def table_cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Write rows of `Result.to_json` as table cells under COLUMNS."""
    return [
        [
            row["name"],
            _format_metric(row["nats_per_character"], ".3f"),
            " to ".join(
                _format_metric(end, ".3f") for end in row["intervals"]["nats_per_character"]
            ),
            _format_metric(row["bits_per_byte"], ".3f"),
            _format_metric(row["perplexity"], ".2f"),
            f"{row['seconds']:.1f} s",
            f"{row['parameters']:,}",
        ]
        for row in rows
    ]


def _format_metric(value: float | None, form: str) -> str:
    """Write a metric; that of a diverged network may be infinite, which JSON cannot hold."""
    return "not finite" if value is None or not isfinite(value) else f"{value:{form}}"


def summarise(run: Run) -> Summary:
    """Summarise the result: table, recommendation, a sample with its novelty, next commands."""
    result, lines = run.read_json(RESULT), []
    for sample in result["samples"][:1]:
        lines.append(f"\nA sample:\n\n{sample['text']}\n")
        if sample["novelty"]:
            lines.append(f"novelty: {sample['novelty']['sentence']}")
    commands = (
        (
            "ensue generate {run} --temperature 0.8 --novelty",
            "generate text, and check it for copies of the training data",
        ),
        (
            "ensue evaluate {run} FILE --surprising 10",
            "score your own text, and find its most surprising places",
        ),
        ("ensue train generate FILE --minutes 3", "train on your own text"),
    )
    return make_summary(run, result, (COLUMNS, table_cells(result["rows"])), lines, commands)


def markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Write the model card from result.json and run.toml (`about`)."""
    sections = [
        ("Results on the test part", table(COLUMNS, table_cells(result["rows"]))),
        ("Data", _data(about)),
        ("Samples and their novelty", "\n\n".join(map(_sample, result["samples"]))),
    ]
    return model_card("text", result, sections, LIMITS, about)


def _data(about: Mapping[str, Any]) -> str:
    data, settings = about["data"], about["settings"]
    parts = ", ".join(f"{name} {count:,}" for name, count in data["symbols"].items())
    codec = settings["codec"]["name"]
    read = for_markdown(f"Format: {data['format']}; codec: {codec}.")
    return f"{read}\n\n{bullets(files(about))}\n\nSymbols: {parts}."


def _sample(sample: Mapping[str, Any]) -> str:
    # Line ends other than \n are escaped, for Markdown would end the quoted block there.
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
    """Write the flags that train a model with the other settings of the run."""
    if wanted.role == "network":
        return ["--set", "mixture.use=never"]
    unigram = NgramSettings(order=1, smoothing="additive")
    chosen, usual = (to_plain(each) for each in (unigram, NgramSettings()))
    if wanted.name != "unigram":
        chosen = to_plain(settings.baseline)
    different = [
        ["--set", f"model.{key}={value}"]
        for key, value in flatten(chosen)
        if usual.get(key) != value
    ]
    return ["--model", "ngram", *chain.from_iterable(different)]
