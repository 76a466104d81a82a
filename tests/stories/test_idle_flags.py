"""A flag that would do nothing is refused by one line, or a note says so."""

from pathlib import Path

import pytest

from ensue import open as open_run
from ensue import train
from ensue.api import make_choices
from ensue.cli.main import main
from ensue.errors import SettingError
from ensue.tasks import TASKS

TREEBANK = "1\ta\t_\tDET\t_\t_\t0\troot\t_\t_\n\n"
ROW = '{"words": ["a"], "pos": ["DET"]}\n'


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    assert main([str(one) for one in args]) == 2
    message = capsys.readouterr().err
    assert message.startswith("ensue: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize(
    ("verb", "model"),
    [("generate", "ngram"), ("classify", "nbsvm"), ("tag", "hmm"), ("forecast", "ridge")],
)
@pytest.mark.parametrize("flag", ["--size tiny", "--epochs 3", "--device cuda"])
def test_models_without_a_network_ignore_size_epochs_and_gpu_and_say_so(
    verb: str, model: str, flag: str
) -> None:
    name, value = flag.split()
    choices = {name.removeprefix("--"): int(value) if value.isdigit() else value}
    for chosen, ignored in ((model, True), ("lstm", False)):
        task = TASKS[verb]
        reasons = task.propose(make_choices(task, [], {"model": chosen, **choices})).reasons
        told = [one for one in reasons if "is fitted in closed form and ignores" in one]
        assert told == (
            [
                f"{model} is fitted in closed form and ignores {name} "
                "(a network uses them: --model lstm)"
            ]
            * ignored
        )


@pytest.mark.parametrize(
    ("file", "text", "flag", "key"),
    [
        ("a.conllu", TREEBANK, "--tokens", "words"),
        ("a.conllu", TREEBANK, "--tags", "pos"),
        ("a.tsv", "a\tDET\n\n", "--tags", "pos"),
        ("a.jsonl", ROW, "--word", "2"),
        ("a.jsonl", ROW, "--column", "pos"),
    ],
)
def test_columns_and_keys_of_other_formats(
    file: str, text: str, flag: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).write_text(text * 30)
    out = tmp_path / "run"
    message = refused(capsys, "train", "tag", tmp_path / file, flag, key, "--out", out)
    assert message.endswith(f"which has no {flag[2:]}; leave it out\n")
    assert file in message
    assert not out.exists()


def test_word_vectors_need_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "train", "tag", "--model", "hmm", "--vectors", tmp_path / "v.txt")
    assert message == "ensue: --vectors: the model hmm takes no word vectors; leave it out\n"


def test_an_ngram_has_no_weights_to_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("the cat sat on the mat.\n" * 60)
    run = tmp_path / "run"
    train("generate", tmp_path / "a.txt", model="ngram", out=run, settings=["model.order=3"])
    for verb in ("generate", "evaluate"):
        message = refused(capsys, verb, run, "--precision", "int8")
        assert "the model of this run is no network, and has no weights in int8" in message
    with pytest.raises(SettingError, match="no weights in bf16"):
        open_run(run).generate("the", precision="bf16")
    assert main(["generate", str(run), "--length", "3", "--precision", "fp32"]) == 0


def test_greedy_decoding_has_no_temperature(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, "generate", tmp_path, "--greedy", "--temperature", "0.7")
    assert message == "ensue: --temperature: --greedy is --temperature 0; leave one of them out\n"


@pytest.mark.parametrize("flag", ["--samples", "--length"])
def test_texts_without_end_are_refused(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, "generate", tmp_path, flag, str(10**30))
    assert "less than or equal to 1000000000" in message
