"""ARPA files: what is written comes back, an example worked by hand is read right, mistakes are
named by their line."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch

from ensue.errors import DataError, UserError
from ensue.models.ngram import NgramSettings, estimate, read_arpa, write_arpa
from ensue.models.ngram.arpa import escape, unescape

EXAMPLE = """\
Written by hand; text before the data is allowed.

\\data\\
ngram 1=4
ngram 2=3
ngram 3=1

\\1-grams:
-0.5 a -0.25
-99\t<s>\t-0.5
-0.75\tb
-1.0\t</s>

\\2-grams:
-0.125\t<s> a\t-0.0625
-0.25\ta b\t0.125
-0.375\tb </s>

\\3-grams:
-0.03125\t<s> a b

\\end\\
"""


def arpa(folder: Path, text: str = EXAMPLE) -> Path:
    path = folder / "model.arpa"
    path.write_text(text)
    return path


def test_an_example_by_hand(tmp_path: Path) -> None:
    model, tokens = read_arpa(arpa(tmp_path))
    assert tokens == ["a", "b", "</s>"]
    text = torch.tensor([[3, 0, 1, 1, 2], [3, 1, 0, 0, 2]])
    nats, _ = model.nats(text[:, :-1], text[:, 1:], model.initial(2))
    # a b has its weight 0.125 when b follows it; b as a context has none written, so 0.
    first = [-0.125, -0.03125, 0.125 - 0.75, -0.375]
    second = [-0.5 - 0.75, -0.5, -0.25 - 0.5, -0.25 - 1.0]
    np.testing.assert_allclose(-nats.numpy() / np.log(10), [first, second], rtol=1e-12)


def test_a_path_is_a_string_or_a_path(tmp_path: Path) -> None:
    """A string was an AttributeError."""
    model, tokens = read_arpa(str(arpa(tmp_path)))
    written = str(tmp_path / "written.arpa.gz")
    write_arpa(model, written, tokens, None, tokens.index("</s>"))
    assert set(read_arpa(written)[1]) == {*tokens, "<unk>"}


@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell", "additive"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_what_is_written_comes_back(smoothing: str, order: int, tmp_path: Path) -> None:
    ids = np.random.default_rng(0).integers(0, 5, 300)
    offsets = np.arange(0, 301, 20)
    # pyrefly: ignore
    model = estimate(ids, offsets, 6, NgramSettings(order=order, smoothing=smoothing))
    symbols = ["a", " ", "", "<unk>", "\n", "whatever stands for unknown"]
    write_arpa(model, tmp_path / "model.arpa", symbols, unknown=5, end=None)
    again, tokens = read_arpa(tmp_path / "model.arpa")
    assert tokens == ["a", "%20", "%", "%3Cunk>", "%0A", "<unk>", "</s>"]
    text = torch.from_numpy(ids)[None]
    nats, _ = model.nats(text[:, :-1], text[:, 1:], model.initial(1))
    found, _ = again.nats(text[:, :-1], text[:, 1:], again.initial(1))
    torch.testing.assert_close(found, nats, rtol=0, atol=1e-6)
    answer, _ = again(text, again.initial(1))
    torch.testing.assert_close(
        answer.probs.sum(-1), torch.ones(1, 300, dtype=torch.float64), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "symbol", ["a", "", " ", "%", "%20", "<s>", "</s>", "<unk>", "é\u2028", "\ud800", "a b\tc"]
)
def test_escapes_come_back(symbol: str) -> None:
    token = escape(symbol)
    assert unescape(token) == symbol
    assert token not in ("", "<s>", "</s>", "<unk>")
    assert token.split() == [token]


def test_symbols_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    model = NgramSettings().build(3)
    with pytest.raises(
        UserError, match="symbols 0 and 2 are both written 'x'; use distinct spellings"
    ):
        write_arpa(model, tmp_path / "m", ["x", "y", "x"], None, None)
    with pytest.raises(
        UserError, match="2 symbols cannot spell a model of 3; give the codec it was made with"
    ):
        write_arpa(model, tmp_path / "m", ["x", "y"], None, None)
    assert not (tmp_path / "m").exists()


MISTAKES = {
    "no beginning": (
        "\\data\\",
        "data",
        22,
        "this is no ARPA file: it has no line '\\data\\'",
    ),
    "numbers out of order": ("ngram 2=3", "ngram 3=3", 5, "'ngram 3=3' is out of order"),
    "no numbers": ("ngram 3=1", "n-gram 3=1", 6, "found 'n-gram 3=1'"),
    "too few": ("ngram 2=3", "ngram 2=4", 19, "back-off weight, found '\\3-grams:'"),
    "too many": (
        "ngram 2=3",
        "ngram 2=2",
        17,
        "expected '\\3-grams:' after the announced number of 2-grams, found '-0.375\\tb </s>'",
    ),
    "no number": ("-0.25\ta b", "x\ta b", 16, "expected numbers around the 2-gram"),
    "more than certain": ("-0.25\ta b", "0.25\ta b", 16, "has no valid log-probability"),
    "not a number": ("-0.25\ta b", "nan\ta b", 16, "has no valid log-probability"),
    "an unknown word": ("-0.25\ta b", "-0.25\ta c", 16, "'c' is not among the 1-grams"),
    "a word twice": ("-0.75\tb", "-0.75\ta", 11, "duplicate 1-gram 'a'"),
    "an n-gram twice": ("-0.25\ta b", "-0.25\t<s> a", 16, "duplicate n-gram"),
    "no context": (
        "<s> a b",
        "b b a",
        20,
        "the prefix of this n-gram is not listed",
    ),
    "cut short": (
        "\\3-grams:\n-0.03125\t<s> a b\n\n\\end\\\n",
        "",
        18,
        "expected '\\3-grams:' after the announced number of 2-grams, found ''",
    ),
    "no end": ("\\end\\\n", "", 21, "expected '\\end\\' at the end of the file"),
}


@pytest.mark.parametrize(("right", "wrong", "line", "what"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named_by_their_line(
    right: str, wrong: str, line: int, what: str, tmp_path: Path
) -> None:
    assert EXAMPLE.count(right) == 1
    path = arpa(tmp_path, EXAMPLE.replace(right, wrong))
    with pytest.raises(DataError) as caught:
        read_arpa(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert what in str(caught.value).replace("\\\\", "\\")
    assert str(caught.value).endswith("; correct the ARPA file, or export it again")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.arpa: cannot be read \(No such file.*\)"):
        read_arpa(tmp_path / "absent.arpa")
    (tmp_path / "binary.arpa").write_bytes(b"\\data\\\n\xff\xfe")
    with pytest.raises(DataError, match=r"binary.arpa:2: byte 0xFF is not UTF-8"):
        read_arpa(tmp_path / "binary.arpa")
    (tmp_path / "kenlm.arpa").write_bytes(
        b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(range(256))
    )
    with pytest.raises(DataError, match=r"kenlm.arpa: this is a binary model of KenLM, not text"):
        read_arpa(tmp_path / "kenlm.arpa")
    for ending in ("gz", "xz", "bz2"):
        damaged = tmp_path / f"damaged.arpa.{ending}"
        damaged.write_bytes(b"no such thing")
        with pytest.raises(DataError, match=rf"the .{ending} file is damaged or cut short"):
            read_arpa(damaged)


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".bz2"])
def test_a_byte_order_mark_and_packed_files_are_read(ending: str, tmp_path: Path) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}[ending]
    path = tmp_path / f"model.arpa{ending}"
    path.write_bytes(pack(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode()))
    model, tokens = read_arpa(path)
    assert tokens == ["a", "b", "</s>"]
    write_arpa(model, path, tokens, None, 2)
    assert path.read_bytes()[:2] == pack(b"x")[:2] or not ending
    again, _ = read_arpa(path)
    np.testing.assert_allclose(
        again.table.orders[1].probability, model.table.orders[1].probability, rtol=1e-6
    )
