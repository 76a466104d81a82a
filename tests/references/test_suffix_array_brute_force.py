"""The suffix array and the novelty report against brute force."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.data.codecs import Characters
from ensue.decoding.novelty import NoveltyIndex
from ensue.decoding.suffix_array import find
from ensue.models.ngram.suffixes import sorted_suffixes
from ensue.tasks.text_model import TextModel

ids = st.lists(st.integers(0, 2), max_size=60)
END = 3


def contains(text: list[int], stretch: list[int]) -> bool:
    return any(text[at : at + len(stretch)] == stretch for at in range(len(text) - len(stretch) + 1))


def longest_from(text: list[int], query: list[int], start: int) -> int:
    return max(length for length in range(len(query) - start + 1) if contains(text, query[start : start + length]))


@given(ids, st.sampled_from([np.uint8, np.uint16, np.int64]), st.sampled_from([1, 80, 30_000]))
@settings(deadline=None)
def test_suffixes_are_in_order(text, kind, scale):
    # Large ids leave room for few symbols in a packed key, so that the doubling has work to do.
    scaled = [id * scale for id in text] if kind is not np.uint8 else text
    expected = sorted(range(len(text)), key=lambda at: scaled[at:])
    assert sorted_suffixes(np.array(scaled, dtype=kind)).tolist() == expected


@pytest.mark.parametrize("text", [[1] * 300, [0, 1] * 150, [5], [*range(200)] * 3])
def test_suffixes_of_periodic_texts_are_in_order(text):
    assert sorted_suffixes(np.array(text)).tolist() == sorted(range(len(text)), key=lambda at: text[at:])


@given(ids, ids)
@settings(deadline=None)
def test_every_longest_stretch_is_found_where_it_is_said_to_be(text, query):
    array = np.array(text, dtype=np.uint8)
    lengths, where = find(array, sorted_suffixes(array), np.array(query, dtype=np.int64))
    for start, (length, at) in enumerate(zip(lengths.tolist(), where.tolist(), strict=True)):
        assert length == longest_from(text, query, start)
        assert text[at : at + length] == query[start : start + length]


def decode(ids) -> str:
    return "".join("abc"[id] for id in ids if id != END)


def index_of(records: list[list[int]]) -> NoveltyIndex:
    flat = [id for record in records for id in [*record, END]]
    offsets = np.cumsum([0, *(len(record) + 1 for record in records)])
    return NoveltyIndex.build(np.array(flat, dtype=np.uint8), offsets, END)


@given(st.lists(ids, min_size=1, max_size=6), st.lists(st.integers(0, 2), min_size=1, max_size=40))
@settings(deadline=None)
def test_novelty_of_a_record(records, sample):
    novelty = index_of(records).novelty(np.array([*sample, END]), decode)
    stretches = [sample[a:b] for a in range(len(sample)) for b in range(a, len(sample) + 1)]
    longest = max(len(s) for s in stretches if any(contains(record, s) for record in records))
    assert novelty.symbols == novelty.characters == longest
    assert novelty.longest == decode(sample[novelty.at : novelty.at + longest])
    assert novelty.verbatim == (sample in records)
    for length, share in novelty.seen.items():
        grams = [sample[at : at + length] for at in range(len(sample) - length + 1)]
        assert share == pytest.approx(sum(any(contains(r, g) for r in records) for g in grams) / len(grams))
    if novelty.verbatim:
        assert records[novelty.record] == sample
    elif longest:
        assert contains(records[novelty.record], sample[novelty.at : novelty.at + longest])
        assert decode(records[novelty.record]).find(novelty.nearest) >= 0


def test_novelty_of_a_long_text_and_its_sentence():
    text = np.array([0, 1, 2, 0, 0, 1, 1, 2, 2, 2], dtype=np.uint8)
    index = NoveltyIndex.build(text, np.array([0, 10]), None)
    novelty = index.novelty(np.array([1, 1, 1, 2, 2, 1]), decode)
    assert (novelty.longest, novelty.at, novelty.source) == ("bbcc", 1, 5)
    assert novelty.nearest == "abbccc"
    assert novelty.record is None
    assert novelty.verbatim is None
    assert str(novelty) == (
        "the longest span copied from the training data is 4 characters: 'bbcc'; "
        "seen there: 80% of 2-grams, 33% of 4-grams; the nearest passage there is 'abbccc'"
    )
    assert novelty.to_json()["seen"] == {"2": 0.8, "4": pytest.approx(1 / 3)}


def test_a_copied_record_is_called_so():
    novelty = index_of([[0, 1], [2, 1, 0]]).novelty(np.array([2, 1, 0, END]), decode)
    assert str(novelty) == "the whole sample is a record of the training data (number 2)"


def test_a_part_of_a_record_or_two_in_a_row_are_no_record():
    index = index_of([[0, 1, 2], [1]])
    assert index.novelty(np.array([0, 1]), decode).verbatim is False
    assert index.novelty(np.array([0, 1, 2, 1]), decode).longest == "abc"


def test_no_span_goes_from_one_long_text_over_into_the_next(tmp_path, monkeypatch):
    codec = Characters().fit(["abcdef"], ends=False)
    two = codec.encode("defabc"), np.array([0, 3, 6])
    monkeypatch.setattr(TextModel, "seen", lambda self: two)
    index = TextModel(SimpleNamespace(path=tmp_path), codec, None).index
    assert index.novelty(codec.encode("fab"), codec.decode).longest == "ab"
    assert index.novelty(codec.encode("xdefa"), codec.decode).nearest == "def"


def test_an_empty_sample_is_reported_too():
    assert index_of([[0, 1]]).novelty(np.array([], dtype=np.int64), decode).characters == 0
    assert index_of([[0], []]).novelty(np.array([END]), decode).verbatim is True


def test_an_index_is_saved_and_mapped(tmp_path):
    index = index_of([[0, 1, 1], [2, 2]])
    index.save(tmp_path / "novelty")
    again = NoveltyIndex.load(tmp_path / "novelty", END)
    sample = np.array([0, 1, 2, 2])
    assert isinstance(again.suffixes, np.memmap)
    assert again.novelty(sample, decode) == index.novelty(sample, decode)
    np.save(tmp_path / "novelty" / "ids.npy", np.zeros(3))
    with pytest.raises(ValueError, match="do not belong together"):
        NoveltyIndex.load(tmp_path / "novelty", END)


@pytest.mark.slow
def test_ten_megabytes_are_built_in_a_minute_and_asked_in_a_second():
    random = np.random.default_rng(0)
    words = [random.integers(0, 26, random.integers(2, 9)) for _ in range(20_000)]
    chosen = (random.zipf(1.3, 2_600_000) % len(words)).tolist()
    text = np.concatenate([words[word] for word in chosen])[:10_000_000].astype(np.uint8)
    began = time.perf_counter()
    suffixes = sorted_suffixes(text)
    assert time.perf_counter() - began < 60
    for sample in (text[5_000_000:5_002_000], random.integers(0, 26, 2000)):
        began = time.perf_counter()
        find(text, suffixes, sample)
        assert time.perf_counter() - began < 1
