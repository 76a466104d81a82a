"""A text written under a pattern is a match, and every match can be written."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ensue
from ensue.data.codecs.words import FrequentCodec
from ensue.decoding.constraints.automaton import Automaton
from ensue.decoding.constraints.matching import Matching, only
from ensue.errors import PromptError

ALPHABET = "ab1 _-é\n"

single = st.sampled_from(
    [
        "a",
        "b",
        "1",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        "[ab]",
        "[^a]",
        "[a-b1]",
        r"[\d_]",
        "é",
        r"\-",
        "[]a]",
    ]
)
pattern = st.recursive(
    single,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda parts: f"({parts[0]}|{parts[1]})"),
        st.tuples(
            inner,
            st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{,2}", "{2,}", "*?", "{0}"]),
        ).map(lambda parts: f"(?:{parts[0]}){parts[1]}"),
    ),
    max_leaves=6,
)


def matches(automaton: Automaton, text: str) -> bool:
    states = automaton.initial()
    for sign in text:
        states = automaton.step(states, ord(sign), ord(sign))
    return automaton.complete(states)


def python_matches(expression: str, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.fullmatch(expression, text) is not None


def write(constraint: Matching, length: int, random: np.random.Generator) -> list[int]:
    """Write at random among the symbols allowed, as the rollout does; stop where nothing goes
    on."""
    ids: list[int] = []
    place = 0
    while len(ids) < length:
        allowed = np.flatnonzero(constraint.allowed(place, length - len(ids)))
        if not len(allowed):
            break
        chosen = int(random.choice(allowed))
        if chosen == constraint.end:
            break
        ids.append(chosen)
        place = int(constraint.following(place)[chosen])
    return ids


@given(pattern, st.lists(st.text(ALPHABET, max_size=5), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_the_automaton_agrees_with_python(expression, texts):
    automaton = Automaton(expression)
    for text in texts:
        assert matches(automaton, text) == python_matches(expression, text), text


@given(
    pattern,
    st.sampled_from(["characters", "bytes", "pieces"]),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_a_match(expression, kind, ends, seed):
    spellings = {
        "characters": [sign.encode() for sign in ALPHABET],
        "bytes": [bytes([byte]) for byte in sorted(set(ALPHABET.encode()))],
        "pieces": [b"a", b"ba", b"1", b" ", b"_a", b"-", b"\xc3", b"\xa9", b"\xa9a", b"ab1"],
    }[kind]
    end = len(spellings) if ends else None
    constraint = Matching(expression, [*spellings, b""] if ends else spellings, end)
    try:
        constraint.check(12)
    except PromptError:
        return
    text = b"".join(
        spellings[id] for id in write(constraint, 12, np.random.default_rng(seed))
    ).decode()
    assert python_matches(expression, text), text


@given(pattern, st.text(ALPHABET, max_size=5))
@settings(max_examples=200, deadline=None)
def test_every_match_can_be_written(expression, text):
    if not python_matches(expression, text):
        return
    constraint = Matching(expression, [sign.encode() for sign in ALPHABET])
    place = 0
    for number, sign in enumerate(text):
        assert constraint.allowed(place, len(text) - number)[ALPHABET.index(sign)]
        place = int(constraint.following(place)[ALPHABET.index(sign)])
    assert constraint.complete(place)


TOKENS = FrequentCodec("tokens", ["a", "b1", "\n", "-", "aé"], ends=False)


@given(pattern, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_blanks_that_are_not_written_are_none_of_the_match(expression, seed):
    constraint = Matching(expression, TOKENS.spellings(), unwritten=True)
    try:
        constraint.check(8)
    except PromptError:
        return
    text = TOKENS.decode(write(constraint, 8, np.random.default_rng(seed)))
    assert python_matches(expression, text), text


@given(pattern, st.lists(st.integers(0, 4), max_size=5))
@settings(max_examples=200, deadline=None)
def test_every_match_can_be_written_in_tokens(expression, ids):
    if not python_matches(expression, TOKENS.decode(ids)):
        return
    constraint, place = Matching(expression, TOKENS.spellings(), unwritten=True), 0
    for number, id in enumerate(ids):
        assert constraint.allowed(place, len(ids) - number)[id]
        place = int(constraint.following(place)[id])
    assert constraint.complete(place)


@pytest.mark.parametrize(
    ("expression", "length", "message"),
    [
        ("c+", 9, "no match can be written with the symbols that the model knows"),
        ("a{5}", 4, "no match is as short as 4 symbols; ask for at least 5"),
        ("ac|", 4, None),
        ("a*b", 1, None),
    ],
)
def test_what_cannot_be_written_is_said(expression, length, message):
    constraint = Matching(expression, [b"a", b"b"])
    if message is None:
        constraint.check(length)
        return
    with pytest.raises(PromptError, match=re.escape(message)) as caught:
        constraint.check(length)
    assert str(caught.value).startswith(f"pattern '{expression}': ")


def test_a_dead_end_of_the_vocabulary_is_never_entered():
    # After "a" a match would need "c", which no symbol spells.
    constraint = Matching("ac|b", [b"a", b"b"])
    assert constraint.allowed(0, 10).tolist() == [False, True]
    # The second symbol begins a character that no symbol ends.
    assert Matching(".", [b"a", b"\xc3"]).allowed(0, 10).tolist() == [True, False]


@pytest.mark.parametrize("expression", [".{3}", r"[^\w]{2}", "[\u0400-\uffff]+", r"\U0001F600?é"])
def test_single_bytes_always_make_whole_characters(expression):
    constraint = Matching(expression, [bytes([byte]) for byte in range(256)])
    for seed in range(20):
        text = bytes(write(constraint, 12, np.random.default_rng(seed))).decode()
        assert python_matches(expression, text)


def test_only_allows_its_characters():
    expression = only("a-]^")
    assert matches(Automaton(expression), "]a-^a")
    assert not matches(Automaton(expression), "b")
    assert matches(Automaton(only("")), "")


@pytest.mark.parametrize(
    ("expression", "what", "character"),
    [
        ("a(b", "this group is never closed", 2),
        ("a)b", "this bracket was never opened", 2),
        ("x[ab", "this class is never closed", 2),
        ("*a", "there is nothing to repeat", 1),
        ("a|{2}", "there is nothing to repeat", 3),
        ("a{2}{3}", "a repetition cannot be repeated or possessive; use a group", 5),
        ("a**", "a repetition cannot be repeated or possessive; use a group", 3),
        ("a*+", "a repetition cannot be repeated or possessive; use a group", 3),
        ("a{3,2}", "a repetition must go up, to at most 1000", 2),
        ("a{9999}", "a repetition must go up, to at most 1000", 2),
        ("^a", "an anchor is not needed: the whole text must match", 1),
        ("a(?=b)", "of the groups that begin with (? only (?:...) is supported", 2),
        (r"(a)\1", r"\1 is not supported", 4),
        (r"\bA", r"\b is not supported", 1),
        (r"\x+4", "this is not the number of a character", 1),
        (r"\U00110000", "this is not the number of a character", 1),
        (r"\xg0", "this is not the number of a character", 1),
        ("[b-a]", "this range of characters is reversed or has a class as an end", 5),
        ("a\\", "the pattern ends too early", 3),
    ],
)
def test_a_wrong_pattern_is_explained_with_its_place(expression, what, character):
    with pytest.raises(PromptError) as caught:
        Automaton(expression)
    assert caught.value.what == what
    assert caught.value.where == f"pattern {expression!r}, character {character}"


def test_an_enormous_pattern_is_refused():
    with pytest.raises(PromptError, match="more than 50000 characters"):
        Automaton("(a{1000}){1000}")


def test_a_model_of_tokens_writes_what_matches(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat\non the mat\n" * 200)
    settings = ["data.format=text"]
    model = ensue.train(
        "generate", text, model="ngram", codec="tokens", out=tmp_path / "run", settings=settings
    )
    words = re.compile("[a-z]+ [a-z]+\\n[a-z]+")
    for prompt in ("", "the ", "sat\n"):
        assert words.fullmatch(model.generate(prompt, regex=words.pattern, length=9))
    assert re.fullmatch(" [a-z]+", model.generate("the", regex=" [a-z]+"))
    assert set(model.generate(allowed_characters="cat", length=9)) <= set("cat")
