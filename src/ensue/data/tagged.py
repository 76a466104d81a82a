"""Prepare files of tagged sentences: read, split, fit the codec on the training part, encode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tagged import WIDTHS, TaggedWords, TaggedWordsCodec
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Dataset, Examples, check_ids, concatenate
from ensue.data.label_kinds import find_suspicious_tags
from ensue.data.labelled import Example
from ensue.data.readers.named_parts import get_part_files
from ensue.data.readers.tagged import TaggedReader, TaggedSettings, make_companion_reader
from ensue.data.readers.tagged.tokenizer import Tokenizer, fit_tokenizer
from ensue.data.readers.word_vectors import Vectors
from ensue.data.split import PARTS, draw_parts
from ensue.errors import DataError

MAX_PIECE = 512
"""Words per row; a longer sentence is cut into pieces, so that batches stay small."""
SHOWN, MAX_SHOWN = 10, 60
"""Sentences of the test part that a report shows, and the words of each."""


@dataclass(frozen=True)
class TaggedParts(Dataset):
    """Tagged sentences in parts, with the codec of words and the tags."""

    parts: Mapping[str, Examples]
    codec: TaggedWordsCodec
    tags: Sequence[str]
    """Tags by id: those of the training part, sorted, then those of the test part alone."""
    known_tags: int
    """Number of tags of the training part."""
    tokenizer: Tokenizer | None = None
    """The tokenizer fitted to the training part, if its spacing is known."""
    vectors: NDArray[np.float32] | None = None
    """Word vectors, (words, width), if any were given."""
    first: Sequence[Sequence[str]] = ()
    """Words of the first sentences of the test part, to show as examples."""

    @property
    def streams(self) -> Mapping[str, Examples]:
        """The examples of each part."""
        return self.parts

    @property
    def sizes(self) -> dict[str, int]:
        """Number of ids of each field; for "target", of the training part alone."""
        return {**self.codec.shape.symbols, "target": self.known_tags}

    def sample(self, every: int) -> TaggedParts:
        """Return one in `every` examples of each part."""
        parts = {name: one.sample(every) for name, one in self.parts.items()}
        return replace(self, parts=parts, first=())

    @property
    def codecs(self) -> dict[str, Any]:
        """The codec of words, the tags of the training part, and the tokenizer."""
        tags = list(self.tags[: self.known_tags])
        tokenizer = self.tokenizer and self.tokenizer.to_json()
        return {"words": self.codec.to_json(), "tags": tags, "tokenizer": tokenizer}

    @property
    def tables(self) -> dict[str, NDArray[Any]]:
        """The word vectors, if any were given."""
        return {} if self.vectors is None else {"vectors": self.vectors}

    def to_json(self) -> dict[str, Any]:
        """Return all but the arrays as plain JSON values."""
        own = {"tags": list(self.tags), "known_tags": self.known_tags, "first": self.first}
        return self.codecs | own

    @classmethod
    def from_json(
        cls,
        streams: Mapping[str, Examples],
        tables: Mapping[str, NDArray[Any]],
        values: Mapping[str, Any],
    ) -> TaggedParts:
        """Restore from `to_json`. Raises ValueError for invalid values."""
        codec, tags, tokenizer = load_codecs(values)
        known = values["known_tags"]
        if tags != values["tags"] or len(set(tags)) < len(tags) or not 1 <= known <= len(tags):
            raise ValueError("its tags are invalid")
        for part in PARTS:
            size = len(tags) if part == "test" else known
            _check(streams[part], codec, size, f"of the part {part}")
        first = [list(map(str, one)) for one in values["first"]]
        return cls(streams, codec, tags, known, tokenizer, tables.get("vectors"), first)


def load_codecs(
    values: Mapping[str, Any],
) -> tuple[TaggedWordsCodec, list[str], Tokenizer | None]:
    """Restore the codec of words, the tags, and the tokenizer, if there is one."""
    tokenizer = values["tokenizer"] and Tokenizer.from_json(values["tokenizer"])
    return TaggedWordsCodec.from_json(values["words"]), list(map(str, values["tags"])), tokenizer


def encode_parts(
    parts: Mapping[str, list[Example]],
    words: TaggedWords,
    vectors: Vectors | None,
    listener: Listener,
) -> TaggedParts:
    """Fit the codec on the training part, and encode all. Raises DataError if nothing is known."""
    tags = sorted({tag for example in parts["train"] for tag in example.label})
    kept = _drop_unseen_tags(parts["validation"], set(tags), listener.on_finding)
    codec = words.fit(
        [example.content for example in parts["train"]], vectors.words if vectors else ()
    )
    unseen = sorted({tag for example in parts["test"] for tag in example.label} - set(tags))
    all_tags = tags + unseen
    if not any(tag in tags for example in parts["test"] for tag in example.label):
        hint = "give a file whose tags are those of the training data"
        what = "none of its tags is in the training part"
        raise DataError(what, where=parts["test"][0].file, hint=hint)
    if unseen:
        count = sum(tag in unseen for example in parts["test"] for tag in example.label)
        what = (
            f"{count:,} of its words have tags that the training part lacks: "
            f"{', '.join(unseen[:10])}"
        )
        listener.on_finding(
            Finding("the test part", what, "they count as errors, and are reported separately")
        )
    encoded = {
        part: encode_tagged(own, codec, all_tags)
        for part, own in {**parts, "validation": kept}.items()
    }
    return TaggedParts(
        encoded,
        codec,
        all_tags,
        len(tags),
        fit_tokenizer(parts["train"]),
        vectors.table if vectors else None,
        [list(one.content["words"])[:MAX_SHOWN] for one in parts["test"][:SHOWN]],  # type: ignore[index]
    )


class TaggedFiles(NamedTuple):
    """The sentences of each part as they were read."""

    files: dict[str, list[Path]]
    """The files of each part; those that are split count as "train"."""
    parts: dict[str, list[Example]]
    reader: TaggedReader
    """The reader of the files that are split."""


def read_tagged(
    paths: Sequence[Path],
    settings: TaggedSettings,
    seed: int,
    listener: Listener,
    read_before: Sequence[Example] | None = None,
) -> TaggedFiles:
    """Return the files and the sentences of each part.

    Files that are split count as "train". `read_before` are the sentences of all files, if known.
    Raises DataError if nothing can be learned from them.
    """
    groups = get_part_files("train", paths, settings, listener)
    first = TaggedReader(groups["train"], settings, True)
    before = first.format, first.layout
    readers = {
        part: make_companion_reader(before, files, settings, True) for part, files in groups.items()
    }
    ready = read_before if groups == {"train": [*paths]} else None
    read = {
        part: [_check_length(one, settings.max_length) for one in ready or own.examples(listener)]
        for part, own in readers.items()
    }
    parts = _split(read, settings, seed, str(paths[0]))
    tags = Counter(tag for example in parts["train"] for tag in example.label)
    for finding in find_suspicious_tags(str(paths[0]), tags):
        listener.on_finding(finding)
    if len(tags) < 2:
        what = f"every word of the training data has the tag {next(iter(tags))!r}"
        hint = "choose another column with --column, or give other data"
        raise DataError(what, where=str(paths[0]), hint=hint)
    return TaggedFiles(groups, parts, first)


def _check_length(sentence: Example, max_length: int) -> Example:
    if len(sentence.label) > max_length:
        what = f"the sentence that begins here has more than {max_length:,} words"
        hint, flag_hint = "put a blank line after each sentence", "give --set data.max_length=N"
        where = f"{sentence.file}:{sentence.line}"
        raise DataError(what, where=where, hint=hint, flag_hint=flag_hint)
    return sentence


def _split(
    read: dict[str, list[Example]], settings: TaggedSettings, seed: int, where: str
) -> dict[str, list[Example]]:
    """Draw the parts that have no files of their own."""
    sentences = read["train"]
    shares = {part: getattr(settings, part) for part in ("validation", "test") if part not in read}
    if len(sentences) <= len(shares):
        what = (
            "there is one sentence"
            if len(sentences) == 1
            else f"there are {len(sentences)} sentences"
        )
        hint = (
            "give more, or files of their own with --valid and --test; is a blank line "
            "missing between sentences?"
        )
        raise DataError(f"{what}, too few for training and test", where=where, hint=hint)
    rows = draw_parts(shares, seed, np.zeros(len(sentences)))
    for part in shares:
        if not len(rows[part]):  # a share of very few sentences rounds to none: take one
            rows[part], rows["train"] = rows["train"][-1:], rows["train"][:-1]
    return read | {part: [sentences[row] for row in chosen] for part, chosen in rows.items()}


def _drop_unseen_tags(sentences: list[Example], tags: set[str], on_finding: Any) -> list[Example]:
    """Leave out validation sentences with unknown tags, whose likelihood is undefined."""
    kept = [one for one in sentences if tags.issuperset(one.label)]
    if len(kept) < len(sentences):
        left_out = len(sentences) - len(kept)
        what = "1 sentence was" if left_out == 1 else f"{left_out:,} sentences were"
        what += " left out, with tags that the training part lacks"
        on_finding(Finding("the validation part", what))
    if not kept:
        hint = "give a file whose tags are those of the training data"
        what = "every sentence of the validation part has a tag that the training part lacks"
        raise DataError(what, where=sentences[0].file, hint=hint)
    return kept


def encode_tagged(
    sentences: Iterable[Example], codec: TaggedWordsCodec, tags: Sequence[str]
) -> Examples:
    """Encode sentences, long ones in pieces; "sentence" is the number of each piece's sentence.

    Without labels there is no "target". Every tag must be among `tags`.
    """
    ids = {tag: number for number, tag in enumerate(tags)}
    steps, static = [], []
    for number, sentence in enumerate(sentences):
        fields, _ = codec.encode(sentence.content)
        if sentence.label is not None:
            fields["target"] = np.array([ids[tag] for tag in sentence.label], np.int32)
        for begin in range(0, len(fields["word"]), MAX_PIECE):
            steps.append({name: field[begin : begin + MAX_PIECE] for name, field in fields.items()})
            static.append({"line": np.int64(sentence.line), "sentence": np.int64(number)})
    return concatenate(steps, static)


def _check(examples: Examples, codec: TaggedWordsCodec, tags: int, where: str) -> None:
    """Raise ValueError for fields that `encode_tagged` cannot return."""
    sizes = {**codec.shape.symbols, "target": tags}
    for name, size in sizes.items():
        within = (getattr(codec.settings, WIDTHS[name]),) if name in WIDTHS else ()
        check_ids(examples.steps[name], size, f"{name} {where}", within)
    if (
        examples.steps["form"].dtype != np.int64
        or examples.steps["form"].ndim != 1
        or not (examples.lengths > 0).all()
    ):
        raise ValueError(f"the words {where} are invalid")
    sentence = examples.static["sentence"]
    check_ids(sentence, len(examples), f"sentence {where}")
    if not (np.diff(sentence, prepend=0) >= 0).all():
        raise ValueError(f"the sentences {where} do not follow each other")


def compute_sentence_offsets(examples: Examples) -> NDArray[np.int64]:
    """Return the offsets of sentences among all words, and the end of the last."""
    fresh = np.diff(examples.static["sentence"], prepend=-1) != 0
    return np.append(examples.offsets[:-1][fresh], examples.offsets[-1])


def count_covered(parts: TaggedParts) -> tuple[int, int]:
    """Return the number of words of the training part that have a vector, and of all words."""
    vector = np.asarray(parts["train"].steps["vector"])
    return int((vector > 0).sum()), len(vector)
