"""Tokenizer fitted to the treebank that a tagger was trained on.

CoNLL-U records how words stand in the text, by SpaceAfter=No and by multiword tokens ("1-2"). The
tokenizer learns the cuts inside of stretches without blanks, by logistic regression over the
characters around each place. It also learns words that the text writes differently ("du": "de",
"le"), and words that contain blanks. Next to a character that the treebank hardly has, the rules of
`data.sentence_splitting` apply.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, groupby, islice, pairwise
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.labelled import Example
from ensue.data.readers.tagged.conllu import CONLLU
from ensue.data.readers.tagged.stretches import SIZE, Stretch, compute_features
from ensue.data.sentence_splitting import Word, split_words

EPOCHS, STEPS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 6, 100, 8192, 0.5, 1e-5
"""Training of the regression: epochs, minimum of steps, batch size, learning rate, weight decay.

More epochs gained nothing on English.
"""
UNIT = 16
"""Weights are rounded to 1 / UNIT: finer ones gained nothing."""
MAX_SENTENCES = 20_000
"""Maximum number of training sentences: more take longer than the training of a small tagger."""
RANGE = re.compile(r"[0-9]{1,6}-[0-9]{1,6}")
"""The range of words that a multiword token covers."""
BATCH_CHARACTERS, MAX_STRETCH = 50_000, 2_000
"""Characters per batch, which bounds the memory, and maximum length of a stretch.

A longer stretch is broken.
"""
MIN_STRETCHES = 20
"""Minimum number of stretches for a character; next to rarer ones the rules apply.

A higher limit gained a little on English, whose rules are good. It would leave the apostrophes of a
small French treebank to the rules.
"""
MIN_SENTENCES = 20
"""Minimum number of sentences with known spacing for fitting a tokenizer."""


@dataclass(frozen=True)
class Token:
    """A token of the text, its words, and whether a blank follows."""

    text: str
    words: tuple[str, ...]
    spaced: bool


def parse_tokens(lines: Iterable[str]) -> Iterator[Token]:
    """Yield the tokens of a CoNLL-U sentence.

    >>> lines = ["1-2\\tdu\\t" + "_\\t" * 7 + "SpaceAfter=No", "1\\tde" + "\\t_" * 8,
    ...     "2\\tle" + "\\t_" * 8]
    >>> list(parse_tokens(lines))
    [Token(text='du', words=('de', 'le'), spaced=False)]
    """
    rows = [fields for line in lines if len(fields := line.split("\t")) == len(CONLLU)]
    covered: dict[str, Sequence[str]] = {}
    for fields in rows:
        first, _, last = fields[0].partition("-")
        if RANGE.fullmatch(fields[0]) and int(last) <= len(rows):
            covered |= {str(number): fields for number in range(int(first), int(last) + 1)}
    numbered = (row for row in rows if row[0].isdecimal())
    for _, group in groupby(numbered, lambda row: id(covered.get(row[0], row))):
        words = list(group)
        fields = covered.get(words[0][0], words[0])
        spaced = "SpaceAfter=No" not in fields[-1].split("|")
        yield Token(fields[1], tuple(row[1] for row in words), spaced)


class Tokenizer:
    """Split text into words as a treebank does."""

    def __init__(
        self,
        weights: NDArray[np.float32],
        written: Mapping[str, Sequence[str]],
        spaced_words: Iterable[str],
        usual: Iterable[str],
    ) -> None:
        self.weights = weights
        self.written = {text: tuple(words) for text, words in written.items()}
        self.spaced_words, self.usual = frozenset(spaced_words), frozenset(usual)
        self._longest = max((one.count(" ") + 1 for one in self.spaced_words), default=1)
        self._known: dict[Stretch, tuple[int, ...]] = {}

    def words(self, paragraph: str) -> list[Word]:
        """Split a text into words.

        A word that the treebank writes differently has the form of the text in `token`.
        """
        parts = [_break_long_stretch(text) for text in paragraph.split()]
        stretches = _pair_with_next([part for own in parts for part in own])
        last = [place == len(own) - 1 for own in parts for place in range(len(own))]
        tokens: list[tuple[str, bool]] = []
        for (text, _), own, spaced in zip(stretches, self._find_cuts(stretches), last, strict=True):
            ends = [*own, len(text)]
            tokens += [
                (text[a:b], spaced and b == len(text)) for a, b in zip([0, *own], ends, strict=True)
            ]
        return [word for token in self._join_tokens(tokens) for word in self._expand_token(*token)]

    def _find_cuts(self, stretches: Sequence[Stretch]) -> list[tuple[int, ...]]:
        if len(self._known) > 100_000:
            self._known.clear()
        fresh = [one for one in dict.fromkeys(stretches) if one not in self._known]
        while fresh:
            sizes = np.cumsum([len(text) for text, _ in fresh])
            many = max(int(np.searchsorted(sizes, BATCH_CHARACTERS)), 1)
            now, fresh = fresh[:many], fresh[many:]
            features, which, places = compute_features(now)
            is_cut = self.weights[features].sum(1) > 0
            cuts: list[list[int]] = [[] for _ in now]
            for number, place in zip(which[is_cut].tolist(), places[is_cut].tolist(), strict=True):
                cuts[number].append(place)
            self._known |= {
                one: self._apply_rules(one[0], own) for one, own in zip(now, cuts, strict=True)
            }
        return [self._known[one] for one in stretches]

    def _apply_rules(self, text: str, cuts: Sequence[int]) -> tuple[int, ...]:
        """Return the cuts of a stretch; the rules decide next to characters that are not usual."""
        if self.usual.issuperset(text):
            return tuple(cuts)
        by_rule = {*accumulate(len(word.text) for word in split_words(text))}
        own = set(cuts)
        return tuple(
            place
            for place, beside in enumerate(pairwise(text), 1)
            if place in (own if self.usual.issuperset(beside) else by_rule)
        )

    def _join_tokens(self, tokens: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
        """Join tokens that are one word with blanks, the longest first."""
        place = 0
        while place < len(tokens):
            size = min(self._longest, len(tokens) - place)
            while size > 1 and not self._is_spaced_word(tokens[place : place + size]):
                size -= 1
            yield (
                " ".join(text for text, _ in tokens[place : place + size]),
                tokens[place + size - 1][1],
            )
            place += size

    def _is_spaced_word(self, tokens: Sequence[tuple[str, bool]]) -> bool:
        return (
            all(spaced for _, spaced in tokens[:-1])
            and " ".join(text for text, _ in tokens) in self.spaced_words
        )

    def _expand_token(self, text: str, spaced: bool) -> Iterator[Word]:
        words = self.written.get(text)
        small = text[:1].lower() + text[1:]
        if words is None and small in self.written:
            first, *rest = self.written[small]
            words = (first[:1].upper() + first[1:], *rest)
        if words is None:
            yield Word(text, spaced)
            return
        for place, word in enumerate(words):
            yield Word(
                word, spaced and place == len(words) - 1, text if not place else None, len(words)
            )

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        used = np.flatnonzero(np.rint(self.weights * UNIT))
        return {
            "places": np.diff(used, prepend=0).tolist(),
            "weights": np.rint(self.weights[used] * UNIT).astype(int).tolist(),
            "written": {text: list(words) for text, words in self.written.items()},
            "joined": sorted(self.spaced_words),
            "usual": "".join(sorted(self.usual)),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Tokenizer:
        """Restore a tokenizer from `to_json`."""
        weights = np.zeros(SIZE, np.float32)
        weights[np.cumsum(np.array(values["places"], np.int64))] = (
            np.array(values["weights"], np.float32) / UNIT
        )
        return cls(weights, values["written"], values["joined"], values["usual"])


def fit_tokenizer(sentences: Iterable[Example]) -> Tokenizer | None:
    """Fit a tokenizer to sentences of CoNLL-U.

    Returns None if there are too few sentences, or if the spacing is unknown.
    """
    pieces: Counter[tuple[str, tuple[str, ...]]] = Counter()
    spaced_words: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    found: list[tuple[str, list[int]]] = []
    breaks: set[int] = set()
    count, marked = 0, False
    for sentence in islice(sentences, MAX_SENTENCES):
        lines = sentence.row.get("lines", ())
        tokens = list(parse_tokens(lines))
        count += bool(tokens)
        marked = marked or not all(token.spaced and len(token.words) == 1 for token in tokens)
        if any(line.startswith(("# newpar", "# newdoc")) for line in lines):
            breaks.add(len(found))
        found += _cut_stretches(tokens)
        for token in tokens:
            pieces[token.text, token.words] += 1
            spaced_words[token.text] += " " in token.text
        apart.update(_join_neighbours([token.text for token in tokens]))
    if count < MIN_SENTENCES or not marked:
        return None
    written = _find_usual_words(pieces)
    names = [text for text, times in spaced_words.items() if times > apart[text]]
    seen = Counter(chain.from_iterable(set(text) for text, _ in found))
    usual = [sign for sign, times in seen.items() if times >= MIN_STRETCHES]
    return Tokenizer(_fit_regression(found, breaks), written, names, usual)


def _join_neighbours(texts: Sequence[str]) -> Iterator[str]:
    """Yield neighbouring tokens joined by blanks, as if they were one word."""
    for size in (2, 3):
        yield from (" ".join(texts[place : place + size]) for place in range(len(texts) - size + 1))


def _find_usual_words(
    pieces: Mapping[tuple[str, tuple[str, ...]], int],
) -> dict[str, tuple[str, ...]]:
    best: dict[str, tuple[int, tuple[str, ...]]] = {}
    for (text, words), times in sorted(pieces.items()):
        # Words that concatenate to the token are a cut, which the regression learns.
        spelled = (text,) if "".join(words) == text else words
        if times > best.get(text, (0, ()))[0]:
            best[text] = (times, spelled)
    return {text: words for text, (_, words) in best.items() if words != (text,)}


def _cut_stretches(tokens: Iterable[Token]) -> Iterator[tuple[str, list[int]]]:
    """Yield the stretches without blanks of a sentence, and the positions of their cuts."""
    text, cuts = "", []
    for token in tokens:
        words = token.words if "".join(token.words) == token.text else (token.text,)
        for word in words:
            first, *rest = word.split() or [word]
            cuts += [len(text)] if text else []
            text += first
            for part in rest:  # a blank within a word
                yield text, cuts
                text, cuts = part, []
        if token.spaced:
            yield text, cuts
            text, cuts = "", []
    if text:
        yield text, cuts


def _break_long_stretch(text: str) -> list[str]:
    return [text[place : place + MAX_STRETCH] for place in range(0, len(text), MAX_STRETCH)]


def _pair_with_next(texts: Sequence[str], breaks: Iterable[int] = ()) -> list[Stretch]:
    """Pair each stretch with the character class that the next one begins with.

    The class is empty before a break.
    """
    ends = {place - 1 for place in breaks} | {len(texts) - 1}
    return [
        (text, "" if place in ends else get_first_kind(texts[place + 1]))
        for place, text in enumerate(texts)
    ]


def get_first_kind(text: str) -> str:
    """Return the class of a stretch's first character: A, a, 0, or the character itself."""
    first = text[:1]
    return "A" if first.isupper() else "a" if first.isalpha() else "0" if first.isdigit() else first


def _fit_regression(
    found: Sequence[tuple[str, list[int]]], breaks: Iterable[int]
) -> NDArray[np.float32]:
    """Fit the weights of the features by logistic regression: a cut where their sum is above 0."""
    stretches = _pair_with_next([text for text, _ in found], breaks)
    counts: Counter[tuple[Stretch, tuple[int, ...]]] = Counter(
        (stretch, tuple(cuts))
        for stretch, (_, cuts) in zip(stretches, found, strict=True)
        if 1 < len(stretch[0]) <= MAX_STRETCH
    )
    own = sorted(counts)
    weights, squares = np.zeros(SIZE, np.float32), np.full(SIZE, 1e-8, np.float32)
    if not own:
        return weights
    features, which, places = compute_features([stretch for stretch, _ in own])
    cuts = [set(places) for _, places in own]
    pairs = zip(which.tolist(), places.tolist(), strict=True)
    target = np.array([place in cuts[number] for number, place in pairs])
    weight = np.log2(1 + np.array([counts[one] for one in own], np.float32))[which]
    draws = np.random.default_rng(0)
    for _ in range(max(EPOCHS, ceil(STEPS / ceil(len(features) / BATCH_SIZE)))):
        order = draws.permutation(len(features))
        for begin in range(0, len(order), BATCH_SIZE):
            rows = order[begin : begin + BATCH_SIZE]
            chosen = features[rows]
            score = np.clip(weights[chosen].sum(1), -30, 30)
            residual = (1 / (1 + np.exp(-score)) - target[rows]) * weight[rows]
            gradient = (
                np.bincount(chosen.ravel(), np.repeat(residual, chosen.shape[1]), SIZE) / len(rows)
                + WEIGHT_DECAY * weights
            )
            squares += gradient**2
            weights -= LEARNING_RATE * gradient / np.sqrt(squares)
    return (np.rint(weights * UNIT) / UNIT).astype(np.float32)
