"""Every note of a training is on the screen, in the JSON lines, in the report and in the result,
whatever the model."""

import json
import math
import re
import warnings
from pathlib import Path

import pytest

from ensue.api import find_task
from ensue.cli.main import main
from ensue.models.names import is_network
from ensue.tasks import TASKS
from ensue.tasks.model_card import sentence, summarise

TEXTS = "text,label\n" + "".join(
    f"{'good nice' if step % 2 else 'bad sad'} film {step % 7},{'ab'[step % 2]}\n"
    for step in range(80)
)
CURVES = "id,time,flux,label\n" + "".join(
    f"{name},{step},{math.sin(step * (1 + name % 2)) + name / 80},{'ab'[name % 2]}\n"
    for name in range(40)
    for step in range(6)
)
TAGGED = "".join(
    f"the\tDET\n{noun}\tNOUN\n{verb}s\tVERB\n\n" for noun in "abcdefgh" for verb in "uvwxyz"
)
SALES = "date,a,b\n" + "".join(
    f"{2015 + step // 12}-{step % 12 + 1:02d}-01,{step + step % 12},{step % 5 if step > 20 else ''}\n"
    for step in range(84)
)

CASES = {
    "generate ngram": ("a.txt", "to be or not to be, that is the question\n" * 60, []),
    **{
        f"forecast {name}": (
            "a.csv",
            SALES,
            ["--horizon", "3", "--set", "baselines.statistical=[]"],
        )
        for name in ("ridge", "boosting")
    },
    "forecast linear": (
        "a.csv",
        SALES,
        ["--horizon", "3", "--set", "baselines.statistical=[]", "--set", "epochs=1"],
    ),
    **{
        f"classify {name}": ("a.csv", CURVES if name in ("dtw", "summary-features") else TEXTS, [])
        for name, kind in TASKS["classify"].models.parts.items()
        if not is_network(kind())
    },
    "classify embedding-bag": ("a.csv", TEXTS, ["--set", "training.steps=2"]),
    **{f"tag {name}": ("a.tsv", TAGGED, []) for name in ("most-frequent-tag", "hmm")},
}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_notes_are_everywhere(
    case: str,
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    name, content, flags = CASES[case]
    verb, model = case.split()
    Path(name).write_text(content, encoding="utf-8")
    assert (
        main(["train", verb, name, "--model", model, "--out", "run", *flags, *["--json"] * as_json])
        == 0
    )
    out, err = capsys.readouterr()
    notes = json.loads(Path("run/result.json").read_text())["notes"]
    assert notes, "this training had nothing to note: give the test something that it has"
    report = Path("run/report.md").read_text()
    for note in notes:
        assert note in err
        shown = re.sub(r"(--set [\w.=|]*[\w|])", r"`\1`", sentence(note))
        assert f"- {shown}" in report
    if as_json:
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["text"] for line in lines if line["event"] == "note"] == notes
        assert lines[-1]["notes"] == notes


def test_notes_of_wrong_input_leave_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "a.csv"
    data.write_text(SALES, encoding="utf-8")
    assert (
        main(["train", "forecast", str(data), "--horizon", "90", "--out", str(tmp_path / "run")])
        == 2
    )
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_was_trained_from_python_has_its_notes_too(tmp_path: Path) -> None:
    import ensue

    data, events = tmp_path / "a.csv", []
    data.write_text(SALES, encoding="utf-8")
    run = ensue.train(
        "forecast", data, horizon=3, settings=["baselines.statistical=[]"], on_event=events.append
    )
    told = [event.text for event in events if type(event).__name__ == "Note"]
    assert json.loads(run.run.read("result.json"))["notes"] == told
    assert any("'b' from 2016-10-01" in note for note in told)
    assert summarise(run.run, find_task("forecast").report).lines


def test_estimators_have_their_notes_too(tmp_path: Path) -> None:
    """What is noted stands in `notes_` and in the run that is saved; how a frame was read is a
    warning."""
    pandas = pytest.importorskip("pandas")
    from ensue.sklearn import Forecaster

    data = tmp_path / "a.csv"
    data.write_text(SALES, encoding="utf-8")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = Forecaster("ridge", horizon=3).fit(pandas.read_csv(data))
    assert any("'b' from 2016-10-01" in note for note in model.notes_)
    assert model.notes_[-1].startswith("2 series, a step is a month")
    assert [str(one.message) for one in warned] == [
        note.split(";")[0] for note in model.notes_[:-1]
    ]
    model.save(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["notes"] == model.notes_
    assert "each read as a series" in (tmp_path / "run" / "report.md").read_text()
    steps = [float(step % 4) for step in range(60)]
    assert (
        Forecaster("ridge", horizon=3, season=4)
        .fit(steps)
        .notes_[0]
        .startswith("1 series, a step is a step")
    )
