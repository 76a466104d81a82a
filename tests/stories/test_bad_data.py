"""Data that cannot be used, and what a person is told: one line with the file, the line, and the
mend."""

import bz2
import gzip
import json
import lzma
import os
import random
from pathlib import Path

import pytest

from ensue.cli.main import main
from ensue.data.codecs import CODECS, load_codec
from ensue.data.contract import SILENT, Listener
from ensue.data.files import find_files
from ensue.data.prepare import prepare
from ensue.data.settings import DataSettings
from ensue.data.tables.rows import ROWS
from ensue.errors import DataError, RunError, SettingError, UserError
from ensue.tasks.check import check
from ensue.tasks.demos import write_demo

GOOD = "The quick brown fox jumps over the lazy dog.\n" * 40
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(100)
NOISE = bytes(
    random.Random(0).choices([byte for byte in range(1, 256) if byte not in (9, 10, 13)], k=4000)
)


def told(
    folder: Path,
    content: bytes | str,
    name: str = "a.txt",
    context: int = 8,
    codec=None,
    **settings,
) -> str:
    """Prepare one file, and give the message of the error; the folder's own name is cut from it."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    cache = folder / "cache"
    with pytest.raises(DataError) as caught:
        prepare(
            [path],
            DataSettings(**settings),
            codec or CODECS["characters"](),
            seed=0,
            context=context,
            cache=cache,
            on_read=lambda *_: None,
        )
    assert not cache.exists()  # nothing half-written
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.hint
    return message.replace(f"{folder}/", "")


def findings(folder: Path, content: bytes | str, name: str = "a.txt", **settings) -> list[str]:
    """Read one good file, and give what is told of it."""
    path, found = folder / name, []
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    listener = Listener(lambda finding: found.append(str(finding).replace(f"{folder}/", "")))
    _, reader = DataSettings(**settings).reader([path], listener)
    list(reader.pieces(listener))
    return found


def texts(
    folder: Path, content: bytes | str, name: str = "a.txt", **settings
) -> list[tuple[str, int]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    _, reader = DataSettings(**settings).reader([path], SILENT)
    return [(piece.text, piece.line) for piece in reader.pieces()]


def test_missing_file(tmp_path):
    with pytest.raises(DataError) as caught:
        find_files([tmp_path / "nope.txt"])
    assert (
        str(caught.value)
        == f"{tmp_path}/nope.txt: there is no such file or folder; check the spelling"
    )


def test_missing_valid_file(tmp_path):
    message = told(tmp_path, GOOD, valid_file=str(tmp_path / "v.txt"))
    assert message == "v.txt: there is no such file or folder; check the spelling"


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError) as caught:
        find_files([tmp_path / "pipe"])
    assert str(caught.value) == (
        f"{tmp_path}/pipe: this is a pipe, and data is read more than once; write what "
        f"it gives into a file, "
        "and name that"
    )


@pytest.mark.parametrize(
    ("format", "what"), [("text", "one long text"), ("lines", "one record a line")]
)
def test_a_column_of_what_has_none(tmp_path, format, what):
    with pytest.raises(SettingError) as caught:
        texts(tmp_path, GOOD, format=format, column="text")
    assert str(caught.value) == (
        f"data.column: {what} has no columns; leave it out, or name a table, whose name "
        f"ends in one of "
        f"{', '.join(ROWS)}"
    )


def test_no_file():
    with pytest.raises(DataError, match="no data file was given; name a file or a folder"):
        find_files([])


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, content):
    assert told(tmp_path, content) == "a.txt: the file is empty; give a file with some text"


def test_empty_packed_file(tmp_path):
    assert (
        told(tmp_path, gzip.compress(b""), "a.txt.gz")
        == "a.txt.gz: the file is empty; give a file with some text"
    )


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
PAGE = '\n<!DOCTYPE html>\n<html lang="en"><title>x, y</title>\n' + "<p>a, b</p>\n" * 50
RTF = r"{\rtf1\ansi {\fonttbl {\f0 Times;}}" + "\nHello, world\\par" * 50
ZIP = b"PK\x03\x04" + GOOD.encode()
RECORDS = [{"text": f"a good film number {n}", "label": "pn"[n % 2]} for n in range(60)]
"""Records as programs export them: one array of objects."""


@pytest.mark.parametrize(
    "twice", [*(pack(GOOD.encode()) for pack in (gzip.compress, bz2.compress, lzma.compress)), ZIP]
)
def test_a_file_packed_twice(tmp_path, twice):
    expected = "this is a file that was packed twice, not text"
    hint = "unpack it with its own tools until it is text"
    assert told(tmp_path, gzip.compress(twice), "a.txt.gz") == f"a.txt.gz: {expected}; {hint}"
    assert told(tmp_path, lzma.compress(twice), "a.txt.xz") == f"a.txt.xz: {expected}; {hint}"


LFS = "this is a pointer of Git LFS, not"
FETCH = "fetch the file itself with `git lfs pull`"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", PAGE, "this is an HTML page, not a table; download the file itself, or"),
        ("a.jsonl", "\ufeff" + PAGE, "this is an HTML page, not a table; download the file itself"),
        ("a.csv", POINTER, f"{LFS} text; {FETCH}"),
        ("a.txt", POINTER, f"{LFS} text; {FETCH}"),
        ("a.csv.gz", POINTER, f"{LFS} packed data; {FETCH}"),
        ("a.csv", RTF, "this is an RTF document, not text; give a text file"),
        ("a.txt", RTF, "this is an RTF document, not text; give a text file"),
        ("a.csv", "%PDF-1.4\n" + "stream, more\n" * 50, "this is a PDF document, not text; give"),
        ("a.txt", "\0" * 257 + "ustar" + "\0" * 250, "this is a tar archive, not text; give"),
    ],
)
def test_a_file_that_is_named_as_what_it_is_not(tmp_path, capsys, name, content, expected):
    """Each was read as text, or refused for its commas."""
    path = tmp_path / name
    path.write_text(content)
    verbs = [["train", verb] for verb in ("classify", "forecast", "generate", "tag")]
    for command in (["check"], *verbs):
        assert main([*command, str(path)]) == 2
        kind = expected if command != ["train", "forecast"] else expected.partition(" not ")[0]
        assert capsys.readouterr().err.startswith(f"ensue: {path}: {kind}"), command


def test_a_pointer_of_lfs_in_place_of_parquet(tmp_path, capsys):
    path = tmp_path / "a.parquet"
    path.write_text(POINTER)
    assert main(["check", str(path), "--task", "classify"]) == 2
    assert f"{path}: {LFS} a table; {FETCH}\n" in capsys.readouterr().err


def test_a_web_page_is_a_text(tmp_path):
    assert texts(tmp_path, PAGE, "page.html", format="text") == [(PAGE, 1)]


@pytest.mark.parametrize(
    ("name", "indent", "given"),
    [
        ("a.json", None, RECORDS),
        ("a.json", 1, RECORDS),
        ("a.json", None, {"data": RECORDS}),
        ("a.json", 1, {"data": RECORDS}),
        ("a.jsonl", None, RECORDS),
        ("a.jsonl", 1, {"data": RECORDS}),
    ],
)
def test_one_json_value_in_place_of_lines(tmp_path, capsys, name, indent, given):
    """The classes were the names of files; `check` found no problems."""
    path = tmp_path / name
    path.write_text(json.dumps(given, indent=indent).replace("}, {", "},\n{"))
    verbs = [["train", verb] for verb in ("classify", "forecast", "generate", "tag")]
    columns = ["train", "classify", "--text", "text", "--label", "label"]
    for command in (["check"], columns, *verbs):
        assert main([*command, str(path)]) == 2
        message = capsys.readouterr().err
        if command != ["train", "tag"] or indent == 1:
            assert "one list or object of JSON holds all" in message
            assert "write it as JSON Lines: one object a line" in message


def test_the_advice_for_json_works(tmp_path, capsys):
    lines = "".join(f"{json.dumps(one)}\n" for one in RECORDS)
    (tmp_path / "a.jsonl").write_text(lines)
    assert main(["check", str(tmp_path / "a.jsonl")]) == 0
    assert "'label' could be a label" in capsys.readouterr().out
    (tmp_path / "a.json").write_text(lines)
    assert main(["check", str(tmp_path / "a.json")]) == 2
    expected = "these are JSON Lines under another name; let the name end in .jsonl, or read it as "
    assert f"{tmp_path}/a.json: {expected}text with --set" in capsys.readouterr().err
    assert texts(tmp_path, json.dumps(RECORDS), "a.json", format="text")


NUMBERS = "".join(f"{n / 7:.2f},0.0,0.0\n" for n in range(60))


@pytest.mark.parametrize("task", ["forecast", "generate"])
@pytest.mark.parametrize("first", ["", "5.5,5.5,1\n"])
def test_a_table_without_a_header_whose_first_row_has_equal_fields(tmp_path, capsys, task, first):
    """Advised was "give each column a name of its own"."""
    path = tmp_path / "a.csv"
    path.write_text(first + NUMBERS)
    assert main(["check", str(path), "--task", task]) == 2
    what = f"the first row holds data, such as {'5.5' if first else '0.0'!r} twice, and names no"
    hint = "columns; add a header row with a name for each column"
    assert capsys.readouterr().err == f"ensue: {path}:1: {what} {hint}\n"
    path.write_text("a,b,c\n" + first + NUMBERS)
    assert main(["check", str(path), "--task", "generate"]) == 0


def test_labelled_rows_without_a_header_whose_first_row_has_equal_fields(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{'pn'[n % 2]},p,a film number {n} of it\n" for n in range(60)))
    flags = ["--task", "classify", "--label", "column 1"]
    assert main(["check", str(path), *flags]) == 0
    assert "so the columns are named 'column 1'" in " ".join(capsys.readouterr().out.split())
    path.write_text("text,text,label\n" + path.read_text())
    assert main(["check", str(path), *flags[:2]]) == 2
    assert "two columns have the name 'text'; give each column" in capsys.readouterr().err


def test_folder_of_nothing_readable(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    (folder / "empty.txt").touch()
    (folder / ".hidden.txt").write_text(GOOD)
    left_out = []
    with pytest.raises(DataError) as caught:
        find_files([folder], Listener(lambda finding: left_out.append(str(finding))))
    assert (
        str(caught.value) == f"{folder}: nothing in the folder can be read as text; give text files"
    )
    assert left_out == [
        f"{folder}/a.png: left out, since it is a PNG image",
        f"{folder}/empty.txt: left out, since it is empty",
    ]


def test_folder_with_something_readable(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("two")
    (tmp_path / "c.txt").write_text("three\n")
    (tmp_path / "a.txt").write_text("one")
    _, reader = DataSettings(format="text").reader(find_files([tmp_path]), SILENT)
    assert "".join(piece.text for piece in reader.pieces()) == "one\nthree\ntwo"


STORED = (
    b"PK\x03\x04\x14" + bytes(7) + b"!\0\xc17\x0c@" + b"p\x17\0\0" * 2 + b"\x05\0\0\0a.txt"
) + b"hello " * 1000
"""An archive of a text that is stored as it is: its bytes are printable in UTF-16 too."""


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (PNG, "a PNG image"),
        (b"PK\x03\x04" + bytes(50), "a ZIP archive (or an office document)"),
        (STORED, "a ZIP archive (or an office document)"),
        (b"PK\x03\x04" + bytes(20) + b"word/document.xml", "a Word document"),
        (b"abc\x00\x01\x02\x03 some text" * 9, "a binary file (a zero byte at offset 3)"),
        (
            b"text \x01\x02\x03\x04\x05" * 9,
            "a binary file (45 control characters in its first 90 bytes)",
        ),
    ],
)
def test_binary_file(tmp_path, content, what):
    assert told(tmp_path, content) == f"a.txt: this is {what}, not text; give a text file"


def test_a_workbook_is_to_be_saved_as_a_table(tmp_path):
    book = b"PK\x03\x04" + bytes(20) + b"xl/workbook.xml" + bytes(20)
    assert (
        told(tmp_path, book)
        == "a.txt: this is an Excel workbook, not text; save it as CSV, and give that"
    )
    expected = "a.xlsx: this is an Excel workbook, not a table; save it as CSV, and give that"
    assert told(tmp_path, book, "a.xlsx", format="table") == expected


def test_noise_is_binary(tmp_path):
    assert "this is a binary file" in told(tmp_path, NOISE)


def test_zero_far_into_a_file(tmp_path):
    message = told(tmp_path, "good line\n" * 200_000 + "b\0d", format="text")
    hint = "remove it, as with tr -d '\\000', if the file is text"
    assert message == f"a.txt:200001: the text contains a NUL character; {hint}"


ENCODED = {
    "cp1252": ("Le café « déjà vu » est fermé ; l’été prochain…\n", "Windows-1252"),  # noqa: RUF001
    "cp1251": ("Все счастливые семьи похожи друг на друга.\n", "Windows-1251 (Cyrillic)"),  # noqa: RUF001
    "koi8_r": ("Все счастливые семьи похожи друг на друга.\n", "KOI8-R (Cyrillic)"),  # noqa: RUF001
    "shift_jis": (
        "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n",
        "Shift JIS (Japanese)",
    ),
    "euc_jp": (
        "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n",
        "EUC-JP (Japanese)",
    ),
    "gb18030": ("我们的朋友说，这是一个人的大学，他不在了。\n", "GB 18030 (Chinese)"),  # noqa: RUF001
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_another_encoding_is_named_and_can_be_read(tmp_path, encoding):
    line, name = ENCODED[encoding]
    content = ("plain\n" * 11 + line * 30).encode(encoding)
    message = told(tmp_path, content, format="text")
    assert message.startswith("a.txt:12: byte 0x")
    mends = (
        f"make it UTF-8 with iconv -f {encoding.replace('_', '-')} -t utf-8, or give --set "
        f"encoding={encoding}"
    )
    assert message.endswith(f" is not UTF-8; it looks like {name}; {mends}")
    assert texts(tmp_path, content, format="text", encoding=encoding) == [
        ("plain\n" * 11 + line * 30, 1)
    ]


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_wide_encodings_are_named_and_can_be_read(tmp_path, encoding, named):
    content = GOOD.encode(encoding)
    hint = (
        f"make it UTF-8 with iconv -f {named.replace('utf-16-', 'utf-16')} -t utf-8, or give "
        f"--set encoding={named}"
    )
    assert told(tmp_path, content) == f"a.txt: this is {named.upper()} text, not UTF-8; {hint}"
    assert texts(tmp_path, content, format="text", encoding=named) == [(GOOD, 1)]


def test_the_place_of_a_bad_byte_far_into_a_file(tmp_path):
    content = b"0123456789\n" * 200_000 + b"caf\xe9\n"
    assert told(tmp_path, content, format="text").startswith(
        "a.txt:200001: byte 0xE9 is not UTF-8; it looks like"
    )


def test_a_character_that_is_cut_off(tmp_path):
    message = told(tmp_path, GOOD.encode() + "é".encode()[:1], format="text")
    assert message.startswith(
        "a.txt:41: byte 0xC3 is not UTF-8, and the file ends within a character; check the file"
    )


def test_a_given_encoding_that_does_not_fit(tmp_path):
    message = told(tmp_path, "né\n".encode(), format="text", encoding="ascii")
    assert message == "a.txt:1: byte 0xC3 is not ASCII; check the file, or give --set encoding=NAME"


def test_an_encoding_that_does_not_exist(tmp_path):
    with pytest.raises(SettingError) as caught:
        texts(tmp_path, GOOD, format="text", encoding="cp12522")
    assert (
        str(caught.value) == "data.encoding: there is no encoding 'cp12522'; did you mean cp1252?"
    )


@pytest.mark.parametrize(
    ("name", "packed"), [("a.txt.gz", gzip.compress), ("a.txt.xz", lzma.compress)]
)
def test_packed_files(tmp_path, name, packed):
    content = packed(GOOD.encode())
    assert texts(tmp_path, content, name, format="text") == [(GOOD, 1)]
    for damaged in (content[: len(content) // 2], b"this is not packed at all"):
        message = told(tmp_path, damaged, name, format="text")
        assert message.startswith(f"{name}: the {name[-3:]} file is damaged or cut short (")
        assert message.endswith("); unpack it with its own tool to see what is left")


def test_text_too_short_for_the_context(tmp_path):
    message = told(tmp_path, "ab" * 60, context=102, validation=0.05)
    assert message == (
        "a.txt: 102 symbols to train on are not more than the context of 102; give a "
        "longer text, or a shorter context"
    )


def test_text_too_short_to_split(tmp_path):
    message = told(tmp_path, "ab", context=1)
    assert message == (
        "a.txt: 2 characters are too few to split: nothing is left to validation; "
        "give more, or files of their own with --valid and --test"
    )


def test_too_few_records_to_split(tmp_path):
    assert told(tmp_path, "one\n", format="lines").startswith(
        "a.txt: 1 records are too few to split: nothing is left to train and validation;"
    )


def test_blank_lines_only(tmp_path):
    assert told(tmp_path, "\n \n\n", format="lines").startswith(
        "a.txt: 0 records are too few to split"
    )
    (tmp_path / "v.txt").write_text("\n\n")
    message = told(tmp_path, GOOD, format="lines", valid_file=str(tmp_path / "v.txt"))
    assert message == "v.txt: there is no text in it; give a file with some text"


@pytest.mark.parametrize(("format", "content"), [("text", "a" * 500), ("lines", "aaa\n" * 50)])
@pytest.mark.parametrize("codec", ["characters", "bytes"])
def test_one_distinct_symbol(tmp_path, format, content, codec):
    message = told(tmp_path, content, format=format, codec=CODECS[codec]())
    assert message == "a.txt: the text has one distinct symbol, 'a'; give text that varies"


CSV = (
    'id,text,label\n1,"good, very good",yes\n2,"she said '
    '""no""",no\n3,"two\nlines",yes\n4,,no\n5,fine,no\n'
)


def test_a_good_table(tmp_path):
    found = [("good, very good", 2), ('she said "no"', 3), ("two\nlines", 4), ("fine", 7)]
    assert texts(tmp_path, CSV, "a.csv") == found
    assert texts(tmp_path, CSV.replace("\n", "\r\n"), "a.csv") == found
    assert (
        texts(tmp_path, gzip.compress(CSV.encode("utf-16")), "a.csv.gz", encoding="utf-16") == found
    )
    assert findings(tmp_path, CSV, "a.csv", format="table") == [
        "a.csv: the text is read from column 'text'",
        "a.csv: 1 row without text left out",
    ]


def test_other_tables(tmp_path):
    assert texts(tmp_path, 'id\ttext\n1\tsay "no\n2\tfine\n', "a.tsv") == [
        ('say "no', 2),
        ("fine", 3),
    ]
    assert texts(tmp_path, "id;text\n1;so, so\n", "a.csv") == [("so, so", 2)]
    lines = '{"text": "one"}\n\n{"text": null}\n{"other": 1}\n{"text": "fi\\nne"}\n'
    assert texts(tmp_path, lines, "a.jsonl") == [("one", 1), ("fi\nne", 5)]
    assert "a.jsonl: 2 rows without text left out" in findings(tmp_path, lines, "a.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("a.csv", CSV, {"column": "txt"}, "a.csv: there is no column 'txt'; did you mean text?"),
        (
            "a.jsonl",
            '{"body": "b"}\n',
            {"column": "text"},
            "a.jsonl: there is no column 'text'; choose from body",
        ),
        (
            "a.csv",
            "title,body\nA,long\nB,longer\n",
            {},
            "a.csv: several columns could be the text (title, body); name one 'text', or "
            "choose one of "
            "title, body with --column NAME",
        ),
        (
            "a.csv",
            "x,y\n1,2\n",
            {},
            (
                "a.csv: no column looks like a text; name one 'text', or choose one of x, y "
                "with --column NAME"
            ),
        ),
        (
            "a.csv",
            f"1,{'so long ' * 9}\n2,other\n",
            {},
            "a.csv:1: the first line looks like data, not like a header; "
            "add a header row with the names of the columns",
        ),
        (
            "a.csv",
            "text\n",
            {},
            "a.csv: the table has no rows; give a table with a header and some rows",
        ),
        (
            "a.csv",
            CSV + "6,one,two,three\n7,fine,no\n8,x\n",
            {},
            "a.csv:8: the row has 4 fields, but the header has 3 (also wrong: line 10); "
            "put quotes around text that holds the delimiter",
        ),
        (
            "a.csv",
            CSV + '6,"never closed,no\n7,fine,no\n',
            {},
            "a.csv:8: a quote that opens in this row is not closed (unexpected end of data); "
            'close it, or write a quote within a field as ""',
        ),
        (
            "a.jsonl",
            '{"text": "one"}\n{"text": "two"\n',
            {},
            "a.jsonl:2: not valid JSON (expecting ',' delimiter at column 15); correct the line",
        ),
        (
            "a.jsonl",
            '{"text": "one \\ud83d\\ude00"}\n{"text": "two \\ud83d"}\n',
            {},
            (
                "a.jsonl:2: a text holds half of a surrogate pair, which is not "
                "a character; correct the \\u in the line"
            ),
        ),
        (
            "a.jsonl",
            '{"text": "one"}\n["two"]\n',
            {},
            'a.jsonl:2: the line is not a JSON object; write each as {"column": value, ...}',
        ),
        (
            "a.txt",
            GOOD,
            {"format": "table"},
            (f"a.txt: not a readable table; its name should end in one of {', '.join(ROWS)}"),
        ),
    ],
)
def test_bad_tables(tmp_path, name, content, settings, message):
    assert told(tmp_path, content, name, **settings) == message


@pytest.mark.parametrize(
    ("format", "name"), [("lines", "a.txt"), ("table", "a.csv"), ("table", "a.jsonl")]
)
def test_a_very_long_line_of_records(tmp_path, format, name):
    first = '{"text": "a"}' if name == "a.jsonl" else "text"
    message = told(tmp_path, f"{first}\n{'x' * 5000}\n", name, format=format, max_line_length=1000)
    assert message == (
        f"{name}:2: the line is longer than 1,000 characters; break it up, or give --set max_line_length=N"
    )


def test_a_row_over_many_lines_is_no_longer_than_a_line(tmp_path):
    content = "text\n" + '"' + "some words\n" * 200 + '"\n'
    assert "a.csv:2: a quote that opens in this row is not closed" in told(
        tmp_path, content, "a.csv", max_line_length=1000
    )


@pytest.mark.slow
def test_a_line_of_100_megabytes(tmp_path):
    path = tmp_path / "a.txt"
    with open(path, "w") as file:
        for _ in range(100):
            file.write("abcdefghi " * 100_000)
    _, reader = DataSettings(format="text").reader([path], SILENT)
    assert max(len(piece.text) for piece in reader.pieces()) <= 1 << 20
    for kind in ("lines", "table"):
        path = path.rename(tmp_path / ("a.csv" if kind == "table" else "a.txt"))
        _, reader = DataSettings(format=kind).reader([path], SILENT)
        with pytest.raises(DataError, match="1: the line is longer than 1,000,000 characters"):
            list(reader.pieces())


def test_line_ends_and_marks_are_told(tmp_path):
    content = b"\xef\xbb\xbfone\r\ntwo\rthree\nfour\r"
    assert texts(tmp_path, content, format="text") == [("one\ntwo\nthree\nfour", 1), ("\n", 4)]
    assert findings(tmp_path, content, format="text") == [
        "a.txt: the byte order mark at the beginning was left out",
        "a.txt: mixed line ends (1 CRLF, 2 CR, 1 LF) were read as LF",
    ]
    assert findings(tmp_path, b"one\r\ntwo\r\n", format="text") == [
        "a.txt: line ends (2 CRLF) were read as LF"
    ]


def test_a_line_break_between_two_stretches(tmp_path, monkeypatch):
    monkeypatch.setattr("ensue.data.files.CHUNK", 4)
    found = texts(tmp_path, b"one\r\ntwo\rfour\r\n", format="text")
    assert "".join(text for text, _ in found) == "one\ntwo\nfour\n"


def test_blank_lines_are_told(tmp_path):
    assert texts(tmp_path, "one\n\n \ntwo", format="lines") == [("one", 1), ("two", 4)]
    assert findings(tmp_path, "one\n\n \ntwo", format="lines") == ["a.txt: 2 blank lines left out"]


def test_the_guess_is_told(tmp_path):
    hint = "choose another format with --set data.format=text|lines|table"
    assert findings(tmp_path, "emma\nolivia\nava\n") == [
        f"a.txt: read as one record a line; {hint}"
    ]
    assert findings(tmp_path, GOOD * 5) == [f"a.txt: read as one long text; {hint}"]
    hint += ", or --format steps for a row per step"
    assert (
        findings(tmp_path, CSV, "a.csv")[0] == f"a.csv: read as a table, one record a row; {hint}"
    )


def test_a_bad_valid_file_is_found_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("ensue.data.prepare.IN_MEMORY", 0)
    (tmp_path / "v.txt").write_bytes(b"caf\xe9 au lait")
    message = told(tmp_path, GOOD, format="text", valid_file=str(tmp_path / "v.txt"))
    assert message.startswith("v.txt:1: byte 0xE9 is not UTF-8; it looks like Windows-1252;")


def test_damaged_codec():
    with pytest.raises(RunError) as caught:
        load_codec({"name": "wordz"})
    assert str(caught.value) == "codec.json: there is no codec 'wordz'; did you mean words?"
    with pytest.raises(RunError) as caught:
        load_codec({"name": "words"})
    assert str(caught.value) == "codec.json: the codec is damaged (KeyError 'words'); train again"


def test_names_without_faker(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faker", None)
    with pytest.raises(UserError) as caught:
        write_demo("names", tmp_path)
    assert str(caught.value) == (
        "demo names: the names come from the package Faker, which is missing; "
        "install it with: pip install 'ensue[demos]'"
    )
    assert not (tmp_path / "names.txt").exists()


def doctor(folder: Path, content: bytes | str) -> list[str]:
    """Check one file, and give all that is told."""
    path = folder / "a.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = check([path], "generate", {}, [], 8)
    told = [str(finding) for finding in (*report.findings, *report.problems)]
    return [line.replace(f"{folder}/", "") for line in told]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD[:-1].replace("\n", " "), []),
        (
            "same\n" * 40,
            [
                "a.txt: all 40 records are the same; give data that varies",
            ],
        ),
        (
            "ab\n" * 3 + "".join(f"name {number}\n" for number in range(40)),
            [
                "a.txt: 2 of 43 records repeat an earlier one; "
                "remove them unless they are intended: the test part may hold copies"
            ],
        ),
        (
            "\n" + "good \x07text, \n" * 20 + GOOD,
            ["a.txt:2: control characters: 20; look at them in an editor"],
        ),
        (
            GOOD + "\n\nbad \ufffd text\n",
            [
                (
                    "a.txt:43: replacement characters (U+FFFD), which a wrong "
                    "decoding leaves: 1; look at them in an editor"
                )
            ],
        ),
        (
            GOOD + "\ncafe\u0301\n",
            [
                "a.txt:1: pieces of text with combining accents (not in Unicode form NFC): 1; "
                "look at them in an editor"
            ],
        ),
        (
            "x" * 100_001 + "y",
            ["a.txt:1: the line has 100,002 characters; is it meant to be one line?"],
        ),
        (b"", ["a.txt: the file is empty; give a file with some text"]),
        (PNG, ["a.txt: this is a PNG image, not text; give a text file"]),
        ("aaaa aaaa"[:4] * 9, ["a.txt: the text has 1 distinct symbol; give text that varies"]),
        (
            "ab" * 5,
            [
                "a.txt: 10 characters are too few to split: nothing is left to validation; "
                "give more, or files of their own with --valid and --test"
            ],
        ),
        (
            "one\ntwo\nthree\n",
            [],
        ),
        (
            b"Some text, which is longer than that.\r\nAnd more of it, which is longer still.\n\n",
            ["a.txt: mixed line ends (1 CRLF, 2 LF) were read as LF"],
        ),
    ],
)
def test_the_doctor(tmp_path, content, told):
    repeats = "lines repeat an earlier one"
    assert [line for line in doctor(tmp_path, content) if repeats not in line] == told


def test_the_doctor_gives_figures(tmp_path):
    (tmp_path / "a.txt").write_text("héllo\nwörld, wörld\n\nhéllo\n" * 20)
    report = check([tmp_path], "generate", {"format": "text"}, [], 8)
    assert report.format == "text"
    [file] = report.tables["files"]
    assert file == {
        "file": f"{tmp_path}/a.txt",
        "bytes": 600,
        "characters": 520,
        "distinct": 11,
        "lines": 60,
    }
    assert not report.problems


def test_the_doctor_looks_at_every_file(tmp_path):
    (tmp_path / "a.txt").write_text(GOOD)
    (tmp_path / "b.txt").write_bytes(b"caf\xe9")
    (tmp_path / "c.txt").write_bytes(b"caf\xe8\n")
    report = check([tmp_path], None, {"format": "text"}, [], 8)
    assert [problem.where for problem in report.problems] == [
        f"{tmp_path}/b.txt:1",
        f"{tmp_path}/c.txt:1",
    ]
    assert len(report.tables["files"]) == 3


def test_a_text_in_place_of_its_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = "the cat sat on the mat. " * 20
    assert main(["train", "generate", text, "--model", "ngram"]) == 2
    error = capsys.readouterr().err
    assert error == f"ensue: {text}: there is no such file or folder; check the spelling\n"
