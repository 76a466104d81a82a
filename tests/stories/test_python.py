"""What a person gives in Python: a text is one example, wherever examples are taken; a path is
one path."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.cli.train.options import TrainOptions
from ensue.errors import DataError, RunError, SettingError, UserError
from ensue.settings import find_flags
from ensue.sklearn import SequenceClassifier, SequenceTagger
from ensue.tasks import TASKS, Choices
from ensue.training.settings import TrainingOptions

TEXTS = [f"{word} film number {n}" for n in range(12) for word in ("good", "bad")]
MOODS = ["fine", "poor"] * 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("python")
    rows = "".join(f"{text},{mood}\n" for text, mood in zip(TEXTS, MOODS, strict=True))
    (folder / "a.csv").write_text("text,label\n" + rows)
    (folder / "a.tsv").write_text("She\tP\nca\tV\nn't\tT\ngo\tV\n.\tX\n\nBonn\tN\n\n" * 20)
    ensue.train("classify", folder / "a.csv", model="nbsvm", out=folder / "moods")
    ensue.train("tag", folder / "a.tsv", model="hmm", out=folder / "tags")
    months = [f"{2000 + n // 12}-{n % 12 + 1:02}-01,{n % 12 + n % 5}\n" for n in range(120)]
    (folder / "b.csv").write_text("time,value\n" + "".join(months))
    ensue.train("forecast", folder / "b.csv", model="ridge", out=folder / "months")
    (folder / "c.txt").write_text("the cat sat on one of two mats\n\nsix cats sat\n" * 60)
    ensue.train("generate", folder / "c.txt", model="ngram", out=folder / "cats")
    return folder


@pytest.fixture(scope="module")
def text_run(folder: Path) -> Path:
    return folder / "cats"


def test_what_there_is_is_named_without_loading_it() -> None:
    program = "import ensue, sys; public = {*ensue.__all__, *ensue.ROOMS}; assert {'train', 'open', 'resume', 'sklearn'} <= {*dir(ensue)} <= public; "
    program += "assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_an_empty_path_is_not_the_working_folder(folder: Path) -> None:
    for call in (
        lambda: ensue.train("classify", ""),
        lambda: ensue.open(folder / "moods").evaluate(""),
    ):
        with pytest.raises(UserError, match="it is empty; give a path"):
            call()


def test_errors_of_an_opened_model_name_parameters(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They named `--set encoding=cp1252`; on the command line errors name flags as before."""
    other = tmp_path / "other.csv"
    other.write_bytes((folder / "a.csv").read_bytes().replace(b"good", b"d\xe9j\xe0 vu"))
    with pytest.raises(DataError) as caught:
        ensue.open(folder / "moods").evaluate(other)
    assert str(caught.value).endswith("or give settings=['encoding=cp1252']")
    assert main(["check", str(other)]) == 2
    assert "or give --set encoding=cp1252" in capsys.readouterr().err
    with pytest.raises(RunError) as found:
        ensue.resume(_finished_network(tmp_path))
    assert "or train longer with minutes or epochs" in str(found.value)
    assert main(["resume", str(tmp_path / "run")]) == 2
    assert "or train longer with --minutes or --epochs" in capsys.readouterr().err


def _finished_network(folder: Path) -> Path:
    (folder / "c.txt").write_text("the cat sat on one of two mats\n\nsix cats sat\n" * 60)
    steps = ["training.steps=1"]
    out = folder / "run"
    ensue.train("generate", folder / "c.txt", out=out, model="gru", size="tiny", settings=steps)
    return out


def test_a_text_is_one_example_of_a_classifier(folder: Path) -> None:
    run = ensue.open(folder / "moods")
    assert run.classify("a good film")[0].label == run.classify(["a good film"])[0].label == "fine"
    assert len(run.classify("a good film")) == 1
    assert len(run.classify(b"a good film")) == 1
    assert len(run.classify(np.array(["a good film", "a bad film"]))) == 2
    assert len(run.classify(text for text in ("a good film", "a bad film"))) == 2


def test_a_text_is_one_example_of_a_tagger(folder: Path) -> None:
    run = ensue.open(folder / "tags")
    expected = ["P", "V", "T", "V", "X"]
    for given in (
        "She can't go.",
        b"She can't go.",
        ["She can't go."],
        [["She", "ca", "n't", "go", "."]],
    ):
        assert run.tag(given) == [expected]
    assert run.tag(["She can't go.", ["Bonn"]]) == [expected, ["N"]]
    assert run.tag([]) == []


def test_empty_and_missing_texts_are_answered_as_those_of_files_are(folder: Path) -> None:
    run = ensue.open(folder / "moods")
    given = ["a good film", "", " ", None, float("nan"), np.nan, pandas.NA, pandas.NaT, "None"]
    told = run.classify(given)
    assert [one.label for one in told] == ["fine", *[None] * 8]
    assert [one.note for one in told] == [
        "",
        *["the text is empty"] * 7,
        "nothing in it was seen in training",
    ]
    assert run.classify("")[0].set == ("fine", "poor")
    series = pandas.Series(["a good film", None], dtype="string")
    assert [one.label for one in run.classify(series)] == ["fine", None]


@pytest.mark.parametrize("verb", ["classify", "tag"])
def test_a_data_frame_is_no_list_of_its_columns_names(folder: Path, verb: str) -> None:
    run = ensue.open(folder / ("moods" if verb == "classify" else "tags"))
    frame = pandas.DataFrame({"text": ["a good film", "a bad film"]})
    with pytest.raises(
        UserError,
        match=r"a DataFrame is not a list of examples; give its column .* frame\['text'\]",
    ):
        getattr(run, verb)(frame)
    assert len(getattr(run, verb)(frame["text"])) == 2


@pytest.mark.parametrize(
    ("run", "given", "message"),
    [
        (
            "moods",
            Path("a.csv"),
            "classify: a path is not a list of examples; give a text, or a list of examples",
        ),
        ("moods", 3, "classify: an int is not a list of examples; give a text"),
        ("moods", None, "classify: a NoneType is not a list of examples"),
        (
            "moods",
            [3],
            "example 1: an int is not an example; give a text, or the fields of its steps by name",
        ),
        ("moods", [b"caf\xe9"], "classify: byte 0xE9 is not UTF-8; decode the bytes first"),
        ("tags", Path("a.csv"), "tag: a path is not a list of examples"),
        (
            "tags",
            [["a", 3]],
            'sentence 1: it is neither a text nor a list of words; give "a text" or ["a", "list"]',
        ),
        ("tags", ["a", 3], "sentence 2: it is neither a text nor a list of words"),
        ("tags", "", "sentence 1: there is no word; give"),
        ("tags", [[]], "sentence 1: there is no word; give"),
        ("tags", [["a", " "]], "sentence 1: a word is empty; give"),
    ],
)
def test_what_is_no_example_is_refused_in_one_line(
    folder: Path, run: str, given: Any, message: str
) -> None:
    opened = ensue.open(folder / run)
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        (opened.classify if run == "moods" else opened.tag)(given)


def test_one_path_is_one_file(folder: Path) -> None:
    for name, file in (("moods", "a.csv"), ("tags", "a.tsv")):
        run = ensue.open(folder / name)
        assert run.evaluate(str(folder / file)).metrics == run.evaluate([folder / file]).metrics
        assert run.evaluate(folder / file).metrics == run.evaluate([folder / file]).metrics
        assert run.evaluate().metrics == run.evaluate([]).metrics
        with pytest.raises(
            UserError, match="evaluate: an int is not a list of files; give paths of files"
        ):
            run.evaluate(3)


@pytest.mark.parametrize("text", ["a film", b"a film", Path("a.csv")])
def test_estimators_refuse_one_text(text: Any) -> None:
    said = (
        "X is a path"
        if isinstance(text, Path)
        else re.escape(f"X is one text, {text!r}, and has to be a list of")
    )
    classifier = SequenceClassifier("nbsvm").fit(TEXTS, MOODS)
    tagger = SequenceTagger("hmm").fit([["a", "b"]] * 4, [["X", "Y"]] * 4)
    with pytest.raises(ValueError, match=said):
        SequenceClassifier("nbsvm").fit(text, MOODS[:6])
    with pytest.raises(ValueError, match=said):
        SequenceTagger("hmm").fit(text, [["X"]] * 6)
    for asked in (classifier.predict, classifier.predict_proba, tagger.predict):
        with pytest.raises(ValueError, match=said):
            asked(text)
    with pytest.raises(ValueError, match=r"y\[0\] is one text, 'XY', and has to be a list of tags"):
        SequenceTagger("hmm").fit([["a", "b"]] * 4, ["XY"] * 4)
    with pytest.raises(
        ValueError, match="y is one text, 'XYXY', and has to be a list of tags for each sentence"
    ):
        SequenceTagger("hmm").fit([["a", "b"]] * 4, "XYXY")


def test_a_prompt_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 40)
    run = ensue.train("generate", tmp_path / "a.txt", model="ngram", settings=["model.order=3"])
    assert run.generate(b"the c", length=8, seed=1) == run.generate("the c", length=8, seed=1)
    with pytest.raises(UserError, match=r"prompt: a path is not a text; give path.read_text\(\)"):
        run.generate(tmp_path / "a.txt")
    assert run.novelty(b"the cat").characters == run.novelty("the cat").characters == 7
    with pytest.raises(UserError, match="novelty: a list is not a text; give a string"):
        run.novelty(["the", "cat"])
    with pytest.raises(UserError, match="prompt: a list is not a text; give a string"):
        run.generate(["the", "cat"])


WRONG_NUMBERS = ["3", 1.5, True, None, [], {}, b"x", float("nan"), (1, 2)]


@pytest.mark.parametrize("value", [*WRONG_NUMBERS, -1, 0], ids=repr)
def test_a_wrong_number_of_samples_is_one_line(value: Any, text_run: Path) -> None:
    with pytest.raises(
        SettingError, match=r"^generate: 'samples' cannot be [^\n]+: input should be "
    ):
        ensue.open(text_run).samples(n=value, length=3)


@pytest.mark.parametrize("value", [*WRONG_NUMBERS, -1], ids=repr)
@pytest.mark.parametrize("name", ["seed", "length", "top_p", "temperature"])
def test_a_wrong_argument_of_sampling_is_one_line(name: str, value: Any, text_run: Path) -> None:
    if name in ("temperature",) and value == 1.5:
        pytest.skip("a temperature of 1.5 is right")
    with pytest.raises(SettingError, match=rf"^generate: '{name}' cannot be [^\n]+$"):
        ensue.open(text_run).samples(**{name: value})


def test_numbers_of_numpy_are_numbers(text_run: Path) -> None:
    model = ensue.open(text_run)
    options = {"length": np.int64(4), "seed": np.int32(2), "temperature": np.float32(0.5)}
    assert model.samples(n=np.int64(2), **options) == model.samples(
        n=2, length=4, seed=2, temperature=0.5
    )


def test_line_ends_of_texts_are_those_of_files(text_run: Path) -> None:
    model = ensue.open(text_run)
    assert model.novelty("one\r\ntwo\rsix") == model.novelty("one\ntwo\nsix")
    assert model.generate("a\r\n", length=5) == model.generate("a\n", length=5)


@pytest.mark.parametrize("value", [1.5, None, b"x", [], ""], ids=repr)
def test_what_is_no_path_is_one_line(value: Any, text_run: Path) -> None:
    model = ensue.open(text_run)
    for call in (model.save, ensue.open, ensue.resume):
        with pytest.raises(SettingError, match=r"is not a path; give a path|is empty; give a path"):
            call(value)


@pytest.mark.parametrize("name", ["minutes", "epochs", "seed", "device", "model", "size", "out"])
def test_a_wrong_argument_of_a_training_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"^[^\n]*{name}[^\n]*$"):
        ensue.train("generate", "names", **({"out": tmp_path / "run"} | {name: [1]}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", [*WRONG_NUMBERS, -1], ids=repr)
@pytest.mark.parametrize("name", ["horizon", "seed"])
def test_a_wrong_argument_of_a_forecast_is_one_line(name: str, value: Any, folder: Path) -> None:
    if value is None:
        pytest.skip("None is the default")
    with pytest.raises(SettingError, match=r"^forecast: [^\n]*$"):
        ensue.open(folder / "months").forecast(**{name: value})


def test_other_wrong_arguments_are_one_line(folder: Path) -> None:
    months, moods = ensue.open(folder / "months"), ensue.open(folder / "moods")
    for value in (None, 3, "b.csv", []):
        with pytest.raises(UserError, match="is not a data frame"):
            months.frame(value)
    for value in (None, 3, "label", {"label": 3}, {"label": ""}):
        with pytest.raises(SettingError, match=r"^evaluate: columns are not names by role"):
            moods.evaluate(folder / "a.csv", value)
    for value in ("fp8", [], None):
        with pytest.raises(SettingError, match="'precision' cannot be"):
            ensue.open(folder / "cats").with_precision(value)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"size": "huge"}, "'size' cannot be 'huge'"),
        ({"epochs": "many"}, "'epochs' cannot be 'many'"),
        ({"model": 3}, "'model' cannot be 3"),
        ({"valid": 3}, "valid: an int is not a path"),
        ({"minutes": float("inf")}, "'minutes' cannot be inf"),
    ],
)
def test_an_option_of_the_wrong_type_is_refused(option: dict[str, object], message: str) -> None:
    for verb in TASKS:
        with pytest.raises(SettingError, match=f"^{message}"):
            ensue.train(verb, **option)


def test_the_command_line_states_no_option_of_its_own() -> None:
    own = {"out", "show_settings", "as_json"}
    assert TrainOptions.model_fields.keys() - own < Choices.model_fields.keys()
    for name, field in TrainingOptions.model_fields.items():
        assert TrainOptions.model_fields[name].description == field.description


@pytest.mark.parametrize("verb", TASKS)
def test_a_flag_of_another_verb_is_refused(verb: str) -> None:
    others = {name for task in TASKS.values() for name in find_flags(task.settings)}
    foreign = sorted(others - TASKS[verb].flags.keys())
    assert "memory" in foreign or verb == "generate"
    for name in foreign:
        with pytest.raises(SettingError, match=f"^unknown option '{name}'"):
            ensue.train(verb, **{name: "x"})


def test_values_of_flags_are_kept_as_they_are() -> None:
    given = {"label": 'a = "b"', "value": ("x", "2024"), "label_file": Path("labels.csv")}
    choices = api.make_choices(TASKS["classify"], (), {**given, "text": None})
    assert choices.flags == {**given, "label_file": "labels.csv"}
    assert choices.assignments == ()


def test_advice_in_python_names_parameters(tmp_path: Path) -> None:
    data = tmp_path / "a.txt"
    data.write_bytes("é".encode() * 2000)
    with pytest.raises(DataError) as wrong:
        ensue.train("generate", data, settings=["encoding=ascii"])
    hint = "check the file, or give settings=['encoding=NAME']"
    assert str(wrong.value) == f"{data}:1: byte 0xC3 is not ASCII; {hint}"
    with pytest.raises(SettingError) as wrong:
        ensue.train("generate", data, minutes=1, epochs=1)
    assert str(wrong.value) == "minutes and epochs: only one budget is allowed; give one of them"
    with pytest.raises(SettingError) as wrong:
        ensue.train("generate", data, settings=["body.width=-3"])
    assert str(wrong.value).startswith("settings=['body.width=-3']: 'model.body.width' cannot be")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(RunError, match=r"the folder is not empty; give another folder with out$"):
        ensue.train("generate", data, out=tmp_path / "full")
    with pytest.raises(ValueError, match=r"^model: there is no model 'gruu' for classify; did"):
        SequenceClassifier("gruu").fit(["a", "b"] * 9, ["x", "y"] * 9)


def test_an_assignment_overrides_a_flag() -> None:
    given = {"horizon": np.int64(3), "assignments": ["backtest.horizon=4"]}
    for names, expected in ((("horizon",), 3), (("horizon", "assignments"), 4)):
        chosen = {key: given[key] for key in names}
        proposal = TASKS["forecast"].propose(api.make_choices(TASKS["forecast"], (), chosen))
        assert proposal.settings.backtest.horizon == expected
