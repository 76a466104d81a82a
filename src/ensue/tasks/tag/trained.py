"""A trained tagger with its codec: it tags sentences, and says how sure it is of each word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensue.atomic_io import format_errors
from ensue.data.codecs.tag_schemes import guess_scheme, split_tag
from ensue.data.codecs.tagged import TaggedWordsCodec
from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.data.labelled import Example
from ensue.data.readers.named_parts import get_scored_files
from ensue.data.readers.tagged import TaggedReader, TaggedSettings, make_companion_reader
from ensue.data.readers.tagged.columns import Layout
from ensue.data.readers.tagged.conllu import tag_column
from ensue.data.readers.tagged.tokenizer import Tokenizer
from ensue.data.sentence_splitting import Cut, split_sentences
from ensue.data.tagged import compute_sentence_offsets, encode_tagged
from ensue.errors import DataError
from ensue.evaluation.scores import with_intervals
from ensue.evaluation.tagging import TaggedTruth
from ensue.models.contract import Predictor
from ensue.models.parameters import get_device, load_into
from ensue.settings import read
from ensue.tasks.cached import CODEC, limit_model_size, read_settings
from ensue.tasks.contract import Trained
from ensue.tasks.in_memory import as_examples, as_paths
from ensue.tasks.results import Scored, warn_if_trained_on
from ensue.tasks.tag.data import parts_of
from ensue.tasks.tag.settings import TagSettings
from ensue.training.devices import to_device
from ensue.training.folder.run import WEIGHTS, Run

ROWS = 64
"""Sentences, or pieces of long ones, that are tagged side by side."""
KNOWN = {"surface", "word", "vector"}
"""The fields of which one above 0 says that a word is known."""
TOGETHER = 2000
"""Sentences that are read and encoded at once; all of them are waited for."""


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence, the likeliest tags of its words together, and how probable each of them is by
    itself."""

    sentence: Example
    words: Sequence[str]
    tags: Sequence[str]
    probabilities: Sequence[float]
    known: Sequence[bool]
    """Of each word whether it was in training, in any case, or has a vector."""

    def to_json(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        said = {"tokens": list(self.words), "tags": list(self.tags), "known": list(self.known)}
        return {
            "line": self.sentence.line,
            **said,
            "probabilities": [round(one, 6) for one in self.probabilities],
        }


class TagModel(Trained):
    """What `ensue.train("tag", ...)` and `ensue.open(run)` give."""

    def __init__(
        self,
        run: Run,
        model: Predictor,
        codec: TaggedWordsCodec,
        tags: Sequence[str],
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.run, self.model, self.codec, self.tags = run, model, codec, tags
        self.tokenizer = tokenizer

    @cached_property
    def data(self) -> TaggedSettings:
        """How the data was read."""
        return read(TaggedSettings, self.run.about["settings"]["data"])

    @property
    def column(self) -> str:
        """The column of CoNLL-U that the tags come from, or would stand in; empty if there is
        none."""
        return tag_column(self.data.column) if self.run.about["data"]["format"] == "conllu" else ""

    @cached_property
    def columns(self) -> Layout | None:
        """How the columns of the data were read, if it had some without names of their own."""
        columns = self.run.about["data"].get("columns")
        return Layout(**columns) if columns else None

    @property
    def cut(self) -> Cut | None:
        """What cuts texts into words as those of the training data are; None where only rules
        are known."""
        return self.tokenizer.words if self.tokenizer else None

    def reader(self, files: Sequence[Path], tagged: bool, kind: str | None = None) -> TaggedReader:
        """Read files as those of the training were, where they are of the same kind; `kind` says
        which they are of."""
        settings = self.data if kind is None else self.data.model_copy(update={"format": kind})
        before = self.run.about["data"]["format"], self.columns
        return make_companion_reader(before, files, settings, tagged, remembered=True)

    def tag(self, sentences: str | Iterable[str | Sequence[str]]) -> list[list[str]]:
        """Give the tags of sentences, each a list of words, or a text, which is cut; one text
        alone is one of them."""
        given = enumerate(as_examples(sentences, "tag"), 1)
        asked = (
            Example({"words": self._words(one, f"sentence {number}")}, None, "", number)
            for number, one in given
        )
        return [list(one.tags) for one in self.tagged(asked)]

    def _words(self, sentence: Any, where: str) -> list[str]:
        """Give the words of a sentence. Raises DataError if it has none, or is none."""
        if isinstance(sentence, str):
            words = [
                word.text
                for _, own in split_sentences(sentence.splitlines(), self.cut)
                for word in own
            ]
        elif isinstance(sentence, Iterable) and not isinstance(sentence, bytes | Mapping):
            words = list(sentence)
        else:
            words = [sentence]
        if not words or not all(isinstance(word, str) and word.strip() for word in words):
            what = "there is no word" if not words else "it is neither a text nor a list of words"
            raise DataError(what, where=where, hint='give "a text" or ["a", "list"]')
        return words

    def tagged(
        self, sentences: Iterable[Example], listener: Listener = SILENT
    ) -> Iterator[TaggedSentence]:
        """Tag sentences as they come, in stretches; tells `listener` at the end if no word of
        them was in training."""
        rest, words, seen = iter(sentences), 0, False
        while stretch := list(islice(rest, TOGETHER)):
            asked = [Example(one.content, None, one.file, one.line) for one in stretch]
            examples = encode_tagged(asked, self.codec, self.tags)
            ids, sure = predict_tags(self.model, examples)
            known = np.any(
                [np.asarray(examples.steps[name]) > 0 for name in KNOWN & examples.steps.keys()],
                axis=0,
            )
            offsets = compute_sentence_offsets(examples).tolist()
            for number, sentence in enumerate(stretch):
                place = slice(offsets[number], offsets[number + 1])
                names = [self.tags[one] for one in ids[place].tolist()]
                own, had = cast("Any", sentence.content)["words"], known[place].tolist()
                spelled = [
                    one for word, one in zip(own, had, strict=True) if any(map(str.isalpha, word))
                ]
                words, seen = words + len(spelled), seen or any(spelled)
                yield TaggedSentence(sentence, own, names, sure[place].tolist(), had)
        if words and not seen:
            what = (
                f"none of the {words:,} words was in training"
                if words > 1
                else "its word was not in training"
            )
            hint = (
                "its tags are guesses by spelling and place; give text of the kind that was "
                "learned from"
            )
            listener.on_finding(Finding("the data", what, hint))

    def evaluate(self, paths: str | Path | Sequence[str | Path] = ()) -> Scored:
        """Score tagged files, or the test part of the run if none are given. Raises DataError."""
        paths = as_paths(paths)
        if not paths:
            parts = parts_of(self.run, *read_settings(self.run, TagSettings))
            return self._score(parts.parts["test"], parts.tags)
        told = list[Finding]()
        files = get_scored_files(paths, self.data, Listener(told.append))
        warn_if_trained_on(self.run, files, Listener(told.append))
        reader = self.reader(files, True)
        sentences = list(reader.examples(Listener(told.append)))
        if not any(tag in self.tags for one in sentences for tag in one.label):
            what = f"none of its tags was in training; it was read as {reader.described}"
            hint = (
                "give another file, or write this one as .tsv: each word and then its tag, by tab"
            )
            raise DataError(what, where=str(paths[0]), hint=hint)
        tags = [
            *self.tags,
            *sorted({tag for one in sentences for tag in one.label} - set(self.tags)),
        ]
        scored = self._score(encode_tagged(sentences, self.codec, tags), tags)
        return replace(
            scored, details=scored.details | ({"notes": "; ".join(map(str, told))} if told else {})
        )

    def _score(self, examples: Examples, tags: Sequence[str]) -> Scored:
        truth, said = (
            truth_of(examples, tags, len(self.tags)),
            predict_tags(self.model, examples)[0],
        )
        metrics, intervals = with_intervals(truth.compute_metrics(said), truth.sentences)
        return Scored(metrics, intervals, truth.details(said))


@torch.no_grad()
def predict_tags(
    model: Predictor, examples: Examples
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give the likeliest tags of all words, (words,), and the probability of each by itself."""
    ids, sure = np.zeros(examples.offsets[-1], np.int64), np.zeros(examples.offsets[-1], np.float32)
    device = get_device(model)
    for rows, batch in iterate_sorted(examples, ROWS):
        chances: Any = model(to_device(batch, device))
        best = chances.mode
        places = examples.places(rows)[0]
        real = chances.real.cpu().numpy()
        ids[places] = best.cpu().numpy()[real]
        sure[places] = chances.marginals.gather(2, best[..., None])[..., 0].cpu().numpy()[real]
    return ids, sure


def truth_of(examples: Examples, tags: Sequence[str], taught: int) -> TaggedTruth:
    """Give what is true of examples, for scoring; `taught` of the tags were in training."""
    true, offsets = (
        np.asarray(examples.steps["target"]).astype(np.int64),
        compute_sentence_offsets(examples),
    )
    known = np.asarray(examples.steps["surface"]) > 0
    names = np.array(tags, dtype=object)[true].tolist()
    scheme = guess_scheme(names[begin:end] for begin, end in pairwise(offsets.tolist()))
    # Where the examples do not tell, as those without any span, the tags of training do.
    scheme = scheme or guess_scheme([sorted(tags[:taught], key=lambda tag: split_tag(tag)[::-1])])
    return TaggedTruth(true, known, offsets, tags, taught, scheme)


def open_tokenizer(taught: Mapping[str, Any]) -> Tokenizer | None:
    """Make the tokenizer that was kept with a codec, if there is one."""
    return Tokenizer.from_json(taught["tokenizer"]) if taught.get("tokenizer") else None


def _opened(codecs: Any) -> tuple[TaggedWordsCodec, list[str], Any]:
    return (
        TaggedWordsCodec.from_json(codecs["words"]),
        list(map(str, codecs["tags"])),
        open_tokenizer(codecs),
    )


def open_tagger(run: Run, settings: TagSettings) -> TagModel:
    """Open what a run has learned."""
    codec, tags, tokenizer = run.parse(CODEC, _opened)
    arrays = run.read_arrays()
    with format_errors(str(run.path / CODEC)), limit_model_size(run):
        sizes = {**codec.shape.symbols, "target": len(tags)}
        model: Predictor = cast("Any", settings.model).build(sizes, arrays.get("vectors"))
    load_into(model, arrays, str(run.path / WEIGHTS))
    if isinstance(model, nn.Module):
        model.eval()
    return TagModel(run, model, codec, tags, tokenizer)
