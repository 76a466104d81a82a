"""What every codec obeys: nothing is lost, streams may be cut, and only the training part is
seen."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ensue.data.codecs import CODECS, FITTED, load_codec
from ensue.data.contract import Codec
from ensue.data.dataset_writer import encode_corpus
from ensue.data.prepare import prepare
from ensue.data.settings import DataSettings

TRICKY = st.text(
    alphabet=st.sampled_from("ab '\u2019-_<>.,\n\t\x1c\x85\u2028\u00a0é한1٣\U0001f600\ufffd"),
    max_size=40,
)
TEXTS = st.one_of(st.text(max_size=40), TRICKY)

pytestmark = pytest.mark.parametrize("name", CODECS)


def fit(name: str, text: str, ends: bool = False) -> Codec:
    small = {"max_size": 300} if name == "subwords" else {"max_size": 0} if name == "words" else {}
    return CODECS[name](**small).fit([text], ends)


def test_each_choice_has_what_it_makes(name):
    assert set(CODECS) == set(FITTED)
    assert CODECS[name]().model_dump()["name"] == name


@given(text=TEXTS)
@settings(max_examples=60, deadline=None)
def test_decoding_gives_the_text_back(name, text):
    codec = fit(name, text)
    ids, text = codec.encode(text), codec.plain(text)
    assert codec.decode(ids) == text
    assert codec.decode(ids.tolist()) == text
    assert len(ids) == 0 or 0 <= ids.min() <= ids.max() < codec.size
    assert codec.unknown is None or codec.unknown not in ids
    assert codec.start == codec.size
    spellings = codec.spellings()
    assert len(spellings) == codec.size
    spelled = b"".join(spellings[id] for id in ids).decode()
    assert (
        spelled if codec.keeps_blanks else spelled.replace("\n ", "\n").removeprefix(" ")
    ) == text


@given(text=TEXTS, ends=st.booleans())
@settings(max_examples=30, deadline=None)
def test_json_changes_nothing(name, text, ends):
    codec = fit(name, text, ends)
    again = load_codec(json.loads(json.dumps(codec.to_json())))
    other = text + " something else"
    assert again.to_json() == codec.to_json()
    assert (again.size, again.unknown, again.end, again.start) == (
        codec.size,
        codec.unknown,
        codec.end,
        codec.start,
    )
    assert again.encode(other).tolist() == codec.encode(other).tolist()
    assert again.unknowns(other) == codec.unknowns(other)
    assert [again.symbol(id) for id in range(again.size + 1)] == [
        codec.symbol(id) for id in range(codec.size + 1)
    ]


@given(text=TEXTS, places=st.lists(st.integers(0, 120), max_size=5))
@example(text="abc", places=[1, 4, 8])
@settings(max_examples=60, deadline=None)
def test_the_cuts_of_a_stream_change_nothing(name, text, places):
    text *= 3  # so that there are pairs to merge
    bounds = sorted({0, len(text), *(place for place in places if place < len(text))})
    stretches = [text[begin:end] for begin, end in pairwise(bounds)]
    small = {"max_size": 300} if name == "subwords" else {}
    codec = CODECS[name](**small).fit([text], False)
    assert CODECS[name](**small).fit(stretches, False).to_json() == codec.to_json()
    corpus = encode_corpus(stretches, codec)
    assert corpus.ids.tolist() == codec.encode(text).tolist()
    assert corpus.characters == len(text)
    assert corpus.bytes == len(text.encode())
    assert corpus.words == len(text.split())


@given(text=TRICKY)
@settings(max_examples=60, deadline=None)
def test_a_codec_cuts_only_where_the_encoding_stays_the_same(name, text):
    codec = fit(name, text * 3)
    place = codec.split_point(text)
    assert 0 <= place <= len(text)
    parts = [*codec.encode(text[:place]).tolist(), *codec.encode(text[place:]).tolist()]
    assert parts == codec.encode(text).tolist()


@given(known=TEXTS, text=TEXTS, most=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_each_unknown_symbol_is_found_and_paid_for(name, known, text, most):
    codec = (
        CODECS[name](max_size=most).fit([known], False)
        if name in ("words", "tokens")
        else fit(name, known)
    )
    unknown = (
        int(np.count_nonzero(codec.encode(text) == codec.unknown))
        if codec.unknown is not None
        else 0
    )
    found = codec.unknowns(text)
    nats = [nats for _, nats in found]
    assert len(nats) == unknown
    assert all(cost > 0 for cost in nats)
    assert all(
        (codec.encode(symbol) == codec.unknown).all() and symbol in text for symbol, _ in found
    )
    assert codec.decode(codec.encode(text)).count("\ufffd") >= unknown
    corpus = encode_corpus([text], codec)
    assert len(corpus.unknown_at) == unknown
    assert corpus.unknown_nats.tolist() == nats
    assert unknown == 0 or (corpus.ids[corpus.unknown_at] == codec.unknown).all()


@given(records=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_records_end_and_the_end_has_no_text(name, records):
    codec = (
        CODECS[name]().fit(records, True)
        if name != "subwords"
        else fit(name, " ".join(records), True)
    )
    corpus = encode_corpus(records, codec)
    assert len(corpus.offsets) == len(records) + 1
    for record, begin, end in zip(records, corpus.offsets[:-1], corpus.offsets[1:], strict=True):
        assert corpus.ids[end - 1] == codec.end
        assert codec.decode(corpus.ids[begin:end]) == codec.plain(record)
    assert corpus.characters == sum(map(len, records)) + len(records)
    assert corpus.bytes == sum(len(record.encode()) for record in records) + len(records)
    assert codec.decode([codec.end, codec.start]) == ""
    assert codec.symbol(codec.end) == "<end>"
    assert codec.symbol(codec.start) == "<start>"


@pytest.mark.parametrize("ends", [False, True])
def test_nothing_but_the_training_part_is_seen(name, ends, tmp_path: Path):
    def codec_of(held_out: str) -> dict:
        for file in ("tune.txt", "test.txt"):
            (tmp_path / file).write_text(held_out)
        (tmp_path / "train.txt").write_text("the rain in spain\nfalls\nmainly\n" * 20)
        data = DataSettings(
            format="lines" if ends else "text",
            valid_file=str(tmp_path / "tune.txt"),
            test_file=str(tmp_path / "test.txt"),
        )
        paths, codec = [tmp_path / "train.txt"], CODECS[name]()
        return prepare(
            paths, data, codec, seed=0, context=2, cache=tmp_path, on_read=lambda *_: None
        ).dataset.codecs

    assert codec_of("xyz zyx\n" * 30) == codec_of("q\n")


def test_held_out_text_of_the_same_file_is_not_seen(name, tmp_path: Path):
    tune, train, test = "uvw " * 9, "abc abd abe " * 87, "xyz " * 30
    (tmp_path / "a.txt").write_text(tune + train + test)
    data = DataSettings(format="text", validation=0.03, test=0.1)
    codec = CODECS[name](**({"max_size": 300} if name == "subwords" else {}))
    assert [len(tune), len(test)] == [36, 120]
    prepared = prepare(
        [tmp_path / "a.txt"],
        data,
        codec,
        seed=0,
        context=2,
        cache=tmp_path,
        on_read=lambda *_: None,
    ).dataset
    assert prepared.codec.to_json() == codec.fit([train], False).to_json()
    assert prepared.codec.decode(prepared.train.ids) == prepared.codec.plain(train)
