"""What is copied, against brute force, whatever the codec and wherever in the training data it
stands."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ensue
from ensue.cli.main import main
from ensue.data.codecs import Bytes, Characters, Subwords, Tokens, Words
from ensue.data.dataset_writer import encode_corpus
from ensue.decoding import copies
from ensue.decoding.copies import Whole, longest_copies, shares_seen
from ensue.decoding.novelty import TrainingData
from ensue.models.ngram.suffixes import sort_suffixes

ids = st.lists(st.integers(0, 2), max_size=60)
words = st.lists(st.sampled_from(["a", "ab", "é", "日本", "e\u0301", "b"]), max_size=12).map(
    " ".join
)


def contains(text, stretch) -> bool:
    return any(
        text[at : at + len(stretch)] == stretch for at in range(len(text) - len(stretch) + 1)
    )


def longest_in(texts, sample) -> int:
    stretches = [sample[a:b] for a in range(len(sample)) for b in range(a, len(sample) + 1)]
    return max(
        (len(one) for one in stretches if any(contains(text, one) for text in texts)), default=0
    )


@given(ids, st.sampled_from([np.uint8, np.uint16, np.int64]), st.sampled_from([1, 80, 30_000]))
@settings(deadline=None)
def test_suffixes_are_in_order(text, kind, scale):
    # Large ids leave room for few symbols in a packed key, so that the doubling has work to do.
    scaled = [id * scale for id in text] if kind is not np.uint8 else text
    expected = sorted(range(len(text)), key=lambda at: scaled[at:])
    assert sort_suffixes(np.array(scaled, dtype=kind), len(scaled)).tolist() == expected


@pytest.mark.parametrize("text", [[1] * 300, [0, 1] * 150, [5], [*range(200)] * 3])
def test_suffixes_of_periodic_texts_are_in_order(text):
    assert sort_suffixes(np.array(text), len(text)).tolist() == sorted(
        range(len(text)), key=lambda at: text[at:]
    )


@given(
    ids,
    st.lists(ids, min_size=1, max_size=3),
    st.sampled_from([1, 5, 64]),
    st.sampled_from([3, 1 << 20]),
)
@settings(deadline=None)
def test_the_longest_copy_and_every_share_are_those_of_brute_force(text, samples, block, cap):
    whole, arrays = (
        Whole(np.array(text, np.uint8)),
        [np.array(sample, np.int64) for sample in samples],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "BLOCK", block)
        patch.setattr(copies, "CHUNK", 16)
        found = longest_copies(whole, arrays)
        shares = shares_seen(whole, arrays, (1, 2, 3, 8))
        patch.setattr(copies, "CAP", cap)
        long = longest_copies(whole, arrays)
    for sample, copy, capped, share in zip(samples, found, long, shares, strict=True):
        assert copy.length == longest_in([text], sample)
        assert (
            text[copy.source : copy.source + copy.length] == sample[copy.at : copy.at + copy.length]
        )
        assert (
            text[capped.source : capped.source + capped.length]
            == sample[capped.at : capped.at + capped.length]
        )
        for length in (1, 2, 3, 8):
            grams = [sample[at : at + length] for at in range(len(sample) - length + 1)]
            if grams:
                assert share[length] == pytest.approx(
                    sum(contains(text, gram) for gram in grams) / len(grams)
                )


def data_of(texts: list[str], codec=None, ends: bool = True, parts: int = 1) -> TrainingData:
    codec = codec or Characters().fit(texts, ends)
    cut = [texts[begin::parts] for begin in range(parts)]
    return TrainingData([encode_corpus(own, codec) for own in cut if own], codec)


CODECS = [
    Characters(),
    Bytes(),
    Words(min_count=2),
    Tokens(min_count=2),
    Subwords(max_size=260),
]


@pytest.mark.parametrize("made", CODECS, ids=lambda one: one.name)
@given(st.lists(words, min_size=1, max_size=6), words.filter(bool))
@settings(deadline=None, max_examples=40)
def test_novelty_of_a_record(made, records, sample):
    data = data_of(records, made.fit(records, True), parts=min(2, len(records)))
    novelty = data.novelty([sample])[0]
    assert novelty.characters == len(novelty.longest) == longest_in(records, sample)
    assert novelty.longest == sample[novelty.at : novelty.at + novelty.characters]
    assert novelty.verbatim == (sample in records)
    order = [*records[::2], *records[1::2]] if len(records) > 1 else records
    if novelty.verbatim:
        assert order[novelty.record] == sample
    elif novelty.longest:
        assert novelty.longest in order[novelty.record]
        assert order[novelty.record].find(novelty.nearest) >= 0


def test_novelty_of_a_long_text_and_its_sentence():
    novelty = data_of(["abcaabbccc"], ends=False).novelty(["bbbccb"])[0]
    assert (novelty.longest, novelty.at, novelty.source) == ("bbcc", 1, 6)
    assert novelty.nearest == "abbccc"
    assert novelty.record is None
    assert novelty.verbatim is None
    assert str(novelty) == (
        "the longest span copied from the training data is 4 characters: 'bbcc'; "
        "seen there: 80% of 2-grams, 33% of 4-grams; the nearest passage there is 'abbccc'"
    )
    assert novelty.to_json()["seen"] == {"2": 0.8, "4": pytest.approx(1 / 3)}


def test_a_copied_record_is_called_so():
    novelty = data_of(["ab", "cba"]).novelty(["cba"])[0]
    assert str(novelty) == "the whole sample is a record of the training data (number 2)"


def test_a_part_of_a_record_or_two_in_a_row_are_no_record():
    data = data_of(["abc", "b"])
    assert data.novelty(["ab"])[0].verbatim is False
    assert data.novelty(["abcb"])[0].longest == "abc"


def test_no_span_goes_from_one_long_text_over_into_the_next():
    data = data_of(["def", "abc"], Characters().fit(["abcdef"], False), ends=False, parts=2)
    assert data.novelty(["fab"])[0].longest == "ab"
    assert data.novelty(["xdefa"])[0].nearest == "def"


def test_unknown_symbols_are_known_by_their_spelling_alone():
    text = "the cat sat on the mat and the extraordinary platypus sat on the cat"
    data = data_of([text], Words(min_count=2).fit([text], False), ends=False)
    assert (
        data.novelty(["and the extraordinary platypus ran"])[0].longest
        == "and the extraordinary platypus "
    )
    assert data.novelty(["and the astonishing zebra"])[0].longest == "and the "


def test_an_empty_sample_is_reported_too():
    assert data_of(["ab"]).novelty([""])[0].characters == 0
    assert data_of(["a", ""]).novelty([""])[0].verbatim is True
    assert data_of(["a", "b"]).novelty([""])[0].verbatim is False


def test_a_large_sample_that_is_copied_whole():
    random = np.random.default_rng(0)
    text = "".join(chr(97 + letter) for letter in random.integers(0, 26, 300_000))
    data = data_of([text], ends=False)
    assert [one.characters for one in data.novelty([text, "#" + text[10_000:] + "#"])] == [
        300_000,
        290_000,
    ]
    assert (
        data_of(["a" * 20_000], ends=False).novelty(["a" * 7_000 + "b" + "a" * 8_000])[0].characters
        == 8_000
    )


@pytest.mark.parametrize("codec", ["characters", "bytes", "words", "tokens", "subwords"])
def test_copies_are_found_wherever_they_stand_and_without_the_sources(codec, tmp_path, capsys):
    random = np.random.default_rng(1)
    made_up = [
        "".join(chr(97 + letter) for letter in random.integers(0, 26, random.integers(2, 9)))
        for _ in range(300)
    ]

    def prose(count: int) -> str:
        return " ".join(made_up[word] for word in random.integers(0, len(made_up), count)) + ".\n"

    spelled = random.integers(97, 123, (3, 400)).astype(np.uint8)
    spelled[:, 5:-1:7] = ord(" ")
    plants = [plant.tobytes().decode() for plant in spelled]
    source = tmp_path / "text.txt"
    source.write_text(
        "".join(f"{prose(1500)}{plant}\n" for plant in plants) + prose(1500), encoding="utf-8"
    )
    assert main(["train", "generate", str(source), "--codec", codec, "--model", "ngram", "--set", "model.order=2",
                 "--out", str(tmp_path / "run")]) == 0  # fmt: skip
    source.unlink()
    model = ensue.open(tmp_path / "run")
    for plant in plants:
        assert model.novelty(f"#{plant}#").characters == 400
    file = tmp_path / "some.txt"
    file.write_text(f"# {plants[1]} #\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), str(file), "--novelty", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["novelty"]
    assert told["characters"] >= 400
    assert plants[1] in told["longest"]
    assert main(["evaluate", str(tmp_path / "run"), str(file), "--novelty"]) == 0
    assert (
        f"copied from the training data is {told['characters']} characters"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_seventy_two_megabytes_are_searched_in_a_minute():
    random = np.random.default_rng(0)
    text = random.integers(97, 123, 72_000_000).astype(np.uint8)
    plants = [
        text[at : at + 400].tobytes().decode()
        for at in (3_600_000, 21_600_000, 43_200_000, 57_600_000)
    ]
    data = data_of([text.tobytes().decode()], ends=False)
    began = time.perf_counter()
    assert [one.characters for one in data.novelty([f"#{plant}#" for plant in plants])] == [400] * 4
    assert time.perf_counter() - began < 60


def test_the_passage_shows_the_longest_copy_wherever_it_stands():
    """It showed the first 160 characters of a longer passage, and the copy stood behind them."""
    copy = "a copy of forty characters, or some more"
    source, sample = "x" * 900 + copy + "y" * 900, "z" * 700 + copy + "w" * 700
    novelty = data_of([source], ends=False).novelty([sample])[0]
    assert novelty.longest == copy
    assert f"the nearest passage there is '{'x' * 20}{copy}{'y' * 100}'" in str(novelty)
    long = "".join(chr(97 + number * number % 23) for number in range(400))
    assert (
        long[:120]
        in str(data_of(["!" + long + "?"], ends=False).novelty(["z" * 300 + long])[0]).split(
            "nearest"
        )[1]
    )


def test_nothing_copied_has_no_nearest_passage():
    assert (
        str(data_of(["abc"], ends=False).novelty(["xyz"])[0])
        == "no character of it is in the training data"
    )
    assert "is 1 character: 'a'" in str(data_of(["abc"], ends=False).novelty(["xaz"])[0])
