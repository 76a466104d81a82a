"""What a person types, from a text to a run and its use, with what programs rely on."""

import io
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensue
from ensue.cli.list import first_line
from ensue.cli.main import main
from ensue.data.codecs import Characters
from ensue.data.dataset_writer import encode_corpus
from ensue.evaluation.unigram import measure_text
from ensue.models.ngram import NgramSettings, read_arpa
from ensue.settings import read
from ensue.tasks.generate.report import retrain_flags
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.results import recommend
from ensue.training.folder.run import Run

NOUNS, WORDS = ("cat", "house", "road", "king"), ("old", "young", "here", "gone")
TEXT = "".join(
    f"{name}:\nthe {noun} is {word} and so am i.\n\n"
    for name in ("Ann", "Bob", "Cy")
    for noun in NOUNS
    for word in WORDS
)
TEXT *= 6
FIGURES = {"nats_per_character", "bits_per_character", "bits_per_byte", "perplexity"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "text.txt").write_text(TEXT)
    (folder / "more.txt").write_text("Ann:\nthe cat is young and so am i.\nthe zebra is here.\n")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    out = folder / "run"
    command = [
        "train",
        "generate",
        str(folder / "text.txt"),
        "--model",
        "ngram",
        "--set",
        "model.order=5",
    ]
    assert main([*command, "--out", str(out), "--seed", "3"]) == 0
    return str(out)


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 0
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ensue: ")
    assert err.count("\n") == 1
    return err


def test_training_shows_the_table_a_sample_and_what_to_try_next(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = answer(
        capsys,
        "train",
        "generate",
        str(folder / "text.txt"),
        "--model",
        "ngram",
        "--out",
        run + "-shown",
    )
    for part in (
        "nats/character",
        "uniform",
        "unigram",
        "novelty: ",
        "Next, try:",
        f"ensue generate {run}-shown",
    ):
        assert part in out


def test_an_n_gram_as_it_was_set_is_told_apart_from_its_baseline(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    settings = ["model.order=5", "baseline.max_order=8"]
    ensue.train("generate", folder / "text.txt", model="ngram", settings=settings, out=out)
    best, own = json.loads((out / "result.json").read_text())["rows"][2:]
    assert re.fullmatch(r"\d-gram", best["name"])
    assert own["name"] == "5-gram as set"
    chosen = json.loads((out / "result.json").read_text())["selected"]
    assert chosen == [
        (
            f"the order of the n-gram, {best['name'][0]}: on the validation part, which is "
            f"counted too at the end"
        )
    ]


def test_what_is_recommended_comes_with_the_command_that_trains_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = str(folder / "worse net")
    command = [
        "train",
        "generate",
        str(folder / "text.txt"),
        "--model",
        "bag-of-context",
        "--size",
        "tiny",
        "--seed",
        "3",
    ]
    out = answer(capsys, *command, "--out", net, "--set", "steps=2", "--set", "mixture.use=never")
    result = json.loads((Path(net) / "result.json").read_text())
    name = result["rows"][2]["name"]
    assert result["recommendation"].startswith(f"{name} (")
    before, quoted, rest = result["retrain"].split("`")
    assert (before, rest) == (f"This run contains bag-of-context 128. To get {name}: ", "")
    assert (
        f"\nRecommendation: {result['recommendation']}.\nThe network (bag-of-context 128) is "
        in out
    )
    assert quoted in out
    assert quoted in (Path(net) / "report.md").read_text()
    line = shlex.split(quoted)[1:]
    answer(capsys, *line)
    new = json.loads((Path(line[-1]) / "result.json").read_text())
    assert new["rows"][-1]["name"] == name
    assert new["rows"][-1]["metrics"] == result["rows"][2]["metrics"]
    assert new["retrain"] is None


@pytest.mark.parametrize(
    ("name", "role", "more"),
    [
        ("unigram", "baseline", "--model ngram --set model.order=1 --set model.smoothing=additive"),
        ("4-gram", "baseline", "--model ngram --set model.order=4"),
        ("lstm 8", "network", "--set mixture.use=never"),
    ],
)
def test_each_recommended_model_has_its_command(run: str, name: str, role: Any, more: str) -> None:
    opened = Run.open(run)
    settings = read(GenerateSettings, opened.about["settings"] | {"baseline": {"order": 4}})
    text = encode_corpus(["aab" * 50], Characters().fit(["ab"], ends=False))
    rows = [
        measure_text(text, np.full(len(text), nats)).of(each, role, 1.0, 2)
        for each, nats in ((name, 1.0), ("mixture", 2.0))
    ]
    out = "network" if role == "network" else name
    changes = retrain_flags(settings, rows)
    retrain = recommend(opened, rows, changes).retrain
    assert retrain is not None
    assert retrain.endswith(f"--config {run}/run.toml {more} --out {run}-{out}`")
    assert recommend(opened, rows[::-1], changes).retrain is None


def test_a_network_trains_and_speaks_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        f"train generate {folder / 'text.txt'} --model window --size tiny --out "
        f"{folder / 'net'} --json"
    )
    lines = answer(
        capsys,
        *command.split(),
        "--set",
        "steps=6",
        "--set",
        "evaluate_every=3",
        "--set",
        "batch_size=4",
    )
    events = [json.loads(line) for line in lines.splitlines()]
    assert {event["event"] for event in events} == {"note", "progress", "sample", "result"}
    assert events[-1]["event"] == "result"
    assert {"metrics", "baselines", "recommendation", "selected", "warnings"} <= events[-1].keys()
    own = events[-1]["rows"][-1]
    assert events[-1]["metrics"]["nats_per_character"] == own["metrics"]["nats_per_character"]
    assert own["name"] not in events[-1]["baselines"]
    assert events[-1]["baselines"]["unigram"]["perplexity_per_token"] > 1
    assert {"uniform", "unigram", "window 128"} <= {row["name"] for row in events[-1]["rows"]}


def test_ctrl_c_saves_and_says_how_to_go_on(folder: Path) -> None:
    out = folder / "stopped"
    command = [
        sys.executable,
        "-m",
        "ensue",
        "train",
        "generate",
        str(folder / "text.txt"),
        "--out",
        str(out),
    ]
    more = [
        "--model",
        "window",
        "--size",
        "tiny",
        "--set",
        "steps=100000",
        "--set",
        "report_every=1",
        "--json",
    ]
    with subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "progress":
                process.send_signal(signal.SIGINT)
                break
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == f"ensue: interrupted and saved; resume with `ensue resume {out}`"
    assert any((out / "checkpoint").iterdir())


def test_settings_are_shown_and_read_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = answer(
        capsys, "train", "generate", "--model", "lstm", "--set", "body.width=77", "--show-settings"
    )
    (folder / "settings.toml").write_text(text)
    again = answer(
        capsys, "train", "generate", "--config", str(folder / "settings.toml"), "--show-settings"
    )
    assert "width = 77" in text
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        line for line in again.splitlines() if not line.startswith("#")
    ]


def test_writing(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    one = answer(capsys, "generate", run, "--prompt", "Bob:\nthe ", "--length", "30", "--seed", "4")
    assert one.startswith("Bob:\nthe ")
    assert len(one) == len("Bob:\nthe ") + 30 + 1
    assert one == answer(
        capsys, "generate", run, "--prompt", "Bob:\nthe ", "--length", "30", "--seed", "4"
    )
    assert one != answer(
        capsys, "generate", run, "--prompt", "Bob:\nthe ", "--length", "30", "--seed", "5"
    )
    greedy = answer(capsys, "generate", run, "--greedy", "--length", "30")
    assert greedy == answer(
        capsys, "generate", run, "--temperature", "0", "--length", "30", "--seed", "9"
    )
    assert answer(capsys, "generate", run, "--prompt", "and so", "--stop", "i.").endswith("i.\n")
    assert set(
        answer(capsys, "generate", run, "--allowed-characters", "abc ", "--length", "20")
    ) <= set("abc \n")
    assert answer(capsys, "generate", run, "--regex", "(cat|king)", "--length", "9").strip() in (
        "cat",
        "king",
    )


def test_what_is_allowed_must_be_possible(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = (
        "ensue: --allowed-characters: none of the characters '<>' was seen in training; "
        "allow some that were\n"
    )
    assert told(capsys, "generate", run, "--allowed-characters", "<>") == wrong
    command = (
        f"train generate {folder / 'text.txt'} --model ngram --codec bytes --set model.order=1"
    )
    answer(capsys, *command.split(), "--out", f"{run}-bytes")
    assert (
        answer(capsys, "generate", f"{run}-bytes", "--allowed-characters", "é", "--length", "8")
        == "éééé\n"
    )


def test_writing_for_programs_and_with_novelty(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = answer(
        capsys, "generate", run, "--samples", "3", "--length", "20", "--json"
    ).splitlines()
    samples = [json.loads(line) for line in lines]
    assert len(samples) == 3
    for sample in samples:
        assert {"text", "nats", "novelty"} <= set(sample)
        assert len(sample["text"]) == 20
        assert sample["nats"] > 0
    people = answer(capsys, "generate", run, "--samples", "2", "--length", "20", "--novelty")
    assert "--- sample 2: " in people
    assert people.count("[the longest span copied from the training data is ") == 2


def test_samples_come_as_they_are_finished(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ensue.open(run)
    together = model.samples(n=5, length=20, novelty=True)
    monkeypatch.setattr("ensue.tasks.generate.trained.BATCH_SIZE", 2)
    asked: list[Sequence[int]] = []
    true = model.steps
    monkeypatch.setattr(
        model,
        "steps",
        lambda prompt, numbers, more: asked.append(numbers) or true(prompt, numbers, more),
    )
    request = model.request(samples=5, length=20, novelty=True)
    found = model.answer(request)
    assert (next(found), next(found)) == tuple(together[:2])
    assert asked == [range(2)]
    assert list(found) == together[2:]


def test_a_prompt_with_unknown_symbols_is_told(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", run, "--prompt", "Zé", "--length", "5"]) == 0
    assert (
        capsys.readouterr().err
        == "ensue: the prompt: 2 symbols are unknown: not in the training data\n"
    )


def test_writing_in_turns(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the ca\n?\n?1\n\n"))
    out = answer(capsys, "generate", run, "--interactive", "--length", "5")
    assert "the ca" in out
    shown = [line for line in out.splitlines() if "%" in line]
    assert len(shown) == 10
    assert shown[0].lstrip("> ").startswith("1  ")


def test_weights_in_fewer_bits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, text = str(folder / "network"), str(folder / "text.txt")
    command = f"train generate {text} --model gru --size tiny --set mixture.use=never --out {out}"
    answer(
        capsys,
        *command.split(),
        "--set",
        "steps=30",
        "--set",
        "evaluate_every=30",
        "--set",
        "batch_size=4",
        "--json",
    )
    exact = answer(capsys, "generate", out, "--length", "60")
    assert len(exact) == 61
    assert exact == answer(capsys, "generate", out, "--length", "60", "--precision", "fp32")
    assert [json.loads(answer(capsys, "generate", out, "--length", "60", "--json"))["text"]] == [
        exact[:-1]
    ]
    long = answer(capsys, "generate", out, "--length", "300")
    assert answer(capsys, "generate", out, "--length", "300", "--stop", long[100:103]) == (
        long[: long.index(long[100:103]) + 3] + "\n"
    )
    assert len(answer(capsys, "generate", out, "--length", "60", "--precision", "int8")) == len(
        exact
    )
    assert re.search(
        r"int8 weights: [+-]0\.\d{4} bits per char",
        answer(capsys, "evaluate", out, "--precision", "int8"),
    )
    found = {
        name: json.loads(answer(capsys, "evaluate", out, "--precision", name, "--json"))
        for name in ("fp32", "bf16")
    }
    assert found["fp32"]["cost_of_precision"] == 0 != found["bf16"]["cost_of_precision"]
    difference = found["bf16"]["bits_per_character"] - found["fp32"]["bits_per_character"]
    assert found["bf16"]["cost_of_precision"] == pytest.approx(difference)
    assert abs(difference) < 0.01
    assert "--precision" in told(capsys, "generate", out, "--precision", "int4")


def test_scoring(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = str(folder / "more.txt")
    found = json.loads(
        answer(capsys, "evaluate", run, more, "--json", "--lines", "--surprising", "2")
    )
    assert FIGURES | {"count", "intervals"} <= set(found)
    assert set(found["intervals"]) >= FIGURES
    low, high = found["intervals"]["bits_per_byte"]
    assert low <= found["bits_per_byte"] <= high
    assert sum(line["nats"] for line in found["lines"]) == pytest.approx(found["nats"])
    assert found["surprising"][0]["line"] == 3
    people = answer(capsys, "evaluate", run, more, "--lines", "--surprising", "2")
    assert f"{found['nats_per_character']:.4f}" in people
    assert "so am i.⏎the  z" in re.sub("  +", "  ", people)
    own = json.loads(answer(capsys, "evaluate", run, "--json"))
    assert own["nats_per_character"] < found["nats_per_character"]


def test_unknown_symbols_are_shown_as_they_stand_in_the_file(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.txt").write_text("Zéŝ")
    found = json.loads(
        answer(capsys, "evaluate", run, str(folder / "odd.txt"), "--json", "--surprising", "3")
    )
    assert {(place["before"], place["symbol"]) for place in found["surprising"]} == {
        ("", "Z"),
        ("Z", "é"),
        ("Zé", "ŝ"),
    }


@pytest.mark.parametrize(
    ("kind", "codec", "numbers"),
    [("text", "words", [1, 2, 3, 4]), ("lines", "characters", [1, 2, 4])],
)
def test_lines_have_the_numbers_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, codec: str, numbers: list[int]
) -> None:
    odd, out = folder / "odd.txt", folder / f"lines-{kind}"
    odd.write_text("the cat \nis the zoo \n\nhere.\n")  # a blank before a line break was never seen
    command = (
        f"train generate {folder / 'text.txt'} --model ngram --codec {codec} --set "
        f"data.format={kind} --out {out}"
    )
    answer(capsys, *command.split(), "--set", "model.order=2")
    found = json.loads(answer(capsys, "evaluate", str(out), str(odd), "--json", "--lines"))
    assert [line["line"] for line in found["lines"]] == numbers
    assert sum(line["nats"] for line in found["lines"]) == pytest.approx(found["nats"])
    assert sum(line["symbols"] for line in found["lines"]) == found["count"]


def test_scoring_a_text_that_goes_on(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "next.txt").write_text("Dan:\nthe zoo is open and so are we.\n" * 1500)
    out = answer(capsys, "evaluate", run, str(folder / "next.txt"), "--prequential", "--json")
    chunks = [json.loads(line)["nats_per_character"] for line in out.splitlines()]
    assert len(chunks) >= 2
    assert chunks[-1] < chunks[0] / 2
    assert "--prequential: prequential evaluation needs a text; give a FILE" in told(
        capsys, "evaluate", run, "--prequential"
    )


def test_runs_side_by_side(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        f"train generate {folder / 'text.txt'} --model ngram --set model.order=2 --out "
        f"{run}-2 --seed 3"
    )
    answer(capsys, *command.split())
    found = json.loads(answer(capsys, "compare", run, run + "-2", "--json"))
    assert found["settings"]["model.order"] == {run: 5, run + "-2": 2}
    assert (
        found["results"][run]["metrics"]["nats_per_character"]
        < found["results"][run + "-2"]["metrics"]["nats_per_character"]
    )
    people = answer(capsys, "compare", run, run + "-2")
    assert "model.order" in people
    assert "Settings that differ:" in people


def test_the_memory(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(
        answer(capsys, "inspect", run, "--longest", "16", "--places", "50", "--json")
    )
    assert found["contexts"] == [1, 2, 4, 8, 16]
    assert found["nats"][0] > found["nats"][2]
    assert "excess over context" in answer(
        capsys, "inspect", run, "--longest", "16", "--places", "50"
    )


def test_checking(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = str(folder / "text.txt")
    out = answer(capsys, "check", text)
    assert "Read as one long text (choose with --set data.format=text|lines|table):" in out
    assert "No problems found; look at the warnings above before training." in out
    (folder / "varied.txt").write_text(
        "".join(f"line number {n} is not the others\n" for n in range(200))
    )
    assert answer(capsys, "check", str(folder / "varied.txt"), "--set", "format=text").endswith(
        "\nNo problems found.\n"
    )
    found = json.loads(answer(capsys, "check", text, "--json", "--set", "format=lines"))
    assert found["format"] == "lines"
    assert found["problems"] == []
    assert found["files"][0]["characters"] > 1000
    (folder / "empty.txt").write_text("")
    assert main(["check", str(folder / "empty.txt")]) == 2
    assert "empty.txt" in capsys.readouterr().err
    assert "no data given; give files or folders" in told(capsys, "check")


def test_wrong_lines(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = str(folder / "text.txt")
    for line, expected in {
        "generate nowhere": "nowhere: there is no such run folder",
        f"generate {text}": f"text.txt: this is a file, not a run folder; "
        f"to train on it, see `ensue check {text}`; then give the folder of that run",
        f"generate {run} --temperature -1": "--temperature cannot be '-1': input should be greater than or equal to 0",
        f"generate {run} --length 0": "--length cannot be '0': input should be greater than or equal to 1",
        f"train generate {run}": "this is the folder of a run, not data; give data; to go on with its training, "
        f"`ensue resume {run}`",
        f"train forecast {run}": "this is the folder of a run, not data",
        f"evaluate {run} {run}": "this is the folder of a run, not data",
        f"check {run}": "this is the folder of a run, not data",
        f"train generate {text} --model lsmt": (
            "--model: there is no model 'lsmt' for generate; did you mean lstm?"
        ),
        f"train generate {text} --set body.widht=3": "there is no setting 'body.widht'; did you mean body.width?",
        f"train generate {text} --model ngram --out {run}": "there is a run in this folder already",
        f"train generate {text} --minutes 0": "'minutes' cannot be 0.0: input should be greater than 0",
        f"train generate {text} --epochs 0": "'epochs' cannot be 0: input should be greater than or equal to 1",
        f"train generate {text} --device gpu --out {folder / 'no'}": "--device: 'gpu' is not a device; use auto, cpu",
        f"train generate {text} --set tied=true --set embedding=0 --out {folder / 'no'}": "tied=true needs embedded",
        f"train generate {text} --model nowhere.py": "nowhere.py: cannot be read: No such file or directory",
        f"generate {run} --regex [": "pattern '[', character 1: this class is never closed",
        f"generate {run} --regex é+": "no match can be written with the symbols that the model knows",
        f"generate {run} --samples 0": "--samples cannot be '0': input should be greater than or equal to 1",
        f"evaluate {run} --surprising -1": 'Invalid value "-1" for --surprising. Must be >= 0',
        f"inspect {run} --longest 0": "inspect: 'longest' cannot be 0: input should be greater than or equal to 2",
        f"resume {run}": "or train another: a model fitted in closed form cannot train longer",
        f"resume {run} --epochs 1": "the training has finished; use it with `ensue generate ",
        f"train tag --config {run}/run.toml": "run.toml: these are settings of generate, not of tag; train with ",
        "demo nothing": "demo: there is no demo 'nothing'; choose from ",
        f"evaluate {run} nowhere.txt": "nowhere.txt: there is no such file or folder",
    }.items():
        assert expected in told(capsys, *line.split()), line


def test_the_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(answer(capsys, "doctor", "--json"))
    assert all(found["self_test"].values())
    assert "torch" in found
    assert "works" in answer(capsys, "doctor")


def test_lists(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name in {
        "tasks": "generate",
        "models": "ngram",
        "codecs": "bytes",
        "demos": "code",
    }.items():
        assert name in answer(capsys, "list", kind)
        assert len(answer(capsys, "list", kind, name)) > 20
    page = answer(capsys, "list", "cells", "lstm")
    assert "c = sigmoid(gate.forget) * state.c + sigmoid(gate.input) * tanh(gate.candidate)" in page
    assert "  dstate.c = e7 * forget\n" in page
    rows = answer(capsys, "list", "models").splitlines()
    assert all(row.endswith(".") for row in rows[1:])
    assert any(row.split()[:3] == ["convolution", "classify,", "tag"] for row in rows)
    assert any(row.split()[:2] == ["ridge", "forecast"] for row in rows)
    assert "proportional odds" in answer(capsys, "list", "heads", "ordinal")
    assert "words of a tree" in answer(capsys, "list", "codecs", "tree")


def test_a_cell_of_ones_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = folder / "leaky.py"
    cell.write_text(
        "class Leaky(Cell):\n"
        '    states = ("h",)\n'
        '    gates = ("new",)\n\n'
        "    def equation(self, gate, state, weight):\n"
        '        return {"h": 0.9 * state.h + 0.1 * tanh(gate.new)}\n'
    )
    assert "  h' = (state.h * 0.9) + (0.1 * new)\n" in answer(capsys, "list", "cells", str(cell))
    command = (
        f"train generate {folder / 'text.txt'} --model {cell} --size tiny --out {folder / 'leaky'}"
    )
    answer(capsys, *command.split(), "--set", "steps=3", "--set", "batch_size=4")
    cell.unlink()
    assert len(answer(capsys, "generate", str(folder / "leaky"), "--length", "9")) == 10


def test_an_n_gram_for_other_programs(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "model.arpa"
    assert "an n-gram of order" in answer(capsys, "export", run, str(path))
    model, tokens = read_arpa(path)
    assert model.order >= 2
    assert "%20" in tokens
    assert not list(folder.glob(".*.tmp"))


def test_a_network_is_no_n_gram(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        f"train generate {folder / 'text.txt'} --model bag-of-context --size tiny --out "
        f"{folder / 'bag'} --set steps=2"
    )
    answer(capsys, *command.split(), "--set", "mixture.use=never")
    assert main(["export", str(folder / "bag"), str(folder / "bag.arpa")]) == 2
    assert "has no n-gram; give another run" in capsys.readouterr().err
    assert not (folder / "bag.arpa").exists()


def test_an_n_gram_that_cannot_be_written(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "missing" / "model.arpa"
    assert told(capsys, "export", run, str(path)).startswith(
        f"ensue: {path}: cannot be written: its folder does not exist; create it"
    )


def test_what_is_next_can_be_pasted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "two words"
    command = [
        "train",
        "generate",
        str(folder / "text.txt"),
        "--model",
        "ngram",
        "--set",
        "model.order=2",
    ]
    assert f"ensue generate '{out}' --temperature" in answer(capsys, *command, "--out", str(out))


def test_unknown_symbols_are_told_in_turns_too(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Z\n"))
    assert main(["generate", run, "--interactive", "--length", "3"]) == 0
    assert "the prompt: 1 symbol is unknown" in capsys.readouterr().err


def test_a_description_of_two_lines_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys.modules[NgramSettings.__module__], "__doc__", "Counts of n symbols,\nsmoothed.\n\nMore."
    )
    assert first_line(NgramSettings) == "Counts of n symbols, smoothed."
