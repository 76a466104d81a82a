"""What every split obeys: each character or record is in one part, and the end of one long text
is held out."""

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ensue.data.codecs import Characters, Words
from ensue.data.contract import SILENT, Piece
from ensue.data.dataset import Examples, Prepared
from ensue.data.dataset_writer import encode_corpus
from ensue.data.feeds import ScoringFeed
from ensue.data.prepare import prepare
from ensue.data.settings import DataSettings
from ensue.data.split import PARTS, ByPosition, ByRecord, draw_parts
from ensue.data.text_parts import TextParts


def parts_of(split, pieces: list[Piece]) -> dict[str, list[str]]:
    found = {part: [] for part in PARTS}
    for part, text in split.assign(pieces):
        found[part].append(text)
    return found


@given(
    text=st.text(max_size=60),
    places=st.lists(st.integers(0, 60)),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
)
def test_by_position_the_parts_are_the_text_in_order(text, places, validation, test):
    bounds = sorted({0, len(text), *(place for place in places if place < len(text))})
    pieces = [Piece(text[begin:end], "a", 1) for begin, end in pairwise(bounds)]
    split = ByPosition(len(text), validation, test)
    found = parts_of(split, pieces)
    assert "".join("".join(found[part]) for part in ("validation", "train", "test")) == text
    assert {part: len("".join(found[part])) for part in PARTS} == split.sizes
    assert abs(split.sizes["test"] - test * len(text)) <= 1


@given(
    count=st.integers(0, 60),
    validation=st.floats(0, 0.4),
    test=st.floats(0, 0.4),
    seed=st.integers(0),
)
def test_by_record_each_is_in_one_part_in_the_order_of_the_file(count, validation, test, seed):
    pieces = [Piece(str(number), "a", number) for number in range(count)]
    split = ByRecord(count, validation, test, seed)
    found = parts_of(split, pieces)
    numbers = {part: [int(text) for text in texts] for part, texts in found.items()}
    assert sorted(number for part in numbers.values() for number in part) == list(range(count))
    assert all(part == sorted(part) for part in numbers.values())
    assert {part: len(texts) for part, texts in found.items()} == split.sizes


@pytest.mark.parametrize(
    ("count", "share", "size"),
    [(100, 0.07, 7), (300, 0.15, 45), (90, 0.3, 27), (10, 0.03, 1), (9, 0, 0)],
)
def test_by_record_a_share_is_met_to_the_record(count, share, size):
    assert ByRecord(count, share, 0.1, 0).sizes["validation"] == size
    assert ByRecord(count, 0.1, share, 0).sizes["test"] == size


def test_by_record_the_seed_draws_the_parts():
    assert (ByRecord(100, 0.1, 0.1, 1).part_of == ByRecord(100, 0.1, 0.1, 1).part_of).all()
    assert (ByRecord(100, 0.1, 0.1, 1).part_of != ByRecord(100, 0.1, 0.1, 2).part_of).any()


def prepared(folder: Path, data: DataSettings, *names: str, **options) -> TextParts:
    return read(folder, data, *names, **options).dataset


def read(
    folder: Path, data: DataSettings, *names: str, codec=None, cache: str = "cache", on_read=None
) -> Prepared[TextParts]:
    paths = [folder / name for name in names]
    on_read = on_read or (lambda *_: None)
    return prepare(
        paths, data, codec or Characters(), seed=3, context=4, cache=folder / cache, on_read=on_read
    )


def test_the_last_tenth_of_a_text_is_the_test(tmp_path):
    text = "".join(chr(97 + number % 26) for number in range(1000))
    (tmp_path / "a.txt").write_text(text)
    found = read(tmp_path, DataSettings(validation=0.05), "a.txt")
    run, about = found.dataset, found.about
    assert [run.codec.decode(corpus.ids) for _, corpus in run.parts()] == [
        text[50:900],
        text[:50],
        text[900:],
    ]
    assert about["format"] == "text"
    assert about["files"][str(tmp_path / "a.txt")]["bytes"] == 1000
    assert len(about["files"][str(tmp_path / "a.txt")]["sha256"]) == 64
    assert about["symbols"] == {"train": 850, "validation": 50, "test": 100}


def test_given_files_are_whole_parts(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(f"abc {name}, " * 40)
    data = DataSettings(
        format="text",
        validation=0.05,
        valid_file=str(tmp_path / "b.txt"),
        test_file=str(tmp_path / "c.txt"),
    )
    run = prepared(tmp_path, data, "a.txt")
    assert [run.codec.decode(part.ids) for _, part in run.parts()] == [
        f"abc {name}, " * 40 for name in "abc"
    ]
    only_test = prepared(tmp_path, data.model_copy(update={"valid_file": ""}), "a.txt")
    assert [len(part) for _, part in only_test.parts()] == [266, 14, 280]


def test_records_end_and_parts_hold_whole_records(tmp_path):
    lines = [f"name{number}" for number in range(200)]
    (tmp_path / "names.txt").write_text("\n".join(lines))
    made = read(tmp_path, DataSettings(validation=0.05), "names.txt")
    run, found = made.dataset, []
    assert made.about["format"] == "lines"
    for _, part in run.parts():
        records = [part.ids[begin:end] for begin, end in pairwise(part.offsets)]
        assert all(record[-1] == run.codec.end for record in records)
        found += [run.codec.decode(record) for record in records]
    assert sorted(found) == sorted(lines)
    assert [len(part.offsets) - 1 for _, part in run.parts()] == [170, 10, 20]


@pytest.mark.parametrize("codec", [Characters(), Words(max_size=20)])
def test_what_goes_to_files_is_the_same(tmp_path, monkeypatch, codec):
    (tmp_path / "a.txt").write_text("to be, or not to be: that is the question\n" * 50)
    data = DataSettings(format="text")
    small = prepared(tmp_path, data, "a.txt", codec=codec)
    monkeypatch.setattr("ensue.data.prepare.IN_MEMORY", 0)
    seen = []
    large = prepared(
        tmp_path,
        data,
        "a.txt",
        codec=codec,
        on_read=lambda done, total, left: seen.append((done, total)),
    )
    for (_, one), (_, other) in zip(small.parts(), large.parts(), strict=True):
        assert isinstance(other.ids, np.memmap)
        assert not isinstance(one.ids, np.memmap)
        assert one.ids.tolist() == other.ids.tolist()
        assert one.ids.dtype == other.ids.dtype
        assert (one.characters, one.bytes, one.words) == (
            other.characters,
            other.bytes,
            other.words,
        )
        assert one.unknown_at.tolist() == other.unknown_at.tolist()
        feeds = [ScoringFeed(corpus, small.codec.start, 2, 16).epoch(0) for corpus in (one, other)]
        assert all((a["input"] == b["input"]).all() for a, b in zip(*feeds, strict=True))
    assert seen == sorted(seen)
    assert seen[-1] == (3 * 2100, 3 * 2100)


def test_other_data_is_read_with_the_same_codec(tmp_path):
    (tmp_path / "a.txt").write_text("abc abd abe " * 100)
    (tmp_path / "b.txt").write_text("abc xyz")
    run = prepared(tmp_path, DataSettings(format="text"), "a.txt")
    _, reader = DataSettings(format="text").reader([tmp_path / "b.txt"], SILENT)
    corpus = encode_corpus((piece.text for piece in reader.pieces()), run.codec)
    assert corpus.unknown_at.tolist() == [4, 5, 6]
    assert run.codec.decode(corpus.ids) == "abc \ufffd\ufffd\ufffd"
    assert (corpus.characters, corpus.bytes, corpus.words) == (7, 7, 2)


def replaced(parts: TextParts, stream: str, kind: str, field: str, array) -> dict[str, Examples]:
    one = parts.streams[stream]
    return parts.streams | {
        stream: dataclasses.replace(one, **{kind: getattr(one, kind) | {field: np.array(array)}})
    }


def test_a_text_is_restored_from_its_streams(tmp_path):
    (tmp_path / "a.txt").write_text("abc abd abe " * 100)
    (tmp_path / "b.txt").write_text("abc xyé")
    given = DataSettings(format="text", test_file=str(tmp_path / "b.txt"))
    parts = prepared(tmp_path, given, "a.txt")
    assert len(parts["train"]) == len(parts["test"]) == 1  # one long text is one example
    unknown = parts["test.unknown"]
    assert unknown.static["at"].tolist() == [4, 5, 6]
    assert bytes(unknown.steps["byte"]).decode() == "xyé"
    again = TextParts.from_json(parts.streams, {}, parts.to_json())
    assert again.given == ("test",)
    for (_, one), (_, other) in zip(parts.parts(), again.parts(), strict=True):
        same = {
            name: np.array_equal(value, getattr(other, name)) for name, value in vars(one).items()
        }
        assert all(same.values()), same


@pytest.mark.parametrize(
    ("stream", "kind", "field", "array", "told"),
    [
        ("test", "steps", "symbol", [200] * 7, "the text of the part test holds ids that are not"),
        ("test.unknown", "static", "at", [4, 5, 10**9], "the unknown symbols of the part test"),
        ("test.unknown", "static", "at", [3, 5, 6], "the unknown symbols of the part test"),
        ("test.unknown", "static", "at", [5, 4, 6], "the unknown symbols of the part test"),
        (
            "test.unknown",
            "static",
            "nats",
            [1.0, np.nan, 1],
            "the unknown symbols of the part test",
        ),
        ("test.unknown", "steps", "byte", [999] * 4, "the spellings of the part test holds ids"),
    ],
)
def test_streams_that_belong_to_no_text_are_refused(tmp_path, stream, kind, field, array, told):
    (tmp_path / "a.txt").write_text("abc abd abe " * 100)
    (tmp_path / "b.txt").write_text("abc xyé")
    given = DataSettings(format="text", test_file=str(tmp_path / "b.txt"))
    parts = prepared(tmp_path, given, "a.txt")
    with pytest.raises(ValueError, match=told):
        TextParts.from_json(replaced(parts, stream, kind, field, array), {}, parts.to_json())


def test_a_file_that_is_in_two_parts_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("abc abd abe " * 100)
    (tmp_path / "b.txt").write_text("abc abd abe " * 100)
    run = read(tmp_path, DataSettings(format="text", test_file=str(tmp_path / "b.txt")), "a.txt")
    assert [str(finding) for finding in run.findings] == [
        f"{tmp_path}/b.txt: has the same content as {tmp_path}/a.txt, which is in another part; "
        "give another file"
    ]


def test_encoding_a_stream_of_records_counts_their_ends():
    codec = Characters().fit(["ab", "c"], ends=True)
    corpus = encode_corpus(["ab", "c"], codec)
    assert corpus.ids.tolist() == [0, 1, 4, 2, 4]
    assert corpus.offsets.tolist() == [0, 3, 5]
    assert (corpus.characters, corpus.bytes, corpus.words, len(corpus)) == (5, 5, 2, 5)


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", "ab cd\n\n" * 400), ("names.txt", "abcdefg\n" * 400)]
)
def test_no_more_is_held_out_than_is_wanted(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    run = prepared(tmp_path, DataSettings(validation=0.2, test=0.2, max_characters=70), name)
    assert (run.validation.characters, run.test.characters) in [(70, 70), (80, 80)]
    assert run.train.characters >= len(content) - 160


@example(labels=[0, 0, 0, 1, 2], shares={"validation": 0.3, "test": 0.25}, seed=0)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=80),
    shares=st.fixed_dictionaries({"validation": st.floats(0, 0.3), "test": st.floats(0, 0.3)}),
    seed=st.integers(0),
)
def test_drawn_parts_have_each_example_once_and_each_label_in_its_share(labels, shares, seed):
    strata = np.array(labels)
    parts = draw_parts(shares, seed, strata)
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(labels)))
    assert set(strata[parts["train"]]) == set(labels)
    left = rest = len(labels) - len(set(labels))
    for part, share in shares.items():
        assert abs(len(parts[part]) - min(share * len(labels), rest)) <= 1
        rest -= len(parts[part])
        for label, count in zip(*np.unique(strata, return_counts=True), strict=True):
            most = share * len(labels) / max(left, 1) * count
            assert (strata[parts[part]] == label).sum() <= most + 2


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=60), seed=st.integers(0, 9))
def test_a_group_never_straddles_the_parts(groups, seed):
    members = np.array(groups)
    parts = draw_parts({"validation": 0.2, "test": 0.2}, seed, members % 2, members)
    homes = [set(members[rows]) for rows in parts.values()]
    assert all(not one & other for number, one in enumerate(homes) for other in homes[number + 1 :])
    assert set().union(*homes) == set(groups)
