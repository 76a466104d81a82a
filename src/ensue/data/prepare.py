"""Prepare the data of a run: read, split, fit the codec on the training part, encode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, cast

import numpy as np

from ensue.data.contract import Codec, Corpus, Finding, Listener, Reader
from ensue.data.dataset import Prepared
from ensue.data.dataset_writer import CorpusWriter, encode_corpus
from ensue.data.readers.named_parts import get_part_files
from ensue.data.settings import DataSettings
from ensue.data.split import PARTS, ByPosition, ByRecord, Part, Split
from ensue.data.text_parts import TextParts
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError
from ensue.settings import Settings

IN_MEMORY = 64 << 20
"""Maximum size of data files in bytes for ids in memory; larger ones go to the cache."""

HELD_OUT: tuple[Part, Part] = ("validation", "test")

PASSES = 3
"""Passes over the data: measure, fit, encode."""

BEGINNING = 100_000
"""Characters of the training part from which its script is recognised."""

STRETCH = 1 << 24
"""Number of ids that are compared together."""

LONG = 50_000_000
"""Bytes to read in all passes from which on the remaining time is estimated."""

TIMED = 300_000
"""Characters on which the passes are timed; a codec may be a hundred times slower than reading."""

OnRead = Callable[[int, int, float | None], None]
"""Callback for progress: bytes read, bytes to read in all passes, and seconds left.

The seconds are None for little data.
"""


def prepare(
    paths: Sequence[Path],
    data: DataSettings,
    codec: Settings,
    *,
    seed: int,
    context: int,
    cache: Path,
    on_read: OnRead,
) -> Prepared[TextParts]:
    """Read, split and encode the data.

    `codec` is a member of CODECS; `context` is the context length of a model of one long text. Ids
    of large data go to files in the folder `cache`. Raises DataError if the data cannot be used.
    """
    findings: list[Finding] = []
    sentences = getattr(codec, "name", "") == "tokens"
    sources = _open_sources(paths, data, sentences, Listener(findings.append))
    total = PASSES * sum(path.stat().st_size for path in sources.files)
    progress = ReadingProgress(
        total, _time(sources.main, codec) if total >= LONG else None, on_read
    )
    reporting = Listener(findings.append, progress.advance)
    silent = Listener(on_progress=progress.advance)
    split = _measure(sources, data, seed, reporting)
    pieces = sources.main.pieces(silent)
    beginning: list[str] = []
    train = _record_beginning(
        (text for part, text in split.assign(pieces) if part == "train"), beginning
    )
    fitted = cast("_Fits", codec).fit(train, sources.main.ends)
    _report_unsegmented("".join(beginning), codec, str(paths[0]), findings.append)
    writers = {part: CorpusWriter(fitted, sources.get_ids_path(cache, part)) for part in PARTS}
    for part, text in split.assign(sources.main.pieces(silent)):
        writers[part].add(text)
    for part, reader in sources.given.items():
        for piece in reader.pieces(silent):
            writers[part].add(piece.text)
    parts = {part: writers[part].finish() for part in PARTS}
    _check_learnable(parts["train"], fitted, str(paths[0]), context)
    progress.finish()
    about = {
        "format": sources.kind,
        "files": fingerprint(sources.files, findings.append),
        "symbols": {part: len(corpus) for part, corpus in parts.items()},
    }
    return Prepared(TextParts(**parts, codec=fitted, given=tuple(sources.given)), about, findings)


def _record_beginning(texts: Iterable[str], beginning: list[str]) -> Iterator[str]:
    """Yield the same texts, and append their first characters to `beginning`."""
    remaining = BEGINNING
    for text in texts:
        if remaining > 0:
            beginning.append(text[:remaining])
            remaining -= len(text)
        yield text


def _report_unsegmented(
    text: str, codec: Settings, where: str, on_finding: Callable[[Finding], None]
) -> None:
    """Warn about a codec of words if the script has no blanks between words."""
    name = getattr(codec, "name", "")
    if name in ("words", "tokens") and unsegmented_share(text) > UNSEGMENTED_MOSTLY:
        what = (
            f"its script puts no blanks between words, so each stretch between two blanks or "
            f"signs is one of the {name}"
        )
        hint = "choose --codec characters or --codec subwords, or split it into words first"
        on_finding(Finding(where, what, hint))


class _Fits(Protocol):
    def fit(self, texts: Iterable[str], ends: bool) -> Codec: ...


@dataclass(frozen=True)
class _Sources:
    """The data that is split, and the files of parts of their own."""

    main: Reader
    given: dict[Part, Reader]
    kind: str
    files: dict[Path, str]
    """Part of every file: "all" if it is split."""

    def get_ids_path(self, cache: Path, part: Part) -> Path | None:
        if sum(path.stat().st_size for path in self.files) <= IN_MEMORY:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        return cache / f"{part}.steps.symbol.npy"


def _open_sources(
    paths: Sequence[Path], data: DataSettings, sentences: bool, listener: Listener
) -> _Sources:
    by_part = get_part_files("all", paths, data, listener)
    kind, main = data.reader(by_part["all"], listener, sentences)
    resolved = data.model_copy(update={"format": kind})
    given = {
        part: resolved.reader(by_part[part], listener)[1] for part in HELD_OUT if part in by_part
    }
    return _Sources(
        main, given, kind, {path: part for part, own in by_part.items() for path in own}
    )


def _measure(sources: _Sources, data: DataSettings, seed: int, listener: Listener) -> Split:
    """Read all the data once, so that every error is raised before anything is written."""
    count = characters = 0
    for piece in sources.main.pieces(listener):
        count, characters = count + 1, characters + len(piece.text)
    split = draw_split(count if sources.main.ends else None, characters, data, sources.files, seed)
    for part, reader in sources.given.items():
        if not sum(len(piece.text) for piece in reader.pieces(listener)):
            where = next(str(path) for path, own in sources.files.items() if own == part)
            what = "there is no text in it"
            raise DataError(what, where=where, hint="give a file with some text")
    return split


def draw_split(
    records: int | None, characters: int, data: DataSettings, files: Mapping[Path, str], seed: int
) -> Split:
    """Split the data among the parts that have no `files` of their own.

    `records` is None for one long text. Raises DataError if a part is empty.
    """
    own = set(files.values())
    max_share = data.max_characters / max(characters, 1)
    validation, test = (
        0.0 if part in own else min(share, max_share)
        for part, share in (("validation", data.validation), ("test", data.test))
    )
    split: Split
    if records is None:
        split, unit = ByPosition(characters, validation, test), "characters"
    else:
        split, unit = ByRecord(records, validation, test, seed), "records"
    if empty := [part for part in PARTS if not split.sizes[part] and part not in own]:
        what = (
            f"{sum(split.sizes.values())} {unit} are too few to split: nothing is left to "
            f"{' and '.join(empty)}"
        )
        hint = "give more, or files of their own with --valid and --test"
        raise DataError(what, where=str(next(iter(files))), hint=hint)
    return split


def _time(reader: Reader, codec: Settings) -> tuple[float, ...]:
    """Time each pass over the beginning of the data: reading, with fitting, with encoding."""
    times, texts, length = [perf_counter()], [], 0
    for piece in reader.pieces(Listener(lambda finding: None)):
        texts.append(piece.text[:TIMED])
        length += len(texts[-1])
        if length >= TIMED:
            break
    times.append(perf_counter())
    fitted = cast("_Fits", codec).fit(texts, reader.ends)
    times.append(perf_counter())
    encode_corpus(texts, fitted)
    reading, fitting, encoding = np.diff([*times, perf_counter()]).tolist()
    return reading, reading + fitting, reading + encoding


class ReadingProgress:
    """Count the bytes read, and estimate the time left from the durations of the passes."""

    def __init__(self, total: int, passes: Sequence[float] | None, on_read: OnRead) -> None:
        self.done, self.total, self.passes, self.on_read = 0, total, passes, on_read
        self.began = perf_counter()

    def advance(self, read: int) -> None:
        """Count some more bytes, and report them."""
        self.done += read
        done = min(self.done, self.total)
        self.on_read(done, self.total, self._seconds_left(done / max(self.total, 1)))

    def _seconds_left(self, share: float) -> float | None:
        if self.passes is None or not share:
            return None
        ends = np.cumsum([0.0, *self.passes])
        over = np.interp(share * PASSES, range(PASSES + 1), ends)
        return float((ends[-1] - over) / over * (perf_counter() - self.began))

    def finish(self) -> None:
        """Report that everything is read."""
        self.on_read(self.total, self.total, None)


def _check_learnable(corpus: Corpus, codec: Codec, where: str, context: int) -> None:
    if codec.end is None and len(corpus) <= context:
        what = f"{len(corpus):,} symbols to train on are not more than the context of {context:,}"
        raise DataError(what, where=where, hint="give a longer text, or a shorter context")
    if not _varies(corpus, codec):
        only = codec.symbol(int(corpus.ids[0]))
        what = f"the text has one distinct symbol, {only!r}"
        raise DataError(what, where=where, hint="give text that varies")


def _varies(corpus: Corpus, codec: Codec) -> bool:
    for begin in range(0, len(corpus), STRETCH):
        stretch = corpus.ids[begin : begin + STRETCH]
        different = stretch != corpus.ids[0]
        if codec.end is not None:
            different &= stretch != codec.end
        if different.any():
            return True
    return False


def fingerprint(
    files: Mapping[Path, str], on_finding: Callable[[Finding], None]
) -> dict[str, dict[str, Any]]:
    """Return bytes and SHA-256 of each file; reports equal files in different parts."""
    prints, seen = {}, {}
    for path, part in files.items():
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if seen.setdefault(digest, (path, part))[1] != part:
            what = f"has the same content as {seen[digest][0]}, which is in another part"
            on_finding(Finding(str(path), what, "give another file"))
        prints[str(path)] = {"bytes": path.stat().st_size, "sha256": digest}
    return prints
