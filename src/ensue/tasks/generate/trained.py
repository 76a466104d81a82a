"""A trained model of text, with its codec: it writes, scores, and says what it has copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from pydantic import Field
from torch import nn

from ensue.atomic_io import format_errors
from ensue.data.codecs import open_codec
from ensue.data.contract import Codec, Ids
from ensue.data.prepare import Prepared
from ensue.decoding.constraints.matching import Matching, only
from ensue.decoding.novelty import Novelty, TrainingData
from ensue.decoding.rollout import Sample, Step, collect, rollout, stop_at
from ensue.decoding.sampling import SamplingSettings
from ensue.decoding.stepper import Rules
from ensue.engine.step.network import Precision
from ensue.errors import PromptError, RunError
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram, NgramSettings
from ensue.models.parameters import load_into
from ensue.models.quantisation import quantise
from ensue.settings import Settings, read
from ensue.tasks.cached import CODEC, limit_model_size, read_settings
from ensue.tasks.contract import Trained
from ensue.tasks.generate.baselines import Counted, joined, last_of
from ensue.tasks.generate.data import parts_of
from ensue.tasks.in_memory import as_text
from ensue.training.folder.run import WEIGHTS, Run

MIXTURE = "mixture.safetensors"
"""What a mixture has beside its network, whose weights stand in weights.safetensors as ever."""

BESIDE = 32
"""How many samples are written at once: more are hardly faster, and all of them are waited for."""


class GenerationSettings(Settings):
    """How much to write, where to stop, and what is allowed."""

    length: int = Field(400, ge=1)
    """The most symbols to write; records may end before."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """The same seed writes the same text."""
    stop: str = ""
    """Stop once this was written."""
    allowed_characters: str = ""
    """Write these characters only."""
    regex: str = ""
    """A regular expression that the whole of what is written must match."""
    precision: Literal["fp32", "bf16", "int8"] = "fp32"
    """Precision of the network's weights: bf16 and int8 are faster, and slightly less accurate."""
    filters: SamplingSettings = SamplingSettings()
    """How the model's distribution is reshaped before a symbol is drawn."""


def generation_settings(**asked: Any) -> GenerationSettings:
    """Make the settings of plain keywords; those of the filters stand beside the others.

    Raises SettingError for one that does not exist, or a value that it cannot take.

    >>> generation_settings(temperature=0.5, length=10).filters.temperature
    0.5
    """
    return read(GenerationSettings, nest(asked), where="writing")


def nest(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Put what belongs to the filters below `filters`."""
    filters = {
        name: value for name, value in asked.items() if name in SamplingSettings.model_fields
    }
    return {name: value for name, value in asked.items() if name not in filters} | {
        "filters": filters
    }


@dataclass(frozen=True)
class GeneratedText:
    """One sample: its text without the prompt, and what it cost the model itself, before any
    filter."""

    number: int
    text: str
    nats: float
    symbols: int
    novelty: Novelty | None = None

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return asdict(self) | {"novelty": self.novelty and self.novelty.to_json()}


class TextModel(Trained):
    """What `ensue.train("generate", ...)` and `ensue.open(run)` give."""

    def __init__(self, run: Run, codec: Codec, model: Autoregressive) -> None:
        self.run, self.codec, self.model = run, codec, model
        self._rounded: dict[Precision, tuple[Autoregressive, Autoregressive]] = {}

    def generate(self, prompt: str = "", **asked: Any) -> str:
        """Write one text that goes on from the prompt; `asked` are the fields of WritingSettings
        and FilterSettings."""
        return self.samples(prompt, n=1, **asked)[0].text

    def samples(
        self, prompt: str = "", n: int = 1, novelty: bool = False, **asked: Any
    ) -> list[GeneratedText]:
        """Write `n` texts, each with its cost and, if wanted, its novelty."""
        return list(self.written(prompt, n, novelty, **asked))

    def written(
        self, prompt: str = "", n: int = 1, novelty: bool = False, **asked: Any
    ) -> Iterator[GeneratedText]:
        """Give the same one by one, as soon as those written beside it are finished."""
        settings, nothing = generation_settings(**asked), Sample(np.zeros(0, np.int64), np.zeros(0))
        for first in range(0, n, BESIDE):
            numbers = range(first, min(first + BESIDE, n))
            collected = collect(self.steps(prompt, numbers, settings))
            found = [collected.get(number, nothing) for number in numbers]
            texts = [self._cut(self._after(prompt, sample.ids), settings) for sample in found]
            told = self.training_data.novelty(texts) if novelty else [None] * len(texts)
            for number, text, sample, own in zip(numbers, texts, found, told, strict=True):
                yield GeneratedText(number, text, float(sample.nats.sum()), len(sample.ids), own)

    def stream(self, prompt: str = "", **asked: Any) -> Iterator[str]:
        """Write one text piece by piece, each as soon as it is certain."""
        settings = generation_settings(**asked)
        ids: list[int] = []
        told = ""
        for step in self.steps(prompt, range(1), settings):
            ids += step.ids.tolist()
            text = self._cut(self._after(prompt, ids), settings)
            # A character may be spelled by several symbols, and a stop text may have begun.
            held = max(len(settings.stop) - 1, 0) + (1 if text.endswith("\ufffd") else 0)
            certain = text if step.finished.any() else text[: max(len(text) - held, len(told))]
            if certain != told:
                yield certain[len(told) :]
                told = certain

    def steps(
        self, prompt: str, numbers: Sequence[int], settings: GenerationSettings
    ) -> Iterator[Step]:
        """Write symbol by symbol. Raises PromptError if nothing can satisfy what was asked."""
        contexts = [self.context(prompt)] * len(numbers)
        model = self.with_precision(settings.precision).model
        rules = self._rules(settings, self._unwritten_after(prompt))
        return rollout(model, contexts, settings.filters, rules, settings.seed, numbers)

    def with_precision(self, precision: Precision) -> TextModel:
        """Give the same with its network's matrices rounded to `precision`; made once."""
        if precision == "fp32":
            return self
        if self._rounded.get(precision, (None,))[0] is not self.model:
            self._rounded[precision] = self.model, quantise(self.model, precision)
        return TextModel(self.run, self.codec, self._rounded[precision][1])

    def ngram(self) -> Ngram:
        """Give the n-gram that the model is, or that is mixed into it. Raises RunError if it has
        none."""
        found = self.model.ngram if isinstance(self.model, Mixture) else self.model
        if not isinstance(found, Ngram):
            raise RunError(
                "the model of this run has no n-gram in it",
                where=str(self.run.path),
                hint="name another run",
            )
        return found

    def context(self, prompt: str) -> Ids:
        """Give the ids that the model reads before it writes.

        One long text has a single beginning, which is no place to begin a sample; without a prompt
        it goes on after a line break, as if from somewhere in the middle.
        """
        prompt = as_text(prompt, "prompt")
        if prompt or self.codec.end is not None:
            return self.codec.encode(prompt)
        ids = self.codec.encode("\n")
        return ids[ids != self.codec.unknown] if self.codec.unknown is not None else ids

    def unknown_in(self, prompt: str) -> int:
        """Count the symbols of a prompt that were never seen in training."""
        return len(self.codec.unknowns(prompt))

    @cached_property
    def training_data(self) -> TrainingData:
        """All that the model may have copied from: the n-gram has counted the validation part
        too."""
        return TrainingData((self.parts.train, self.parts.validation), self.codec)

    def novelty(self, text: str) -> Novelty:
        """Say how much of a text stands in the training data: the longest copy, and shares of
        its n-grams."""
        return self.training_data.novelty([as_text(text, "novelty")])[0]

    @cached_property
    def parts(self) -> Prepared:
        """The data of the run, as it was split. Raises RunError if it is not there any more."""
        from ensue.tasks.generate import GenerateSettings  # which knows this file

        settings, data = read_settings(self.run, GenerateSettings)
        return parts_of(self.run, settings, data, lambda _: None)

    def seen(self) -> Counted:
        """Give what the n-gram of the run has counted: of the training part, and of the
        validation part if it may."""
        parts, counted = self.parts, self.run.about.get("ngram", {})
        train = last_of(parts.train, counted.get("symbols", len(parts.train)))
        return (
            joined(train, (parts.validation.ids, parts.validation.offsets))
            if counted.get("validation", True)
            else train
        )

    def _after(self, prompt: str, ids: Sequence[int] | Ids) -> str:
        """Give the text of ids as it goes on from a prompt: a blank may have to stand between."""
        before = self.context(prompt)
        if self.codec.keeps_blanks or not len(before):
            return self.codec.decode(ids)
        text = self.codec.decode([*before.tolist(), *ids])[len(self.codec.decode(before)) :]
        return text.removeprefix(" ") if prompt[-1:].isspace() else text

    def _cut(self, text: str, settings: GenerationSettings) -> str:
        """End the text with its stop text; the last symbol may have gone beyond."""
        at = text.find(settings.stop) if settings.stop else -1
        return text if at < 0 else text[: at + len(settings.stop)]

    def _unwritten_after(self, prompt: str) -> bool | None:
        """Tell whether `_after` leaves out the blank before what is written first; None where
        blanks are symbols."""
        if self.codec.keeps_blanks:
            return None
        before = self.codec.decode(self.context(prompt))
        return prompt[-1:].isspace() or before[-1:] in ("", "\n")

    def _rules(self, settings: GenerationSettings, unwritten: bool | None) -> Rules:
        codec = self.codec
        if settings.allowed_characters and settings.regex:
            raise PromptError(
                "allowed characters and a pattern cannot both be given", hint="give one of them"
            )
        pattern = (
            only(settings.allowed_characters) if settings.allowed_characters else settings.regex
        )
        matching = Matching(pattern, self._spellings, codec.end, unwritten) if pattern else None
        if settings.allowed_characters and matching and (matching.following(0) < 0).all():
            what = f"none of the characters {settings.allowed_characters!r} was seen in training"
            raise PromptError(what, where="--allowed-characters", hint="allow some that were")
        allowed = np.ones(codec.size, dtype=bool)
        if codec.unknown is not None:
            allowed[codec.unknown] = False
        stop = stop_at(settings.stop, codec.decode) if settings.stop else None
        return Rules(settings.length, allowed, codec.end, matching, stop)

    @cached_property
    def _spellings(self) -> list[bytes]:
        return self.codec.spellings()


def with_mixture(mixture: Mixture) -> dict[str, np.ndarray]:
    """Give what a mixture has learned but for its network."""
    return {
        name: array for name, array in mixture.arrays().items() if not name.startswith("network.")
    }


def open_text(run: Run, model: Settings) -> TextModel:
    """Open what a run has learned; `model` are the settings of its network or n-gram."""
    codec = run.parse(CODEC, open_codec)
    with format_errors(str(run.path / CODEC)), limit_model_size(run):
        opened: Autoregressive = cast("Any", model).build(codec.size)
    # A table of n-grams may be large, and a question needs little of it; a network is read whole.
    weights = run.map_arrays() if isinstance(opened, Ngram) else run.read_arrays()
    if run.has(MIXTURE):
        opened = Mixture(opened, NgramSettings().build(codec.size))
        weights = {f"network.{name}": array for name, array in weights.items()} | run.map_arrays(
            MIXTURE
        )
    load_into(opened, weights, str(run.path / (MIXTURE if run.has(MIXTURE) else WEIGHTS)))
    for network in (opened, getattr(opened, "network", None)):
        if isinstance(network, nn.Module):
            network.eval()
    return TextModel(run, codec, opened)
