"""Every model of every verb in every size: it can be chosen, and it can be trained and used."""

import json
import math
from pathlib import Path

import pytest

from ensue.cli.main import main
from ensue.models.classifiers import classifier_names
from ensue.models.forecasters import forecaster_names
from ensue.models.sizes import SIZES, model_names
from ensue.models.taggers import tagger_names

NAMES = {
    "generate": model_names(),
    "classify": classifier_names(),
    "tag": tagger_names(),
    "forecast": forecaster_names(),
}
CHOICES = [(verb, name) for verb, names in NAMES.items() for name in dict.fromkeys(names)]
USES = {"generate": ["--length", "5"], "classify": ["a film"], "tag": ["the cat"], "forecast": []}
MORE = {"forecast": ["--set", "baselines.statistical=[]"], "tag": ["--set", "codec.min_count=1"]}


def data_for(verb: str, name: str, folder: Path) -> list[str]:
    """Write what this model can learn from; give what a person types."""
    if name == "tree":
        (folder / "trees.txt").write_text(
            "".join(f"({n % 2} (1 a) (0 {'good' if n % 2 else 'bad'}))\n" for n in range(80))
        )
        return [str(folder / "trees.txt"), "--format", "trees"]
    if name == "dtw":
        rows = [
            [n % 2, *(round(math.sin(t / (3 + n % 2)) + n / 99, 3) for t in range(12))]
            for n in range(60)
        ]
        text = "\n".join(f"{','.join(map(str, values))}:{label}" for label, *values in rows)
        (folder / "waves.ts").write_text(f"@univariate true\n@classLabel true 0 1\n@data\n{text}\n")
        return [str(folder / "waves.ts")]
    text = {
        "generate": "the cat sat on the mat and the dog sat on the cat.\n" * 60,
        "classify": "text,label\n"
        + "".join(f"a {'good' if n % 2 else 'bad'} film {n},{n % 2}\n" for n in range(80)),
        "tag": "the D\ncat N\nsleeps V\n\na D\ndog N\nruns V\n\n" * 40,
        "forecast": "month,sold\n"
        + "".join(f"{2000 + n // 12}-{n % 12 + 1:02},{n % 12 + n / 50}\n" for n in range(96)),
    }[verb]
    file = folder / {"classify": "rows.csv", "forecast": "sold.csv", "tag": "words.conll"}.get(
        verb, "text.txt"
    )
    file.write_text(text)
    return [str(file)]


@pytest.mark.parametrize(("verb", "name"), CHOICES)
def test_each_can_be_chosen_in_every_size(
    verb: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = ["--format", "trees"] if name == "tree" else []
    for size in SIZES:
        command = ["train", verb, "--model", name, "--size", size, "--show-settings", *kind]
        assert main(command) == 0, capsys.readouterr().err
        assert f'task = "{verb}"' in capsys.readouterr().out


def trains(verb: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder / "run")
    steps = ["--set", "training.steps=2", "--set", "hardware.threads=1", *MORE.get(verb, [])]
    data = data_for(verb, name, folder)
    assert (
        main(["train", verb, *data, "--model", name, "--size", "tiny", "--out", run, *steps]) == 0
    )
    assert json.loads(Path(run, "result.json").read_text())["rows"]
    if name not in ("tree", "dtw"):
        assert main([verb, run, *USES[verb]]) == 0
    assert main(["evaluate", run]) == 0
    capsys.readouterr()


# Words by themselves have no units; a cell without gates may end at a perplexity that no number
# holds.
@pytest.mark.parametrize(
    ("verb", "name"), [("tag", "none"), ("tag", "tagger"), ("generate", "irnn")]
)
def test_some_train(
    verb: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trains(verb, name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "name"), CHOICES)
def test_each_trains_and_can_be_used(
    verb: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "boosting":
        pytest.importorskip("sklearn")
    trains(verb, name, tmp_path, capsys)
