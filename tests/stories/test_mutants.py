"""Every reader is given files that were damaged at random: it reads them, or tells what is wrong
in one line, soon."""

import gzip
import lzma
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from limited import TooLong, limits, peak, within
from pyarrow.parquet import write_table

from ensue.cli.main import main
from ensue.data.codecs import CODECS
from ensue.data.codecs.measurements import Measurements
from ensue.data.codecs.tagged import TaggedWords
from ensue.data.codecs.text import TextSettings
from ensue.data.contract import SILENT
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.labelled_parts import prepare_labelled
from ensue.data.prepare import prepare
from ensue.data.readers.formats import LABELLED
from ensue.data.readers.tagged import DESCRIBED as FORMATS
from ensue.data.readers.tagged import TaggedSettings
from ensue.data.readers.word_vectors import read_vectors
from ensue.data.series.backtest import BacktestSettings, lay_out
from ensue.data.series.panel import SeriesSettings
from ensue.data.settings import DataSettings
from ensue.data.tables.long import LONG_ROWS
from ensue.data.tables.series import read_panel
from ensue.data.tagged import encode_parts, read_tagged
from ensue.errors import DataError, UserError
from ensue.models.ngram.arpa_reading import read_arpa
from ensue.settings import assign
from ensue.tasks import TASKS, Choices
from ensue.tasks.check import check

SECONDS, BYTES = 10, 1 << 30
"""What reading a small file may take, whatever stands in it."""

PROSE = (
    "The quick brown fox jumps over the lazy dog.\nIt was so.\n\nNobody knew why: 3, 4 or 5 "
    "times.\n"
)
TEXTS = "text,label\n" + "".join(
    f'"film {n}, so {"good" * (n % 3)}",{"yes" if n % 2 else "no"}\n' for n in range(30)
)
MARKED = "".join(f"__label__{'ab'[n % 2]} film {n} was so\n" for n in range(30))
RATED = "text\tlabel\n" + "".join(f"so it was {n} and {n * 7}\t{n * 1.5}\n" for n in range(40))
ROWS = "".join(
    f'{{"text": "film {n} was \\u00e9", "label": "{n % 2}", "n": {n}}}\n' for n in range(30)
)
STEPS = "id,time,x,y,label\n" + "".join(
    f"{n // 5},{n % 5}.5,{n / 7:.3f},{n}e-1,{n // 5 % 2}\n" for n in range(100)
)
DATED = "id,time,x,kind,label\n" + "".join(
    f"{n // 4},2024-01-{1 + n % 4:02d} 10:00,{n / 7:.3f},{'abc'[n % 3]},{n // 4 % 2}\n"
    for n in range(80)
)
CURVE = "SNID: 172\nSNTYPE: 1\nVARLIST: MJD FLT FLUXCAL FLUXCALERR\n" + "".join(
    f"OBS: {56000 + n}.5 {'griz'[n % 4]} {n}.25 0.{n + 1}\n" for n in range(8)
)
SEQUENCES = (
    "@problemName a\n@timeStamps false\n@dimensions 2\n@equalLength false\n@classLabel true "
    "a b\n@data\n"
)
SEQUENCES += "".join(f"{n},2.5,?:1e-3,{n},-4:{'ab'[n % 2]}\n" for n in range(30))
TREES = "".join(f"({n % 2} (1 It) ({n % 3} (2 was) (4 lovely{n % 5})))\n" for n in range(30))
LONG = "unique_id,ds,y\n" + "".join(
    f"{'ab'[n // 60]},{2001 + n % 60 // 12}-{1 + n % 12:02d}-01,{n}.5\n" for n in range(120)
)
WIDE = "month\ta\tb\n" + "".join(
    f"{2001 + n // 12}-{1 + n % 12:02d}\t{n * 7 % 13}\t{n}e1\n" for n in range(60)
)
DAYS = [date(2024, 1, 1) + timedelta(n) for n in range(40)]
GERMAN = "Datum;Wert\n" + "".join(
    f'{day:%d.%m.%Y};"1.{100 + n},{n % 10}"\n' for n, day in enumerate(DAYS)
)
SPOKEN = "ds,y\n" + "".join(f"{day:%m/%d/%Y} 00:00,{n}\n" for n, day in enumerate(DAYS))
COUNTED = '{"ds": 1, "y": 2, "price": 1.5}\n' + "".join(
    f'{{"ds": {n}, "y": {n * 3 % 7}, "price": 2}}\n' for n in range(2, 60)
)
M3 = "series,n,horizon,category,start_year,start_period,values...\n" + "".join(
    f"N{s},40,6,MICRO,1975,1," + ",".join(f"{n * s % 17}.5" for n in range(40)) + "\n"
    for s in range(1, 4)
)
ROWS_OF_SERIES = "id,shop," + ",".join(f"d_{n}" for n in range(1, 41)) + "\n"
ROWS_OF_SERIES += "".join(
    f"{s},x," + ",".join(str(n * s % 7) for n in range(40)) + "\n" for s in range(1, 4)
)
TREEBANK = "".join(
    f"# sent_id = "
    f"{s}\n1\tIt\tit\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    f"2\tdo\tdo\tAUX\tVB\t_\t0\troot\t_\tSpaceAfter=No\n3\tn't\tnot\tPART\tRB\t_\t2\tadv\t_\t_\n\n"
    for s in range(12)
)
COLUMNS = "-DOCSTART- -X- O\n\n" + "She NNP B-PER\nsang VBD O\nin IN O\nRome NNP B-LOC\n\n" * 12
TABBED = "She\tPRON\nsang\tVERB\n\n" * 15
LISTED = (
    '{"tokens": ["She", "sang"], "tags": ["PRON", "VERB"]}\n{"tokens": ["No"], "tags": ["X"]}\n'
    * 10
)
VECTORS = "4 3\nthe 0.1 -2 3e-2\nof 1 2 3\nand 4 5 6\nto 7 8 9\n"
ARPA = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-0.8\t<unk>
-0.5\t<s>\t-0.3
-0.6\ta\t-0.2
-0.7\t</s>

\\2-grams:
-0.1\t<s> a
-0.2\ta </s>

\\end\\
"""
CONFIG = """seed = 7
sample_paths = 50

[data]
id = "unique_id"
target = ["y"]
fill = "previous"

[backtest]
horizon = 6

[model]
name = "autoregressive"

[training]
minutes = 1.5

[training.optimiser]
learning_rate = 1e-3
"""


def parquet() -> bytes:
    path = Path(f"mutants-{random.random()}.parquet")
    values = [step * 7 % 11 + 0.5 for step in range(60)]
    write_table(pyarrow.table({"ds": list(range(60)), "y": values}), path)
    content = path.read_bytes()
    path.unlink()
    return content


def as_text(format: str) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        settings: Any = {
            "seed": 0,
            "context": 8,
            "cache": path.parent / "cache",
            "on_read": lambda *_: None,
        }
        prepare(
            [path],
            DataSettings.model_validate({"format": format}),
            CODECS["characters"](),
            **settings,
        )

    return read


def as_labelled(name: str) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        data = LabelledSettings.model_validate({"reader": name})
        reader = data.reader.resolved([path], SILENT).build([path])
        codec = Measurements() if name in ("long_table", "series_file") else TextSettings()
        if name in ("trees", "folders") or path.suffix == ".dat":  # of one file, which is one class
            list(reader.examples())
        else:
            prepare_labelled({"all": reader}, data, codec, 0, SILENT)

    return read


def as_tagged(format: str) -> Callable[[Path], Any]:
    settings = TaggedSettings.model_validate({"format": format})
    return lambda path: encode_parts(
        read_tagged([path], settings, 0, SILENT).parts, TaggedWords(), None, SILENT
    )


def as_series(**settings: Any) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        panel = read_panel([path], SeriesSettings(**settings))
        lay_out(panel, BacktestSettings(), True, str(path))

    return read


def as_config(path: Path) -> None:
    assert "forecast" in TASKS
    TASKS["forecast"].propose(Choices(data=(path,), config=path))


def as_setting(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", errors="replace")
    assign(SeriesSettings(), f"target={text}")


@dataclass(frozen=True)
class Subject:
    """A reader, and a file that it can read."""

    file: str
    content: bytes | str | Callable[[], bytes]
    read: Callable[[Path], Any]

    def whole(self) -> bytes:
        content = self.content() if callable(self.content) else self.content
        return content.encode() if isinstance(content, str) else content


READERS: dict[str, Subject] = {
    "text": Subject("a.txt", PROSE * 5, as_text("text")),
    "lines": Subject("a.txt", PROSE * 5, as_text("lines")),
    "text of a table": Subject("a.csv", TEXTS, as_text("table")),
    "text of rows": Subject("a.jsonl", ROWS, as_text("table")),
    "gzip": Subject("a.txt.gz", gzip.compress(PROSE.encode() * 5), as_text("text")),
    "xz": Subject("a.txt.xz", lzma.compress(PROSE.encode() * 5), as_text("lines")),
    "table": Subject("a.csv", TEXTS, as_labelled("table")),
    "tsv": Subject("a.tsv", RATED, as_labelled("table")),
    "jsonl": Subject("a.jsonl", ROWS, as_labelled("table")),
    "fasttext": Subject("a.txt", MARKED, as_labelled("fasttext")),
    "folders": Subject("a.txt", PROSE * 5, as_labelled("folders")),
    "long table": Subject("a.csv", STEPS, as_labelled("long_table")),
    "long table of dates": Subject("a.csv", DATED, as_labelled("long_table")),
    "snana": Subject("a.dat", CURVE, as_labelled("long_table")),
    "series file": Subject("a.ts", SEQUENCES, as_labelled("series_file")),
    "trees": Subject("a.txt", TREES, as_labelled("trees")),
    "long series": Subject("a.csv", LONG, as_series()),
    "wide series": Subject("a.tsv", WIDE, as_series(fill="previous")),
    "german series": Subject("a.csv", GERMAN, as_series(decimal=",")),
    "spoken series": Subject("a.csv", SPOKEN, as_series()),
    "series of rows": Subject(
        "a.jsonl", COUNTED, as_series(target=("y",), past_covariates=("price",), fill="zero")
    ),
    "m3": Subject("a.csv", M3, as_series()),
    "rows of series": Subject("a.csv", ROWS_OF_SERIES, as_series()),
    "parquet": Subject("a.parquet", parquet, as_series()),
    "conllu": Subject("a.conllu", TREEBANK, as_tagged("conllu")),
    "columns": Subject("a.txt", COLUMNS, as_tagged("columns")),
    "tabbed": Subject("a.txt", TABBED, as_tagged("tsv")),
    "lists": Subject("a.jsonl", LISTED, as_tagged("jsonl")),
    "vectors": Subject("a.txt", VECTORS, read_vectors),
    "arpa": Subject("a.arpa", ARPA, read_arpa),
    "config": Subject("a.toml", CONFIG, as_config),
    "setting": Subject("a.toml", '["a", "b"]', as_setting),
}


def test_every_reader_is_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in LABELLED if f'as_labelled("{name}")' not in source] == []
    assert [name for name in FORMATS if f'as_tagged("{name}")' not in source] == []
    assert {f"a{ending}" for ending in LONG_ROWS} - {one.file for one in READERS.values()} == {
        "a.ndjson"
    }  # is .jsonl


ODD = [
    b"9" * 5000,
    b"-" + b"7" * 401,
    b"1e999",
    b"1e308",
    b"-1e-999",
    b"nan",
    b"inf",
    "²".encode(),
    "٣".encode(),
    "\uff11".encode(),
    "½".encode(),
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"(" * 100_000,
    b"(1 " * 2_000,
    b"x" * 140_000,
    b"x," * 50_000,
    b'"',
    b"'",
    b'""',
    b"\n",
    b"\n\n",
    b"\r",
    b"\t",
    b",",
    b";",
    b":",
    b"=",
    b"#",
    b"@",
    b"|",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"0",
    b"-1",
    b"1e9",
    b"0x10",
    b"1_000",
    "\u2028".encode(),
    "\u202e".encode(),
    "\ufeff".encode(),
    "\u00a0".encode(),
    b"9999-12-31",
    b"0001-01-01",
    b"2024-02-30",
    b"24:00",
]
"""What is put into files: numbers that no float holds, digits of other scripts, marks of
formats, nesting."""


def mutant(whole: bytes, draw: random.Random) -> bytes:
    """Change a file in one place or a few, as disks, editors and enemies do."""
    content = bytearray(whole)
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        at, length = draw.randrange(len(content) + 1), draw.choice([1, 1, 2, 5, 20, 100])
        piece = content[at : at + length]
        way = draw.randrange(8)
        if way == 0 and at < len(content):
            content[at] ^= 1 << draw.randrange(8)
        elif way == 1:
            del content[at : at + length]
        elif way == 2:
            del content[at:]
        elif way == 3:
            content[at:at] = bytes(piece) * draw.choice([1, 2, 50])
        elif way == 4:
            lines = content.split(b"\n")
            one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
            lines[one] = lines[other] if draw.random() < 0.7 else b""
            content = bytearray(b"\n".join(lines))
        elif way == 5:  # a field, or a word, is another
            end = next(
                (place for place in range(at, len(content)) if content[place] in b"\n\t ,;:|)"),
                len(content),
            )
            begin = next(
                (place for place in range(at, 0, -1) if content[place - 1] in b"\n\t ,;:|("), 0
            )
            content[begin:end] = draw.choice(ODD)
        elif way == 6:
            content[at : at + length] = draw.choice(ODD)
        else:
            content[at:at] = draw.choice(ODD)
    return bytes(content)


def wrong(name: str, content: bytes, folder: Path) -> str | None:
    """Say what is wrong with how a reader takes a file; None where it reads it, or refuses it in
    one line."""
    subject = READERS[name]
    path = folder / subject.file
    path.write_bytes(content)
    before = peak()
    try:
        with within(SECONDS):
            subject.read(path)
    except UserError as error:
        told = str(error)
        if len(told) > 4000 or ("\n" in told and name != "setting"):
            return f"an error of {len(told)} characters: {told[:200]!r}"
    except (Exception, TooLong) as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    more = peak() - before
    return f"{more:,} bytes held" if before and more > BYTES else None


def try_mutants(name: str, count: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    whole, draw, found = READERS[name].whole(), random.Random(name), {}
    assert wrong(name, whole, folder) is None
    READERS[name].read(folder / READERS[name].file)  # as it stands, it can be read
    with limits(4 * BYTES):
        for number in range(count):
            content = mutant(whole, draw)
            if (what := wrong(name, content, folder)) is not None:
                found.setdefault(what[:60], (number, what, content[:300]))
    assert list(found.values()) == []


@pytest.mark.parametrize("name", READERS)
def test_some_mutants(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try_mutants(name, 60, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_many_mutants(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try_mutants(name, 3000, tmp_path, monkeypatch)


def checked(path: Path) -> None:
    check([path], None, {}, [], 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in READERS if name not in ("vectors", "arpa", "config", "setting")]
)
def test_the_doctor_takes_mutants(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READERS, name, Subject(READERS[name].file, READERS[name].whole(), checked))
    try_mutants(name, 1000, tmp_path, monkeypatch)


DATES = "".join(f'{{"ds": "2024-01-{n:02d}", "y": {n}}}\n' for n in range(1, 32))
SERIES_HEADER = "@problemName a\n@timeStamps false\n@univariate true\n"
M3_HEADER = "series,n,horizon,category,start_year,start_period,values...\n"
LONG_FIELD = "x" * 140_000
TOLD = {
    "no key": (
        "forecast a.jsonl",
        DATES + '{"ds": "2024-02-01"}\n{"ds": "2024-02-02", "y": 3}\n',
        "a.jsonl:32: the target value at 2024-02-01 of 'a' is missing",
    ),
    "no time": (
        "forecast a.jsonl",
        DATES + '{"y": 3}\n',
        "a.jsonl:32: the time is missing in the column 'ds'; fill it in, or remove the row",
    ),
    "no id": (
        "forecast a.jsonl",
        '{"unique_id": "a", "ds": 1, "y": 2}\n{"ds": 2, "y": 3}\n',
        "a.jsonl:2: column 'unique_id' is empty in this row; fill it in, or remove the row",
    ),
    "digits": (
        "forecast a.jsonl",
        DATES + f'{{"ds": "2024-02-01", "y": {"9" * 5000}}}\n',
        "a.jsonl:32: not valid JSON (a number of thousands of digits); correct the line",
    ),
    "large": (
        "forecast a.jsonl",
        DATES + f'{{"ds": "2024-02-01", "y": {"9" * 401}}}\n',
        "is not a valid number",
    ),
    "far time": (
        "forecast a.csv --fill zero",
        "t,y\n1,2\n2,3\n3,3\n999999999,4\n",
        (
            "a.csv:5: 999999995 steps of a step are missing before 999999999 of 'a', too "
            "many to fill; correct the time"
        ),
    ),
    "large cell": (
        "forecast a.csv",
        "ds,y\n1,2\n2,1e999\n",
        "a.csv:3: '1e999' in the column 'y' is not a valid number",
    ),
    "digits of a cell": (
        "forecast a.csv",
        f"ds,y\n1,2\n2,{'9' * 5000}\n",
        "is not a valid number",
    ),
    "large time": (
        "forecast a.csv",
        f"ds,y\n1,2\n{'9' * 400},2\n",
        "in the column 'ds' is not a time",
    ),
    "large label": (
        "classify a.jsonl --label n",
        "".join(f'{{"text": "it was {n} so", "n": {n}.5}}\n' for n in range(50))
        + f'{{"text": "a b", "n": {"9" * 401}}}\n',
        "is not finite; correct it, or leave the row out",
    ),
    "step": (
        "classify a.csv",
        f"id,time,x,label\n1,1,2,a\n1,2,{'9' * 401},a\n",
        "in column 'x' is not finite",
    ),
    "settings": (
        "forecast a.csv --config a.toml",
        f"seed = {'9' * 5000}\n",
        "a.toml: this is not TOML: line 1 has a number of thousands of digits",
    ),
    "large setting": (
        "forecast a.csv --config a.toml",
        f"seed = {'9' * 401}\n",
        "a.toml: 'seed' cannot be 99999",
    ),
    "deep setting": (
        "forecast a.csv --config a.toml",
        "seed = " + "[" * 100_000,
        "a.toml: this is not TOML: ",
    ),
    "no label": (
        "classify a.ts",
        SERIES_HEADER + "@classLabel false a b\n@data\n1,2,3\n2,3,4\n",
        "a.ts: no example has a label; give examples with labels",
    ),
    "superscript": (
        "classify a.ts",
        "@problemName a\n@dimensions ²\n@data\n1:2:a\n",
        "a.ts:2: @dimensions has no number; write `@dimensions N`",
    ),
    "m3": (
        "forecast a.csv",
        M3_HEADER + "N1\n",
        "a.csv:2: the line has 0 values, but its second column is missing; correct the second column",
    ),
    "m3 count": (
        "forecast a.csv",
        M3_HEADER + "N1,²,6,X,1,1,4,5\n",
        "a.csv:2: the line has 2 values, but its second column is ²",
    ),
    "long header": (
        "forecast a.csv",
        f"ds,{LONG_FIELD}\n1,2\n",
        "a.csv: the horizon of 6 steps is longer than",
    ),
    "long field": (
        "forecast a.csv",
        f"ds,y\n1,{LONG_FIELD}\n",
        "a.csv:2: there is no column of numbers: 'xxxx",
    ),
    "packed": (
        "generate a.txt.xz",
        lzma.compress(b"1,2\n" * 10_000_000, preset=0),
        (
            "a.txt.xz: the .xz file unpacks to more than 16 MB, the most for its size; "
            "unpack it with its own tool"
        ),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line, content, expected = TOLD[name]
    verb, file, *flags = line.split()
    Path(file).write_text("ds,y\n1,2\n", encoding="utf-8")
    Path(flags[-1] if "--config" in flags else file).write_bytes(
        content.encode() if isinstance(content, str) else content
    )
    commands = [["train", verb, file, "--out", "run", *flags]]
    commands += [] if "--config" in flags else [["check", file, "--task", verb, *flags]]
    for command in commands:
        assert main(command) == 2
        told = capsys.readouterr().err.rstrip().splitlines()[-1]
        assert told.startswith("ensue: ")
        assert expected in told
        assert len(told) < 4000
    assert not Path("run").exists()


def test_a_parquet_file_that_holds_far_more_than_it_tells(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    ones = np.ones(20_000_000, np.int8)
    write_table(pyarrow.table({"ds": ones, "y": ones}), path)
    with pytest.raises(
        DataError,
        match=r"the file holds 20,000,000 rows, far more than its [\d,]+ bytes can distinguish",
    ):
        read_panel([path], SeriesSettings())
