# ruff: noqa: RUF001 - letters that look alike are the point
"""Text in another encoding, in two, or read wrongly before: told as what it is, with advice that
works."""

import random
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ensue.cli.main import main
from ensue.data.contract import Finding, Listener
from ensue.data.encoding import MojibakeDetector
from ensue.data.files import read_text
from ensue.data.readers.word_vectors import read_vectors
from ensue.errors import DataError, SettingError

FRENCH = "Le café était fermé, déjà. L'été à Orléans fut très sec; où étiez-vous? Ça va.\n"

needs_iconv = pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is not installed")


def text_of(path: Path, encoding: str = "utf-8") -> str:
    return "".join(read_text(path, encoding))


def found_in(path: Path, encoding: str = "utf-8") -> list[str]:
    told: list[Finding] = []
    list(read_text(path, encoding, Listener(told.append)))
    return [str(one).replace(str(path), path.name) for one in told]


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        text_of(path)
    return caught.value


def test_lines_in_two_encodings_are_told_apart_and_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mixed.txt"
    path.write_bytes(FRENCH.encode() * 300 + FRENCH.encode("latin-1") * 5)
    error = refused(path)
    assert str(error).replace(str(path), path.name) == (
        "mixed.txt:301: byte 0xE9 is not UTF-8; 5 of 305 lines are not, and look like "
        "Windows-1252, while 300 have "
        "letters in UTF-8; rewrite those lines, because iconv over the whole file would "
        "damage the others, or "
        "give --set encoding=utf-8+cp1252, which reads each line by itself"
    )
    assert "--set" not in str(error.without_flag_hint())
    assert text_of(path, "utf-8+cp1252") == FRENCH * 305
    # As it is advised, with what has to be read again later.
    line = ["train", "generate", str(path), "--model", "ngram", "--out", str(tmp_path / "run")]
    assert main([*line, "--set", "encoding=utf-8+cp1252"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), str(path)]) == 0


def test_a_line_that_is_in_neither_encoding_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\ncaf\xe9\nbad \x81\x8d\n")
    with pytest.raises(DataError, match=r"a.txt:3: byte 0x81 is not CP1252"):
        text_of(path, "utf-8+cp1252")
    for name in ("utf-8+cp12522", "hex", "utf-8+rot13", "base64"):
        with pytest.raises(SettingError, match="there is no encoding"):
            text_of(path, name)
    with pytest.raises(
        DataError, match=r"a.txt:3: byte 0x81 is not CP1252"
    ):  # which Python calls "charmap"
        text_of(path, "cp1252")


@needs_iconv
@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "cp1251", "koi8_r", "shift_jis", "gb18030", "utf-16-le"]
)
def test_what_is_advised_works(encoding: str, tmp_path: Path) -> None:
    texts = {
        "shift_jis": "吾輩は猫である。名前はまだ無い。\n",
        "gb18030": "我们的朋友说,这是一个人的大学,他不在了。\n",
    }
    cyrillic = (
        "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива "
        "по-своему.\n"
    )
    text = texts.get(encoding) or (
        cyrillic if encoding in ("cp1251", "koi8_r", "utf-16-le") else FRENCH
    )
    path = tmp_path / "a.txt"
    # A byte that Windows-1252 leaves free.
    path.write_bytes((text * 20 + ("\x81\n" if encoding == "latin-1" else "")).encode(encoding))
    command = str(refused(path).hint)
    assert command.startswith("make it UTF-8 with iconv ")
    turned = subprocess.run(
        [*command.split("with ")[1].split(), str(path)], capture_output=True, check=True
    ).stdout
    assert turned.decode().startswith(text * 20)
    name = str(refused(path).flag_hint).rpartition("=")[2]
    assert text_of(path, name).startswith(text * 20)


WRONG = "It\u2019s a café in München, and they don\u2019t serve tea.\n".encode().decode("cp1252")


def test_text_that_was_read_wrongly_before_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"plain\n{WRONG * 20}", encoding="utf-8")
    what = (
        "a.txt:2: 20 lines look like UTF-8 that was read as Windows-1252 before: 'â€™' for '\u2019'"
    )
    assert found_in(path) == [
        f"{what}; convert it back with iconv -f utf-8 -t cp1252, which gives UTF-8"
    ]
    path.write_text(FRENCH * 20 + WRONG, encoding="utf-8")
    (told,) = found_in(path)
    assert told.startswith(
        "a.txt:21: 1 line looks like UTF-8 that was read as Windows-1252 before: "
    )
    assert told.endswith("take the text from its source, or convert back those lines alone")
    path.write_text("Привет, мир!\n".encode().decode("cp1251"), encoding="utf-8")
    assert (
        "UTF-8 that was read as Windows-1251 (Cyrillic) before: 'Рџ' for 'П'" in found_in(path)[0]
    )


@needs_iconv
def test_it_can_be_turned_back_as_advised(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(WRONG * 20, encoding="utf-8")
    command = found_in(path)[0].partition("with ")[2].partition(",")[0].split()
    turned = subprocess.run([*command, str(path)], capture_output=True, check=True).stdout
    assert turned.decode() == WRONG.encode("cp1252").decode() * 20


def test_check_and_training_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text(WRONG * 60, encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert (
        "60 lines look like UTF-8 that was read as Windows-1252 before" in capsys.readouterr().out
    )
    assert (
        main(["train", "generate", str(path), "--model", "ngram", "--out", str(tmp_path / "run")])
        == 0
    )
    assert (
        "60 lines look like UTF-8 that was read as Windows-1252 before" in capsys.readouterr().err
    )
    (tmp_path / "a.csv").write_text(
        "text,label\n" + f'"{WRONG.strip()}",a\nplain,b\n' * 10, encoding="utf-8"
    )
    assert main(["check", str(tmp_path / "a.csv")]) == 0
    assert "10 lines look like UTF-8 that was read" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        FRENCH,
        "« CAFÉ»",
        "\u201eMENÜ\u201c, \u201eSÄFTE\u201c",
        "ESPAÑA \u201cSEÑ\u201d",
        "São Paulo, NÃO, Â",
        "Все счастливые семьи; СССР, РФ",
        "20 °C ± 1 €",
        "Tiếng Việt",
        "Ærø Å",
        "naïve",
        "日本語",
    ],
)
def test_right_text_is_left_alone(line: str) -> None:
    wrong = MojibakeDetector()
    wrong.check(line, 1)
    assert wrong.report() is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    ["plain words\n" * 9, "Все счастливые семьи\n" * 9, "日本語 と\n" * 9, "यह किताब है\n" * 9],
)
def test_wide_text_without_a_mark_is_known(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode(encoding))
    assert str(refused(path)).startswith(
        f"{path}: this is {encoding.upper()} text, not UTF-8; make it UTF-8 with iconv"
    )
    assert text_of(path, encoding) == text


@pytest.mark.parametrize("text", ["plain words\n", "Все счастливые\n", "日本語\n"])
def test_a_stray_zero_byte_has_its_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes((text * 3).encode() + b"\0\n" + text.encode())
    assert str(refused(path)).startswith(
        f"{path}:4: the text contains a NUL character; remove it, as with tr"
    )
    if shutil.which("tr"):
        turned = subprocess.run(
            ["tr", "-d", "\\000"], input=path.read_bytes(), capture_output=True, check=True
        ).stdout
        assert turned.decode() == text * 3 + "\n" + text


def binary_vectors(words: dict[str, list[float]], breaks: bytes) -> bytes:
    size = len(next(iter(words.values())))
    rows = [
        f"{word} ".encode() + struct.pack(f"<{size}f", *vector) + breaks
        for word, vector in words.items()
    ]
    return f"{len(words)} {size}\n".encode() + b"".join(rows)


@pytest.mark.parametrize("breaks", [b"", b"\n"])
def test_binary_vectors_are_told_and_read(breaks: bytes, tmp_path: Path) -> None:
    draw = random.Random(0)
    words = {word: [draw.gauss(0, 1) for _ in range(5)] for word in ("the", "naïve", "</s>")}
    path = tmp_path / "vectors.bin"
    path.write_bytes(binary_vectors(words, breaks))
    assert str(refused(path)).startswith(
        f"{path}: this is a binary file of word vectors, as word2vec writes them, not text"
    )
    found = read_vectors(path)
    assert found.words == list(words)
    np.testing.assert_allclose(found.table[1:], list(words.values()), rtol=1e-6)
    assert read_vectors(path, max_vectors=2).words == ["the", "naïve"]
    path.write_bytes(binary_vectors(words, breaks)[:-7])
    with pytest.raises(DataError, match="ends within the vector of word 3 of 3"):
        read_vectors(path)


GERMAN = [
    (f"{'schön' if n % 2 else 'böse'} und Größe {n}", "gut" if n % 2 else "schlecht")
    for n in range(60)
]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
@pytest.mark.parametrize("kind", ["table", "folders", "fasttext"])
def test_data_with_labels_is_read_in_the_encoding_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, encoding: str
) -> None:
    data = tmp_path / {"table": "a.csv", "folders": "texts", "fasttext": "a.txt"}[kind]
    if kind == "folders":
        for number, (text, label) in enumerate(GERMAN):
            (data / label).mkdir(parents=True, exist_ok=True)
            (data / label / f"{number}.txt").write_text(text, encoding=encoding)
    elif kind == "table":
        data.write_text(
            "text;label\n" + "".join(f"{text};{label}\n" for text, label in GERMAN),
            encoding=encoding,
        )
    else:
        data.write_text(
            "".join(f"__label__{label} {text}\n" for text, label in GERMAN), encoding=encoding
        )
    command = ["train", "classify", str(data), "--model", "nbsvm", "--out", str(tmp_path / "run")]
    assert main(command) == 2
    assert f"or give --set encoding={encoding}\n" in capsys.readouterr().err
    assert main([*command, "--set", f"encoding={encoding}"]) == 0
    assert main(["check", str(data), "--set", f"encoding={encoding}"]) == 0
    assert f"Read as {kind}, with one label each" in capsys.readouterr().out


def test_series_are_recognised_in_another_encoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"2024-{1 + n // 28:02}-{1 + n % 28:02};{n}\n" for n in range(56))
    (tmp_path / "a.csv").write_text(f"Tag;Umsätze\n{rows}", encoding="cp1252")
    assert main(["check", str(tmp_path / "a.csv")]) == 2
    assert "a.csv:1: byte 0xE4 is not UTF-8; it looks like Windows-1252" in capsys.readouterr().err
    main(["check", str(tmp_path / "a.csv"), "--set", "encoding=cp1252"])
    assert "as data for `ensue train forecast`" in capsys.readouterr().out
