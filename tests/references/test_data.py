"""Codecs, feeds and splits against independent ways to compute the same."""

import csv
import io
import os
import subprocess
import sys
from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers

from ensue.data.codecs import Characters, Subwords, Words
from ensue.data.codecs.cutting import cut_text
from ensue.data.codecs.subwords import STRETCH
from ensue.data.contract import SILENT, Corpus
from ensue.data.dataset_writer import count_tokens, count_words, encode_corpus
from ensue.data.demos.text import read_help_topics
from ensue.data.feeds import Streams, Windows
from ensue.data.prepare import prepare
from ensue.data.settings import DataSettings
from ensue.data.tables.rows import read_csv_rows
from ensue.tasks.demos import write_demo

SHARED = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHAKESPEARE = SHARED / "tiny_shakespeare" / "input.txt"

PROSE = "it was the best of times, it was the worst of times, it was the age of wisdom\n" * 3


def corpus(length: int) -> Corpus:
    none = np.empty(0, np.int64)
    return Corpus(np.arange(length), np.array([0, length]), 0, 0, 0, none, none.astype(float))


def test_characters_are_numbered_as_by_sorted_and_index():
    text = "naïve \U0001f600 ideas, naïvely"
    alphabet = sorted(set(text))
    codec = Characters().fit([text], ends=False)
    assert codec.encode(text).tolist() == [alphabet.index(character) for character in text]


def test_words_are_those_that_split_finds_the_most_frequent_first():
    text = " ".join(PROSE.replace(",", "").split())
    counts = Counter(f" {word}" for word in text.split())
    codec = Words(max_size=6).fit([f" {text}"], ends=False)
    best = sorted(counts, key=lambda word: (-counts[word], word))[:6]
    assert codec.symbols == best
    assert codec.encode(f" {text}").tolist() == [
        best.index(f" {word}") if f" {word}" in best else 6 for word in text.split()
    ]


def test_words_of_the_wikitext_kind_keep_their_symbols():
    line = (
        " = Robert <unk> = \n Senjō no Valkyria 3 : <unk> Chronicles , 2 @.@ 5 the "
        "well-known dog 's\n"
    )
    codec = Words().fit([line], ends=False)
    found = [codec.symbol(id) for id in codec.encode(line)]
    assert [symbol.strip() or "\n" for symbol in found][:10] == (
        ["=", "Robert", "<unk>", "=", "\n", "Senjō", "no", "Valkyria", "3", ":"]
    )
    assert " @.@" in found
    assert " well-known" in found


def test_spelling_is_paid_at_the_stated_price():
    codec = Characters().fit(["abc"], ends=False)
    assert codec.unknowns("axb\u20ac") == [
        (symbol, log(0x110000 - 0x800 - 3)) for symbol in "x\u20ac"
    ]
    words = Words().fit(["one two"], ends=False)
    assert words.unknowns("one zoé two") == [
        (" zoé", pytest.approx(6 * log(257)))
    ]  # space z o é(2) end


def test_subwords_are_those_of_the_tokenizers_library():
    codec = Subwords(max_size=320).fit([PROSE], ends=False)
    library = Tokenizer.from_str(codec.tokenizer.to_str())
    library.decoder = decoders.ByteLevel()
    text = PROSE + " it was naïve \U0001f600\n\n  wisdom"
    ids = codec.encode(text)
    assert ids.tolist() == library.encode(text).ids
    assert codec.decode(ids) == library.decode(ids.tolist())
    assert set(pre_tokenizers.ByteLevel.alphabet()) <= set(library.get_vocab())


def test_long_texts_are_split_into_subwords_like_short_ones():
    codec = Subwords(max_size=400).fit([PROSE], ends=False)
    library = Tokenizer.from_str(codec.tokenizer.to_str())
    for text in (PROSE * 200, "wisdom" * 8000, "\n\n" * 15_000 + PROSE):
        assert len(text) > STRETCH
        assert codec.encode(text).tolist() == library.encode(text).ids


def test_subwords_merge_the_example_of_the_paper():
    # Sennrich et al. 2016, figure 1 and algorithm 1: "es", then "est", is merged first, "lo" and
    # "low" later.
    text = "low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3
    merges = (
        Subwords(max_size=264).fit([text], ends=False).to_json()["tokenizer"]["model"]["merges"]
    )
    found = ["".join(pair) for pair in merges]
    assert {"es", "est"} <= set(found[:3]) | {"st"}
    assert found.index("est") < found.index("low")


@given(words=st.lists(st.sampled_from(["a", "bc\n", "", "def,"]), max_size=90))
def test_the_chunks_of_a_text_that_goes_on_tear_no_word(words):
    text = " ".join(words)
    cuts = [text[begin : begin + 50] for begin in range(0, len(text), 50)]
    chunks = [chunk for (chunk,) in cut_text(cuts, 60)]
    assert "".join(chunks) == text
    assert all(0 < len(chunk) <= 60 for chunk in chunks)
    if "  " * 9 not in text:
        assert sum(len(chunk.split()) for chunk in chunks) == len(text.split())


def test_streams_are_the_columns_of_the_classical_reshape():
    rows, length, steps = 4, 30, 7
    folded = np.arange(rows * length).reshape(rows, length)
    batches = list(Streams(corpus(rows * length), 999, rows, steps).epoch(0))
    assert (np.concatenate([batch["target"] for batch in batches], axis=1) == folded).all()
    inputs = np.concatenate([batch["input"] for batch in batches], axis=1)
    assert (inputs[:, 1:] == folded[:, :-1]).all()
    assert inputs[:, 0].tolist() == [999, 29, 59, 89]


def test_windows_are_those_of_a_sliding_view():
    length, jump = 40, 3
    data = corpus(400)
    found = [
        row.tolist()
        for batch in Windows(data, 999, 16, length, jump, 0, "all").epoch(0)
        for row in batch["target"]
    ]
    expected = np.lib.stride_tricks.sliding_window_view(data.ids, length)[::jump].tolist()
    assert sorted(found) == expected


def test_csv_rows_are_those_of_the_csv_module(tmp_path):
    rows = [["1", 'a "b", c\nd', ""], ["2", "x,y", "z"], ["3", "", "\t"]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["id", "text", "more"], *rows])
    (tmp_path / "a.csv").write_text(text.getvalue())
    found = list(read_csv_rows(tmp_path / "a.csv", "utf-8", 1000, SILENT))
    assert [list(fields.values()) for _, fields in found] == rows
    assert [line for line, _ in found] == [2, 4, 5]


@pytest.mark.skipif(
    not SHAKESPEARE.exists(), reason="tiny_shakespeare is not in ../shared/data (or $ENSUE_DATA)"
)
def test_tiny_shakespeare_is_split_as_in_nanogpt(tmp_path):
    text = SHAKESPEARE.read_text(encoding="utf-8")
    silent = lambda *_: None  # noqa: E731
    run = prepare(
        [SHAKESPEARE],
        DataSettings(),
        Characters(),
        seed=0,
        context=64,
        cache=tmp_path,
        on_read=silent,
    ).dataset
    assert run.codec.alphabet == "".join(sorted(set(text)))
    assert len(run.codec.alphabet) == 65
    assert run.codec.decode(run.test.ids) == text[int(0.9 * len(text)) :]
    assert (
        run.codec.decode(run.validation.ids) + run.codec.decode(run.train.ids)
        == text[: int(0.9 * len(text))]
    )


@pytest.mark.parametrize("name", ["text", "code"])
def test_demos_can_be_read_as_they_say(name, tmp_path):
    text = write_demo(name, tmp_path).read_text(encoding="utf-8")
    assert 300_000 < len(text) <= 2_000_100
    corpus = encode_corpus([text], Characters().fit([text], ends=False))
    assert len(corpus) == corpus.characters == len(text)


def test_no_part_of_the_data_room_loads_torch():
    modules = "check codecs dataset_writer demos feeds files prepare readers settings split"
    code = "import sys\n" + "".join(f"import ensue.data.{name}\n" for name in modules.split())
    code += "assert not {'torch', 'pyarrow', 'tokenizers', 'faker', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


MEASURED = """
import sys, resource
from pathlib import Path
from ensue.data.codecs import CODECS
from ensue.data.prepare import prepare
from ensue.data.settings import DataSettings
folder, codec, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
run = prepare([folder / "a.txt"], DataSettings(format=kind), CODECS[codec](), seed=0, context=64,
              cache=folder / codec, on_read=lambda *_: None).dataset
status = Path("/proc/self/status")
# What getrusage tells began with the memory of the tests' own process, of which this one is a copy.
most = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else resource.getrusage(0).ru_maxrss
print(sum(len(part) for _, part in run.parts()), int(most) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("codec", "kind"), [("characters", "text"), ("bytes", "text"), ("words", "text")]
)
def test_200_megabytes_are_prepared_in_little_memory(codec, kind, tmp_path):
    draws = np.random.default_rng(0)
    words = [
        "".join(chr(97 + letter) for letter in draws.integers(0, 26, 1 + rank % 9))
        for rank in range(20_000)
    ]
    with open(tmp_path / "a.txt", "w") as file:
        chosen = [words[rank % 20_000] for rank in draws.zipf(1.2, 2_000_000)]
        block = (
            "\n".join(" ".join(chosen[begin : begin + 12]) for begin in range(0, len(chosen), 12))
            + "\n"
        )
        for _ in range(200_000_000 // len(block)):
            file.write(block)
    size = (tmp_path / "a.txt").stat().st_size
    assert size > 180_000_000
    command = [sys.executable, "-c", MEASURED, str(tmp_path), codec, kind]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    symbols, megabytes = map(int, answer)
    assert symbols == size if codec != "words" else symbols < size
    assert megabytes < 250


def test_the_classical_windows_learn_one_symbol_each():
    data = corpus(100)
    batch = Windows(data, 999, 8, 40, 3, 0, "last").batch(0, 0)
    assert batch.counts.tolist() == [1] * 8
    # Each window's last target comes after the 40 symbols that are its input.
    last = batch["target"][batch["counted"]]
    assert (last == batch["input"][:, -1] + 1).all()


BLANKS = st.text(
    alphabet=st.sampled_from("ab \n\t\x1c\x1f\x85\u00a0\u2003\u3000\u200bé\U0001f600"), max_size=9
)


@given(text=st.lists(BLANKS, max_size=9), times=st.integers(1, 60))
@settings(max_examples=80, deadline=None)
def test_words_and_tokens_are_counted_as_they_are_split(text, times):
    long = "".join(text) * times
    assert count_words(long) == len(long.split())
    assert count_tokens(long.encode()) == len(long.encode().split())


def test_the_demo_of_prose_has_no_tables_and_rulers():
    """A model learned rulers first: its first sample was a row of dashes."""
    lines = read_help_topics().split("\n")
    rulers = [line for line in lines if line.strip() and not set(line) - set(" -=*~^+|")]
    rows = [line for line in lines if line.strip().startswith("|")]
    assert rulers == rows == []
    assert '   assert_stmt ::= "assert" expression ["," expression]' in lines
    assert "Assert statements are a convenient way to insert debugging assertions" in lines
