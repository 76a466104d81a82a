"""Tagged sentences in every format, and the words of plain text: what is read, by worked
examples."""

import gzip
import json
import lzma
from pathlib import Path

import numpy as np
import pytest

from ensue.data.codecs.tagged import TaggedWords, TaggedWordsCodec
from ensue.data.contract import SILENT, Listener
from ensue.data.labelled import Example
from ensue.data.readers.tagged import TaggedReader, TaggedSettings
from ensue.data.readers.word_vectors import read_vectors
from ensue.data.sentence_splitting import split_sentences
from ensue.data.tagged import (
    MAX_PIECE,
    TaggedParts,
    compute_sentence_offsets,
    encode_parts,
    encode_tagged,
    read_tagged,
)
from ensue.errors import DataError


def prepare(paths: list[Path], settings: TaggedSettings) -> TaggedParts:
    parts = read_tagged(paths, settings, 1, SILENT).parts
    return encode_parts(parts, TaggedWords(), None, SILENT)


CONLLU = """\
# newdoc id = a
# text = I don't know
1\tI\tI\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
4\tknow\tknow\tVERB\tVB\t_\t0\troot\t_\t_
4.1\tknown\tknow\tVERB\tVBN\t_\t_\t_\t0:x\t_

# text = Go
1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
"""
COLUMNS = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n"
TSV = "New York\tB\nis\tO\n\nbig\tO\n"
JSONL = '{"tokens": ["a", "b"], "tags": ["X", "Y"]}\n\n{"tokens": ["c"], "tags": ["X"]}\n'


def read(folder: Path, content: str, name: str, tagged: bool = True, **settings) -> list[Example]:
    path = folder / name
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(content.encode()))
    return list(TaggedReader([path], TaggedSettings(**settings), tagged).examples())


def pairs(sentences: list[Example]) -> list[list[tuple[str, str]]]:
    return [list(zip(one.content["words"], one.label, strict=True)) for one in sentences]


@pytest.mark.parametrize("name", ["a.conllu", "a.conllu.gz", "a.conllu.xz", "a.txt"])
def test_conllu(tmp_path, name):
    sentences = read(tmp_path, CONLLU, name)
    expected = [[("I", "PRON"), ("do", "AUX"), ("n't", "PART"), ("know", "VERB")], [("Go", "VERB")]]
    assert pairs(sentences) == expected
    assert [one.line for one in sentences] == [1, 10]
    assert sentences[0].row["lines"] == CONLLU.split("\n\n")[0].split("\n")
    assert [tag for _, tag in pairs(read(tmp_path, CONLLU, name, column="xpos"))[0]] == [
        "PRP",
        "VBP",
        "RB",
        "VB",
    ]


def test_columns(tmp_path):
    sentences = read(tmp_path, COLUMNS, "a.conll")
    assert pairs(sentences) == [[("EU", "B-ORG"), ("rejects", "O")], [("Peter", "B-PER")]]
    assert pairs(read(tmp_path, COLUMNS, "a.conll", column="3"))[0] == [
        ("EU", "B-NP"),
        ("rejects", "B-VP"),
    ]
    assert read(tmp_path, "EU\nrejects\n", "a.conll", tagged=False)[0].content == {
        "words": ["EU", "rejects"]
    }


@pytest.mark.parametrize("name", ["a.tsv", "a.txt"])
def test_a_word_and_its_tag(tmp_path, name):
    assert pairs(read(tmp_path, TSV, name)) == [[("New York", "B"), ("is", "O")], [("big", "O")]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_json_lines(tmp_path, name):
    assert pairs(read(tmp_path, JSONL, name)) == [[("a", "X"), ("b", "Y")], [("c", "X")]]
    other = JSONL.replace("tokens", "w").replace("tags", "ner")
    assert pairs(read(tmp_path, other, name, tokens="w", tags="ner"))[1] == [("c", "X")]


def test_the_format_that_was_guessed_is_told(tmp_path):
    (tmp_path / "a.tsv").write_text(TSV)
    found = []
    list(
        TaggedReader([tmp_path / "a.tsv"], TaggedSettings(), True).examples(Listener(found.append))
    )
    assert "read as a word and a tag by tab" in str(found[0])


def test_codec_by_hand():
    codec = TaggedWords(min_count=2, spelling=4, suffixes=3).fit(
        [{"words": ["The", "the", "cats", "bats", "42", "17"]}]
    )
    steps, _ = codec.encode({"words": ["THE", "cats", "hats", "99", "internationals"]})
    known = codec.known
    assert known["word"] == ["the"]
    assert steps["word"].tolist() == [1, 0, 0, 0, 0]
    assert steps["surface"].tolist() == [0, known["surface"].index("cats") + 1, 0, 0, 0]
    assert [known["suffix"][one - 1] for one in steps["suffix"][2]] == ["s", "ts", "ats"]
    assert [known["suffix"][one - 1] for one in steps["suffix"][3][:2]] == ["0", "00"]
    assert steps["shape"][0] == 0  # no word of capitals was seen
    assert steps["capital"].tolist() == [1, 0, 0, 0, 0]
    assert (
        steps["character"][4].tolist()
        == codec.encode({"words": ["inls"]})[0]["character"][0].tolist()
    )
    assert steps["character"][1].max() < codec.shape.symbols["character"]


def test_codec_comes_back_from_json():
    codec = TaggedWords().fit(
        [{"words": ["The", "cat", "the", "cat", "İs"]}], vectors=["cat", "the"]
    )
    again = TaggedWordsCodec.from_json(json.loads(json.dumps(codec.to_json())))
    words = {"words": ["the", "Cat", "ǅ", "🐈", "x" * 500]}
    for name, field in codec.encode(words)[0].items():
        np.testing.assert_array_equal(field, again.encode(words)[0][name])
        assert name in ("form", "capital") or int(field.max()) < codec.shape.symbols[name]
    assert codec.encode(words)[0]["vector"].tolist() == [2, 1, 0, 0, 0]


def test_a_long_sentence_is_encoded_in_pieces():
    codec = TaggedWords(min_count=1).fit([{"words": ["a", "b"]}])
    sentences = [
        Example({"words": ["a"] * count}, ["X"] * count, "f", line)
        for line, count in ((1, 3), (5, 1200))
    ]
    examples = encode_tagged(sentences, codec, ["X"])
    assert examples.lengths.tolist() == [3, MAX_PIECE, MAX_PIECE, 1200 - 2 * MAX_PIECE]
    assert examples.static["line"].tolist() == [1, 5, 5, 5]
    assert compute_sentence_offsets(examples).tolist() == [0, 3, 1203]


def test_parts_are_drawn_and_the_codec_sees_the_training_part_alone(tmp_path):
    text = "".join(f"w{number}\t{'XY'[number % 2]}\n\n" for number in range(50))
    (tmp_path / "a.tsv").write_text(text)
    parts = prepare([tmp_path / "a.tsv"], TaggedSettings())
    assert {name: len(one) for name, one in parts.streams.items()} == {
        "train": 40,
        "validation": 5,
        "test": 5,
    }
    assert not parts["test"].steps["surface"].any()
    assert parts["train"].steps["surface"].all()
    again = prepare([tmp_path / "a.tsv"], TaggedSettings())
    np.testing.assert_array_equal(again["test"].static["line"], parts["test"].static["line"])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello, world!", ["Hello , world !"]),
        ("He didn't. She'll go.", ["He did n't .", "She 'll go ."]),
        ("Mr. Smith paid $1,000.50 (cash).", ["Mr. Smith paid $ 1,000.50 ( cash ) ."]),
        (
            "See http://a.org/b?c=1. Then mail x.y@z.com",
            ["See http://a.org/b?c=1 .", "Then mail x.y@z.com"],
        ),
        ('"Stop!" he said... and left.', ['" Stop ! " he said ... and left .']),
        (
            "J. R. Tolkien wrote it. It was I. He knew.",
            ["J. R. Tolkien wrote it .", "It was I .", "He knew ."],
        ),
        ("well-known U.S. law", ["well - known U.S. law"]),
        ("first line\nsame sentence\n\nnext", ["first line same sentence", "next"]),
        ("Größe über 3.5 Æther.", ["Größe über 3.5 Æther ."]),
        ("I can\u2019t!", ["I ca n\u2019t !"]),
        ("I cannot, O'Brien; gonna see a.doc", ["I can not , O'Brien ; gon na see a.doc"]),
        ("So #nice :-) \U0001f44d\U0001f3fd", ["So #nice :-) \U0001f44d\U0001f3fd"]),
        ("\u4f60\u597d\u3002\u518d\u89c1", ["\u4f60\u597d \u3002", "\u518d\u89c1"]),
    ],
)
def test_plain_text_is_cut_into_sentences_and_words(text, sentences):
    found = [
        " ".join(word.text for word in words) for _, words in split_sentences(text.split("\n"))
    ]
    assert found == sentences


def test_no_letter_of_a_plain_text_is_lost():
    text = "Well: (a) \"b\" -- c'd, e.g. 5% of 'em… don't @you #tag 10:30 a_b 3rd x²!"
    words = [word for _, sentence in split_sentences([text]) for word in sentence]
    assert "".join(word.text + " " * word.spaced for word in words).strip() == text


@pytest.mark.parametrize("header", ["", "4 2\n"])
def test_words_of_vectors_may_hold_blanks(tmp_path, header):
    # As in glove.840B.300d.txt.
    (tmp_path / "v.txt").write_text(f"{header}the 1 2\n. . . 3 4\nat name@domain.com 5 6\n1 7 8\n")
    found = read_vectors(tmp_path / "v.txt")
    assert found.words == ["the", ". . .", "at name@domain.com", "1"]
    assert found.table.tolist() == [[0, 0], [1, 2], [3, 4], [5, 6], [7, 8]]


def test_a_test_part_with_other_tags_alone_is_refused(tmp_path):
    (tmp_path / "train.tsv").write_text("a\tX\nb\tY\n\n" * 20)
    (tmp_path / "other.tsv").write_text("a\tB-PER\nb\tO\n\n" * 5)
    settings = TaggedSettings(test_file=str(tmp_path / "other.tsv"))
    with pytest.raises(
        DataError, match=r"other.tsv: none of its tags is in the training part; give a file whose"
    ):
        prepare([tmp_path / "train.tsv"], settings)
