"""ARPA files: back-off models as text, the format of KenLM, SRILM and others.

Tokens are separated by blanks, so symbols are percent-encoded. White space, control characters and
`%` become `%20` and so on (their UTF-8 bytes), and the empty symbol `%`. A symbol that looks like a
special token gets `%3C` for its first character.

Words are written without the blank before them, so that other tools read plain text whose words and
punctuation are separated by blanks. Only line breaks, control characters, the special tokens and a
`%` before two hexadecimal digits are encoded. If a word occurs with and without the blank, the less
frequent symbol has its first character encoded: `%20the` or `%74he`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from ensue.data.files import PACKED
from ensue.errors import UserError
from ensue.models.ngram.model import Ngram

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0
"""The base-10 logarithm that stands for probability zero."""


def escape(symbol: str) -> str:
    """Encode a symbol as one token.

    >>> [escape(symbol) for symbol in ("a", " ", "\\n", "100%", "<s>", "<UNK>", "")]
    ['a', '%20', '%0A', '100%25', '%3Cs>', '%3CUNK>', '%']
    """
    if symbol in (START, END, UNKNOWN, UNKNOWN.upper()):  # KenLM takes <UNK> for <unk>
        return "%3C" + symbol[1:]
    return "".join(map(_escape_character, symbol)) or "%"


def _escape_character(character: str) -> str:
    if character.isprintable() and not character.isspace() and character != "%":
        return character
    return _in_hexadecimal(character)


def _in_hexadecimal(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def unescape(token: str) -> str:
    """Decode a token of `escape`.

    >>> unescape("100%25"), unescape("%")
    ('100%', '')
    """
    return "" if token == "%" else unquote(token, "utf-8", "surrogatepass")


def write_arpa(
    model: Ngram,
    path: str | Path,
    symbols: Sequence[str],
    unknown: int | None,
    end: int | None,
    words: bool = False,
) -> None:
    """Write a model to an ARPA file.

    `symbols` spells its ids; those of `unknown` and `end` (if any) become `<unk>` and `</s>`. With
    `words`, the blank before a symbol is only a separator, and the most frequent ids come first. A
    path that ends in .gz, .xz or .bz2 is compressed. Every smoothing is written exactly. Readers
    need `<unk>` and `</s>`; a model without them gets them last, with probability zero. Raises
    UserError if two symbols are spelled alike.
    """
    tokens = _tokens(symbols, unknown, end, model.size, words)
    absent = [token for token, id in ((UNKNOWN, unknown), (END, end)) if id is None]
    opened: Any = PACKED.get(Path(path).suffix.lower(), open)
    with opened(path, "wt", encoding="utf-8", newline="\n") as file:
        file.write("\\data\\\n")
        for n, level in enumerate(model.table.orders, 1):
            file.write(f"ngram {n}={len(level.symbol) + (len(absent) if n == 1 else 0)}\n")
        for n, lines in enumerate(_sections(model, tokens), 1):
            file.write(f"\n\\{n}-grams:\n")
            file.writelines(lines)
            if n == 1:
                file.writelines(f"{NEVER:g}\t{token}\n" for token in absent)
        file.write("\n\\end\\\n")


def _tokens(
    symbols: Sequence[str], unknown: int | None, end: int | None, size: int, words: bool
) -> list[str]:
    if len(symbols) != size:
        what = f"{len(symbols)} symbols cannot spell a model of {size}"
        raise UserError(what, hint="give the codec it was made with")
    special = {unknown: UNKNOWN, end: END}
    spelled = _as_words(symbols, special) if words else list(map(escape, symbols))
    tokens = [special.get(id) or token for id, token in enumerate(spelled)]
    first = {token: id for id, token in reversed(list(enumerate(tokens)))}
    for id, token in enumerate(tokens):
        if first[token] != id:
            what = f"symbols {first[token]} and {id} are both written {token!r}"
            raise UserError(what, hint="use distinct spellings")
    return [*tokens, START]


def _as_words(symbols: Sequence[str], special: Mapping[int | None, str]) -> list[str]:
    """Spell symbols without the blank before them, unless an earlier one is spelled so.

    >>> _as_words([" the", "the", ",", " ,", " ", "5%", "%20"], {})
    ['the', '%74he', ',', '%20,', '%20', '5%', '%2520']
    """
    taken: set[str] = set()
    tokens = []
    for id, symbol in enumerate(symbols):
        token = _encode_unsafe(symbol.removeprefix(" ") or symbol)
        if token in taken:
            token = _in_hexadecimal(symbol[0]) + _encode_unsafe(symbol[1:])
        tokens.append(token)
        taken |= set() if id in special else {token}
    return tokens


def _encode_unsafe(word: str) -> str:
    """Escape what would end a token, or look like a special one.

    Zero-width joiners within a word are kept.
    """
    if word in (START, END, UNKNOWN, UNKNOWN.upper()):
        return escape(word)
    unsafe = r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]|%(?=[0-9A-Fa-f]{2})"
    return re.sub(unsafe, lambda match: _in_hexadecimal(match[0]), word)


def _sections(model: Ngram, tokens: list[str]) -> Iterator[Iterator[str]]:
    grams = tokens
    for n, level in enumerate(model.table.orders, 1):
        if n > 1:
            pairs = zip(level.follow.context.tolist(), level.symbol.tolist(), strict=True)
            grams = [f"{grams[context]} {tokens[symbol]}" for context, symbol in pairs]
        probability = np.clip(_log10(level.probability), NEVER, 0.0)
        if n == 1:
            probability[model.size] = NEVER
        yield _lines(probability, grams, _log10(level.backoff))


def _lines(
    probability: NDArray[np.float64], grams: list[str], backoff: NDArray[np.float64]
) -> Iterator[str]:
    if not len(backoff):
        return (f"{p:.8g}\t{gram}\n" for p, gram in zip(probability.tolist(), grams, strict=True))
    rows = zip(probability.tolist(), grams, backoff.tolist(), strict=True)
    return (f"{p:.8g}\t{gram}\t{b:.8g}\n" for p, gram, b in rows)


def _log10(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log10(np.maximum(values, 10.0**NEVER))
