"""`ensue check` of what classify, tag and forecast learn from: what it is for, what is wrong
with it, and where."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ensue.cli.main import main
from ensue.settings import find_flags
from ensue.tasks import TASKS, VERBS
from ensue.tasks.check import check
from ensue.tasks.demos import OWNERS, write_demo

WORDS = ["sun", "rain", "wind", "snow", "fog"]
REVIEWS = "text,label\n" + "".join(
    f"the {WORDS[n % 5]} of day {n},{'good' if n % 3 else 'bad'}\n" for n in range(60)
)
CURVES = "id,time,flux,label\n" + "".join(
    f"{curve},{step},{curve + step}.5,{'ab'[curve % 2]}\n"
    for curve in range(30)
    for step in range(4)
)
TAGGED = "".join(f"the DET\n{word}{n} NOUN\n\n" for n in range(6) for word in WORDS)
SPANS = "".join(f"in O\n{word}{n} B-LOC\nbay I-LOC\n\n" for n in range(6) for word in WORDS)
MONTHS = [f"{2000 + n // 12}-{n % 12 + 1:02d}" for n in range(60)]
SERIES = "month,sales\n" + "".join(f"{month},{100 + n % 12}\n" for n, month in enumerate(MONTHS))
TREES = "".join(f"({n % 2} (1 {WORDS[n % 5]}{n}) (0 falls))\n" for n in range(40))
TS = "@problemName x\n@classLabel true a b\n@data\n" + "".join(
    f"{n},2,3:{'ab'[n % 2]}\n" for n in range(30)
)


def told(
    folder: Path, content: str, name: str, *said: str, task: str | None = None, **own: str
) -> Any:
    """Check one file."""
    (folder / name).write_text(content)
    return check([folder / name], task, own, said, 8)


def lines(report: Any, folder: Path) -> list[str]:
    """Give what it found, but for how it read the file."""
    usual = ("read as", "read with", "read the", "it has no header")
    found = [one for one in (*report.findings, *report.problems) if not one.what.startswith(usual)]
    return [str(one).replace(f"{folder}/", "") for one in found]


@pytest.mark.parametrize(
    ("name", "content", "task", "kind", "described"),
    [
        ("a.csv", REVIEWS, "classify", "table", "table, with one label each"),
        ("a.csv", CURVES, "classify", "long_table", "long_table, with one label each"),
        ("a.ts", TS, "classify", "series_file", "series_file, with one label each"),
        ("a.txt", TREES, "classify", "trees", "trees, with one label each"),
        (
            "a.txt",
            TAGGED,
            "tag",
            "columns",
            "columns by blanks, the word in column 1, the tag in column 2",
        ),
        ("a.tsv", TAGGED.replace(" ", "\t"), "tag", "tsv", "a word and a tag by tab"),
        (
            "a.txt",
            SPANS,
            "tag",
            "columns",
            "columns by blanks, the word in column 1, the tag in column 2, spans as IOB2",
        ),
        (
            "a.csv",
            SERIES,
            "forecast",
            "series",
            "1 series, a step is a month, a season 12 steps; the horizon is 12 steps",
        ),
        (
            "a.csv",
            "text\n" + "".join(f"a line {n}\n" for n in range(9)),
            "generate",
            "table",
            "a tab",
        ),
        (
            "a.txt",
            "Much has been said\nof the weather.\n\n" * 90,
            "generate",
            "text",
            "one long text (choose with",
        ),
    ],
)
def test_what_data_is_for_is_guessed_and_said(tmp_path, name, content, task, kind, described):
    report = told(tmp_path, content, name)
    assert (report.task, report.format, report.problems) == (task, kind, [])
    assert report.described.startswith(described)
    assert report.why


@pytest.mark.parametrize("name", ["tokens", "ball"])
def test_demos_are_known_for_what_they_are(tmp_path, name):
    report = check(
        [write_demo(name, tmp_path)], None, {"target": "x"} if name == "ball" else {}, [], 8
    )
    assert (report.task, report.problems) == (OWNERS[name], [])


def test_folders_with_a_class_each(tmp_path):
    for label in ("sea", "land"):
        (tmp_path / label).mkdir()
        for n in range(12):
            (tmp_path / label / f"{n}.txt").write_text(f"{label} text number {n}")
    report = check([tmp_path], None, {}, [], 8)
    assert (report.task, report.format, len(report.tables["files"])) == ("classify", "folders", 24)
    assert report.tables["labels"][0] == {"label": "land", "examples": 12, "share": "50.0%"}


def test_what_was_said_tells_the_task(tmp_path):
    assert told(tmp_path, REVIEWS, "a.csv", column="text").task == "generate"
    report = told(
        tmp_path,
        "when,id,time,y\n" + "".join(f"x{n},1,{n},{n % 7}\n" for n in range(60)),
        "a.csv",
        target="y",
    )
    assert report.task == "forecast"
    assert report.why == "it alone has the given settings"


@pytest.mark.parametrize(
    ("content", "own", "found"),
    [
        (REVIEWS, {}, []),
        (
            REVIEWS + "the sun of day 0,good\nthe rain of day 1,good\n",
            {},
            [
                "a.csv: 1 of 62 examples repeat an earlier one with another label: "
                "a.csv:62 and a.csv:2; "
                "correct one of the labels",
                "a.csv: 1 of 62 examples repeat an earlier one; "
                "remove them unless they are intended: the test part may hold copies",
            ],
        ),
        (
            REVIEWS + "a\x07b,odd\nc,odd\n",
            {},
            [
                "a.csv: 1 of 3 labels have fewer than 10 examples: 'odd' (2); add more of them",
                "a.csv:62: control characters: 1; look at them in an editor",
            ],
        ),
        (
            REVIEWS.replace("good", "bad").replace("0,bad", "0,odd"),
            {},
            [
                "a.csv: 1 of 2 labels have fewer than 10 examples: 'odd' (6); add more of them",
                (
                    "a.csv: 90% of the examples are 'bad'; use macro F1, since accuracy "
                    "hides the other labels"
                ),
            ],
        ),
        (
            REVIEWS + ",bad\nlast,\n",
            {},
            [
                "a.csv: 2 rows without text or label",
                (
                    "a.csv:62: column 'text' is empty in this row; fill it in, or give --set "
                    "incomplete='leave out'"
                ),
            ],
        ),
        (
            REVIEWS.replace("bad", "good"),
            {},
            [
                "a.csv: every example has the label 'good'; "
                "give examples of other classes, or name another column with --label"
            ],
        ),
        (
            REVIEWS + "alone,once\n",
            {},
            [
                "a.csv: 1 of 3 labels have fewer than 10 examples: 'once' (1); add more of them",
                "a.csv:62: the label 'once' has this one example; give more of it, or "
                "leave it out with "
                "--set 'data.labels.merge=[\"once=\"]'",
            ],
        ),
        (REVIEWS, {"label": "mood"}, ["a.csv: there is no column 'mood'; choose from label, text"]),
        (CURVES, {}, []),
        (
            CURVES + "30,0,nan,a\n",
            {},
            [
                "a.csv:122: 'nan' in column 'flux' is not finite; correct it, or leave the cell empty"
            ],
        ),
        (
            CURVES + "30,0,1.5,\n",
            {},
            ["a.csv:122: the example has no label; add one, or remove the example"],
        ),
    ],
)
def test_labelled_data(tmp_path, content, own, found):
    report = told(tmp_path, content, "a.csv", task="classify", **own)
    assert [
        line[: len(want)] for line, want in zip(lines(report, tmp_path), found, strict=True)
    ] == found


def test_the_figures_of_labelled_data(tmp_path):
    tables = told(tmp_path, REVIEWS, "a.csv").tables
    assert tables["labels"] == [
        {"label": "good", "examples": 40, "share": "66.7%"},
        {"label": "bad", "examples": 20, "share": "33.3%"},
    ]
    assert tables["lengths"][1] == {
        "of": "words",
        "least": 5,
        "5 %": 5,
        "median": 5,
        "95 %": 5,
        "most": 5,
    }
    assert sum(row["examples"] for row in tables["parts"]) == 60
    curves = told(tmp_path, CURVES.replace(",2.5,", ",,"), "a.csv").tables
    assert curves["lengths"][0]["median"] == 4
    numbers = told(
        tmp_path,
        REVIEWS,
        "a.csv",
        'data.labels.merge=["good=1", "bad=2"]',
        "data.labels.kind=regression",
    )
    assert numbers.tables["labels"][0]["most"] == 2.0
    assert told(tmp_path, TREES, "a.txt").tables["labels of nodes"][0]["nodes"] == 60


def test_tags_that_break_their_scheme_are_named_by_line(tmp_path):
    report = told(tmp_path, SPANS + "a O\nbay I-LOC\n\n", "a.txt")
    assert lines(report, tmp_path)[-1] == (
        "a.txt:122: the tag 'I-LOC' is not allowed here in IOB2; correct it; it is scored as "
        "in conlleval"
    )
    report = told(tmp_path, TAGGED.replace("NOUN", "DET"), "a.txt", task="tag")
    assert lines(report, tmp_path)[-1] == (
        "a.txt: every word of the training data has the tag 'DET'; "
        "choose another column with --column, or give other data"
    )
    report = told(tmp_path, TAGGED + "one two three\n", "a.txt", task="tag")
    assert str(report.problems[0]).startswith(
        f"{tmp_path}/a.txt:91: the line has 3 columns, and those before it have 2"
    )


@pytest.mark.parametrize(
    ("change", "own", "row", "problem"),
    [
        (
            ("2001-03,102\n", ""),
            {},
            {"gaps": 1, "steps": 59},
            "a.csv:16: a gap of 1 step of a month before 2001-04-01",
        ),
        (("2001-03,102\n", ""), {"fill": "previous"}, {"gaps": 1}, None),
        (("2001-03", "2001-02"), {}, {"gaps": 1, "twice": 1}, "a.csv:16: the time 2001-02-01"),
        (
            ("2001-03,102", "2001-03,"),
            {},
            {"missing": 1},
            "a.csv:16: the target value at 2001-03-01",
        ),
        (
            ("2001-03,102", "2001-03,oops"),
            {},
            None,
            "a.csv:16: 'oops' in the column 'sales' is not a valid number",
        ),
        (
            ("month", "month"),
            {"horizon": "70"},
            {},
            "a.csv: the horizon of 70 steps is longer than the longest series",
        ),
    ],
)
def test_series(tmp_path, change, own, row, problem):
    report = told(tmp_path, SERIES.replace(*change), "a.csv", **own)
    assert report.task == "forecast"
    if row is not None:
        [found] = report.tables["series"]
        assert {name: found[name] for name in row} == row
    problems = [str(one).replace(f"{tmp_path}/", "") for one in report.problems]
    assert [one[: len(problem or "")] for one in problems] == ([problem] if problem else [])


def test_the_first_row_of_a_table_without_a_header_is_no_name(tmp_path, capsys):
    path = tmp_path / "a.tsv"
    path.write_text(
        "".join(f"{'ham' if n % 3 else 'spam'}\ta text of number {n}\n" for n in range(60))
    )
    assert main(["check", str(path)]) == 0
    assert (
        "Checked as data for `ensue train classify`: a column could be a label (choose another"
        in capsys.readouterr().out
    )
    (tmp_path / "b.jsonl").write_text('{"text": ["a", "film"], "label": "x"}\n' * 60)
    assert main(["check", str(tmp_path / "b.jsonl"), "--task", "classify"]) == 2
    assert capsys.readouterr().err.count("holds a list in this row") == 1


def test_the_command(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text(REVIEWS)
    assert main(["check", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Checked as data for `ensue train classify`: 'label' could be a label (choose another"
    )
    assert "Read as table, with one label each:" in out
    assert "good         40  66.7%" in out
    assert main(["check", str(path), "--label", "mood"]) == 2
    assert (
        capsys.readouterr().err
        == f"ensue: {path}: there is no column 'mood'; choose from label, text\n"
    )
    assert main(["check", str(path), "--task", "tag", "--label", "x"]) == 2
    assert capsys.readouterr().err.startswith("ensue: --label: there is no such flag here; ")
    assert main(["check", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["format"], found["labels"][0]["examples"]) == (
        "classify",
        "table",
        40,
    )


def test_no_check_loads_torch(tmp_path):
    for name, content in (
        ("a.csv", REVIEWS),
        ("b.csv", CURVES),
        ("c.csv", SERIES),
        ("d.txt", TAGGED),
        ("e.txt", TREES),
    ):
        (tmp_path / name).write_text(content)
    code = "import sys\nfrom ensue.cli.main import main\nfor path in sys.argv[1:]:\n"
    code += "    assert main(['check', path]) == 0\nassert 'torch' not in sys.modules"
    paths = map(str, sorted(tmp_path.iterdir()))
    subprocess.run([sys.executable, "-c", code, *paths], check=True, capture_output=True)


@pytest.mark.parametrize("verb", TASKS)
def test_flags_say_the_same_here_and_in_training(verb: str) -> None:
    parts = VERBS[verb].check.parts
    here = {
        name: tuple(f"{part}.{key}" for key in flag.keys)
        for part, settings in parts.items()
        for name, flag in find_flags(type(settings)).items()
    }
    there = {name: flag.keys for name, flag in find_flags(TASKS[verb].settings).items()}
    of_data = {name: keys for name, keys in there.items() if keys[0].partition(".")[0] in parts}
    assert here == of_data
    assert here.keys() >= {"valid", "test"}
