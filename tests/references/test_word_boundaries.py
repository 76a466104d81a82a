"""Words in many scripts: no boundary lies within a character as a person sees it, which
oniguruma tells (`\\X`)."""

import unicodedata
from pathlib import Path

import pytest
from tokenizers import Regex, pre_tokenizers

from ensue.data.codecs import CODECS
from ensue.data.codecs.subwords import Subwords
from ensue.data.codecs.words import Words, split_words
from ensue.data.prepare import prepare
from ensue.data.sentence_splitting import split_sentences
from ensue.data.settings import DataSettings
from ensue.data.word_boundaries import join_marks, unsegmented_share

TEXTS = {
    "Hindi": ("यह किताब बहुत अच्छी है।", ["यह", "किताब", "बहुत", "अच्छी", "है", "।"]),
    "Tamil": ("தமிழ் நாடு", ["தமிழ்", "நாடு"]),
    "Bengali": ("আমি বাংলায় গান গাই।", ["আমি", "বাংলায়", "গান", "গাই", "।"]),
    "pointed Hebrew": ("שָׁלוֹם עֲלֵיכֶם", ["שָׁלוֹם", "עֲלֵיכֶם"]),
    "a Hebrew acronym": ("צה״ל בא", ["צה״ל", "בא"]),
    "vocalised Arabic": ("السَّلَامُ عَلَيْكُمْ؟", ["السَّلَامُ", "عَلَيْكُمْ", "؟"]),
    "Persian with a joiner": ("می‌روم خانه", ["می‌روم", "خانه"]),
    "accents apart": ("Le cafe\u0301 e\u0301tait", ["Le", "cafe\u0301", "e\u0301tait"]),
    "Vietnamese apart": (unicodedata.normalize("NFD", "Tiếng Việt"), None),
    "Thai": ("ภาษาไทย ง่าย", ["ภาษาไทย", "ง่าย"]),
    "a soft hyphen": ("Donau\xaddampfer", ["Donau\xaddampfer"]),
    "signs with modifiers": ("👍🏽 ok 1️⃣", ["👍🏽", "ok", "1️⃣"]),
    "a flag": ("\U0001f1e9\U0001f1ea ok", ["\U0001f1e9\U0001f1ea", "ok"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_mark_belongs_to_its_letter(name: str) -> None:
    text, words = TEXTS[name]
    words = words or text.split()
    pieces = split_words(text)
    assert "".join(pieces) == text
    assert [piece.strip() for piece in pieces] == words
    assert [word.text for _, sentence in split_sentences([text]) for word in sentence] == words
    whole = pre_tokenizers.Split(Regex(r"\X"), "isolated").pre_tokenize_str(text)
    ends = {end for _, (_, end) in whole}
    length = 0
    for piece in pieces:
        length += len(piece)
        assert length in ends, f"{piece!r} ends within a character"


def test_every_indic_script_and_more_keeps_its_marks() -> None:
    marks = [
        chr(point)
        for point in range(0x300, 0x11FFF)
        if unicodedata.category(chr(point)) in ("Mn", "Mc", "Me")
    ]
    assert len(marks) > 1500
    assert [mark for mark in marks if split_words(f"a{mark}b c") != [f"a{mark}b", " c"]] == []
    assert [mark for mark in marks if split_words(f"a {mark}.") != ["a", f" {mark}."]] == []


def test_what_separates_words_still_does() -> None:
    assert split_words("a\u200bb") == ["a", "\u200b", "b"]  # a zero width space
    assert join_marks("\u0301a") == "\u0301a"
    assert len(join_marks("x\u0301\u0302\n\u0301")) == 5


def test_words_that_stand_as_treebanks_cut_them() -> None:
    text = "the u.s. army 's plan , don't ask. 'so' it is, e.g. U.S.A. now a.b.c 'll"
    expected = [
        "the",
        " u.s.",
        " army",
        " 's",
        " plan",
        " ,",
        " don't",
        " ask",
        ".",
        " '",
        "so",
        "'",
        " it",
        " is",
    ]
    expected += [",", " e.g.", " U.S.A.", " now", " a", ".", "b", ".", "c", " 'll"]
    assert split_words(text) == expected


def test_words_are_learned_with_their_marks() -> None:
    codec = Words().fit(["यह किताब बहुत अच्छी है। यह भाषा है।"], ends=False)
    assert " किताब" in codec.symbols
    assert codec.decode(codec.encode("यह भाषा बहुत अच्छी है।")) == "यह भाषा बहुत अच्छी है।"


def test_subwords_may_be_whole_words_with_marks() -> None:
    codec = Subwords(max_size=400).fit(["यह किताब बहुत अच्छी है। " * 20], ends=False)
    symbols = [codec.symbol(id) for id in codec.encode(" यह किताब बहुत अच्छी है।")]
    assert symbols == [" यह", " किताब", " बहुत", " अच्छी", " है", "।"]


def test_a_sentence_ends_with_the_sign_of_its_script() -> None:
    assert len(list(split_sentences(["यह किताब है। यह भाषा है।"]))) == 2


@pytest.mark.parametrize(
    ("text", "share"),
    [("東京に住む", 1.0), ("ภาษาไทยง่าย", 1.0), ("यह भाषा", 0.0), ("한국어 글", 0.0)],
)
def test_scripts_without_blanks_are_known(text: str, share: float) -> None:
    assert unsegmented_share(text) == share


@pytest.mark.parametrize(
    ("codec", "told"), [("words", True), ("tokens", True), ("subwords", False)]
)
def test_words_of_a_script_without_blanks_are_told(codec: str, told: bool, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ภาษาไทยเขียนติดกัน ไม่มีช่องว่าง\n" * 60, encoding="utf-8")
    made = CODECS[codec](**({"max_size": 300} if codec == "subwords" else {}))
    data = DataSettings(format="text")
    found = prepare(
        [tmp_path / "a.txt"], data, made, seed=0, context=2, cache=tmp_path, on_read=lambda *_: None
    ).findings
    advice = "choose --codec characters or --codec subwords"
    assert (
        any("puts no blanks between words" in str(one) and advice in str(one) for one in found)
        == told
    )
