"""Codecs: they encode text and labelled contents as ids and arrays, and decode ids to text."""

from collections.abc import Mapping
from typing import Any

from ensue.data.codecs.bytes import ByteCodec, Bytes
from ensue.data.codecs.characters import CharacterCodec, Characters
from ensue.data.codecs.measurements import MeasurementCodec, Measurements
from ensue.data.codecs.subwords import SubwordCodec, Subwords
from ensue.data.codecs.text import TextContent, TextSettings
from ensue.data.codecs.tree import TreeCodec, TreeCodecSettings
from ensue.data.codecs.words import FrequentCodec, Tokens, Words
from ensue.data.contract import Codec
from ensue.data.labelled import ContentCodec
from ensue.errors import RunError, did_you_mean
from ensue.settings import Settings

CODECS: dict[str, type[Settings]] = {
    "characters": Characters,
    "bytes": Bytes,
    "words": Words,
    "tokens": Tokens,
    "subwords": Subwords,
}
"""Settings of the text codecs, by name; `fit` builds a codec from texts."""

FITTED: dict[str, type[Codec]] = {
    "characters": CharacterCodec,
    "bytes": ByteCodec,
    "words": FrequentCodec,
    "tokens": FrequentCodec,
    "subwords": SubwordCodec,
}
"""Fitted text codecs, by the name in their `to_json`."""

CONTENT_SETTINGS: dict[str, type[Settings]] = {
    "text": TextSettings,
    "measurements": Measurements,
    "tree": TreeCodecSettings,
}
"""Settings of the codecs of labelled contents, by name."""

CONTENTS: dict[str, type[ContentCodec]] = {
    "text": TextContent,
    "measurements": MeasurementCodec,
    "tree": TreeCodec,
}
"""Fitted codecs of labelled contents, by the same names, with `fit` and `from_json`."""


def load_content(values: dict[str, Any]) -> ContentCodec:
    """Restore a codec of contents from its `to_json`. Raises RunError for any other values."""
    return _load(values, CONTENTS)


def load_codec(values: dict[str, Any]) -> Codec:
    """Restore a text codec from its `to_json`. Raises RunError for any other values.

    >>> load_codec({"name": "bytes", "ends": False}).decode([72, 105])
    'Hi'
    """
    return _load(values, FITTED)


def _load(values: dict[str, Any], fitted: Mapping[str, Any]) -> Any:
    name = str(values.get("name"))
    if name not in fitted:
        what = f"there is no codec {name!r}"
        raise RunError(what, where="codec.json", hint=did_you_mean(name, fitted))
    try:
        _check_symbols(values)
        return fitted[name].from_json(values)
    except (KeyError, TypeError, ValueError) as error:
        # Messages of pydantic have several lines.
        message = " ".join(f"{type(error).__name__} {error}".split())
        what = f"the codec is damaged ({message:.120})"
        raise RunError(what, where="codec.json", hint="train again") from None


def _check_symbols(values: dict[str, Any]) -> None:
    """Raise ValueError for symbols that are not strings, or not unique."""
    for names in (values.get("words", []), values.get("tokens", [])):
        strings = isinstance(names, list) and all(isinstance(one, str) for one in names)
        if not strings or len(set(names)) < len(names):
            raise ValueError("its symbols are invalid")
    if not isinstance(values.get("alphabet", ""), str) or not isinstance(
        values.get("ends", False), bool
    ):
        raise ValueError("its alphabet or its end is invalid")
