"""From files of tagged sentences to the parts of a run: read, split, fit the codec on the training part, encode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.tagged import WIDTHS, TaggedWords, TaggedWordsCodec
from ensue.data.contract import Finding, Listener
from ensue.data.examples import Examples, refuse_odd_ids, together
from ensue.data.label_kinds import odd_tags
from ensue.data.labelled import Labelled
from ensue.data.prepare import fingerprint
from ensue.data.readers.named_parts import files_of_parts
from ensue.data.readers.tagged import TaggedReader, TaggedSettings, reader_beside
from ensue.data.readers.tagged.tokenizer import Tokenizer, learn_tokenizer
from ensue.data.split import PARTS, draw_parts
from ensue.data.vectors import Vectors
from ensue.errors import DataError

CUT = 512
"""Words; a longer sentence is read in pieces of this length, so that a batch with it stays small."""


@dataclass(frozen=True)
class TaggedParts:
    """All that a run needs of its data."""

    parts: dict[str, Examples]
    codec: TaggedWordsCodec
    tags: list[str]
    """By id: those of the training part, sorted, then those that only the test part has."""
    known_tags: int
    """How many of them the training part has."""
    files: dict[str, dict[str, Any]]
    """Of each file: "bytes" and "sha256"."""
    findings: tuple[str, ...]
    """What a person should know of how the data was read."""
    tokenizer: Mapping[str, Any] | None = None
    """How the words of the training part stand in their text, where that is known: what Tokenizer.to_json gives."""

    @property
    def sizes(self) -> dict[str, int]:
        """How many ids each field has; "target" has those of the training part alone."""
        return {**self.codec.shape.symbols, "target": self.known_tags}

    def to_json(self) -> dict[str, Any]:
        """Give all but the examples as plain JSON values."""
        own = {name: getattr(self, name) for name in ("tags", "known_tags", "files", "tokenizer")}
        return {**own, "codec": self.codec.to_json(), "findings": list(self.findings)}

    @classmethod
    def from_json(cls, parts: dict[str, Examples], values: Mapping[str, Any]) -> TaggedParts:
        """Make it again."""
        codec = TaggedWordsCodec.from_json(values["codec"])
        told, tokenizer = tuple(values["findings"]), values.get("tokenizer")
        if tokenizer is not None:
            Tokenizer.from_json(tokenizer)
        tags, known = values["tags"], values["known_tags"]
        if not all(isinstance(tag, str) for tag in tags) or not 1 <= known <= len(set(tags)) == len(tags):
            raise ValueError("its tags are none")
        for part in PARTS:
            _refuse_odd(parts[part], codec, len(tags) if part == "test" else known, f"of the part {part}")
        return cls(parts, codec, tags, known, values["files"], told, tokenizer)


def prepare_tagged(
    paths: Sequence[Path], settings: TaggedSettings, words: TaggedWords, seed: int, vectors: Vectors | None
) -> TaggedParts:
    """Read, split and encode. Raises DataError if the data cannot be used."""
    findings: list[Finding] = []
    groups, parts = read_tagged(paths, settings, seed, Listener(findings.append))
    tags = sorted({tag for example in parts["train"] for tag in example.label})
    parts["tune"] = _without_unseen(parts["tune"], set(tags), findings.append)
    codec = words.fit([example.content for example in parts["train"]], vectors.words if vectors else ())
    unseen = sorted({tag for example in parts["test"] for tag in example.label} - set(tags))
    all_tags = tags + unseen
    if not any(tag in tags for example in parts["test"] for tag in example.label):
        mend = "give a file whose tags are those of the training data"
        raise DataError("none of its tags is in the training part", where=parts["test"][0].file, mend=mend)
    if unseen:
        count = sum(tag in unseen for example in parts["test"] for tag in example.label)
        what = f"{count:,} of its words have tags that the training part lacks: {', '.join(unseen[:10])}"
        findings.append(Finding("the test part", what, "they count as wrong, and are told apart"))
    encoded: dict[str, Examples] = {part: encode_tagged(parts[part], codec, all_tags) for part in PARTS}
    files = fingerprint({path: part for part, own in groups.items() for path in own}, findings.append)
    tokenizer = learn_tokenizer(parts["train"])
    taught = tokenizer.to_json() if tokenizer else None
    return TaggedParts(encoded, codec, all_tags, len(tags), files, tuple(map(str, findings)), taught)


def read_tagged(
    paths: Sequence[Path], settings: TaggedSettings, seed: int, listener: Listener
) -> tuple[dict[str, list[Path]], dict[str, list[Labelled]]]:
    """Give the files of each part that has its own, those that are split as "train"; and the sentences of all parts.

    Raises DataError if nothing can be learned from them.
    """
    groups = files_of_parts("train", paths, settings, listener)
    first = TaggedReader(groups["train"], settings, True)
    before = first.kind, first.layout
    readers = {part: reader_beside(before, files, settings, True) for part, files in groups.items()}
    read = {
        part: [_no_longer(one, settings.longest) for one in own.examples(listener)] for part, own in readers.items()
    }
    parts = _split(read, settings, seed, str(paths[0]))
    tags = Counter(tag for example in parts["train"] for tag in example.label)
    for finding in odd_tags(str(paths[0]), tags):
        listener.tell(finding)
    if len(tags) < 2:
        what = f"every word that is learned from has the tag {next(iter(tags))!r}"
        raise DataError(what, where=str(paths[0]), mend="choose another column with --column, or give other data")
    return groups, parts


def _no_longer(sentence: Labelled, longest: int) -> Labelled:
    if len(sentence.label) > longest:
        what = f"the sentence that begins here has more than {longest:,} words"
        mend, option = "put a blank line after each sentence", "give --set data.longest=N"
        raise DataError(what, where=f"{sentence.file}:{sentence.line}", mend=mend, option=option)
    return sentence


def _split(
    read: dict[str, list[Labelled]], settings: TaggedSettings, seed: int, where: str
) -> dict[str, list[Labelled]]:
    """Draw the parts that have no files of their own out of the sentences."""
    sentences = read["train"]
    shares = {part: getattr(settings, part) for part in ("tune", "test") if part not in read}
    if len(sentences) <= len(shares):
        what = "there is one sentence" if len(sentences) == 1 else f"there are {len(sentences)} sentences"
        mend = "give more, or files of their own with --valid and --test; is a blank line missing between sentences?"
        raise DataError(f"{what}, too few to learn from and to test on", where=where, mend=mend)
    rows = draw_parts(shares, seed, np.zeros(len(sentences)))
    for part in shares:
        if not len(rows[part]):  # a share of very few is less than one: the last of the others
            rows[part], rows["train"] = rows["train"][-1:], rows["train"][:-1]
    return read | {part: [sentences[row] for row in chosen] for part, chosen in rows.items()}


def _without_unseen(sentences: list[Labelled], tags: set[str], tell: Any) -> list[Labelled]:
    """Leave out what cannot be scored by its likelihood, from the part on which choices are made."""
    kept = [one for one in sentences if tags.issuperset(one.label)]
    if len(kept) < len(sentences):
        left_out = len(sentences) - len(kept)
        what = "1 sentence was" if left_out == 1 else f"{left_out:,} sentences were"
        what += " left out, with tags that the training part lacks"
        tell(Finding("the tune part", what))
    if not kept:
        mend = "give a file whose tags are those of the training data"
        raise DataError("no sentence of the tune part has known tags alone", where=sentences[0].file, mend=mend)
    return kept


def encode_tagged(sentences: Iterable[Labelled], codec: TaggedWordsCodec, tags: Sequence[str]) -> Examples:
    """Encode sentences, long ones in pieces; "sentence" is the number of each piece's sentence.

    Without labels there is no "target". Every tag must be among `tags`.
    """
    ids = {tag: number for number, tag in enumerate(tags)}
    steps, wholes = [], []
    for number, sentence in enumerate(sentences):
        fields, _ = codec.encode(sentence.content)
        if sentence.label is not None:
            fields["target"] = np.array([ids[tag] for tag in sentence.label], np.int32)
        for begin in range(0, len(fields["word"]), CUT):
            steps.append({name: field[begin : begin + CUT] for name, field in fields.items()})
            wholes.append({"line": np.int64(sentence.line), "sentence": np.int64(number)})
    return together(steps, wholes)


def _refuse_odd(examples: Examples, codec: TaggedWordsCodec, tags: int, where: str) -> None:
    """Raise ValueError for fields that `encode_tagged` does not give."""
    sizes = {**codec.shape.symbols, "target": tags}
    for name, size in sizes.items():
        within = (getattr(codec.settings, WIDTHS[name]),) if name in WIDTHS else ()
        refuse_odd_ids(examples.steps[name], size, f"{name} {where}", within)
    if examples.steps["form"].dtype != np.int64 or examples.steps["form"].ndim != 1 or not (examples.lengths > 0).all():
        raise ValueError(f"the words {where} are none")
    sentence = examples.whole["sentence"]
    refuse_odd_ids(sentence, len(examples), f"sentence {where}")
    if not (np.diff(sentence, prepend=0) >= 0).all():
        raise ValueError(f"the sentences {where} do not follow each other")


def sentence_offsets(examples: Examples) -> NDArray[np.int64]:
    """Give where each sentence begins among all words, and the end of the last."""
    fresh = np.diff(examples.whole["sentence"], prepend=-1) != 0
    return np.append(examples.offsets[:-1][fresh], examples.offsets[-1])


def covered(parts: TaggedParts) -> tuple[int, int]:
    """Count the words of the training part that have a vector, and all of them, as they stand in the text."""
    vector = np.asarray(parts.parts["train"].steps["vector"])
    return int((vector > 0).sum()), len(vector)
