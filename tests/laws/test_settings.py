"""What the settings of every verb obey: their schema is complete, and none of them is dead."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import tiny_runs
from pydantic import BaseModel
from stub_statsforecast import install
from tiny_runs import STEPS, VERBS

import ensue
from ensue import api
from ensue.cells import CELLS
from ensue.errors import RunError, SettingError
from ensue.settings import Choice, Settings, flatten, read, to_plain
from ensue.tasks import TASKS, Choices
from ensue.tasks.generate.settings import GenerateSettings
from ensue.training.folder.run import Run


def catalogue(field: Any) -> dict[str, type[Settings]]:
    """Give the entries that a field chooses from; empty if it chooses none."""
    chosen = [one.catalogue for one in field.metadata if isinstance(one, Choice)]
    return dict(chosen[0]) if chosen else {}


def classes(kind: type[Settings]) -> Iterator[type[Settings]]:
    """Yield a class of settings and all that stand in it, every entry of a catalogue included."""
    yield kind
    for field in kind.model_fields.values():
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings):
            yield from classes(inner)
        for entry in catalogue(field).values():
            yield from classes(entry)


def definitions(verb: str) -> dict[str, Any]:
    schema = TASKS[verb].settings.model_json_schema()
    return {**schema["$defs"], schema["title"]: schema}


@pytest.mark.parametrize("verb", TASKS)
def test_the_schema_has_every_class_and_a_type_default_and_description_of_every_leaf(
    verb: str,
) -> None:
    found = definitions(verb)
    assert {kind.__name__ for kind in classes(TASKS[verb].settings)} == set(found)
    incomplete = []
    for title, one in found.items():
        for name, leaf in one.get("properties", {}).items():
            inner = found.get(leaf.get("$ref", "").rpartition("/")[2], {})
            described = leaf.get("description") or inner.get("description") or "const" in leaf
            typed = leaf.keys() & {"type", "anyOf", "oneOf", "enum", "const", "$ref"}
            if not (described and typed and "default" in leaf):
                incomplete.append(f"{title}.{name}")
    assert incomplete == []


@pytest.mark.parametrize("verb", TASKS)
def test_the_schema_has_every_entry_of_every_catalogue(verb: str) -> None:
    found, chosen = definitions(verb), 0
    for kind in set(classes(TASKS[verb].settings)):
        for name, field in kind.model_fields.items():
            entries, leaf = catalogue(field), found[kind.__name__]["properties"][name]
            if entries:
                chosen += 1
                assert leaf["discriminator"]["mapping"].keys() == entries.keys()
            if name == "cell" and "str" in str(field.annotation):
                assert leaf["examples"] == list(CELLS)
    assert chosen >= 2


@pytest.mark.parametrize("verb", TASKS)
def test_a_name_chooses_a_class_with_the_settings_that_it_takes(verb: str) -> None:
    """With several names in one class, settings of one of them would do nothing with another."""
    for kind in set(classes(TASKS[verb].settings)):
        if "name" in kind.model_fields:
            assert len(get_args(kind.model_fields["name"].annotation)) == 1, kind


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (
            ["schedule.factor=0.3"],
            "--set schedule.factor=0.3: training.schedule 'cosine' has no 'factor'; leave it out, or first "
            "choose plateau",
        ),
        (
            ["optimiser=sgd", "beta2=0.9"],
            "--set beta2=0.9: training.optimiser 'sgd' has no 'beta2'; leave it out, or first choose adamw",
        ),
        (
            ["loss_on=last"],
            "--set loss_on=last: training.batching 'auto' has no 'loss_on'; leave it out, or first choose "
            "windows",
        ),
        (
            ["schedule=plateau", "schedule.factor=0.3", "schedule.name=cosine"],
            "--set schedule.name=cosine: training.schedule 'cosine' has no 'factor'; leave it out, or first "
            "choose plateau",
        ),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(SettingError) as refused:
        TASKS["generate"].propose(Choices(assignments=assignments))
    assert str(refused.value) == message


@pytest.mark.parametrize("verb", TASKS)
def test_a_name_keeps_what_both_take_and_comes_back_from_a_run(verb: str) -> None:
    said = ("warmup=7", "schedule.name=plateau", "factor=0.3", "learning_rate=0.5")
    said += ("optimiser.name=sgd",)
    settings = (
        TASKS[verb].propose(Choices(model=VERBS[verb].trainings[0][0], assignments=said)).settings
    )
    training: Any = settings.training  # type: ignore[attr-defined]
    assert (training.schedule.name, training.schedule.warmup, training.schedule.factor) == (
        "plateau",
        7,
        0.3,
    )
    assert (training.optimiser.name, training.optimiser.learning_rate) == ("sgd", 0.5)
    assert read(TASKS[verb].settings, to_plain(settings)) == settings


def test_a_file_of_settings_needs_no_names_of_the_usual_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[training.schedule]\nwarmup = 7\n[training.optimiser]\nbeta2 = 0.9\n")
    settings: Any = TASKS["tag"].propose(Choices(config=path)).settings
    assert (settings.training.schedule.name, settings.training.schedule.warmup) == ("cosine", 7)
    assert (settings.training.optimiser.name, settings.training.optimiser.beta2) == ("adamw", 0.9)
    path.write_text("[training.schedule]\nfactor = 0.5\n")
    with pytest.raises(SettingError, match="schedule 'cosine' has no 'factor'; leave it out"):
        TASKS["tag"].propose(Choices(config=path))


def test_a_part_of_another_catalogue_is_refused() -> None:
    tag, forecast = (TASKS[verb] for verb in ("tag", "forecast"))
    with pytest.raises(ValueError, match="model"):
        tag.settings(model=forecast.models.resolve("ridge"))


# Dead settings: trainings of a verb must read every setting that it has.

DATA = tiny_runs.DATA | {
    "fasttext": "".join(f"__label__{'ab'[n % 2]} the cat {n % 7}\n" for n in range(80)),
    "series": "@univariate true\n@classLabel true a b\n@data\n"
    + "".join(f"{n % 5},{n % 2},{n % 3},{n % 2}:{'ab'[n % 2]}\n" for n in range(80)),
    "numbers": "text,label\n" + "".join(f"the {n % 3} cat,{n / 7}\n" for n in range(120)) + ",3\n",
    "lists": '{"tokens": ["the", "cat"], "tags": [0, 1]}\n' * 60,
}
ENDS = tiny_runs.ENDS | {"fasttext": "txt", "series": "ts", "lists": "jsonl"}
Training = tuple[str, str | None, Sequence[str]]
FURTHER: dict[str, list[Training]] = {
    "generate": [
        ("generate", None, STEPS),
        ("generate", "bag-of-context", STEPS),
        ("generate", "ngram", ["model.smoothing=additive"]),
        *(
            ("generate", "ngram", [f"codec={name}"])
            for name in ("bytes", "words", "tokens", "subwords")
        ),
    ],
    "classify": [
        ("classify", "bidirectional", [*STEPS, "body.depth=2"]),
        ("classify", "window", STEPS),
        ("classify", "bag-of-context", [*STEPS, "labels.kind=ordinal"]),
        ("classify", "lm-bayes", [*STEPS, "labels.kind=multiclass"]),
        ("forecasts", None, STEPS),
        ("trees", None, STEPS),
        ("fasttext", "nbsvm", ["data.reader=fasttext"]),
        ("series", "dtw", ["data.reader=series_file"]),
        ("numbers", "convolution", [*STEPS, "incomplete=leave out"]),
        ("folders", "majority", ["data.reader=folders"]),
    ],
    "tag": [
        ("tag", None, STEPS),
        ("tag", "gru", [*STEPS, "body.depth=2"]),
        ("tag", "window", [*STEPS, "model.spelling=bag-of-context"]),
        ("lists", "bag-of-context", [*STEPS, 'names=["D", "N"]', "model.spelling=recurrent"]),
    ],
    "forecast": [
        ("forecast", None, []),
        ("forecast", "bag-of-context", [*STEPS, "model.head=mixture"]),
        ("forecast", "mlp", STEPS),
        ("forecast", "linear", STEPS),
        ("forecast", "boosting", ["baselines.statistical=[]"]),
        ("forecast", "arima", []),
    ],
}


def first(verb: str) -> list[Training]:
    return [(verb, *training) for training in VERBS[verb].trainings]


def fields_read(
    verb: str, trainings: list[Training], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> set[tuple[type, str]]:
    """Train, and give the attributes of settings that were read meanwhile."""
    read: set[tuple[type, str]] = set()

    def look(settings: Settings, name: str) -> Any:
        read.add((type(settings), name))
        return BaseModel.__getattribute__(settings, name)

    for number, (kind, model, settings) in enumerate(trainings):
        data = folder / f"{number}.{ENDS.get(kind, 'csv')}"
        if kind == "folders":
            for n in range(80):
                (data / "ab"[n % 2]).mkdir(parents=True, exist_ok=True)
                (data / "ab"[n % 2] / f"{n}.txt").write_text(f"the cat {n % 7}")
        else:
            data.write_text(DATA[kind])
        proposal = TASKS[verb].propose(
            Choices(data=(data,), model=model, assignments=tuple(settings))
        )
        with monkeypatch.context() as patched:
            patched.setattr(Settings, "__getattribute__", look, raising=False)
            api.start(TASKS[verb], proposal, [data], folder / f"run{number}", api.silent)
    return read


def fields(kind: type[Settings]) -> set[tuple[type, str]]:
    """List the fields of a class and of all that stand in it; a name only says which class it is."""
    return {
        (one, name)
        for one in classes(kind)
        for name in one.model_fields
        if name not in ("name", "task")
    }


@pytest.mark.parametrize("verb", TASKS)
def test_no_setting_of_training_is_dead(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training: Any = TASKS[verb].settings.model_fields["training"].annotation
    assert fields(training) - fields_read(verb, first(verb), tmp_path, monkeypatch) == set()


@pytest.mark.slow
@pytest.mark.parametrize("verb", TASKS)
def test_no_setting_is_dead(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    read = fields_read(verb, [*first(verb), *FURTHER.get(verb, [])], tmp_path, monkeypatch)
    assert fields(TASKS[verb].settings) - read == set()


@pytest.mark.parametrize("verb", TASKS)
def test_a_wrong_setting_is_named_by_its_whole_key(verb: str) -> None:
    settings = TASKS[verb].settings()
    keys = [key for key, _ in flatten(settings.model_dump(mode="json")) if key != "task"]
    assert any(key.count(".") >= 2 for key in keys)
    for key in keys:
        *path, last = key.split(".")
        values: Any = settings.model_dump(mode="json")
        part = values
        for step in path:
            part = part[step]
        good = part[last]
        part[last] = {"no": "value"}
        with pytest.raises(SettingError) as refused:
            read(TASKS[verb].settings, values)
        named = ".".join(path) if last == "name" and path else key
        assert named in str(refused.value), key
        if last != "name":
            assert str(refused.value).startswith(f"'{key}' cannot be "), key
        del part[last]
        part[f"{last}q"] = good
        with pytest.raises(SettingError) as refused:
            read(TASKS[verb].settings, values)
        if last != "name":
            line = f"there is no setting '{key}q'; did you mean "
            assert str(refused.value).startswith(line), str(refused.value)


def test_the_whole_key_is_named_wherever_the_setting_stands(tmp_path: Path) -> None:
    config = tmp_path / "some.toml"
    config.write_text('[model]\nname = "sequence"\n[model.body]\nname = "recurrent"\nwidth = -1\n')
    message = "'model.body.width' cannot be -1: input should be greater than or equal to 1"
    given: dict[str, dict[str, Any]] = {
        "settings=['width=-1']": {"settings": ["width=-1"]},
        str(config): {"config": config},
    }
    for where, how in given.items():
        with pytest.raises(SettingError) as refused:
            ensue.train("generate", config, **how)
        assert str(refused.value) == f"{where}: {message}"
    run = Run.create(tmp_path / "run", {"task": "generate", "sources": [], "settings": {}})
    with run:
        values = GenerateSettings().model_dump(mode="json", exclude_none=True)
        values["model"]["body"]["width"] = -1
        run.describe({"settings": values})
    with pytest.raises(RunError) as stored:
        ensue.open(tmp_path / "run")
    assert message in str(stored.value)


def test_a_choice_is_named_by_its_whole_key() -> None:
    for values, line in {
        "recurent": "there is no model.body 'recurent'; did you mean recurrent?",
        "{path}": "there is no model.body '{path}'; choose from ",
    }.items():
        with pytest.raises(SettingError) as refused:
            read(GenerateSettings, {"model": {"name": "sequence", "body": {"name": values}}})
        assert str(refused.value).startswith(line)
    with pytest.raises(SettingError) as refused:
        read(GenerateSettings, {"model": {"name": "sequence", "body": [3]}})
    assert str(refused.value).startswith("'model.body' cannot be [3]; choose from ")
