"""What a person types to learn from trees, from brackets to a run and its use; and trees that
cannot be used."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ensue import api
from ensue.cli.main import main
from ensue.data.readers.trees import FORM, Trees
from ensue.models.tree import TreeModel
from ensue.tasks.demos import write_demo
from ensue.training.contract import Event, Progress

SETTINGS = [
    "hardware.threads=1",
    "learning_rate=0.02",
    "schedule.min_ratio=0.5",
    "ema_decay=0.9",
    "input_dropout=0",
    "output_dropout=0",
]
NETWORK = ["--set", "mixture.use=never"]
QUICK = [
    "--size",
    "tiny",
    "--seed",
    "3",
    *(part for setting in SETTINGS for part in ("--set", setting)),
]


def trees(count: int = 240, wide: bool = False) -> str:
    """Write trees whose label is turned round by a "not" in front of a part of them."""
    dice, lines = random.Random(1), []
    for _ in range(count):
        mood, turned = dice.randrange(3), dice.random() < 0.4
        word = dice.choice([["dull", "stale"], ["long", "new"], ["lovely", "warm"]][mood])
        label = 2 - mood if turned else mood
        phrase = f"({mood} (1 so) ({mood} {word}))"
        phrase = f"({label} (1 not) {phrase})" if turned else phrase
        lines.append(f"({label} (1 film){' (1 is)' if wide else ''} {phrase})")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trees")
    (folder / "trees.txt").write_text(trees())
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    assert (
        main(
            [
                "train",
                "classify",
                str(folder / "trees.txt"),
                "--out",
                str(folder / "run"),
                "--epochs",
                "12",
                *NETWORK,
                *QUICK,
            ]
        )
        == 0
    )
    return str(folder / "run")


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 0
    return capsys.readouterr().out


def test_a_network_learns_what_a_part_of_a_tree_does_to_another(run: str) -> None:
    result = json.loads(Path(run, "result.json").read_text())
    assert set(result["metrics"]) == {"accuracy", "macro_f1", "node_accuracy"}
    assert result["metrics"]["accuracy"] > 0.95
    assert result["metrics"]["node_accuracy"] > 0.95
    assert result["baselines"]["majority"]["accuracy"] < 0.6
    assert set(result["baselines"]) == {"majority", "ngram-bayes", "nbsvm"}
    assert set(result["baselines"]["nbsvm"]) == {"accuracy", "macro_f1"}
    assert result["details"]["early"] == []
    assert "binary tree 64" in Path(run, "report.md").read_text()


def test_trees_are_labelled_from_a_file_and_from_the_command(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "new.txt").write_text("(_ (_ film) (_ (_ not) (_ (_ so) (_ warm))))\n")
    rows = list(
        csv.DictReader(io.StringIO(answer(capsys, "classify", run, str(folder / "new.txt"))))
    )
    assert [(row["tree"][:10], row["predicted"]) for row in rows] == [("(_ (_ film", "0")]
    said = json.loads(answer(capsys, "classify", run, "(_ (_ film) (_ (_ so) (_ warm)))", "--json"))
    assert said["label"] == "2"


def test_lines_may_end_as_on_windows(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "(. (. film) (. (. so) (. warm)))\r\n\r\n(_ dull)\r\n"
    (folder / "windows.txt").write_bytes(lines.encode())
    of_file = answer(capsys, "classify", run, str(folder / "windows.txt"))
    monkeypatch.setattr("sys.stdin", io.StringIO(lines, newline=""))
    assert answer(capsys, "classify", run, "-").splitlines()[1:] == of_file.splitlines()[1:]


@pytest.mark.parametrize("model", ["gru", "nbsvm"])
def test_models_of_sequences_read_the_words_of_trees(
    run: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    line = [
        "train",
        "classify",
        str(folder / "trees.txt"),
        "--model",
        model,
        "--out",
        str(tmp_path / "run"),
    ]
    of_network = ["--epochs", "6", "--size", "tiny"] if model == "gru" else []
    rates = ["--set", "learning_rate=0.02", "--set", "ema_decay=0.9"]
    assert main([*line, *of_network, *rates]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert set(result["metrics"]) == {"accuracy", "macro_f1"}
    assert result["metrics"]["accuracy"] > 0.6
    assert "node accuracy" in answer(capsys, "compare", str(tmp_path / "run"), run)
    own = json.loads(answer(capsys, "evaluate", str(tmp_path / "run"), "--json"))
    assert own["metrics"] == result["metrics"]


def test_evaluate_gives_what_training_gave(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = json.loads(answer(capsys, "evaluate", run, "--json"))
    assert own["metrics"] == json.loads(Path(run, "result.json").read_text())["metrics"]
    found = json.loads(answer(capsys, "evaluate", run, str(folder / "trees.txt"), "--json"))
    assert found["metrics"]["accuracy"] > 0.95


def proposed(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    return answer(capsys, "train", "classify", *line, "--show-settings")


def test_bracketed_lines_are_known_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = proposed(capsys, str(folder / "trees.txt"))
    assert "# read as bracketed trees, because the first line is one (choose with --format)" in said
    assert (
        "# model tree, which composes each tree from its words up (choose with --model)"
    ) in said
    assert 'name = "trees"' in said


def test_two_classes_leave_the_neutral_out(folder: Path) -> None:
    merge = 'data.labels.merge=["0=bad", "1=", "2=good"]'
    notes: list[str] = []
    model = api.train(
        "classify",
        folder / "trees.txt",
        epochs=1,
        size="tiny",
        settings=[merge, "mixture.use=never"],
        on_event=lambda e: notes.append(str(e)),
    )
    assert model.labels.names == ("bad", "good")
    assert set(model.evaluate([]).metrics) == {"accuracy", "macro_f1", "auc", "node_accuracy"}
    neutral = trees().count("\n(1 ") + trees().startswith("(1 ")
    assert any(f"{neutral} examples left out, by data.labels.merge" in note for note in notes)
    assert model.evaluate([folder / "trees.txt"]).details["examples"] == 240 - neutral


def test_of_the_root_alone_there_is_no_figure_of_nodes(folder: Path) -> None:
    settings = ["data.reader.inner=false", "model.cell=plain"]
    model = api.train("classify", folder / "trees.txt", epochs=1, size="tiny", settings=settings)
    assert set(model.evaluate([]).metrics) == {"accuracy", "macro_f1"}


def test_wider_trees_get_a_cell_that_reads_them_and_others_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], run: str
) -> None:
    path = folder / "wide.txt"
    path.write_text(trees(wide=True))
    notes: list[str] = []
    model = api.train(
        "classify",
        path,
        epochs=1,
        size="tiny",
        settings=["mixture.use=never"],
        on_event=lambda event: notes.append(str(event)),
    )
    assert isinstance(model.model, TreeModel)
    assert model.model.settings.cell == "child_sum"
    assert any("model.cell = child_sum: nodes have up to 3 children" in note for note in notes)
    assert api.open(model.run.path).model.settings.cell == "child_sum"
    told = refused(capsys, path, "--set", "model.cell=binary")
    assert told == (
        "model.cell: a node has up to 3 children, and the cell binary takes two; choose "
        "with --set model.cell=child_sum"
    )
    assert main(["evaluate", run, str(path)]) == 2
    what = "a node has 3 children, and none had more than two in training"
    assert (
        f"wide.txt:1: {what}; leave the tree out, or train with such trees"
        in capsys.readouterr().err
    )


def refused(capsys: pytest.CaptureFixture[str], path: Path, *flags: str) -> str:
    out = path.parent / "refused"
    capsys.readouterr()
    assert (
        main(
            ["train", "classify", str(path), "--format", "trees", "--out", str(out), *QUICK, *flags]
        )
        == 2
    )
    assert not out.exists()
    *_, last = capsys.readouterr().err.splitlines()
    return last.removeprefix("ensue: ").replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "(1 (1 a) (1 b))\n(2 (1 a) (1 b)\n",
            f"t.txt:2: a bracket is never closed, at position 1; {FORM}",
        ),
        (
            "(1 (1 a) (1 b))\n\n(_ (1 a) (1 b))\n",
            (
                "t.txt:3: the root of the tree has no label; write it after the first "
                "bracket, or leave the line out"
            ),
        ),
        (
            "(1 (0 a) (1 b))\n" * 20,
            "t.txt: every example has the label '1'; give examples of other classes",
        ),
        ("\n\n", "data: there are no examples; give a file with some"),
    ],
)
def test_trees_that_cannot_be_used_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, what: str
) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text)
    assert refused(capsys, path) == what


def test_a_tree_beyond_the_longest_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(capsys, folder / "trees.txt", "--set", "data.max_length=4")
    assert told.startswith("trees.txt:")
    assert told.endswith(
        " nodes, more than 4; remove it, or read larger ones with --set data.max_length=N"
    )


def test_flags_that_mean_nothing_of_trees_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "trees.txt"
    assert (
        refused(capsys, path, "--text", "a")
        == "--text: data.reader 'trees' has no 'text'; leave it out"
    )
    assert (
        refused(capsys, path, "--auxiliary", "lm")
        == "--auxiliary: model 'tree' has no 'auxiliary'; leave it out"
    )
    what = "the codec text does not fit data of the format trees"
    assert refused(capsys, path, "--codec", "characters") == f"--codec: {what}; leave it out"


def test_nothing_is_taken_over_from_a_language_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "data of trees cannot use a pretrained run; leave it out"
    assert refused(capsys, folder / "trees.txt", "--pretrained", "bard") == f"--pretrained: {told}"


def test_what_is_no_tree_is_refused(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", run, "a warm film"]) == 2
    assert (
        f"a tree begins with an opening bracket, at position 1; {FORM}" in capsys.readouterr().err
    )
    assert main(["classify", run, ""]) == 2
    assert "classify: the text is empty; give some text, or a file" in capsys.readouterr().err


def test_stopped_and_resumed_it_ends_with_the_same_bits(folder: Path, tmp_path: Path) -> None:
    settings = [
        "hardware.threads=1",
        "training.evaluate_every=3",
        "training.report_every=1",
        "training.steps=12",
    ]

    def train(out: Path, watch=lambda event: None) -> None:
        api.train(
            "classify",
            folder / "trees.txt",
            out=out,
            size="tiny",
            settings=settings,
            on_event=watch,
        )

    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 7:
            raise MemoryError

    train(tmp_path / "whole")
    with pytest.raises(MemoryError):
        train(tmp_path / "stopped", stop)
    api.resume(tmp_path / "stopped")
    whole, resumed = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "stopped")
    )
    assert whole == resumed


KILLED = """
import sys
from ensue.cli.main import main
from tiny_training import arm
arm(sys.argv[1])
raise SystemExit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_killed_anywhere_and_resumed_it_ends_with_the_same_bits(
    folder: Path, tmp_path: Path
) -> None:
    settings = ["hardware.threads=1", "training.evaluate_every=3", "training.steps=12"]
    train = ["train", "classify", str(folder / "trees.txt"), "--size", "tiny"]
    train += [part for setting in settings for part in ("--set", setting)]
    assert main([*train, "--out", str(tmp_path / "whole")]) == 0
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    # While the run is made, within and after a save, between saves, at the last step, and while it
    # is concluded.
    for kill in (
        "fsync:12",
        "update:1",
        "torn:9",
        "update:8",
        "replaced:20",
        "update:12",
        "replace:32",
    ):
        out = tmp_path / kill.replace(":", "-")
        command = [sys.executable, "-c", KILLED, kill, *train, "--out", str(out)]
        assert (
            subprocess.run(command, capture_output=True, env=environment).returncode
            == -signal.SIGKILL
        ), kill
        assert main(["resume", str(out)]) == 0
        for name in ("weights.safetensors", "calibration.json", "codec.json"):
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), (
                kill,
                name,
            )
        metrics = [
            json.loads((run / "result.json").read_text())["metrics"]
            for run in (out, tmp_path / "whole")
        ]
        assert metrics[0] == metrics[1]


def test_the_demo_holds_trees_of_many_kinds(tmp_path: Path) -> None:
    examples = list(Trees().build([write_demo("ast", tmp_path)]).examples())
    assert len(examples) > 5000
    assert {"Call", "BinOp", "Compare", "Attribute"} <= {example.label for example in examples}
