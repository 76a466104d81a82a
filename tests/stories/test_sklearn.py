"""Estimators as scikit-learn has them: its own checks, pipelines, searches, copies."""

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import ensue
from ensue.cli.main import main
from ensue.sklearn import Forecaster, SequenceClassifier, SequenceTagger

NETWORK: dict[str, Any] = {
    "model": "gru",
    "settings": ("body.width=8", "embedding=8", "learning_rate=0.02"),
}
TEXTS = ["what a good film", "so good and so dear", "a bad film", "what a very bad one"] * 6
MOODS = ["fine", "fine", "poor", "poor"] * 6


DOCS = Path(__file__).parents[2] / "docs" / "sklearn.md"


def waves(count: int = 24, steps: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Give slow and fast waves in noise, (samples, steps)."""
    draws = np.random.default_rng(0)
    fast = np.arange(count) % 2
    steps_of = np.arange(steps) * (0.4 + 0.8 * fast[:, None]) + draws.uniform(0, 6, (count, 1))
    return np.sin(steps_of) + 0.1 * draws.normal(size=(count, steps)), fast


@parametrize_with_checks([SequenceClassifier("summary-features")])
def test_what_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([SequenceClassifier(size="tiny"), SequenceClassifier(**NETWORK)])
def test_what_scikit_learn_checks_of_networks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_pipeline_in_cross_validation_and_a_search() -> None:
    X, y = waves()
    assert (
        cross_val_score(
            make_pipeline(StandardScaler(), SequenceClassifier("summary-features")), X, y, cv=3
        ).mean()
        > 0.9
    )
    search = GridSearchCV(
        SequenceClassifier(epochs=1), {"model": ["majority", "summary-features"]}, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"model": "summary-features"}
    assert search.best_estimator_.n_features_in_ == 16
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    found = make_pipeline(lower, SequenceClassifier("embedding-bag", epochs=60)).fit(
        [text.upper() for text in TEXTS], MOODS
    )
    assert found.score(TEXTS, MOODS) == 1


@pytest.mark.parametrize("form", ["table", "three dimensions", "unequal", "tokens", "texts"])
def test_every_form_of_x(form: str) -> None:
    X: Any
    X, y = waves()
    if form == "three dimensions":
        X = np.stack([X, -X], 2)
    elif form == "unequal":
        X = [row[: 16 - place % 5] for place, row in enumerate(X)]
    elif form == "tokens":
        X, y = [text.split() for text in TEXTS], np.array(MOODS)
    elif form == "texts":
        X, y = TEXTS, np.array(MOODS)
    model = SequenceClassifier(**NETWORK, epochs=40).fit(X, y)
    assert model.score(X, y) > 0.9
    chances = model.predict_proba(X)
    assert chances.shape == (24, 2)
    np.testing.assert_allclose(chances.sum(1), 1)
    np.testing.assert_array_equal(model.classes_[chances.argmax(1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), chances)
    assert getattr(model, "n_features_in_", None) == {
        "table": 16,
        "three dimensions": 2,
        "unequal": 1,
    }.get(form)


def test_the_same_seed_gives_the_same_and_nothing_else_is_moved() -> None:
    X, y = waves()
    before = torch.get_rng_state()
    one, same, other = (
        SequenceClassifier(**NETWORK, epochs=2, random_state=seed).fit(X, y) for seed in (3, 3, 4)
    )
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(one.predict_proba(X), same.predict_proba(X))
    assert (one.predict_proba(X) != other.predict_proba(X)).any()
    drawn = [
        SequenceClassifier(**NETWORK, epochs=2, random_state=np.random.RandomState(3)).fit(X, y)
        for _ in "ab"
    ]
    np.testing.assert_array_equal(*(model.predict_proba(X) for model in drawn))


def test_copies_answer_the_same_without_a_folder() -> None:
    model = SequenceClassifier("embedding-bag", epochs=2).fit(TEXTS, MOODS)
    told = model.predict_proba(TEXTS)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict_proba(TEXTS), told)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(TEXTS)


def test_a_saved_classifier_is_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = SequenceClassifier("embedding-bag", epochs=60).fit(TEXTS, MOODS)
    model.save(tmp_path / "mood")
    assert [one.label for one in ensue.open(tmp_path / "mood").classify(TEXTS[:4])] == MOODS[:4]
    (tmp_path / "new.csv").write_text(
        "text,label\nsuch a good film,fine\na bad one,poor\n", encoding="utf-8"
    )
    assert main(["classify", str(tmp_path / "mood"), str(tmp_path / "new.csv"), "--json"]) == 0
    assert [line.split('"label": "')[1][:4] for line in capsys.readouterr().out.splitlines()] == [
        "fine",
        "poor",
    ]
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "mood")


def test_much_data_is_held_out_from() -> None:
    X, y = waves(1000, 4)
    model = SequenceClassifier("summary-features").fit(X, y)
    assert model.run_.opened.run.about["data"]["examples"] == {
        "train": 800,
        "validation": 100,
        "calibration": 100,
    }
    assert model.run_.opened.calibration.temperature != 1


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (TEXTS, ["fine"] * 24, "y has one class, 'fine'; give samples of two or more"),
        ([*TEXTS[:-1], " "], MOODS, "X[23] is an empty text"),
        ([*TEXTS[:-1], 3], MOODS, "X[23] is no text"),
        ([["a"]] * 23 + [[]], MOODS, "X[23] is empty, and has to be a list of tokens"),
        (
            [[1.0], [1, 2]] * 11 + [[1.0], []],
            MOODS,
            "X[23] has the shape (0,), and has to be (steps,) or",
        ),
        (
            [[1.0], [1, np.inf]] * 12,
            MOODS,
            "X[1] contains infinity; use NaN for a missing number",
        ),
        (
            [[1.0], [1, 1e200]] * 12,
            MOODS,
            "X[1] contains a number above 1e+100, whose square is infinite; scale X",
        ),
    ],
)
def test_what_cannot_be_learned_is_a_value_error(X: Any, y: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        SequenceClassifier("embedding-bag").fit(X, y)


def test_a_frame_with_a_column_of_texts_is_told_apart_from_numbers() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": TEXTS, "count": range(24)})
    with pytest.raises(ValueError, match=r"has to be one column of samples; give X\['text'\]"):
        SequenceClassifier("embedding-bag").fit(frame, MOODS)
    assert (
        len(SequenceClassifier("ngram-bayes").fit(frame["text"], MOODS).predict(frame["text"]))
        == 24
    )


def test_wrong_settings_and_wrong_channels_are_value_errors() -> None:
    with pytest.raises(ValueError, match="there is no model 'gruu' for classify; did you mean gru"):
        SequenceClassifier("gruu").fit(TEXTS, MOODS)
    X, y = waves(8, 3)
    model = SequenceClassifier("summary-features").fit(np.stack([X, X], 2), y)
    with pytest.raises(ValueError, match="'value' has 1 channels where it had 2 in training"):
        model.predict([[1.0, 2.0], [1.0]])


SENTENCES = [
    ["the", "cat", "sat"],
    ["a", "dog", "ran"],
    ["the", "dog", "sat"],
    ["a", "cat", "ran", "off"],
] * 5
TAGS = [["D", "N", "V", "P"][: len(words)] for words in SENTENCES]


def test_a_tagger_is_scored_on_as_many_tags_as_tokens_and_by_two_workers_at_once() -> None:
    X, y = np.empty(20, object), np.empty(20, object)
    X[:], y[:] = SENTENCES, TAGS
    assert cross_val_score(SequenceTagger("hmm"), X, y, cv=2, n_jobs=2).tolist() == [1, 1]
    with pytest.raises(ValueError, match=re.escape("y[19] has 1 tags for the 4 tokens of X[19]")):
        SequenceTagger("hmm").fit(X, y).score(SENTENCES, [*TAGS[:-1], ["D"]])


def test_a_tagger_in_a_search_and_copied(tmp_path: Path) -> None:
    found = GridSearchCV(SequenceTagger(), {"model": ["hmm", "most-frequent-tag"]}, cv=2).fit(
        SENTENCES, TAGS
    )
    assert found.best_score_ == 1
    network = SequenceTagger("gru", size="tiny", epochs=8).fit(SENTENCES, TAGS)
    assert (
        network.predict(SENTENCES) == TAGS == pickle.loads(pickle.dumps(network)).predict(SENTENCES)
    )
    network.save(tmp_path / "tagger")
    assert ensue.open(tmp_path / "tagger").tag(SENTENCES[:1]) == TAGS[:1]
    rare = [["t0", "B"], *([["A", "B"]] * 118), ["t1", "B"]]
    assert SequenceTagger("hmm").fit([["x", "y"]] * 120, rare).classes_.tolist() == [
        "A",
        "B",
        "t0",
        "t1",
    ]


@pytest.mark.parametrize("name", ["valid_file", "test_file"])
def test_an_estimator_reads_no_files(name: str) -> None:
    said = f"data.{name}: an estimator reads no files; leave it out, or use"
    with pytest.raises(ValueError, match=said):
        SequenceTagger("hmm", settings=[f"data.{name}=a.jsonl"]).fit(SENTENCES, TAGS)
    with pytest.raises(ValueError, match=said):
        SequenceClassifier("nbsvm", settings=[f"data.{name}=a.csv"]).fit(
            ["a b", "c d"] * 9, [0, 1] * 9
        )


def test_tags_that_are_whole_numbers_come_back_as_whole_numbers() -> None:
    ids = {tag: number for number, tag in enumerate("DNVP")}
    y = [[ids[tag] for tag in tags] for tags in TAGS]
    model = SequenceTagger("hmm").fit(SENTENCES, [np.array(tags) for tags in y])
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.predict(SENTENCES) == y
    assert all(type(tag) is int for tags in model.predict(SENTENCES) for tag in tags)
    assert model.score(SENTENCES, y) == 1
    assert pickle.loads(pickle.dumps(model)).predict(SENTENCES) == y
    with pytest.raises(
        ValueError, match=re.escape("y has tags of type int; give all as strings, or all as int")
    ):
        SequenceTagger("hmm").fit([["a", "b"]], [[1, "O"]])


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (
            SENTENCES,
            [["D", "D", "D", "D"][: len(words)] for words in SENTENCES],
            "y has one tag, 'D'",
        ),
        (SENTENCES, [*TAGS[:-1], ["D"]], "y[19] has 1 tags for the 4 tokens of X[19]"),
        (["the cat"], [["D", "N"]], "X[0] is 'the cat', and has to be a list of tokens"),
        ([3], [["D"]], "X[0] is 3, and has to be a list of tokens"),
        ([], [], "X is empty"),
        (SENTENCES, None, "y is None, and has to be a list of tags for each sentence"),
    ],
)
def test_what_cannot_be_tagged_is_a_value_error(X: Any, y: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        SequenceTagger("hmm").fit(X, y)


STEPS = np.arange(72.0)
SOLD = 10 + 0.1 * STEPS + 3 * np.sin(STEPS * np.pi / 6)


def test_a_forecaster_by_cross_validation_over_time(tmp_path: Path) -> None:
    pushed = np.random.default_rng(0).normal(size=(72, 1))
    model = Forecaster(horizon=6, season=12)
    for X, y in ((np.empty((72, 0)), SOLD), (pushed, 2 * pushed[:, 0] + SOLD)):
        assert cross_val_score(model, X, y, cv=TimeSeriesSplit(2, test_size=6)).shape == (2,)
    model.fit(pushed[:-6], (SOLD + 20 * pushed[:, 0])[:-6])
    assert model.score(pushed[-6:], (SOLD + 20 * pushed[:, 0])[-6:]) > 0.8
    low, high = model.predict_interval(pushed[-6:])
    assert (low <= model.predict(pushed[-6:])).all()
    assert (model.predict(pushed[-6:]) <= high).all()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict(pushed[-6:]), model.predict(pushed[-6:])
    )
    with pytest.raises(ValueError, match="X has 2 columns, and has to have 1 as in training"):
        model.predict(np.zeros((6, 2)))
    with pytest.raises(ValueError, match="the model forecasts 6 steps at once, not 7"):
        model.predict(np.zeros((7, 1)))
    with pytest.raises(ValueError, match="X has 5 rows for the 72 steps of y"):
        model.fit(pushed[:5], SOLD)
    model.save(tmp_path / "sales")
    assert ensue.open(tmp_path / "sales").prepared.layout.horizon == 6


def test_a_forecaster_of_every_form_of_series() -> None:
    one = Forecaster(horizon=4, season=12).fit(SOLD)
    assert (
        np.abs(
            one.predict() - (10 + 0.1 * (72 + STEPS[:4]) + 3 * np.sin((72 + STEPS[:4]) * np.pi / 6))
        ).max()
        < 2
    )
    np.testing.assert_array_equal(one.predict(2), one.predict()[:2])
    both = Forecaster(horizon=4, season=12).fit([SOLD, -SOLD]).predict()
    np.testing.assert_allclose(both[0], -both[1])
    wide = Forecaster("ridge", horizon=4, season=12).fit(np.stack([SOLD, -SOLD], 1))
    assert wide.predict(3).shape == (3, 2)
    table = pyarrow.table({"ds": list(range(72)), "a": SOLD, "b": -SOLD})
    with pytest.warns(UserWarning, match="frame: 2 columns of numbers, each read as a series$"):
        frame = Forecaster("ridge", horizon=4).fit(table)
    assert frame.predict().num_rows == 8
    with pytest.raises(ValueError, match="per_cent is 50, and has to be one of 80 and 95"):
        one.predict_interval(per_cent=50)
    with pytest.raises(ValueError, match="'horizon' cannot be -1"):
        one.predict(-1)
    with pytest.raises(ValueError, match="series 1 has 1 channels, and has to have 2"):
        Forecaster(horizon=4).fit([np.stack([SOLD, -SOLD], 1), SOLD])
    networks = [
        Forecaster("gru", size="tiny", horizon=4, epochs=2).fit(SOLD).predict() for _ in "ab"
    ]
    np.testing.assert_array_equal(*networks)


def test_only_estimators_load_scikit_learn() -> None:
    program = (
        "import sys, ensue, ensue.api\nassert not {'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in re.findall(
        r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        exec(example, {})
    assert ensue.open("mood").labels.names == ("fine", "poor")
