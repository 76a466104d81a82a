"""Parser of CoNLL-U lines (universaldependencies.org/format.html)."""

from __future__ import annotations

from collections.abc import Iterator

from ensue.data.contract import Finding
from ensue.data.readers.tagged.columns import NOT_A_WORD, columns, line_error
from ensue.errors import DataError, SettingError, did_you_mean

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


def get_conllu_column(requested: str, default: str, known: tuple[str, ...], what: str) -> str:
    """Return the name of a column of CoNLL-U, given by name or by number from 1.

    Raises SettingError if `known` lacks it.
    """
    name = requested or default
    if requested.isdecimal() and 0 < int(requested[:9]) <= len(CONLLU):
        name = CONLLU[int(requested) - 1]
    if name not in known:
        where = "data.word" if "form" in known else "data.column"
        what = f"CoNLL-U has no column {requested!r} with {what}"
        raise SettingError(what, where=where, hint=did_you_mean(requested, known))
    return name


def tag_column(requested: str) -> str:
    """Return the name of the tag column; upos if none is given.

    >>> tag_column(""), tag_column("5"), tag_column("feats")
    ('upos', 'xpos', 'feats')
    """
    return get_conllu_column(requested, "upos", CONLLU[2:], "tags")


class Conllu:
    """Parse lines one by one; `word` and `tag` name columns, or are empty."""

    def __init__(self, word: str, tag: str, tagged: bool) -> None:
        self.tagged = tagged
        self.known: dict[str, tuple[str, str]] = {}
        """No line is remembered: nearly all of them differ."""
        self.word = CONLLU.index(get_conllu_column(word, "form", CONLLU[1:3], "words"))
        self.tag = CONLLU.index(tag_column(tag if tagged else ""))

    def __call__(self, line: str, words: int, where: str) -> tuple[str, str] | None:
        """Return the word and tag of a line, or None for a line without a word.

        `words` is the number of words before it in its sentence. Raises DataError that names the
        place.
        """
        if line.startswith("#"):
            return None
        fields = line.split("\t")
        if len(fields) != len(CONLLU):
            has = f"{columns(len(fields))} by tab, and CoNLL-U has 10"
            raise line_error(has, where, self.tagged)
        if not fields[0].isdecimal():
            if NOT_A_WORD.fullmatch(fields[0]):
                return None
            hint = "number the words of each sentence from 1"
            what = f"{fields[0]!r:.60} is not the number of a word"
            raise DataError(what, where=where, hint=hint)
        if fields[0] != str(words + 1):
            what = f"word {fields[0]} stands after word {words}"
            hint = "put a blank line before each sentence, and number its words from 1"
            raise DataError(what, where=where, hint=hint)
        if not fields[self.word].strip():
            what = f"word {fields[0]} is empty"
            raise DataError(what, where=where, hint="write the word, or leave the line out")
        return fields[self.word], self._tag(fields, where)

    def _tag(self, fields: list[str], where: str) -> str:
        tag = fields[self.tag]
        # In other columns "_" is a value: the word has no features.
        if self.tagged and CONLLU[self.tag] == "upos" and tag in ("_", ""):
            # `ensue tag` writes tags that fit no column into the last one, MISC.
            tag = fields[-1].partition("Tag=")[2]
            if not tag:
                what = f"{fields[self.word]!r:.60} has no {CONLLU[self.tag]}"
                raise DataError(what, where=where, hint="tag it, or leave it out")
        if self.tagged and not tag.strip():
            what = f"the {CONLLU[self.tag]} of word {fields[0]} is empty"
            raise DataError(what, where=where, hint="write it, or _ where there is none")
        return tag.strip()

    def findings(self, where: str) -> Iterator[Finding]:
        """Yield no finding: comments are usual."""
        yield from ()
