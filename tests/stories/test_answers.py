"""Answers stay beside what was asked: case numbers, rows without a text, unknown texts, other
columns."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli.main import main

WORDS = {"pos": ("lovely", "good", "great"), "neg": ("dull", "bad", "poor")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    rows = [(f"a {WORDS[label][i % 3]} film", label) for i in range(45) for label in WORDS]
    table(folder / "films.csv", ("text", "label"), rows)
    assert (
        main(
            [
                "train",
                "classify",
                str(folder / "films.csv"),
                "--model",
                "ngram-bayes",
                "--out",
                str(folder / "films"),
            ]
        )
        == 0
    )
    (folder / "waves.ts").write_text(waves(40))
    line = [
        "train",
        "classify",
        str(folder / "waves.ts"),
        "--model",
        "summary-features",
        "--out",
        str(folder / "waves"),
    ]
    assert main(line) == 0
    (folder / "sn").mkdir()
    for number in range(40):
        (folder / "sn" / f"SN{number}.DAT").write_text(light_curve(number))
    table(
        folder / "types.csv",
        ("snid", "type"),
        [(str(number), "ab"[number % 2]) for number in range(40)],
    )
    return folder


def table(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def waves(count: int) -> str:
    lines = ["@univariate true", "@classLabel true slow fast", "@data"]
    for number in range(count):
        steps = np.sin(np.linspace(0, 6 + 6 * (number % 2), 20) + number)
        label = "fast" if (number % 2) != (number == 7) else "slow"
        lines.append(f"{','.join(f'{step:.3f}' for step in steps)}:{label}")
    return "\n".join(lines) + "\n"


def light_curve(number: int, columns: bool = False) -> str:
    rows = [(step * 2.5, "gr"[step % 2], (10 + 90 * (number % 2)) * np.exp(-((step - 5) ** 2) / 9) + step % 3, 1.5)
            for step in range(12)]  # fmt: skip
    if columns:
        return "".join(
            f"{number},{time},{band},{flux:.3f},{error}\n" for time, band, flux, error in rows
        )
    lines = [f"SNID: {number}", f"SIM_NON1a: {number % 2}", "VARLIST: MJD FLT FLUXCAL FLUXCALERR"]
    return (
        "\n".join(
            [
                *lines,
                *(f"OBS: {time} {band} {flux:.3f} {error}" for time, band, flux, error in rows),
            ]
        )
        + "\n"
    )


def answers(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[list[dict[str, str]], str]:
    capsys.readouterr()
    assert main(["classify", *line]) == 0
    out, err = capsys.readouterr()
    return list(csv.DictReader(io.StringIO(out))), err


def test_sequences_come_back_by_their_numbers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = answers(capsys, str(folder / "waves"), str(folder / "waves.ts"))
    assert [row["case"] for row in rows] == [str(number) for number in range(1, 41)]
    assert list(rows[0]) == ["case", "predicted", "p(fast)", "p(slow)", "prediction_set"]
    assert main(["classify", str(folder / "waves"), str(folder / "waves.ts"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[4])["row"] == {"case": 5}
    (verdict,) = ensue.open(folder / "waves").classify([{"value": np.zeros((20, 1))}])
    assert verdict.to_json()["row"] == {"case": 1}


def test_mistakes_of_sequences_are_named_by_their_numbers(folder: Path, tmp_path: Path) -> None:
    line = [
        "train",
        "classify",
        str(folder / "waves.ts"),
        "--model",
        "majority",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(line) == 0
    mistakes = json.loads((tmp_path / "run" / "result.json").read_text())["details"]["mistakes"]
    assert mistakes
    assert all(int(one["case"]) == one["line"] - 3 for one in mistakes)
    assert (
        "| case | where | predicted | actual | confidence |"
        in (tmp_path / "run" / "report.md").read_text()
    )


def test_rows_without_a_text_keep_their_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "gaps.csv"
    table(
        path, ("id", "text"), [("1", ""), ("2", "a good film"), ("3", "  "), ("4", "a poor film")]
    )
    rows, err = answers(capsys, str(folder / "films"), str(path))
    assert [(row["id"], row["predicted"]) for row in rows] == [
        ("1", ""),
        ("2", "pos"),
        ("3", ""),
        ("4", "neg"),
    ]
    assert (rows[0]["p(pos)"], json.loads(rows[0]["prediction_set"])) == ("", ["neg", "pos"])
    assert f"{path}: no prediction for 2 examples, since the text is empty (at 2, 4)" in err
    assert main(["classify", str(folder / "films"), str(path), "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["label"], first["note"], first["line"]) == (None, "the text is empty", 2)


def test_nothing_is_said_of_what_training_had_nothing_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ensue.open(folder / "films")
    unknown, known, half = model.classify(["qwx zzkt, vrbl.", "a bad film", "qwx bad vrbl"])
    assert (unknown.label, unknown.note) == (None, "nothing in it was seen in training")
    assert set(unknown.set) == {"neg", "pos"}
    assert (known.label, half.label) == ("neg", "neg")
    rows, err = answers(capsys, str(folder / "films"), "qwx zzkt")
    assert rows[0]["predicted"] == ""
    assert "no prediction for 1 example, since nothing in it was seen in training (at 1)" in err


def test_rows_of_other_columns_stay_under_the_header(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "rows.jsonl"
    rows = [
        {"id": 1, "text": "a good film"},
        {"text": "a bad film"},
        {"text": "a poor film", "id": 3, "predicted": "x"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read, _ = answers(capsys, str(folder / "films"), str(path))
    assert [(row["id"], row["predicted"]) for row in read] == [
        ("1", "pos"),
        ("", "neg"),
        ("3", "neg"),
    ]
    again = folder / "again.csv"
    assert main(["classify", str(folder / "films"), str(path), "--out", str(again)]) == 0
    read, _ = answers(capsys, str(folder / "films"), str(again))
    assert [row["predicted (data)"] for row in read] == [row["predicted"] for row in read]


def test_rows_that_cannot_be_scored_are_left_out_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "scored.csv"
    table(
        path,
        ("film", "mood"),
        [("a good film", "pos"), ("", "pos"), ("a dull film", ""), ("a bad film", "neg")],
    )
    capsys.readouterr()
    assert (
        main(
            [
                "evaluate",
                str(folder / "films"),
                str(path),
                "--text",
                "film",
                "--label",
                "mood",
                "--json",
            ]
        )
        == 0
    )
    scored = json.loads(capsys.readouterr().out)
    assert (scored["metrics"]["accuracy"], scored["details"]["examples"]) == (1.0, 2)
    assert "2 rows without text or label left out" in scored["details"]["notes"]
    assert main(["classify", str(folder / "films"), str(path), "--text", "nothing"]) == 2
    assert "there is no column 'nothing'; choose from film, mood" in capsys.readouterr().err
    assert main(["classify", str(folder / "films"), str(path), "--channel", "mood"]) == 2
    assert (
        "--channel: the format table of the run has no such column; leave it out"
        in capsys.readouterr().err
    )


def test_labels_in_a_table_beside_light_curves(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run, sn, types = str(tmp_path / "run"), str(folder / "sn"), str(folder / "types.csv")
    line = [
        "train",
        "classify",
        sn,
        "--label-file",
        types,
        "--label",
        "type",
        "--model",
        "summary-features",
        "--out",
        run,
    ]
    assert main(line) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["details"]["labels"], result["metrics"]["accuracy"]) == (["a", "b"], 1.0)
    assert ensue.open(run).data.reader.value == ("FLUXCAL",)
    capsys.readouterr()
    assert (
        main(
            ["check", sn, "--task", "classify", "--label-file", types, "--label", "type", "--json"]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert {row["label"]: row["examples"] for row in report["labels"]} == {"a": 20, "b": 20}
    assert main(["evaluate", run, sn, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] == 1.0
    other = tmp_path / "other.csv"
    other.write_text(
        "object,t,passband,flux,sigma\n" + "".join(light_curve(number, True) for number in (50, 51))
    )
    names = [
        "--id",
        "object",
        "--time",
        "t",
        "--channel",
        "passband",
        "--value",
        "flux",
        "--standard-error",
        "sigma",
    ]
    rows, _ = answers(capsys, run, str(other), *names)
    assert [(row["object"], row["predicted"]) for row in rows] == [("50", "a"), ("51", "b")]
    assert main(["classify", run, str(other)]) == 2
    assert "there is no column 'SNID'; choose from band" not in (err := capsys.readouterr().err)
    assert "or choose with --id" in err
    shutil.copy(folder / "types.csv", folder / "sn" / "types.csv")
    inside = [
        sn,
        "--label-file",
        str(folder / "sn" / "types.csv"),
        "--label",
        "type",
        "--model",
        "majority",
    ]
    assert main(["train", "classify", *inside, "--out", str(tmp_path / "inside")]) == 0
    (folder / "sn" / "types.csv").unlink()


def test_a_run_of_a_table_reads_light_curves_of_snana(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, run = tmp_path / "curves.csv", str(tmp_path / "run")
    lines = [light_curve(n, True).replace("\n", f",{'ab'[n % 2]}\n") for n in range(40)]
    data.write_text("id,time,band,flux,error,label\n" + "".join(lines))
    assert main(["train", "classify", str(data), "--model", "summary-features", "--out", run]) == 0
    names = [
        "--id",
        "SNID",
        "--time",
        "MJD",
        "--channel",
        "FLT",
        "--value",
        "FLUXCAL",
        "--standard-error",
        "FLUXCALERR",
    ]
    rows, _ = answers(capsys, run, str(folder / "sn"), *names)
    assert all(row["predicted"] == "ab"[int(row["SNID"]) % 2] for row in rows)
    gaps = tmp_path / "gaps.csv"
    gaps.write_text(
        "id,time,band,flux,error\n" + light_curve(60, True) + "60,99,,5,1\n" + light_curve(61, True)
    )
    rows, err = answers(capsys, run, str(gaps))
    assert [(row["id"], row["predicted"]) for row in rows] == [("60", "a"), ("61", "b")]
    assert "gaps.csv:14: 1 row without id or time or band left out" in err
    beside = ["--label-file", str(folder / "types.csv"), "--label", "type", "--json"]
    assert main(["evaluate", run, str(folder / "sn"), *names, *beside]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            "snid,type\n0,a\n0,b\n",
            "types.csv:3: '0' is 'b' here, and 'a' before; give each one label",
        ),
        (
            "name,type\n0,a\n",
            "types.csv: no column holds the ids of the sequences; call its column of ids SNID",
        ),
        ("snid,type\n0,\n", "types.csv:2: column 'type' is empty in this row; fill it in"),
        ("snid,kind\n0,a\n", "types.csv: there is no column 'type'; choose from kind, snid"),
        ("snid,type\n", "types.csv: the table has no rows"),
        ("snid,type\n900,a\n", "there are no examples"),
    ],
)
def test_wrong_tables_of_labels(
    rows: str, expected: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    types = tmp_path / "types.csv"
    types.write_text(rows)
    line = ["train", "classify", str(folder / "sn"), "--label-file", str(types), "--label", "type"]
    assert main([*line, "--model", "majority", "--out", str(tmp_path / "run")]) == 2
    assert expected in capsys.readouterr().err
    assert main(["check", str(types), "--label-file", str(types)]) == 2
    assert (
        "types.csv: the table of labels is the only file; name the files of the"
        in capsys.readouterr().err
    )


def test_every_line_of_labelled_text_has_its_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"__label__{label} a {WORDS[label][i % 3]} film" for i in range(30) for label in WORDS]
    (tmp_path / "data.txt").write_text("\n".join(lines) + "\n")
    train = [
        "train",
        "classify",
        str(tmp_path / "data.txt"),
        "--model",
        "ngram-bayes",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(train) == 0
    asked = b"a lovely film\n\n__label__neg\n__label__pos a dull film\n"
    (tmp_path / "new.txt").write_bytes(asked)
    rows, _ = answers(capsys, str(tmp_path / "run"), str(tmp_path / "new.txt"))
    assert [row["predicted"] for row in rows] == ["pos", "", "", "neg"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(asked)))
    assert answers(capsys, str(tmp_path / "run"), "-")[0] == rows


def test_files_of_folders_are_named_with_their_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, words in WORDS.items():
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "data" / label / f"{number}.txt").write_text(f"a {words[number % 3]} film")
    (tmp_path / "data" / "pos" / "empty.txt").touch()
    assert (
        main(
            [
                "train",
                "classify",
                str(tmp_path / "data"),
                "--model",
                "ngram-bayes",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    rows, told = answers(capsys, str(tmp_path / "run"), str(tmp_path / "data"))
    assert len({row["file"] for row in rows}) == len(rows) == 24
    assert {row["file"] for row in rows} == {
        f"{label}/{number}.txt" for label in WORDS for number in range(12)
    }
    assert "pos/empty.txt: left out, since it is empty" in told
