"""Reader of JSON objects with a list of words and a list of tags, as Hugging Face exports them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ensue.data.contract import Finding
from ensue.errors import DataError

TAGS = ("tags", "labels")
"""Endings of the names of tag lists if none is called "tags": ner_tags, pos_tags."""


class JsonLists:
    """Read JSON objects by the settings `tokens`, `tags` and `names`."""

    def __init__(self, settings: Any, tagged: bool) -> None:
        self.settings, self.tagged = settings, tagged
        self.tag_list = ""
        """Name of the tag list that is read, if it is not the one that was given."""
        self.integer: bool | None = None
        """Whether tags are integers; None before the first tag."""

    def __call__(self, row: dict[str, Any], where: str) -> tuple[list[str], list[str] | None]:
        """Return the words and the tags of a row; tags are None if none are needed.

        Raises DataError that names the place.
        """
        words = self._words(row, where)
        if not self.tagged:
            return words, None
        name = self._find_tag_list(row, words, where)
        tags = row[name]
        if not isinstance(tags, list):
            what = f"{name!r} is not a list of tags"
            raise DataError(what, where=where, hint='write it as ["A", "B"]')
        if len(words) != len(tags):
            what = f"there are {len(words)} tokens and {len(tags)} tags"
            raise DataError(what, where=where, hint="give every token one tag")
        return words, [self._tag(tag, name, where) for tag in tags]

    def findings(self, where: str) -> Iterator[Finding]:
        """Report which list was taken for the tags, and integer tags without names."""
        if self.tag_list:
            hint = "name another list with --tags"
            yield Finding(where, f"took {self.tag_list!r} for the tags", hint)
        if self.integer and not self.settings.names:
            hint = """give their names, from 0 on, with --set 'data.names=["O", "B-PER", ...]'"""
            what = "the tags are integers without names, and are reported as numbers"
            yield Finding(where, what, hint)

    def _words(self, row: dict[str, Any], where: str) -> list[str]:
        name = self.settings.tokens if self.settings.tokens in row else "tokens"
        if name not in row:
            raise _make_missing_error(row, name, "tokens", where)
        words = row[name]
        if not isinstance(words, list) or not all(
            isinstance(word, str) and word.strip() for word in words
        ):
            what = f"{name!r} is not a list of words"
            raise DataError(what, where=where, hint='write it as ["a", "b"]')
        return words

    def _find_tag_list(self, row: dict[str, Any], words: list[str], where: str) -> str:
        if (name := self.settings.tags) in row or (name := "tags") in row:
            return name
        if not self.tag_list:
            lists = [
                one for one in row if isinstance(row[one], list) and len(row[one]) == len(words)
            ]
            candidates = [one for one in lists if one.lower().endswith(TAGS)]
            if len(candidates) != 1 or self.settings.tags != "tags":
                raise _make_missing_error(row, self.settings.tags, "tags", where)
            self.tag_list = candidates[0]
        if self.tag_list not in row:
            raise _make_missing_error(row, self.tag_list, "tags", where)
        return self.tag_list

    def _tag(self, tag: Any, name: str, where: str) -> str:
        integer = isinstance(tag, int) and not isinstance(tag, bool)
        if not integer and not (isinstance(tag, str) and tag.strip()):
            hint = "write tags as strings, or as integers"
            what = f"{name!r} is not a list of tags: it holds {tag!r:.40}"
            raise DataError(what, where=where, hint=hint)
        self.integer = integer if self.integer is None else self.integer
        if integer != self.integer:
            kind = "numbers" if self.integer else "strings"
            what = f"{name!r} holds {tag!r:.40}, where tags before it are {kind}"
            raise DataError(what, where=where, hint="write all tags in one way")
        if integer and tag < 0:
            hint = "give every token one tag; -100 mostly marks one that has none"
            raise DataError(f"the tag {tag} is below 0", where=where, hint=hint)
        names = self.settings.names
        if not integer or not names:
            return str(tag).strip()
        if not 0 <= tag < len(names):
            what = f"the tag {tag} has no name, for data.names has {len(names)}, from 0 on"
            raise DataError(what, where=where, hint="name every tag")
        return names[tag]


def _make_missing_error(row: dict[str, Any], name: str, what: str, where: str) -> DataError:
    there = ", ".join(row) or "nothing"
    hint, flag_hint = f"call it {what}", f"name the list with --{what} NAME"
    what = f"there is no {name!r}, but {there}"
    return DataError(what, where=where, hint=hint, flag_hint=flag_hint)
