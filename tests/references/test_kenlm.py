"""N-gram models against KenLM: its lmplz on the same text, and its reader of ARPA files.

The committed figures are a few of lmplz's for 3,000 first names, written with their letters apart.
All of its output for that and another text is compared where the folder of references stands beside
the repository.
"""

import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ensue
from ensue.cli.main import main
from ensue.models.ngram import Ngram, NgramSettings, estimate, read_arpa, write_arpa
from ensue.models.ngram.arpa import escape, unescape
from ensue.tasks.generate.evaluation import evaluate

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "references" / "kenlm"
TO_BASE_TEN = 1 / log(10)

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="lmplz's whole output does not stand beside the repository"
)


@dataclass
class Language:
    """A model of sentences as lmplz sees them, and the numbers of its words."""

    model: Ngram
    ids: dict[str, int]

    def encode(self, words: Sequence[str]) -> list[int]:
        return [self.ids.get(word, 0) for word in words]

    def scores(self, words: Sequence[str]) -> np.ndarray:
        """Give log10 P of each word and the end."""
        targets = torch.tensor([[*self.encode(words), 1]])
        inputs = torch.cat([torch.tensor([[self.model.size]]), targets[:, :-1]], 1)
        nats, _ = self.model.nats(inputs, targets, self.model.initial(1))
        return -nats[0].numpy() * TO_BASE_TEN

    def grams(self) -> dict[tuple[int, ...], tuple[float, float]]:
        """Give log10 of probability and back-off weight of every n-gram."""
        found: dict[tuple[int, ...], tuple[float, float]] = {}
        grams: list[tuple[int, ...]] = [(id,) for id in range(self.model.size + 1)]
        for n, level in enumerate(self.model.table.orders, 1):
            if n > 1:
                pairs = zip(level.follow.context.tolist(), level.symbol.tolist(), strict=True)
                grams = [(*grams[context], symbol) for context, symbol in pairs]
            backoff = np.log10(level.backoff) if len(level.backoff) else np.zeros(len(grams))
            found |= dict(
                zip(grams, zip(np.log10(level.probability), backoff, strict=True), strict=True)
            )
        return found


def learn(
    sentences: Sequence[Sequence[str]], order: int, smoothing: str = "kneser-ney"
) -> Language:
    ids = {"<unk>": 0, "</s>": 1}
    flat = [
        ids.setdefault(word, len(ids)) for sentence in sentences for word in (*sentence, "</s>")
    ]
    offsets = np.cumsum([0, *(len(sentence) + 1 for sentence in sentences)])
    chosen = NgramSettings(order=order, smoothing=smoothing, pseudo_count=0.5)  # pyrefly: ignore
    return Language(estimate(np.array(flat), offsets, len(ids), chosen), ids)


def names() -> list[list[str]]:
    return [list(name) for name in (HERE / "kenlm_letters.txt").read_text().split()]


def rows(lines: Iterator[str]) -> Iterator[list[str]]:
    return (line.rstrip("\n").split("\t") for line in lines if "\t" in line)


def assert_same_grams(language: Language, expected: Sequence[Sequence[str]]) -> None:
    ours = language.grams()
    ids = language.ids | {"<s>": language.model.size}
    found = [ours[tuple(ids[word] for word in row[1].split())] for row in expected]
    figures = [(float(row[0]), float(row[2]) if len(row) > 2 else 0.0) for row in expected]
    # What <s> itself gets is a matter of taste: it never comes next.
    start = [n for n, row in enumerate(expected) if row[1] == "<s>"]
    np.testing.assert_allclose(
        np.delete(found, start, 0), np.delete(figures, start, 0), rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(
        np.array(found)[start, 1], np.array(figures)[start, 1], rtol=0, atol=1e-4
    )


def test_lmplz_gives_these_figures() -> None:
    language = learn(names(), 4)
    with open(HERE / "kenlm_letters.tsv") as file:
        figures = list(rows(file))
    assert_same_grams(
        language,
        [row for row in figures if len(row[1].split()) > 1 or len(row) > 2 or row[1] == "</s>"],
    )
    totals = [row for row in figures if len(row) == 2 and " " not in row[1]]
    assert len(totals) == 25
    for total, name in totals:
        assert language.scores(list(name)).sum() == pytest.approx(float(total), abs=1e-4), name


CASES = [("words", 2), ("words", 3), ("words", 5), ("letters", 4)]


def read_lines(kind: str) -> list[list[str]]:
    return [line.split() for line in (SHARED / kind).read_text().splitlines()]


@needs_shared
@pytest.mark.parametrize(("kind", "order"), CASES)
def test_lmplz_estimates_the_same(kind: str, order: int) -> None:
    language = learn(read_lines(f"{kind}.txt"), order)
    with lzma.open(SHARED / f"{kind}.{order}.arpa.xz", "rt") as file:
        expected = list(rows(file))
    assert len(expected) == sum(len(level.symbol) for level in language.model.table.orders)
    assert_same_grams(language, expected)


def query(kind: str, order: int) -> list[list[float]]:
    """Read the scores that KenLM's query gave to each word and end of the held-out sentences."""
    lines = (SHARED / f"{kind}.{order}.scores.txt").read_text().splitlines()
    return [[float(field.split(" ")[-1]) for field in line.split("\t")[:-1]] for line in lines]


@needs_shared
@pytest.mark.parametrize(("kind", "order"), CASES)
@pytest.mark.parametrize("read", [False, True], ids=["estimated", "read"])
def test_query_scores_the_same(kind: str, order: int, read: bool, tmp_path: Path) -> None:
    if read:
        (tmp_path / "model.arpa").write_bytes(
            lzma.decompress((SHARED / f"{kind}.{order}.arpa.xz").read_bytes())
        )
        model, tokens = read_arpa(tmp_path / "model.arpa")
        assert tokens[:2] == ["<unk>", "</s>"]
        language = Language(model, {token: id for id, token in enumerate(tokens)})
    else:
        language = learn(read_lines(f"{kind}.txt"), order)
    expected = query(kind, order)
    for sentence, scores in zip(read_lines(f"{kind}_heldout.txt"), expected, strict=True):
        np.testing.assert_allclose(language.scores(sentence), scores, atol=1e-4)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell", "additive"])
def test_kenlm_reads_what_we_write(smoothing: str, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the kenlm module is not installed")
    language = learn(names()[:2000], 5, smoothing)
    path = tmp_path / "names.arpa"
    write_arpa(language.model, path, list(language.ids), unknown=0, end=1)
    theirs = kenlm.Model(str(path))
    assert theirs.order == 5
    for name in [*names()[2000:2100], list("zzzé!"), []]:
        expected = [score for score, _, _ in theirs.full_scores(" ".join(name), bos=True, eos=True)]
        np.testing.assert_allclose(language.scores(name), expected, atol=1e-4)


def test_kenlm_reads_a_long_text_of_characters(tmp_path: Path) -> None:
    """Blanks, line ends, `%` and other odd characters are escaped; the text has neither end nor
    unknown."""
    kenlm = pytest.importorskip("kenlm", reason="the kenlm module is not installed")
    text = "100 % of\tit,\n  and\u00a0some <s> more\u3000\r\n" * 3 + "the\x1cend"
    symbols = sorted(set(text))
    ids = np.array([symbols.index(character) for character in text])
    model = estimate(ids, np.array([0, len(ids)]), len(symbols), NgramSettings(order=4))
    write_arpa(model, tmp_path / "text.arpa", symbols, unknown=None, end=None)
    tokens = " ".join(map(escape, text))
    expected = [
        score
        for score, _, _ in kenlm.Model(str(tmp_path / "text.arpa")).full_scores(
            tokens, bos=True, eos=False
        )
    ]
    inputs = torch.from_numpy(np.concatenate([[len(symbols)], ids[:-1]]))[None]
    nats, _ = model.nats(inputs, torch.from_numpy(ids)[None], model.initial(1))
    np.testing.assert_allclose(-nats[0].numpy() * TO_BASE_TEN, expected, atol=1e-4)
    assert [unescape(token) for token in tokens.split(" ")] == list(text)


def scored(folder: Path, train: str, held_out: str, order: int) -> dict[str, Any]:
    """Train on a text as `ensue train generate --codec tokens` does, and give what `ensue
    evaluate --json` says."""
    (folder / "train.txt").write_text(train)
    (folder / "held_out.txt").write_text(held_out)
    # What is chosen on is not counted where it is a file of its own.
    (folder / "valid.txt").write_text(train.splitlines()[0] + "\n")
    files = [
        "--valid",
        str(folder / "valid.txt"),
        "--test",
        str(folder / "held_out.txt"),
        "--out",
        str(folder / "run"),
    ]
    assert main(["train", "generate", str(folder / "train.txt"), "--codec", "tokens", "--model", "ngram",
                 "--set", f"model.order={order}", "--set", "baseline.max_order=2", *files]) == 0  # fmt: skip
    return evaluate(ensue.open(folder / "run"), [folder / "held_out.txt"]).to_json()


def test_perplexity_per_token_is_that_of_lmplz(tmp_path: Path) -> None:
    with open(HERE / "kenlm_letters.tsv") as file:
        totals = [
            row for row in rows(file) if len(row) == 2 and len(row[1]) > 1 and row[1].isalpha()
        ]
    held_out = [" ".join(name) for _, name in totals]
    train = "".join(" ".join(name) + "\n" for name in names())
    found = scored(tmp_path, train, "".join(f"{line}\n" for line in held_out), 4)
    tokens = sum(len(name) + 1 for _, name in totals)
    assert found["tokens"] == found["count"] == tokens
    expected = 10 ** (-sum(float(total) for total, _ in totals) / tokens)
    assert found["perplexity_per_token"] == pytest.approx(expected, rel=0.005)
    assert found["perplexity"] == found["perplexity_per_token"]


@needs_shared
def test_perplexity_with_and_without_unknown_tokens_is_that_of_query(tmp_path: Path) -> None:
    held_out = (SHARED / "words_heldout.txt").read_text()
    found = scored(tmp_path, (SHARED / "words.txt").read_text(), held_out, 5)
    fields = [
        field
        for line in (SHARED / "words.5.scores.txt").read_text().splitlines()
        for field in line.split("\t")[:-1]
    ]
    logs = [float(field.split(" ")[-1]) for field in fields]
    known = [
        log
        for log, field in zip(logs, fields, strict=True)
        if not field.split(" ")[0].endswith("=0")
    ]
    assert (found["count"], found["unknown"]) == (len(logs), len(logs) - len(known))
    assert found["perplexity_per_token"] == pytest.approx(10 ** (-sum(logs) / len(logs)), rel=0.005)
    assert found["perplexity_without_unknown"] == pytest.approx(
        10 ** (-sum(known) / len(known)), rel=0.005
    )


@pytest.mark.parametrize("codec", ["tokens", "words"])
def test_kenlm_scores_plain_text_as_we_do(codec: str, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the kenlm module is not installed")
    first = "the 100% cat" if codec == "tokens" else "the old cat"  # words cut the sign off
    people, things = (
        ("Anna", "Ben", "Zoë", "u.s.a."),
        (first, "a <unk> dog", "می\u200cروم का it", "no one's owl"),
    )
    lines = [
        f"{one} saw {thing} , and {other} ran ."
        for one in people
        for thing in things
        for other in ("it", "he")
    ]
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    run, path = str(tmp_path / "run"), tmp_path / "model.arpa.gz"
    assert main(["train", "generate", str(tmp_path / "text.txt"), "--codec", codec, "--model", "ngram", "--out", run,
                 "--set", "data.format=lines", "--set", "model.order=3"]) == 0  # fmt: skip
    assert main(["export", run, str(path)]) == 0
    theirs, model = kenlm.Model(str(path)), ensue.open(run)
    for line in [*lines[::6], "Ben saw a cat , and the dog ran ."]:
        plain = line.replace("<unk>", "%3Cunk>")  # which stands for every unknown word
        (tmp_path / "line.txt").write_text(f"{line}\n", encoding="utf-8")
        ours = -evaluate(model, [tmp_path / "line.txt"]).likelihood.nats * TO_BASE_TEN
        assert theirs.score(plain, bos=True, eos=True) == pytest.approx(ours, abs=1e-3), line
