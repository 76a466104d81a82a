"""Which encoding a file is in when it is not the one expected: known by its first bytes, or guessed by its letters."""

from __future__ import annotations

import codecs
import re

from ensue.errors import SettingError, did_you_mean

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; those of UTF-32 first, since UTF-16's is the beginning of one of them."""

FORMATS = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive (or an office document)",
    b"\x1f\x8b": "a gzip file without the ending .gz",
    b"\xfd7zXZ": "an xz file without the ending .xz",
    b"BZh": "a bzip2 file without the ending .bz2",
    b"PAR1": "a Parquet table without the ending .parquet",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
    b"MThd": "a MIDI file",
    b"mmap lm http": "a binary model of KenLM",
}

CANDIDATES = {
    "cp1251": ("Windows-1251 (Cyrillic)", "[\u0430-\u044f\u0451]"),
    "koi8_r": ("KOI8-R (Cyrillic)", "[\u0430-\u044f\u0451]"),
    "shift_jis": ("Shift JIS (Japanese)", "[ぁ-んァ-ン。、一-龠]"),
    "euc_jp": ("EUC-JP (Japanese)", "[ぁ-んァ-ン。、]"),
    "gb18030": ("GB 18030 (Chinese)", "[的一是不了在人有我他这中大来上国个到说们。\uff0c]"),
}
"""By Python's name: the name people use, and characters that such a text is mostly made of (Chinese: often)."""


def looks_like(sample: bytes) -> tuple[str, str]:
    """Guess the encoding of bytes that are not UTF-8: Python's name and the one people use.

    >>> looks_like("déjà vu".encode("latin-1"))
    ('cp1252', 'Windows-1252')
    """
    together = len(re.findall(rb"[\x80-\xff]{2,}", sample))
    best = max(CANDIDATES, key=lambda name: _share_expected(sample, name))
    if together * 3 < len(re.findall(rb"[\x80-\xff]+", sample)) or _share_expected(sample, best) < 0.5:
        return "cp1252", "Windows-1252"  # accents stand alone between plain letters
    return best, CANDIDATES[best][0]


def _share_expected(sample: bytes, name: str) -> float:
    text = sample.decode(name, errors="replace")
    foreign = sum(1 for character in text if character > "\x7f")
    expected = len(re.findall(CANDIDATES[name][1], text))
    # The few commonest Chinese characters make up about a fifth of any Chinese text.
    return min(1.0, expected / max(foreign, 1) * (4 if name == "gb18030" else 1))


def binary(sample: bytes) -> str | None:
    """Say what the file is, if its first bytes show that it is no text; None if it may be text."""
    for first, name in FORMATS.items():
        if sample.startswith(first):
            return name
    if 0 in sample and not _every_other_is_zero(sample):
        return f"a binary file (a zero byte at offset {sample.index(0)})"
    controls = len(re.findall(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]", sample))
    if controls > max(3, len(sample) // 20):  # a few may be stray in a short text
        return f"a binary file ({controls} control characters in its first {len(sample)} bytes)"
    return None


def wide(sample: bytes) -> str | None:
    """Name UTF-16 or UTF-32 if the bytes begin with its mark, or every other one is zero."""
    for mark, name in MARKS.items():
        if sample.startswith(mark):
            return name
    if 0 in sample and _every_other_is_zero(sample):
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    return None


def _every_other_is_zero(sample: bytes) -> bool:
    halves = sample[::2].count(0), sample[1::2].count(0)
    return max(halves) > 0.4 * len(sample) / 2 and min(halves) < 0.05 * len(sample) / 2


def known_encoding(name: str) -> str:
    """Give Python's own name of an encoding. Raises SettingError if there is none."""
    try:
        return codecs.lookup(name).name
    except LookupError:
        usual = [*CANDIDATES, "cp1252", "utf-8", "utf-16", "latin-1"]
        mend = did_you_mean(name, usual)
        raise SettingError(f"there is no encoding {name!r}", where="data.encoding", mend=mend) from None
