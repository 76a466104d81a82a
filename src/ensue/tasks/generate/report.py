"""What `generate` adds to the summary and the model card: samples with their novelty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from ensue.escape import for_html
from ensue.evaluation.scores import Score
from ensue.models.ngram import NgramSettings
from ensue.settings import to_plain
from ensue.tasks.document import Block, Section, paragraph, quotation
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.model_card import sentence
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import Run

LIMITS = (
    "The model imitates the style of its training data. What it generates is not factual.",
    "The metrics hold for text like the test part. Measure other text with "
    "`ensue evaluate RUN FILE`.",
    "It may repeat its training data verbatim: check the novelty of samples before you publish "
    "them.",
)


def remarks(result: Result) -> list[str]:
    """Say what fine-tuning gained, and show a sample with its novelty."""
    lines = [describe_tuning(result.details)] if "pretrained" in result.details else []
    for sample in result.details["samples"][:1]:
        lines.append(f"\nA sample:\n\n{sample['text']}\n")
        if sample["novelty"]:
            lines.append(f"novelty: {sample['novelty']['sentence']}")
    return lines


def sections(result: Result, run: Run) -> list[Section]:
    """Say what fine-tuning gained, and show all samples with their novelty."""
    details, found = result.details, list[Section]()
    if "pretrained" in details:
        found = [Section("Fine-tuning", [paragraph(describe_tuning(details))])]
    blocks = [*chain.from_iterable(map(_sample, details["samples"]))]
    return [*found, Section("Samples and their novelty", blocks)]


def describe_tuning(details: Mapping[str, Any]) -> str:
    """Compare the pretrained network with the fine-tuned one, on the validation part."""
    known = details["pretrained"]
    scores = f"{known['before']:.3f} before and {known['after']:.3f} after"
    return (
        f"Fine-tuning of {known['run']}: the network has {scores}, in nats per character on the "
        f"validation part. New symbols: {known['new']:,}, {known['share']:.2%} of the training "
        f"part."
    )


def _sample(sample: Mapping[str, Any]) -> list[Block]:
    """Show a sample with its longest copy marked."""
    text, novelty = sample["text"], sample["novelty"]
    if not novelty:
        return [quotation(text, for_html(text))]
    # A codec that drops blanks changes the text that is searched: then there may be no such span.
    copied = novelty["longest"]
    before, found, after = text.partition(copied) if copied else (text, "", "")
    marked = f"{for_html(before)}<mark>{for_html(found)}</mark>{for_html(after)}"
    return [quotation(text, marked), paragraph(sentence(novelty["sentence"]))]


def retrain_flags(settings: GenerateSettings, scores: Sequence[Score]) -> dict[str, list[str]]:
    """Write the flags that train each model of the table with the other settings of the run."""
    unigram, usual = NgramSettings(order=1, smoothing="additive"), to_plain(NgramSettings())
    flags = dict[str, list[str]]()
    for one in scores:
        ngram = to_plain(unigram if one.name == "unigram" else settings.baseline)
        changes = [
            f"model.{key}={value}" for key, value in ngram.items() if usual.get(key) != value
        ]
        if one.role == "network":
            flags[one.name] = ["--set", "mixture.use=never"]
        elif one.name != "uniform":
            changed = chain.from_iterable(("--set", change) for change in changes)
            flags[one.name] = ["--model", "ngram", *changed]
    return flags


TEXT = Report(
    "text",
    {
        "nats_per_character": "nats/character",
        "bits_per_byte": "bits/byte",
        "perplexity": "perplexity",
    },
    ".3f",
    LIMITS,
    (
        (
            "ensue generate {run} --temperature 0.8 --novelty",
            "generate text, and check it for copies of the training data",
        ),
        (
            "ensue evaluate {run} FILE --surprising 10",
            "score your own text, and find its most surprising places",
        ),
        ("ensue train generate FILE --minutes 3", "train on your own text"),
    ),
    sections,
    remarks,
    {"perplexity": ".2f"},
)
