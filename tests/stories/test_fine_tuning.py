"""A language model that is trained further on a second text keeps what it knows, and gets new
symbols."""

import json
import shutil
from math import isfinite
from pathlib import Path

import numpy as np
import pytest
import torch

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.errors import Interrupted

FIRST = (
    "the cat sat on the mat, and the dog saw the cat and the old red barn.\nso it ran to the old red barn.\n"
    * 40
)
SECOND = "The Dog sat (at 7) by the fox.\n\nA cat ran by the barn, and the dog saw it: 7!\n" * 30
NEW = set(SECOND) - set(FIRST)
QUICK = ["training.steps=6", "evaluate_every=2", "hardware.threads=1"]
NETWORK = ["embedding=8", "body.width=16", *QUICK]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    (folder / "first.txt").write_text(FIRST)
    (folder / "second.txt").write_text(SECOND)
    (folder / "lines.txt").write_text("\n".join(["anna", "otto", "hanna", "dora"] * 30) + "\n")
    text = {"settings": ["mixture.use=never", *NETWORK], "model": "lstm"}
    ensue.train("generate", folder / "first.txt", out=folder / "first", **text)
    ensue.train("generate", folder / "first.txt", out=folder / "mixed", settings=NETWORK)
    ensue.train("generate", folder / "lines.txt", out=folder / "lines", **text)
    ensue.train("generate", folder / "first.txt", out=folder / "words", codec="words", **text)
    ensue.train("generate", folder / "first.txt", out=folder / "bytes", codec="bytes", **text)
    ensue.train("generate", folder / "first.txt", out=folder / "counts", model="ngram")
    (folder / "moods.csv").write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 20)
    ensue.train("classify", folder / "moods.csv", size="tiny", settings=QUICK, out=folder / "moods")
    return folder


def tune(folder: Path, run: str, out: str, *settings: str, **choices: object) -> object:
    pretrained = choices.pop("pretrained", folder / run)
    given = {"pretrained": pretrained, "out": folder / out, "settings": [*QUICK, *settings]}
    return ensue.train("generate", folder / "second.txt", **given, **choices)


def test_new_letters_are_told_and_written_and_what_was_known_is_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    tuned = tune(
        folder, "first", "told", on_event=lambda event: told.append(getattr(event, "text", ""))
    )
    known = json.loads((folder / "told" / "result.json").read_text())["details"]["pretrained"]
    assert known["new"] == len(NEW)
    train = SECOND[round(0.03 * len(SECOND)) : round(0.9 * len(SECOND))]
    share = sum(train.count(letter) for letter in NEW) / len(train)
    assert known["share"] == pytest.approx(share, abs=2e-3)
    line = next(one for one in told if "new symbols" in one)
    assert line.startswith(f"new symbols, added to those of {folder / 'first'}: ")
    assert f"({len(NEW)}, {known['share']:.2%} of the training part)" in line
    assert "'7'" in line
    assert any(one.startswith("learning_rate ") for one in told)
    # The letters that it knew keep their ids.
    old, new = ensue.open(folder / "first").codec.alphabet, tuned.codec.alphabet
    assert new.startswith(old)
    assert set(new) == set(old) | NEW
    assert tuned.generate("", length=8, allowed_characters="()7").strip("()7") == ""
    # Before it was trained further it had what `evaluate` says of the first run.
    part = tuned.codec.decode(tuned.parts.validation.ids)
    assert SECOND.startswith(part)
    assert "7" in part
    (folder / "part.txt").write_text(part)
    capsys.readouterr()
    assert main(["evaluate", str(folder / "first"), str(folder / "part.txt"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["nats_per_character"]
    assert known["before"] == pytest.approx(found, rel=1e-5)
    assert known["after"] < known["before"]
    report = (folder / "told" / "report.md").read_text()
    assert "## Fine-tuning" in report
    assert f"{known['before']:.3f} before" in report


def test_the_run_needs_no_other_and_resumes_with_the_same_bits(folder: Path) -> None:
    whole, moved = tune(folder, "first", "whole").run.path, folder / "moved"
    labelled = ensue.train(
        "classify", folder / "moods.csv", pretrained=folder / "first", settings=QUICK
    )

    def kill(event: object) -> None:
        if getattr(event, "step", 0) == 4:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        tune(folder, "first", "killed", on_event=kill)
    shutil.rmtree(folder / "killed" / "cache")
    (folder / "first").rename(moved)
    try:
        api.resume(folder / "killed")
        for name in ("weights.safetensors", "codec.json"):
            assert (folder / "killed" / name).read_bytes() == (whole / name).read_bytes(), name
        assert len(ensue.open(whole).generate("the", length=5)) == 5
        shutil.rmtree(labelled.run.path / "cache")
        assert main(["evaluate", str(labelled.run.path)]) == 0
    finally:
        moved.rename(folder / "first")


def test_it_begins_with_the_distribution_that_it_had(folder: Path) -> None:
    first = ensue.open(folder / "first")
    # A learning rate of almost nothing leaves the weights as they were loaded.
    tuned = tune(folder, "first", "still", "learning_rate=1e-12", "mixture.use=never")
    ids = first.codec.encode("the cat")
    assert np.array_equal(tuned.codec.encode("the cat"), ids)
    parts = []
    for model in (first, tuned):
        network, size = model.model, model.codec.size
        inputs = torch.tensor([[size, *ids.tolist()]])
        parts.append(network(inputs, network.initial(1))[0].probs.detach().numpy()[0])
    known = len(first.codec.alphabet)
    np.testing.assert_allclose(parts[1][:, :known], parts[0][:, :known], rtol=1e-4)
    shared = parts[1][:, known:].sum(1)
    np.testing.assert_allclose(shared, parts[0][:, known], rtol=1e-4)


@pytest.mark.parametrize("run", ["mixed", "words", "bytes", "lines", "whole"])
def test_every_network_of_text_can_be_trained_further(folder: Path, run: str) -> None:
    if run == "whole" and not (folder / run).exists():
        tune(folder, "first", "whole")
    choices = {"format": "lines"} if run == "lines" else {}
    tuned = tune(folder, run, f"from-{run}", **choices)
    before, after = ensue.open(folder / run).codec, tuned.codec
    assert (after.size > before.size) == (run not in ("bytes", "whole"))
    assert (after.end is None) == (before.end is None)
    assert isfinite(json.loads(tuned.run.read("result.json"))["details"]["pretrained"]["after"])
    if run == "words":
        assert after.symbols[: len(before.symbols)] == before.symbols
        assert " Dog" in after.symbols


def test_what_says_the_same_is_taken(folder: Path) -> None:
    tuned = tune(folder, "first", "same", "model.output_dropout=0.4", "body.width=16")
    settings = tuned.run.about["settings"]
    assert settings["model"]["body"]["width"] == 16
    assert settings["model"]["output_dropout"] == 0.4
    assert settings["training"]["optimiser"]["learning_rate"] == pytest.approx(0.003)
    # A run's own settings train it again.
    ensue.train(
        "generate", folder / "second.txt", config=folder / "same" / "run.toml", out=folder / "again"
    )
    weights = [folder / name / "weights.safetensors" for name in ("same", "again")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


REFUSED = {
    "another cell": (["--model", "gru"], "--model: network and codec are those of first; leave "),
    "a size": (["--size", "tiny"], "--size: network and codec are those of first; leave it out"),
    "another codec": (["--codec", "words"], "--codec: network and codec are those of first; "),
    "a codec among settings": (
        ["--set", "codec=words"],
        "codec.name: first has characters, not words; leave it out",
    ),
    "another width": (
        ["--set", "body.width=9"],
        "model.body.width: first has 16, not 9; leave it out",
    ),
    "an n-gram": (["--set", "model=ngram"], "--pretrained: the model ngram cannot use a "),
    "a run that counts": (
        ["--pretrained", "counts"],
        "counts: the run has no network of `generate`; name a run of `generate` that has a ",
    ),
    "a run of labels": (["--pretrained", "moods"], "moods: the run has no network of `generate`"),
    "no run": (["--pretrained", "nowhere"], "nowhere: there is no such run folder"),
    "records for a text": (
        ["--pretrained", "lines"],
        "--pretrained: the pretrained run read one record a line, and this data is one long text; "
        "use --format lines",
    ),
    "a text for records": (
        ["--format", "lines"],
        "--pretrained: the pretrained run read one long text, and this data is one record a line; "
        "use --format text",
    ),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_contradicts_the_first_run_is_refused(
    folder: Path, wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    flags, line = REFUSED[wrong]
    capsys.readouterr()
    pretrained = [] if "--pretrained" in flags else ["--pretrained", "first"]
    assert main(["train", "generate", "second.txt", "--out", "no", *pretrained, *flags]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"ensue: {line}")
    assert not (folder / "no").exists()


@pytest.mark.parametrize("verb", ["generate", "classify"])
def test_a_damaged_run_is_refused(
    folder: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, data = folder / f"broken-{verb}", "second.txt" if verb == "generate" else "moods.csv"
    shutil.copytree(folder / "first", broken)
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    capsys.readouterr()
    line = ["train", verb, str(folder / data), "--pretrained", str(broken)]
    assert main([*line, "--out", str(folder / "no")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"ensue: {weights}: ")
    assert not (folder / "no").exists()


@pytest.mark.parametrize("verb", ["generate", "classify"])
def test_the_command_that_trains_a_simple_model_instead_works(
    folder: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = "second.txt" if verb == "generate" else "moods.csv", folder / f"weak-{verb}"
    line = ["train", verb, str(folder / data), "--pretrained", str(folder / "first")]
    alone = ("learning_rate=1e-9", "mixture.use=never", *QUICK)
    quick = [word for one in alone for word in ("--set", one)]
    assert main([*line, *quick, "--out", str(out)]) == 0
    result = json.loads((out / "result.json").read_text())
    command = result["retrain"].split("`")[1].split()
    capsys.readouterr()
    assert main(command[1:]) == 0
