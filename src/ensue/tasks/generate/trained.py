"""A trained model of text with its codec: generates text, and measures its novelty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ensue.data.codecs import load_codec
from ensue.data.contract import SILENT, Codec, Finding, Listener
from ensue.data.text_parts import TextParts
from ensue.decoding.novelty import Novelty, TrainingData
from ensue.decoding.prompts import Prompt, cut_after
from ensue.decoding.rollout import Sample, Step, collect, rollout
from ensue.errors import RunError, SettingError, in_python
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram
from ensue.models.quantisation import quantise
from ensue.models.sequence import SequenceModel
from ensue.settings import Precision
from ensue.tasks.cached import CODEC, read_settings
from ensue.tasks.contract import Trained
from ensue.tasks.generate import GenerateRequest
from ensue.tasks.generate.data import DATA
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.held import open_model
from ensue.tasks.in_memory import as_lines
from ensue.training.folder.run import Run

BATCH_SIZE = 32
"""Samples generated at once: more are hardly faster per sample, and delay the first one."""


@dataclass(frozen=True)
class GeneratedText:
    """One sample: its text without the prompt, and its negative log-likelihood without filters."""

    prompt: str
    number: int
    text: str
    nats: float
    symbols: int
    novelty: Novelty | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return asdict(self) | {"novelty": self.novelty and self.novelty.to_json()}


class TextModel(Trained):
    """The trained model that `ensue.train("generate", ...)` and `ensue.open(run)` return."""

    kind = "text"
    request = GenerateRequest

    def __init__(self, run: Run, codec: Codec, model: Autoregressive) -> None:
        self.run, self.codec, self.model = run, codec, model
        self._quantised: dict[Precision, TextModel] = {}

    def generate(self, prompt: str = "", **options: Any) -> str:
        """Generate one text that continues the prompt; `options` are fields of the request."""
        return self.samples(prompt, 1, **options)[0].text

    @in_python()
    def samples(
        self, prompt: str = "", n: int = 1, novelty: bool = False, **options: Any
    ) -> list[GeneratedText]:
        """Generate `n` texts, each with its negative log-likelihood and, on request, novelty.

        `options` are further fields of the request.
        """
        options |= {"samples": n, "novelty": novelty}
        return list(self.answer(self.make_request(**options), prompt))

    def answer(
        self, request: GenerateRequest, data: str | None = None, listener: Listener = SILENT
    ) -> Iterator[GeneratedText]:
        """Generate texts that continue the prompt `data`, each as soon as its batch is finished.

        `listener` hears of symbols of the prompt that are unknown.
        """
        begin = self.begin("" if data is None else data)
        self.warn_of_unknown(begin.text, listener)
        nothing = Sample(np.zeros(0, np.int64), np.zeros(0))
        for first in range(0, request.samples, BATCH_SIZE):
            numbers = range(first, min(first + BATCH_SIZE, request.samples))
            collected = collect(self.steps(begin, numbers, request))
            found = [collected.get(number, nothing) for number in numbers]
            texts = [cut_after(begin.decode(sample.ids), request.stop) for sample in found]
            novelties = (
                self.training_data.novelty(texts) if request.novelty else [None] * len(texts)
            )
            for number, text, sample, own in zip(numbers, texts, found, novelties, strict=True):
                nats = float(sample.nats.sum())
                yield GeneratedText(begin.text, number, text, nats, len(sample.ids), own)

    def stream(
        self, request: GenerateRequest, prompt: str = "", listener: Listener = SILENT
    ) -> Iterator[str]:
        """Generate one text piece by piece, each piece as soon as it is certain."""
        self.warn_of_unknown(prompt, listener)
        begin = self.begin(prompt)
        return begin.pieces(self.steps(begin, range(1), request), request.stop)

    def begin(self, prompt: str) -> Prompt:
        """Make a prompt of a text."""
        return Prompt(self.codec, as_lines(prompt, "prompt"))

    def steps(
        self, begin: Prompt, numbers: Sequence[int], request: GenerateRequest
    ) -> Iterator[Step]:
        """Generate symbol by symbol. Raises PromptError if no text can satisfy the request."""
        model = self.with_precision(request.precision).model
        limits = (request.length, request.stop, request.allowed_characters, request.regex)
        contexts = [begin.ids] * len(numbers)
        return rollout(model, contexts, request, begin.rules(*limits), request.seed, numbers)

    def with_precision(self, precision: Precision) -> TextModel:
        """Return the model with its matrices quantised to `precision`; they are cached.

        Raises SettingError for a model that has no network.
        """
        precision = self.make_request(precision=precision).precision
        if precision == "fp32":
            return self
        if not isinstance(self.model, SequenceModel | Mixture):
            what = f"the model of this run is no network, and has no weights in {precision}"
            raise SettingError(what, where="precision", hint="leave it out")
        if precision not in self._quantised:
            quantised = quantise(self.model, precision)
            self._quantised[precision] = TextModel(self.run, self.codec, quantised)
        return self._quantised[precision]

    def ngram(self) -> Ngram:
        """Get the n-gram of the model, or of its mixture. Raises RunError if it has none."""
        found = self.model.ngram if isinstance(self.model, Mixture) else self.model
        if not isinstance(found, Ngram):
            raise RunError(
                "the model of this run has no n-gram",
                where=str(self.run.path),
                hint="give another run",
            )
        return found

    def warn_of_unknown(self, prompt: str, listener: Listener) -> None:
        """Report symbols of a prompt that are not in the vocabulary."""
        if count := len(self.codec.unknowns(prompt)):
            what = "1 symbol is" if count == 1 else f"{count} symbols are"
            listener.on_finding(Finding("the prompt", f"{what} unknown: not in the training data"))

    @cached_property
    def training_data(self) -> TrainingData:
        """All that the model may have copied from: the n-gram has counted the validation part
        too."""
        return TrainingData((self.parts.train, self.parts.validation), self.codec)

    def novelty(self, text: str) -> Novelty:
        """Say how much of a text stands in the training data: the longest copy, and shares of
        its n-grams."""
        return self.training_data.novelty([as_lines(text, "novelty")])[0]

    @cached_property
    def parts(self) -> TextParts:
        """The data of the run, as it was split. Raises RunError if it is not there any more."""
        return DATA.load(self.run)

    @cached_property
    def settings(self) -> GenerateSettings:
        """The settings of the training, with the format that the data has."""
        settings, _ = read_settings(self.run, GenerateSettings)
        read_as = {"format": self.run.about["data"]["format"]}
        return settings.model_copy(update={"data": settings.data.model_copy(update=read_as)})


def open_text(run: Run, settings: GenerateSettings) -> TextModel:
    """Open the trained model of a run. Raises RunError where its files are damaged."""
    codec = run.parse(CODEC, load_codec)
    model, _ = open_model(run, settings, lambda own, _: own.model.build(codec.size), _mix)
    return TextModel(run, codec, model)


def _mix(models: Sequence[Any], _: Any) -> Mixture:
    network, ngram = models
    if not isinstance(network, SequenceModel) or not isinstance(ngram, Ngram):
        raise ValueError("it mixes other models than a network and an n-gram")
    return Mixture(network, ngram)
