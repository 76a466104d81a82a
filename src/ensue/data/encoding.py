"""Detection of the encoding of files: by their first bytes, or by their letters."""

from __future__ import annotations

import codecs
import re

import numpy as np
from numpy.typing import NDArray

from ensue.errors import SettingError, did_you_mean

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks; UTF-32 comes first, since UTF-16's mark is the beginning of one of its own."""

ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive (or an office document)",
    b"\x1f\x8b": "a gzip file without the ending .gz",
    b"\xfd7zXZ": "an xz file without the ending .xz",
    b"BZh": "a bzip2 file without the ending .bz2",
}
FORMATS = ARCHIVES | {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"version https://git-lfs": "a pointer of Git LFS",
    b"PAR1": "a Parquet table without the ending .parquet",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
    b"MThd": "a MIDI file",
    b"mmap lm http": "a binary model of KenLM",
}

SPREADSHEETS = ("an Excel workbook", "a LibreOffice spreadsheet")
TWICE, PAGE = "a file that was packed twice", "an HTML page"
HINTS = {
    **dict.fromkeys(SPREADSHEETS, "save it as CSV, and give that"),
    FORMATS[b"version https://git-lfs"]: "fetch the file itself with `git lfs pull`",
    TWICE: "unpack it with its own tools until it is text",
    PAGE: "download the file itself, or save its table as CSV",
}
"""Fixes for some files that are not text; for others it is to give a text file."""
HTML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)\b", re.IGNORECASE)
"""The beginning of a web page, which servers also send in place of a missing file."""
OFFICE = {
    b"xl/workbook": SPREADSHEETS[0],
    b"opendocument.spreadsheet": SPREADSHEETS[1],
    b"word/document": "a Word document",
}
"""Content of ZIP archives that are office documents."""

CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")

WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")

CANDIDATES = {
    "cp1251": ("Windows-1251 (Cyrillic)", "[\u0430-\u044f\u0451]"),
    "koi8_r": ("KOI8-R (Cyrillic)", "[\u0430-\u044f\u0451]"),
    "shift_jis": ("Shift JIS (Japanese)", "[ぁ-んァ-ン。、一-龠]"),
    "euc_jp": ("EUC-JP (Japanese)", "[ぁ-んァ-ン。、]"),
    "gb18030": ("GB 18030 (Chinese)", "[的一是不了在人有我他这中大来上国个到说们。\uff0c]"),
}
"""Encodings by Python's name: the common name, and characters that such a text mostly consists of.

For Chinese these are only frequent characters.
"""


def guess_encoding(sample: bytes) -> tuple[str, str]:
    """Guess the encoding of bytes that are not UTF-8: Python's name and the common name.

    >>> guess_encoding("déjà vu".encode("latin-1"))
    ('cp1252', 'Windows-1252')
    >>> guess_encoding("Größe, größer, am größten".encode("latin-1"))
    ('cp1252', 'Windows-1252')
    """
    together = len(re.findall(rb"[\x80-\xff]{2,}", sample))
    best = max(CANDIDATES, key=lambda name: _expected_share(sample, name))
    runs = len(re.findall(rb"[\x80-\xff]+", sample))
    # Accented letters stand between ASCII letters, alone or in pairs ("Größe"); Cyrillic words
    # have no ASCII letters.
    within = len(re.findall(rb"(?<=[a-zA-Z])[\x80-\xff]+|[\x80-\xff]+(?=[a-zA-Z])", sample))
    cyrillic = best in ("cp1251", "koi8_r")
    if (
        together * 3 < runs
        or _expected_share(sample, best) < 0.5
        or (cyrillic and within * 2 > runs)
    ):
        return "cp1252", "Windows-1252"
    return best, CANDIDATES[best][0]


def _expected_share(sample: bytes, name: str) -> float:
    text = sample.decode(name, errors="replace")
    foreign = sum(1 for character in text if character > "\x7f")
    expected = len(re.findall(CANDIDATES[name][1], text))
    # The few commonest Chinese characters make up about a fifth of any Chinese text.
    return min(1.0, expected / max(foreign, 1) * (4 if name == "gb18030" else 1))


def describe_binary(sample: bytes) -> str | None:
    """Return what kind of binary file the first bytes show, or None if it may be text.

    A text with a few stray zero bytes counts as text: the reader reports the line of the first.
    """
    for first, name in FORMATS.items():
        if sample.startswith(first):
            office = sample.startswith(b"PK") and next(
                (one for part, one in OFFICE.items() if part in sample), None
            )
            return office or name
    if sample[257:262] == b"ustar":
        return "a tar archive"
    if are_word_vectors(sample):
        return "a binary file of word vectors, as word2vec writes them"
    controls = len(CONTROL.findall(sample))
    if 0 in sample and (
        controls > 3 or sample.count(0) > max(3, len(sample) // 10) or not _decodes(sample, "utf-8")
    ):
        return f"a binary file (a zero byte at offset {sample.index(0)})"
    if controls > max(3, len(sample) // 20):  # a few may be stray in a short text
        return f"a binary file ({controls} control characters in its first {len(sample)} bytes)"
    return None


def are_word_vectors(sample: bytes) -> bool:
    """Return whether bytes are word2vec's binary format: two counts, a word, a blank and floats."""
    match = re.match(rb"(\d{1,9}) (\d{1,6})\n[^\s\0]{1,200} ", sample)
    if match is None:
        return False
    first = sample[match.end() : match.end() + 4 * int(match[2])]
    return (
        not _decodes(first, "utf-8")
        or len(CONTROL.findall(first)) + first.count(0) > len(first) // 20
    )


def guess_wide(sample: bytes) -> str | None:
    """Return UTF-16 or UTF-32 if bytes begin with its mark, or are text in that encoding only."""
    for mark, name in MARKS.items():
        if sample.startswith(mark):
            return name
    if sample.startswith(tuple(FORMATS)):
        return None  # pairs of bytes of an archive can be printable characters by chance
    narrow = sample.replace(b"\0", b"")
    stray = len(CONTROL.findall(narrow)) + max(narrow.count(b"\t") - len(narrow) // 4, 0)
    many_zeros = sample.count(0) * 3 > len(sample)
    if 0 not in sample or (
        _decodes(narrow, "utf-8") and stray * 10 < len(narrow) and not many_zeros
    ):
        return None
    return next((name for name in WIDE if _is_text_in(sample, name)), None)


def _decodes(sample: bytes, name: str) -> bool:
    """Return whether bytes are valid in this encoding; the last character may be cut off."""
    try:
        codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _is_text_in(sample: bytes, name: str) -> bool:
    if not _decodes(sample, name):
        return False
    text = codecs.getincrementaldecoder(name)().decode(sample)
    letters = sum(character.isprintable() or character in "\n\r\t\f\ufeff" for character in text)
    # Any text has some blanks, line breaks or digits; noise has few of them, and many unassigned
    # code points.
    with_ascii = any(character < "\x80" for character in text)
    return bool(text) and letters >= 0.98 * len(text) and with_ascii


def second_of_mix(name: str) -> str | None:
    """Return the second encoding of a name such as utf-8+cp1252, or None for a single encoding."""
    first, plus, second = name.partition("+")
    return second if plus and first.lower() in ("utf-8", "utf8") else None


def normalise(name: str) -> str:
    """Return Python's own name of an encoding. Raises SettingError if there is none.

    >>> normalise("latin1"), normalise("UTF-8+Windows-1252")
    ('iso8859-1', 'utf-8+cp1252')
    """
    if second := second_of_mix(name):
        return f"utf-8+{normalise(second)}"
    try:
        "a".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError):  # some codecs encode bytes, not text
        usual = [*CANDIDATES, "cp1252", "utf-8", "utf-16", "latin-1"]
        hint = did_you_mean(name, usual)
        what = f"there is no encoding {name!r}"
        raise SettingError(what, where="data.encoding", hint=hint) from None


class LineByLine:
    """Decode UTF-8, and each line that is not UTF-8 in another encoding."""

    def __init__(self, second: str) -> None:
        self.second, self.held = second, b""

    def decode(self, chunk: bytes, final: bool = False) -> str:
        """Return the text of complete lines. Raises UnicodeDecodeError for a line in neither."""
        data = self.held + chunk
        end = len(data) if final else data.rfind(b"\n") + 1
        lines, self.held = data[:end], data[end:]
        try:
            return lines.decode()
        except UnicodeDecodeError:
            every = lines.splitlines(keepends=True)
            return "".join(self._decode_line(line, lines) for line in every)

    def _decode_line(self, line: bytes, lines: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            try:
                return line.decode(self.second)
            except UnicodeDecodeError as error:
                at = lines.index(line) + error.start
                raise UnicodeDecodeError(self.second, lines, at, at + 1, error.reason) from None


class MojibakeDetector:
    """Detect mojibake: UTF-8 that was decoded in another encoding and saved, as `Ã©` for `é`."""

    def __init__(self) -> None:
        self.lines = self.others = 0
        """Lines of mojibake, and other characters that are not ASCII."""
        self.first: tuple[int, str, str, str] | None = None
        """Line, encoding, wrong text and right text of the first one."""
        self.exact = True
        """Whether the encoding, as it is, restores all of them."""

    def check(self, text: str, line: int) -> None:
        """Check a stretch of text that begins on this line."""
        if text.isascii():
            return
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        self.others += int(np.count_nonzero(points > LAST_ASCII))
        kinds, end = _KINDS[points], -1
        for place in np.flatnonzero(kinds[:-1] & kinds[1:] >> 1 & FIRST_BYTES).tolist():
            if place < end:
                continue
            begin = text.rfind("\n", 0, place) + 1
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            one = text[begin:end]
            found = next(
                ((name, right) for name in ("cp1252", "cp1251") if (right := _restore(one, name))),
                None,
            )
            if found is None:
                continue
            name, right = found
            self.lines, self.others = self.lines + 1, self.others - _non_ascii(one)
            if self.first is None:
                self.first = (line + text.count("\n", 0, begin), name, *_find_example(one, right))
            self.exact = self.exact and _encodes(one, name) and self.first[1] == name

    def report(self) -> tuple[int, str, str] | None:
        """Return the first line, the problem and the hint; None without mojibake."""
        if self.first is None:
            return None
        line, name, wrong, right = self.first
        some = "1 line looks" if self.lines == 1 else f"{self.lines:,} lines look"
        known_as = "Windows-1252" if name == "cp1252" else CANDIDATES[name][0]
        what = f"{some} like UTF-8 that was read as {known_as} before: {wrong!r} for {right!r}"
        if self.exact and not self.others:
            return line, what, f"convert it back with iconv -f utf-8 -t {name}, which gives UTF-8"
        return (line, what, "take the text from its source, or convert back those lines alone")


LAST_ASCII = 0x7F
FIRST_BYTES = 0b0101
"""Bits in `_KINDS` of code points that look like the first byte of a UTF-8 character.

The bits for the second byte are one position higher.
"""


def _mark_bytes() -> NDArray[np.uint8]:
    """Mark the code points that look like the first or second byte of a UTF-8 character."""
    kinds = np.zeros(0x110000, np.uint8)
    for bit, name in ((1, "cp1252"), (4, "cp1251")):
        for byte in range(0x80, 0xF5):
            high = bytes([byte]).decode(name, "replace").replace("\ufffd", chr(byte))
            kinds[ord(high)] |= 2 * bit if byte < 0xC0 else bit if byte >= 0xC2 else 0
    return kinds


_KINDS = _mark_bytes()


def _non_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _restore(line: str, name: str) -> str | None:
    """Return the line before it was decoded in the wrong encoding; None if it may be right."""
    try:
        right = line.encode(name, "ensue-controls").decode()
    except UnicodeError:
        return None
    count = sum(character > "\x7f" for character in right)
    clear = count > 1 or (name == "cp1252" and re.search("[\u00c2\u00c3\u00e2]", line) is not None)
    return right if count and clear else None


def _encodes(line: str, name: str) -> bool:
    try:
        line.encode(name)
    except UnicodeEncodeError:
        return False
    return True


def _find_example(line: str, right: str) -> tuple[str, str]:
    """Return the first wrong character, as it is and as it should be."""
    character = next(character for character in right if character > "\x7f")
    at = next(place for place, one in enumerate(line) if one > "\x7f")
    return line[at : at + len(character.encode())], character


def _controls(error: UnicodeError) -> tuple[bytes, int]:
    """Encode bytes that Windows-1252 leaves undefined as browsers do: as control characters."""
    if isinstance(error, UnicodeEncodeError) and all(
        "\x80" <= one <= "\x9f" for one in error.object[error.start : error.end]
    ):
        return error.object[error.start : error.end].encode("latin-1"), error.end
    raise error


codecs.register_error("ensue-controls", _controls)
