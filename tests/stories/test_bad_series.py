"""Files of labelled numeric sequences: what is read, and what a person is told where something
is wrong."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow.csv import read_csv
from pyarrow.parquet import write_table

from ensue.data.contract import Listener
from ensue.data.labelled import Example
from ensue.data.readers.series_file import SeriesFile
from ensue.data.tables.long import LongTable
from ensue.errors import DataError

CURVES = """\
object,mjd,flt,flux,flux_err,type
b,3.5,r,30,1,II
a,1,g,10,1,Ia
a,3,g,,1,Ia
a,2,r,1e1,0,Ia
b,1.5,g,-4,2,II
"""
CHOSEN = {
    "id": "object",
    "time": "mjd",
    "channel": "flt",
    "value": ("flux",),
    "standard_error": "flux_err",
    "label": "type",
}


def read(
    folder: Path, content: str, name: str = "a.csv", kind=LongTable, **settings
) -> tuple[list[Example], list[str]]:
    path, found = folder / name, []
    data = content.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    listener = Listener(lambda finding: found.append(str(finding).replace(f"{folder}/", "")))
    reader = kind(**settings).resolved([path], listener).build([path])
    return list(reader.examples(listener)), found


def told(folder: Path, content: str, name: str = "a.csv", kind=LongTable, **settings) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, content, name, kind, **settings)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.jsonl"])
def test_light_curves(tmp_path, name):
    content = CURVES.replace(",", "\t") if name == "a.tsv" else CURVES
    if name == "a.jsonl":
        header, *rows = (line.split(",") for line in CURVES.splitlines())
        content = "\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in rows)
    (second, first), found = read(tmp_path, content, name, **CHOSEN)
    assert (first.label, first.line, first.row) == ("Ia", 3 - (name == "a.jsonl"), {"object": "a"})
    assert first.content["time"].tolist() == [1, 2, 3]
    assert first.content["channel"] == ["g", "r", "g"]
    assert first.content["flux"].tolist() == [10, 10, pytest.approx(np.nan, nan_ok=True)]
    assert first.content["standard_error"].tolist() == [1, 0, 1]
    assert second.content["flux"].tolist() == [-4, 30]
    assert found == [f"{name}: the rows of 2 sequences are not in order of time, and were sorted"]


def test_columns_are_found_by_their_names(tmp_path):
    table = (
        "id,time,x,y,word,label,age,ward\n1,2026-01-01,1,2,go,yes,40,A\n1,2026-01-02 "
        "12:00,3,4,stop,yes,40,A\n"
    )
    (only,), found = read(tmp_path, table, static=("age",), group="ward")
    assert np.diff(only.content["time"]).tolist() == [1.5]
    assert (only.content["y"].tolist(), only.content["word"], only.content["age"]) == (
        [2, 4],
        ["go", "stop"],
        40,
    )
    assert (only.label, only.group) == ("yes", "A")
    assert found == [
        "a.csv: read with id 'id', time 'time', label 'label', value 'x', 'y', symbol 'word'"
    ]


def test_parquet(tmp_path):
    (tmp_path / "a.csv").write_text(CURVES)
    write_table(read_csv(tmp_path / "a.csv"), tmp_path / "b.parquet")
    content = [
        one.content["flux"].tolist()
        for one in LongTable(**CHOSEN).build([tmp_path / "b.parquet"]).examples()
    ]
    assert content == [[-4, 30], [10, 10, pytest.approx(np.nan, nan_ok=True)]]


def test_labels_may_be_missing_where_none_are_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("id,x\n1,2\n")
    (only,) = LongTable(label="type").build([tmp_path / "a.csv"], labelled=False).examples()
    assert only.label is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1e1", "nan", "a.csv:5: 'nan' in column 'flux' is not finite; "
         "correct it, or leave the cell empty if nothing was measured"),
        ("1e1", "-inf", "a.csv:5: '-inf' in column 'flux' is not finite; "
         "correct it, or leave the cell empty if nothing was measured"),
        ("1e1", "ten", "a.csv:5: 'ten' in column 'flux' is not a number; "
         "correct it, or leave the cell empty if nothing was measured"),
        ("a,2,", "a,soon,", "a.csv:5: 'soon' in column 'mjd' is not a time; "
         "write a number, or a date as 2026-11-21 or 2026-11-21T12:30"),
        ("a,2,", "a,,", "a.csv:5: column 'mjd' has no time in this row; give each row a time"),
        ("a,2,r", "a,1,g", "a.csv:5: this row of 'a' has the same time as line 3; "
         "remove one, or merge them"),
        ("a,2,", ",2,", "a.csv:5: column 'object' is empty in this row; fill it in, or remove the row"),
        ("0,Ia", "0,II", "a.csv:5: 'type' is 'II' here, but 'Ia' in earlier rows of 'a'; "
         "give all rows of a sequence the same value"),
        ("-4,2", "-4,-2", "a.csv:6: the error in column 'flux_err' is negative (-2); "
         "give standard errors, or leave the cell empty"),
        ("flux,", "flx,", "a.csv: there is no column 'flux'; did you mean flx?, "
         "or choose with --value"),
        (CURVES[CURVES.index("\n") + 1 :], "", "a.csv: the table has no rows; "
         "give a table with a header and some rows"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path, old, new, message):
    assert told(tmp_path, CURVES.replace(old, new, 1), **CHOSEN) == message


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ("id,time,x\n1,1,2\n1,1,2\n", {}, "a.csv:3: this row of '1' has the same time as line 2; "
         "remove one, or merge them, or name a column of channels with --channel"),
        ("x,label\n1,a\n1,b\n", {}, "a.csv:3: 'label' is 'b' here, but 'a' in earlier rows of 'a.csv'; "
         "give all rows of a sequence the same value, or name the column of sequence ids with --id"),
        ("id,label\n1,a\n", {}, "a.csv: no column holds the values of the steps; "
         "choose some of id, label with --value"),
        ("id,t,time\n1,1,2\n", {"time": "t"}, "a.csv:1: a column of values may not have the name 'time'; rename it"),
    ],
)  # fmt: skip
def test_tables_that_miss_something(tmp_path, table, settings, message):
    assert told(tmp_path, table, **settings) == message


def test_other_endings(tmp_path):
    endings = ".csv, .tsv, .jsonl, .ndjson, .parquet, .dat"
    assert (
        told(tmp_path, CURVES, "a.xls")
        == f"a.xls: not a readable table; its name should end in one of {endings}"
    )
    assert (
        told(tmp_path, SERIES, "a.txt", SeriesFile)
        == "a.txt: not a readable table; its name should end in one of .ts"
    )


SERIES = """\
# a comment
@problemName Two
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true up down
@data
1,2,3:4,?,6:up
-1.5,2e1:0,0:down
"""


@pytest.mark.parametrize("name", ["a.ts", "a.ts.gz"])
def test_series(tmp_path, name):
    (first, second), _ = read(tmp_path, SERIES, name, SeriesFile)
    assert np.array_equal(first.content["value"], [[1, 4], [2, np.nan], [3, 6]], equal_nan=True)
    assert (first.label, first.line) == ("up", 9)
    assert (second.content["value"].tolist(), second.label) == ([[-1.5, 0], [20, 0]], "down")


def test_series_with_other_labels(tmp_path):
    (only,), _ = read(
        tmp_path,
        "@univariate true\n@seriesLength 2\n@targetLabel true\n@data\n1,2:0.5\n",
        "a.ts",
        SeriesFile,
    )
    assert only.label == 0.5
    (only,), _ = read(tmp_path, "@classLabel false\n@data\n1,2:3,4\n", "a.ts", SeriesFile)
    assert (only.label, only.content["value"].tolist()) == (None, [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Stamps false", "Stamps true", "a.ts:3: sequences with time stamps are not read from .ts files; "
         "write a table with a row for each step instead"),
        ("s 2", "s two", "a.ts:5: @dimensions has no number; write `@dimensions N`"),
        ("@data\n", "", "a.ts:8: a sequence stands among the lines of the header; "
         "put a line `@data` above the sequences"),
        (SERIES[SERIES.index("@data") :], "", "a.ts: there is no line `@data`; give a whole .ts file"),
        (":up", ":left", "a.ts:9: the label 'left' is not one that the header lists; "
         "correct it, or add it to `@classLabel true ...`"),
        ("4,?,6:", "", "a.ts:9: the line has 1 channel where the header declares 2; "
         "correct the line, or the header"),
        (",?", "", ("a.ts:9: channel 2 has 2 values where channel 1 has 3; write ? where nothing was " "measured")),
        ("?", "", "a.ts:9: value 2 of channel 2 is empty; write ? where nothing was measured"),
        ("2e1", "NaN", "a.ts:10: 'NaN' in value 2 of channel 1 is not finite; "
         "correct it, or write ? if nothing was measured"),
        ("-1.5", "x", "a.ts:10: 'x' in value 1 of channel 1 is not a number; "
         "correct it, or write ? if nothing was measured"),
        ("@equalLength false", "@seriesLength 3", "a.ts:10: the line has 2 values where the header declares 3; "
         "correct it, or write `@equalLength false` and no `@seriesLength`"),
    ],
)  # fmt: skip
def test_bad_series(tmp_path, old, new, message):
    assert told(tmp_path, SERIES.replace(old, new, 1), "a.ts", SeriesFile) == message


SNANA = """\
SURVEY: DES
SNID:   172
SNTYPE:  -9
# a comment: of no use

REDSHIFT_FINAL:   0.47473 +- 0.03120  (CMB)
VARLIST:  MJD  FLT FIELD   FLUXCAL   FLUXCALERR
OBS:  56177.188  r NULL  -6.070e+00   5.335e+00
OBS:  56177.172  g NULL   8.814e+00   4.790e+00
END:
"""
AS_SNANA = {
    "id": "SNID",
    "time": "MJD",
    "channel": "FLT",
    "value": ("FLUXCAL",),
    "standard_error": "FLUXCALERR",
    "label": "SNTYPE",
}


def test_snana(tmp_path):
    (only,), _ = read(tmp_path, SNANA, "DES_SN172.DAT", static=("REDSHIFT_FINAL",), **AS_SNANA)
    assert (only.label, only.line, only.row) == ("-9", 8, {"SNID": "172"})
    assert (only.content["channel"], only.content["FLUXCAL"].tolist()) == (
        ["g", "r"],
        [8.814, -6.07],
    )
    assert only.content["REDSHIFT_FINAL"] == 0.47473
    message = told(tmp_path, SNANA.replace("g NULL", "g"), "a.dat", **AS_SNANA)
    assert message == (
        "a.dat:9: the observation has 4 values, but VARLIST names 5; correct the line, or "
        "put a VARLIST above it"
    )


SIMULATED = SNANA.replace(
    "VARLIST:", "SIM_NON1a:      35   (non1a index)\nSIM_REDSHIFT:  0.4458\nVARLIST:"
).replace("FLUXCALERR\n", "FLUXCALERR SNR SIM_MAG\n")
SIMULATED = SIMULATED.replace("5.335e+00\n", "5.335e+00 -1.1 27.1\n").replace(
    "4.790e+00\n", "4.790e+00 1.8 25.1\n"
)


def test_what_a_simulation_knows_is_no_input(tmp_path):
    (only,), told = read(tmp_path, SIMULATED, "a.dat", label="SIM_NON1a")
    assert set(only.content) == {"time", "channel", "standard_error", "FLUXCAL"}
    assert (only.label, only.row) == ("35", {"SNID": "172"})
    assert told[0] == (
        "a.dat: read with id 'SNID', time 'MJD', channel 'FLT', standard_error 'FLUXCALERR', label "
        "'SIM_NON1a', value 'FLUXCAL'"
    )
    (only,), told = read(tmp_path, SIMULATED, "a.dat", label="SNTYPE", value=("FLUXCAL", "SIM_MAG"))
    assert set(only.content) == {"time", "channel", "standard_error", "FLUXCAL", "SIM_MAG"}
    assert "simulated column used as input, as requested: SIM_MAG" in told[1]
    (only,), told = read(tmp_path, "id,time,flux,sim_z,label\na,1,2,0.3,x\na,2,2,0.3,x\n")
    assert set(only.content) == {"time", "flux"}
    assert told[-1] == (
        "a.csv: left out as truth of a simulation: sim_z; to use them, name every "
        "column of values with --value"
    )


def test_real_snana():
    folder = (
        Path(__file__).parents[3]
        / "shared"
        / "data"
        / "supernova_spcc_subset"
        / "original_examples"
    )
    if not folder.is_dir():
        pytest.skip("the data sets of ../shared/data are not there")
    examples = list(LongTable(**AS_SNANA).build(sorted(folder.iterdir())).examples())
    assert (len(examples), len(examples[0].content["time"])) == (8, 115)
    plain = LongTable().resolved(sorted(folder.iterdir()), Listener())
    assert (plain.value, plain.symbol, plain.static, plain.label) == (("FLUXCAL",), (), (), "")


def test_real_series():
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data sets of ../shared/data are not there")
    path = folder / "tsc_JapaneseVowels" / "JapaneseVowels_TRAIN.ts.gz"
    examples = list(SeriesFile().build([path]).examples())
    assert len(examples) == 270
    assert {one.content["value"].shape[1] for one in examples} == {12}
    assert {one.label for one in examples} == set("123456789")
