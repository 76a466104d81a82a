"""A run holds the model that is best on the validation part: one of those fitted, or a mixture."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mutated_runs import signed
from safetensors import safe_open
from safetensors.numpy import load, save

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.errors import Interrupted, RunError
from ensue.models.pool import Choice, Pool, choose_members
from ensue.tasks import training
from ensue.tasks.tag.training import TagTraining
from ensue.tasks.training import HeldOut
from ensue.training.contract import Stage

WORDS = {"good": "lovely warm fine", "bad": "cold dull broken"}
SETTINGS = ["training.steps=3", "training.evaluate_every=2", "training.hardware.threads=1"]
ASK = {
    "classify": lambda model: model.predictions(["a lovely day", "dull", "it was broken and cold"]),
    "tag": lambda model: model.tag([["the", "old", "bank"], ["Ada", "Byron", "sees"]]),
    "generate": lambda model: model.samples("the", 2, length=20, seed=3),
    "forecast": lambda model: [one.to_json() for one in model.forecast()],
}
MORE: dict[str, list[str]] = {"forecast": ["baselines.statistical=[]", "sample_paths=20"]}


def write(verb: str, folder: Path) -> Path:
    dice = random.Random(2)
    if verb == "generate":
        text = "".join(f"the {dice.choice('abc')} cat {n} sat on the mat.\n" for n in range(300))
    elif verb == "forecast":
        text = "step,y\n" + "".join(
            f"{n},{n % 7 + n / 20 + dice.random():.3f}\n" for n in range(140)
        )
    elif verb == "classify":
        labels = [dice.choice(list(WORDS)) for _ in range(300)]
        rows = (
            f"it was {dice.choice(WORDS[label].split())} {dice.choice('xyz')} today,{label}"
            for label in labels
        )
        text = "text,label\n" + "\n".join(rows) + "\n"
    else:
        names = [f"N{number}" for number in range(40)]
        text = "".join(
            f"the\tO\n{dice.choice(names)}\tB-PER\n{dice.choice(names)}\tI-PER\nsees\tO\n\n"
            for _ in range(200)
        )
    path = folder / f"{verb}.{ {'tag': 'tsv', 'generate': 'txt'}.get(verb, 'csv') }"
    path.write_text(text)
    return path


def train(verb: str, folder: Path, out: str, *settings: str, **more: Any) -> Any:
    settings = (*SETTINGS, *MORE.get(verb, ()), *settings)
    how = {"size": "tiny", "device": "cpu", "settings": [*settings]} | more
    if verb == "forecast":
        how = {"model": "gru"} | how  # a mixture.use among the settings stays
    return ensue.train(verb, write(verb, folder), out=folder / out, **how)


def result(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_text())


def note(run: Path) -> list[dict[str, Any]]:
    with safe_open(run / "weights.safetensors", "numpy") as file:
        return json.loads((file.metadata() or {}).get("note", "[]"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mixed")
    for verb in ASK:
        train(verb, folder, verb, "mixture.use=always")
    return {verb: folder / verb for verb in ASK}


def test_a_run_holds_the_baseline_where_the_network_is_hopeless(tmp_path: Path) -> None:
    held = train("classify", tmp_path, "held")
    found = result(tmp_path / "held")
    name = found["rows"][-1]["name"]
    assert name in ("nbsvm", "ngram-bayes")
    alone = train("classify", tmp_path, "alone", model=name, size=None)
    texts = ["it was lovely x today", "cold", "broken and dull z"]
    assert (held.predictions(texts).scores == alone.predictions(texts).scores).all()
    again = ensue.open(tmp_path / "held")
    assert (again.predictions(texts).scores == alone.predictions(texts).scores).all()
    assert type(again.model) is type(alone.model)
    # Those that were not chosen are not saved.
    assert load((tmp_path / "held" / "weights.safetensors").read_bytes()).keys() == (
        load((tmp_path / "alone" / "weights.safetensors").read_bytes()).keys()
    )
    assert found["rows"][-1]["selected"]
    assert found["recommendation"].startswith(name)
    assert found["retrain"] is None
    assert any(
        f"the model of the run, {name}: on the validation part" in one for one in found["selected"]
    )
    assert again.evaluate().metrics == found["metrics"]


@pytest.mark.parametrize("verb", ASK)
def test_a_mixture_is_opened_as_it_was_trained(verb: str, mixed: dict[str, Path]) -> None:
    run, found = mixed[verb], result(mixed[verb])
    assert found["rows"][-1]["name"] == "mixture"
    assert len(note(run)) > 1
    assert found["retrain"] is None or "mixture" not in found["recommendation"]
    opened = ensue.open(run)
    if verb != "generate":
        assert opened.evaluate().metrics == pytest.approx(found["metrics"])
    assert main(["compare", str(run), str(run)]) == 0
    assert main(["evaluate", str(run), "--json"]) == 0
    assert "mixture" in (run / "report.html").read_text()
    assert opened.report.count("mixture") > 1
    copy = run.parent / f"copy of {verb}"
    opened.save(copy)
    first, second = (ASK[verb](one) for one in (opened, ensue.open(copy)))
    assert np.array_equal(first.scores, second.scores) if verb == "classify" else first == second


def test_what_a_mixture_predicts_does_not_depend_on_the_batch(mixed: dict[str, Path]) -> None:
    model = ensue.open(mixed["classify"])
    texts = ["a lovely day", "dull", "it was broken and cold and dull and dull again"]
    singly = [model.predictions([one]).scores[0] for one in texts]
    np.testing.assert_allclose(model.predictions(texts).scores, singly, atol=1e-5)
    tagger = ensue.open(mixed["tag"])
    sentences = [["the", "N1"], ["N3", "N4", "sees", "the", "N7", "sees"], ["the"]]
    assert tagger.tag(sentences) == [tagger.tag([one])[0] for one in sentences]


@pytest.mark.parametrize("kind", ["ordinal", "multilabel", "regression"])
def test_every_kind_of_label_is_mixed(kind: str, tmp_path: Path) -> None:
    dice, rows = random.Random(3), []
    for _ in range(200):
        mood = dice.randrange(3)
        text = f"{['dull', 'plain', 'lovely'][mood]} {dice.choice('xyz')}"
        several = "|".join([f"m{mood}", *(["x"] if "x" in text else [])])
        label = {"ordinal": mood, "multilabel": several, "regression": mood + dice.random() / 9}
        rows.append(f"{text},{label[kind]}")
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    settings = [*SETTINGS, "mixture.use=always", f"data.labels.kind={kind}"]
    settings += ["data.labels.delimiter=|"] if kind == "multilabel" else []
    model = ensue.train(
        "classify", tmp_path / "rows.csv", out=tmp_path / "run", settings=settings, device="cpu"
    )
    assert type(model.model) is Pool
    texts = ["lovely x", "dull y"]
    again = ensue.open(tmp_path / "run")
    assert (again.predictions(texts).scores == model.predictions(texts).scores).all()
    assert again.evaluate().metrics == result(tmp_path / "run")["metrics"]
    first, second = (one.label for one in again.classify(texts))
    assert first != second


def test_mixed_tags_are_spans(mixed: dict[str, Path]) -> None:
    dice = random.Random(1)
    words = ["the", "N1", "N2", "sees", "Unknown", "N39"]
    sentences = [[dice.choice(words) for _ in range(dice.randint(1, 9))] for _ in range(60)]
    for tags in ensue.open(mixed["tag"]).tag(sentences):
        before = ["O", *tags[:-1]]
        assert all(
            b in ("B-PER", "I-PER") for a, b in zip(tags, before, strict=True) if a == "I-PER"
        )


def test_a_named_model_is_trained_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    train("classify", tmp_path, "a", model="lstm")
    assert note(tmp_path / "a") == []
    found = result(tmp_path / "a")
    assert found["rows"][-1]["name"].startswith("lstm")
    assert {"nbsvm", "ngram-bayes"} <= {one["name"] for one in found["rows"]}
    assert "--model n" in found["retrain"]  # nbsvm or ngram-bayes

    def use(*more: str) -> str:
        args = ["train", "classify", str(tmp_path / "classify.csv"), *more, "--show-settings"]
        assert main(args) == 0
        shown = capsys.readouterr().out
        return shown.split("[mixture]")[1].split('use = "')[1].split('"')[0]

    written = tmp_path / "own.toml"
    written.write_text('[model]\nname = "nbsvm"\n')
    for flags, expected in (
        ([], "auto"),
        (["--size", "tiny"], "auto"),
        (["--set", "model.body.dropout=0.1"], "auto"),
        (["--model", "lstm"], "never"),
        (["--set", "model=nbsvm"], "never"),
        (["--config", str(written)], "never"),
        (["--model", "lstm", "--set", "mixture.use=always"], "always"),
        (["--config", str(tmp_path / "a" / "run.toml")], "never"),
    ):
        assert use(*flags) == expected, flags
    train("classify", tmp_path, "b")
    assert use("--config", str(tmp_path / "b" / "run.toml")) == "auto"
    assert use("--config", str(tmp_path / "b" / "run.toml"), "--model", "nbsvm") == "never"


def test_a_mixture_with_more_errors_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TagTraining.held_out

    def held_out(self: Any, fitted: Any, data: Any) -> HeldOut:
        found = before(self, fitted, data)
        return replace(found, losses=found.losses + bool(fitted.members))

    def choose(*given: Any) -> Choice:
        return replace(choose_members(*given), members=(0, 1), weights=np.full((2, 1), 0.5))

    monkeypatch.setattr(training, "choose_members", choose)
    train("tag", tmp_path, "mixed")
    monkeypatch.setattr(TagTraining, "held_out", held_out)
    train("tag", tmp_path, "best")
    assert result(tmp_path / "mixed")["rows"][-1]["name"] == "mixture"
    found = result(tmp_path / "best")
    assert found["rows"][-1]["name"] != "mixture"
    assert any("a mixture of all, which has more errors" in one for one in found["selected"])


@pytest.mark.parametrize(
    ("verb", "use"), [("classify", "auto"), *((verb, "always") for verb in ASK)]
)
def test_killed_after_the_training_it_ends_with_the_same_bits(
    verb: str, use: str, tmp_path: Path
) -> None:
    def kill(event: Any) -> None:
        if isinstance(event, Stage):
            raise KeyboardInterrupt

    setting = f"mixture.use={use}"
    train(verb, tmp_path, "left", setting)
    with pytest.raises(Interrupted):
        train(verb, tmp_path, "killed", setting, on_event=kill)
    ensue.open(tmp_path / "killed")  # the model is there before the report
    api.resume(tmp_path / "killed")
    for name in ("weights.safetensors", "codec.json"):
        assert (tmp_path / "left" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    # More training begins with the network, though the run holds another model.
    api.resume(tmp_path / "killed", epochs=1)
    assert result(tmp_path / "killed")["rows"][-1]["selected"]


def bend(run: Path, change: Callable[[dict, list], Any]) -> None:
    """Change arrays and note of the weights, and every sum."""
    path, members = run / "weights.safetensors", note(run)
    arrays = load(path.read_bytes())
    written = change(arrays, members)
    text = json.dumps(members) if written is None else written
    path.write_bytes(save(arrays, {"note": text}))
    signed(run)


BENT: list[tuple[str, Callable[[dict, list], Any]]] = [
    ("weights", lambda arrays, members: arrays.update(weights=arrays["weights"] * 2)),
    ("none", lambda arrays, members: print(arrays.pop("weights"))),
    ("nan", lambda arrays, members: arrays.update(weights=arrays["weights"] * np.nan)),
    ("twice", lambda arrays, members: members.append(members[0])),
    ("fewer", lambda arrays, members: print(members.pop())),
    ("empty", lambda arrays, members: "[]"),
    ("no list", lambda arrays, members: '{"name": "nbsvm"}'),
    ("no json", lambda arrays, members: "nbsvm"),
    ("numbers", lambda arrays, members: "[1, 2]"),
    ("no model", lambda arrays, members: '[{"name": "nothing"}]'),
    ("another", lambda arrays, members: members.reverse()),
    ("file", lambda arrays, members: '[{"name": "../evil.py"}]'),
    ("many", lambda arrays, members: members.extend(members[:1] * 100)),
]


@pytest.mark.parametrize("change", [one for _, one in BENT], ids=[name for name, _ in BENT])
@pytest.mark.parametrize("verb", ASK)
def test_a_damaged_mixture_is_refused_in_one_line(
    verb: str, change: Callable[[dict, list], Any], mixed: dict[str, Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(mixed[verb], tmp_path / "run"))
    if verb == "generate" and change is BENT[0][1]:
        pytest.skip("the weights of a log-linear mixture have any sum")
    bend(run, change)
    with pytest.raises(RunError) as caught:
        ensue.open(run)
    assert "\n" not in str(caught.value)
    assert "weights.safetensors" in str(caught.value)


def test_members_larger_than_what_is_saved_take_no_memory(
    mixed: dict[str, Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(mixed["generate"], tmp_path / "run"))

    def enlarge(arrays: dict, members: list) -> None:
        for one in members:
            if "body" in one:
                one["body"]["width"] = 100_000_000

    bend(run, enlarge)
    with pytest.raises(RunError, match="the settings need more weights"):
        ensue.open(run)
