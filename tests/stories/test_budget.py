"""What is asked for is what is paid: baselines keep to their share, a command to its minutes,
and nothing is silent."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.cli.progress import BufferedProgress, Heartbeat, Live, Plain
from ensue.data.codecs import Characters
from ensue.data.dataset_writer import encode_corpus
from ensue.data.prepare import ReadingProgress
from ensue.errors import RunError
from ensue.evaluation import sampling
from ensue.evaluation.sampling import FEWEST, WARMUP, ScoredText, count_affordable
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.models.ngram import NgramSettings, estimate
from ensue.models.ngram import budget as ngram_share
from ensue.models.ngram.budget import Share, make_plan
from ensue.tasks import fitting as learning
from ensue.tasks import pipeline
from ensue.tasks.fitting import RESERVED_SHARE, Budget, fit_baselines, remaining_training
from ensue.tasks.generate import baselines as rivals
from ensue.tasks.generate import data as text_data
from ensue.tasks.generate import training as text_training
from ensue.tasks.generate.baselines import share_for_baseline, share_for_model
from ensue.training.contract import Event, Note, Progress, Reading, Working
from ensue.training.settings import HardwareSettings, TrainingSettings

WORDS = [
    "some",
    "of",
    "these",
    "words",
    "stand",
    "together",
    "as",
    "they",
    "please",
    "and",
    "others",
    "never",
]


def prose(count: int, seed: int = 1) -> str:
    dice = np.random.default_rng(seed)
    words = dice.choice(WORDS, count, p=np.arange(1, 13) / 78)
    return " ".join(words) + "\n"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n\n" + prose(8_000))
    return path


def corpus(text: str) -> Any:
    codec = Characters().fit([text], ends=False)
    return encode_corpus([text], codec), codec


def test_all_of_a_large_text_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once only its last three million symbols were."""
    train, codec = corpus(prose(20_000))
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share, "SAMPLE", 10_000)
    plan = make_plan(train, codec.size, NgramSettings(), Share(inf, 10**10))
    assert plan is not None
    assert (plan.symbols, plan.highest_order, plan.memory) == (len(train), 9, 0)
    assert "GB" in plan.expected_cost


def test_a_share_cuts_the_order_and_then_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    train, codec = corpus(prose(20_000))
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share, "SAMPLE", 10_000)
    expected = ngram_share._Expected.of(train, codec.size, 9)
    monkeypatch.setattr(
        ngram_share._Expected, "of", lambda *_: expected
    )  # a clock would measure anew
    within = int(expected.counting(len(train), 6) * 1.01)
    plan = make_plan(
        train, codec.size, NgramSettings(), Share(0.001 + expected.seconds(len(train), 9), within)
    )
    assert plan is not None
    assert plan.symbols == len(train)
    assert 5 <= plan.highest_order <= 7
    small = make_plan(
        train, codec.size, NgramSettings(), Share(expected.seconds(len(train), 9) / 3, 10**10)
    )
    assert small is not None
    assert 10_000 <= small.symbols < len(train)
    told = small.describe_cuts(train, NgramSettings(), Share(30, 10**9))
    assert told.endswith(
        f"up to order {small.highest_order}, to stay within its share of 1.0 GB and 30 s"
    )
    assert f"the last {small.symbols:,} of the {len(train):,} training symbols" in told


def test_what_a_run_has_planned_is_not_planned_anew(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that was killed goes on with the same n-gram, whatever is free or fast by then."""
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share, "SAMPLE", 10_000)
    out, settings = tmp_path / "run", ["training.steps=2", "body.width=8", "mixture.use=always"]
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "conclude", lambda *_, **__: 1 / 0)
        with pytest.raises(RunError, match="ZeroDivisionError"):
            ensue.train("generate", text, out=out, settings=settings)
    load_or_make_plan = ensue.open(out).run.about["ngram"]
    assert load_or_make_plan["symbols"] > 10_000
    monkeypatch.setattr(
        rivals, "make_plan", lambda *_: pytest.fail("it was load_or_make_plan again")
    )
    assert api.resume(out).run.about["ngram"] == load_or_make_plan


def test_how_many_n_grams_there_will_be_is_known_before_they_are_counted() -> None:
    train, codec = corpus(prose(300_000))
    expected = ngram_share._Expected.of(train, codec.size, 9)
    found = estimate(train.ids, train.offsets, codec.size, NgramSettings(order=9)).table.lengths
    assert expected.grams(len(train), 9) == pytest.approx(sum(found), rel=0.2)


def test_what_was_asked_for_gets_all_of_it_on_disk_if_need_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, codec = corpus(prose(20_000))
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share, "SAMPLE", 10_000)
    monkeypatch.setattr(rivals, "available_memory", lambda: 100_000)
    plan = make_plan(
        train, codec.size, NgramSettings(order=5), share_for_model(NgramSettings(order=5))
    )
    assert plan is not None
    assert (plan.symbols, plan.highest_order, plan.memory) == (len(train), 5, 60_000)
    assert plan.expected_cost.endswith("in runs on disk")
    beside = share_for_baseline(NgramSettings(), 3.0, optional=True)
    assert (beside.seconds, beside.memory) == (36.0, 25_000)
    assert make_plan(train, codec.size, NgramSettings(), beside) is None


@pytest.mark.parametrize(("kernels", "takes"), [(True, "9 s"), (False, "36 s")])
def test_how_long_counting_on_disk_takes_is_told(
    kernels: bool, takes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 MB, of which a sample of 1 MB took 0.2 s: twice 3.6 s with the kernels, where 36 s were
    told."""
    train, _ = corpus("a")
    ten = replace(
        train, ids=np.broadcast_to(train.ids, 10_000_000), offsets=np.array([0, 10_000_000])
    )
    expected = ngram_share._Expected(1_000_000, (1000.0,) * 9, (0.5,) * 9, took=0.2)
    monkeypatch.setattr(ngram_share._Expected, "of", lambda *_: expected)
    monkeypatch.setattr(ngram_share, "library", lambda: kernels or None)
    plan = make_plan(ten, 100, NgramSettings(), Share(inf, 10**8, whole=True))
    assert plan is not None
    assert plan.expected_cost == f"about 0.1 GB and {takes}, in runs on disk"


def test_a_best_n_gram_that_is_too_dear_does_not_stand_beside_the_one_that_was_asked_for(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share, "SAMPLE", 10_000)
    notes: list[str] = []
    settings = ["model.order=3", "baseline.max_order=8", "baseline.memory=1000"]
    ensue.train(
        "generate",
        text,
        model="ngram",
        out=tmp_path / "run",
        settings=settings,
        on_event=_notes(notes),
    )
    rows = [
        row["name"] for row in json.loads((tmp_path / "run" / "result.json").read_text())["rows"]
    ]
    assert rows == ["uniform", "unigram", "3-gram as set"]
    assert (
        "the n-gram of `baseline` was not counted: it would take more than its share of 0.0 GB "
        "and 36 s"
    ) in notes


@pytest.mark.parametrize(
    ("settings", "orders"),
    [
        (["model.order=3"], [3]),
        (["model.order=3", "model.memory=4G", "baseline.memory=4G"], [3]),
        (["model.max_order=2"], [2]),
        (["model.order=3", "baseline.order=2"], [2, 3]),
        (["model.order=3", "baseline.order=3"], [3]),
    ],
)
def test_beside_an_n_gram_none_is_counted_that_was_not_chosen(
    settings: list[str], orders: list[int], text: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """An n-gram of order 5 took 5 s, and one of order 9, which nobody had asked for, 13 s."""
    counted: list[int] = []
    true = rivals.estimate_planned

    def noted(plan: Any, *others: Any, **more: Any) -> Any:
        counted.append(plan.highest_order)
        return true(plan, *others, **more)

    monkeypatch.setattr(rivals, "estimate_planned", noted)
    ensue.train("generate", text, model="ngram", out=tmp_path / "run", settings=settings)
    assert counted == orders
    names = [
        row["name"] for row in ensue.open(tmp_path / "run").run.read_json("result.json")["rows"]
    ]
    assert names[-1].endswith(" as set") == (len(orders) == 2)


@pytest.mark.parametrize(("counts", "passes"), [("true", 2), ("false", 1)])
def test_what_counting_takes_is_told_for_all_of_its_passes(
    counts: str, passes: int, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second count, with the validation part, was in no estimate."""
    monkeypatch.setattr(ngram_share, "SMALL", 10_000)
    monkeypatch.setattr(ngram_share._Expected, "of", lambda *_: expected)
    expected = ngram_share._Expected(10_000, (1000.0,) * 3, (0.5,) * 3, took=2.0)
    notes: list[str] = []
    settings = ["model.order=3", f"count_validation={counts}"]
    ensue.train(
        "generate",
        text,
        model="ngram",
        out=tmp_path / "run",
        settings=settings,
        on_event=_notes(notes),
    )
    (told,) = [note for note in notes if note.startswith("the n-gram: all ")]
    symbols = int(told.removeprefix("the n-gram: all ").split()[0].replace(",", ""))
    assert f" GB and {passes * ngram_share.SLACK * 2 * symbols / 10_000:.0f} s, to count" in told
    assert (" twice, the second time with the validation part;" in told) == (passes == 2)
    assert told.endswith("; scoring and the report come on top")


def test_more_of_a_larger_text_is_counted_to_know_what_all_of_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arrays of 1 MB take half of the time per symbol that those of 100 MB take."""
    monkeypatch.setattr(ngram_share, "SAMPLE", 1_000)
    train, codec = corpus(prose(20_000))
    assert ngram_share._Expected.of(train, codec.size, 3).sampled == 2 * (len(train) // 32)


def _notes(found: list[str]) -> Callable[[Event], None]:
    return lambda event: found.append(event.text) if isinstance(event, Note) else None


def test_an_order_that_takes_the_cap_says_so(text: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    settings = ["model.max_order=2", "baseline.max_order=2"]
    ensue.train(
        "generate",
        text,
        model="ngram",
        out=tmp_path / "run",
        settings=settings,
        on_event=_notes(notes),
    )
    said = next(note for note in notes if note.startswith("the order of the n-gram, 2: "))
    assert said.endswith("; no higher order was tried: give --set model.max_order=7")


def test_a_baseline_below_the_order_of_the_model_is_given_no_advice(
    text: Path, tmp_path: Path
) -> None:
    notes: list[str] = []
    settings = ["model.max_order=3", "baseline.max_order=2"]
    ensue.train(
        "generate",
        text,
        model="ngram",
        out=tmp_path / "run",
        settings=settings,
        on_event=_notes(notes),
    )
    assert any(note.endswith("tried: give --set model.max_order=8") for note in notes)
    assert not any("baseline.max_order" in note for note in notes)
    report = (tmp_path / "run" / "report.md").read_text()
    assert "baseline.max_order=7" not in report


def test_what_is_counted_at_one_go_is_no_network_that_has_hardly_begun(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("".join(np.random.default_rng(1).choice(list("abc "), 20_000).tolist()))
    model = ensue.train("generate", text, model="ngram", out=tmp_path / "run")
    assert model.run.read_json("result.json")["warnings"] == []


def nats_of(run: Path) -> dict[str, float]:
    return {
        row["name"]: row["totals"]["nats"]
        for row in json.loads((run / "result.json").read_text())["rows"]
    }


def test_a_validation_file_is_not_counted_unless_it_is_asked_for(tmp_path: Path) -> None:
    """The validation file holds words that the test file has, and training has not."""
    files = {name: tmp_path / f"{name}.txt" for name in ("train", "valid", "test")}
    files["train"].write_text("\n\n" + prose(4_000))
    files["valid"].write_text("\n\n" + prose(500) + "eland pleased another " * 50)
    files["test"].write_text("\n\n" + prose(500, seed=2) + "eland pleased another " * 50)
    found = {}
    for how in ("auto", "false", "true"):
        out = tmp_path / how
        ensue.train(
            "generate",
            files["train"],
            model="ngram",
            out=out,
            valid=files["valid"],
            test=files["test"],
            settings=[f"count_validation={json.dumps(how) if how == 'auto' else how}"],
        )
        (found[how],) = [nats for name, nats in nats_of(out).items() if name.endswith("-gram")]
    assert found["auto"] == found["false"]
    assert found["true"] < 0.9 * found["false"]
    assert "which is not counted" in (tmp_path / "auto" / "report.md").read_text()
    assert "which is counted too at the end" in (tmp_path / "true" / "report.md").read_text()
    unigrams = [nats_of(tmp_path / how)["unigram"] for how in ("auto", "true")]
    assert unigrams[0] != unigrams[1]


def test_a_share_of_the_data_for_validation_is_counted_as_ever(text: Path, tmp_path: Path) -> None:
    for how in ('"auto"', "true"):
        out = tmp_path / how.strip('"')
        ensue.train("generate", text, model="ngram", out=out, settings=[f"count_validation={how}"])
    assert nats_of(tmp_path / "auto") == nats_of(tmp_path / "true")


def test_baselines_end_with_their_share() -> None:
    budget, notes = Budget(minutes=0.002, began=time.perf_counter()), []
    fitted, said = fit_baselines(
        {"one": 1, "two": 2, "three": 3}, _slowly, 10, budget, _notes(notes)
    )
    assert fitted == {"one": 1}
    assert (
        said
        == tuple(notes)
        == ("two, three: not fitted; the baselines' share of the time, 0 s, is spent",)
    )
    assert fit_baselines(
        {"one": 1, "two": 2}, _slowly, 10, replace(budget, minutes=inf), _notes([])
    )[0] == {
        "one": 1,
        "two": 2,
    }


def _slowly(one: int, every: int) -> int:
    time.sleep(0.05)
    return one


def test_a_baseline_that_would_take_more_than_the_share_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A linear model took 124 s of a minute on a busy machine: it had begun while some of the
    share was left."""
    now, notes = 0.0, list[str]()
    monkeypatch.setattr(learning, "perf_counter", lambda: now)

    def fit_one(seconds: float, every: int) -> float:
        nonlocal now
        now += seconds / every
        return seconds / every

    fitted, said = fit_baselines(
        {"a": 10, "b": 400, "c": 16}, fit_one, 8000, Budget(10, 0.0), _notes(notes)
    )
    assert fitted == {"a": 10, "c": 16}
    assert said == tuple(notes)
    assert said == (
        "b: not fitted; it would take about 400 s of the baselines' share of the time, 120 s",
    )
    assert now == pytest.approx((10 + 400 + 16) * (1 / 8 + 1 / 64 + 1 / 512) + 10 + 16)
    alone = fit_baselines({"b": 400}, fit_one, 8000, Budget(inf, 0.0), _notes(notes))
    assert alone == ({"b": 400}, ())


@pytest.mark.parametrize(
    ("seconds", "samples"),
    [
        # A language model for each of 1,000 labels took 35 s of a minute to estimate on one in
        # eight examples.
        (lambda size: 4.5 + 100 * size, 2),
        (lambda size: 90 * size, 3),
        (lambda size: 400 * size, 2),
        (lambda size: 90 * size**2, 3),
        (lambda size: 1 + size, 3),
        (lambda size: 0.001, 3),
    ],
    ids=["constant and slow", "linear", "slow", "square", "mostly constant", "constant"],
)
def test_an_estimate_takes_no_more_than_it_may(
    seconds: Callable[[float], float], samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, seen = 0.0, list[int]()
    monkeypatch.setattr(learning, "perf_counter", lambda: now)

    def work(every: int) -> None:
        nonlocal now
        now += seconds(1 / every)
        seen.append(every)

    assert learning.estimate_seconds(work, affordable=15) == pytest.approx(seconds(1), rel=0.02)
    assert now <= 15
    assert seen == [512, 64, 8][:samples]


def test_small_times_that_differ_by_chance_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The majority, which takes 0.7 s, was left out because it "would take about 16 s"."""
    now, took = 0.0, {512: 0.030, 64: 0.032, 8: 0.3}
    monkeypatch.setattr(learning, "perf_counter", lambda: now)

    def work(every: int) -> None:
        nonlocal now
        now += took[every]

    assert 8 * 0.3 < learning.estimate_seconds(work, affordable=12) < 3


def test_one_sample_that_is_too_slow_for_another_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(learning, "perf_counter", lambda: now)

    def work(every: int) -> None:
        nonlocal now
        now += 10

    assert learning.estimate_seconds(work, affordable=15) > 15
    assert now == 10


@pytest.mark.slow
def test_a_command_takes_its_minutes(tmp_path: Path) -> None:
    """By the time of the processor, for the machine may be busy: reading, baselines, scoring and
    report included."""
    path = tmp_path / "text.txt"
    path.write_text("\n\n" + prose(800_000))
    line = [
        sys.executable,
        "-m",
        "ensue",
        "train",
        "generate",
        str(path),
        "--minutes",
        "0.6",
        "--out",
        "run",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        line,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.2 * 36


def test_the_training_gets_what_is_left_of_the_minutes() -> None:
    notes: list[str] = []
    training = TrainingSettings(minutes=10)

    def left(seconds: float) -> float:
        budget = Budget(minutes=10, began=time.perf_counter() - seconds)
        return remaining_training(training, HardwareSettings(), budget, _notes(notes)).minutes

    assert left(0) == pytest.approx(9.0, abs=0.01)
    assert left(120) == pytest.approx(7.0, abs=0.01)
    assert notes == []
    assert left(900) == 2.5
    assert notes == [
        (
            "900 s of 600 s were spent before the training, and what comes after takes about 60 s; "
            "the training gets 150 s all the same, and the command takes about 1,110 s (increase "
            "--minutes to train longer)"
        )
    ]
    assert Budget.of(TrainingSettings(epochs=2)).left() == inf


def test_reading_that_leaves_too_little_of_the_minutes_is_told_once_and_early() -> None:
    """Two minutes on 1 GB took five, of which 200 s went into reading; nobody was told before."""

    def told(minutes: float, *readings: tuple[int, int, float]) -> list[str]:
        notes: list[str] = []
        now = time.perf_counter()
        tell = text_data._report_reading(Budget(minutes, now - 10), _notes(notes))
        for one in readings:
            tell(*one)
        return notes

    early, later = (10, 1000, 300.0), (60, 1000, 190.0)
    assert told(2, early) == []  # too early to know
    assert told(2, early, later, (500, 1000, 180.0)) == [
        "reading takes about 200 s, and the whole command about 248 s instead of 120 s; "
        "give a shorter text or increase --minutes to train longer"
    ]
    assert told(5, later) == []  # 200 s and two fifths of 300 s
    assert told(inf, later) == []


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (0, "d: not fitted; the baselines' share of the time, 120 s,"),
        (300, "c, d: not"),
        (900, "b, c, d: not"),
    ],
)
def test_baselines_have_a_share_of_what_reading_left(
    gone: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They had a fifth of all the minutes, though these were spent already."""
    now = gone
    monkeypatch.setattr(learning, "perf_counter", lambda: now)

    def for_50_seconds(name: str, every: int) -> str:
        nonlocal now
        now += 50
        return name

    left_out = fit_baselines(
        {name: name for name in "abcd"}, for_50_seconds, 10, Budget(10, 0.0), _notes([])
    )[1]
    assert left_out[0].startswith(message)


@pytest.mark.parametrize(("sentences", "timed"), [(300, False), (700, True)])
def test_baselines_are_timed_on_samples_of_many_sentences(
    sentences: int, timed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample takes sentences; it is not the words that are many."""
    monkeypatch.setattr(
        learning, "estimate_seconds", lambda work, affordable: times.append(work) or 0.0
    )
    times: list[Any] = []
    data = tmp_path / "tags.tsv"
    data.write_text("the\tD\ncat\tN\nsees\tV\n\na\tD\nhouse\tN\nis\tV\n\n" * (sentences // 2))
    ensue.train("tag", data, model="hmm", out=tmp_path / "run")
    assert bool(times) == timed


@pytest.mark.parametrize(
    ("seconds", "share"), [(1e-9, RESERVED_SHARE), (0.24, 0.25), (0.3, 0.3), (5.0, 0.3)]
)
def test_what_comes_after_a_training_is_timed_before_it(
    seconds: float, share: float, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    true = pipeline.remaining_training

    def noted(*all_of_it: Any) -> TrainingSettings:
        given.append(all_of_it[-1])
        return true(*all_of_it)

    monkeypatch.setattr(pipeline, "remaining_training", noted)
    settings = ["body.width=8", "training.hardware.device=cpu", "baseline.order=2"]
    first = tmp_path / "first"
    ensue.train("generate", text, out=first, settings=[*settings, "training.steps=1"])
    assert given.pop() == RESERVED_SHARE  # steps are no time
    tried: list[int] = []

    def estimate(work: Callable[[int], object], affordable: float) -> float:
        for every in (64, 8):
            work(every)
            tried.append(every)
        return seconds

    monkeypatch.setattr(learning, "estimate_seconds", estimate)
    ensue.train("generate", text, out=tmp_path / "timed", minutes=0.02, settings=settings)
    assert tried == [64, 8]
    assert given.pop() == pytest.approx(share)


def test_a_run_that_goes_on_for_minutes_scores_what_they_have_time_for(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    settings = [
        "body.width=8",
        "training.hardware.device=cpu",
        "baseline.order=2",
        "training.steps=1",
    ]
    whole = ensue.train("generate", text, out=run, settings=settings).run.about["scored"]["symbols"]
    monkeypatch.setattr(text_training, "count_affordable", lambda *_: whole // 2)
    assert api.resume(run, minutes=0.02).run.about["scored"]["symbols"] == whole // 2


def test_a_sample_of_the_test_part_costs_what_all_of_it_does() -> None:
    train, codec = corpus(prose(30_000))
    model = estimate(train.ids, train.offsets, codec.size, NgramSettings(order=4)).packed()
    whole = encode_corpus([prose(20_000, seed=3)], codec)
    exact = score(model, whole.ids, whole.offsets, ScoreSettings())
    assert count_affordable(whole, [model], inf) == len(whole)
    assert count_affordable(whole, [model], 1e-9) == FEWEST
    some = ScoredText.of(whole, FEWEST)
    shares: list[float] = []
    some.nats(model, shares.append)
    assert shares[-1] == 1
    assert shares == sorted(shares)
    places = np.concatenate([np.arange(*stretch) for stretch in some.stretches])
    assert len(some.text) == len(places) == pytest.approx(FEWEST, abs=50)
    np.testing.assert_array_equal(some.text.ids, whole.ids[places])
    np.testing.assert_allclose(some.nats(model), exact[places], atol=1e-12)
    assert places[0] == WARMUP
    assert places[-1] > 0.95 * len(whole)
    assert some.text.characters == pytest.approx(whole.characters * len(places) / len(whole), abs=1)


@pytest.mark.parametrize(
    ("constant", "each", "seconds", "expected"),
    [
        (0.0, 1e-3, 10, 10_000),  # of 95,744 symbols, 10 s allow 10,000
        (0.0, 1e-3, 30, 30_000),
        (0.0, 3e-3, 30, 10_000),  # 20,000 were scored all the same, in 63 s
        (0.5, 1e-3, 60, 59_500),  # a constant part is not extrapolated
        (0.0, 1e-2, 1, 100),
        (0.0, 1e-6, 10, 95_744),
    ],
)
def test_as_many_symbols_are_scored_as_the_measured_speed_allows(
    constant: float, each: float, seconds: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, tried = 0.0, list[int]()
    monkeypatch.setattr(sampling, "perf_counter", lambda: now)

    def work(symbols: int) -> None:
        nonlocal now
        now += constant + each * symbols
        tried.append(symbols)

    assert sampling.count_in_time(work, seconds, 95_744) == pytest.approx(expected, rel=0.02)
    assert len(tried) == 1 or now < 0.35 * seconds


def test_a_network_that_is_mixed_is_run_over_the_test_part_once(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was scored alone, and once more with the mixture."""
    from ensue.models.sequence import SequenceModel

    read, true, scored = 0, SequenceModel.features, text_training.ScoredText.nats

    def counted(self: Any, inputs: Any, *others: Any) -> Any:
        nonlocal read
        read += inputs.numel()
        return true(self, inputs, *others)

    def within(self: Any, *given: Any) -> Any:
        nonlocal read
        read = 0
        monkeypatch.setattr(SequenceModel, "features", counted)
        found = scored(self, *given)
        monkeypatch.setattr(SequenceModel, "features", true)
        reads.append(read)
        return found

    reads: list[int] = []
    monkeypatch.setattr(text_training.ScoredText, "nats", within)
    settings = ["training.steps=2", "body.width=8", "mixture.use=always"]
    model = ensue.train("generate", text, out=tmp_path / "run", settings=settings)
    test = model.parts.test
    assert reads == [len(test)]
    rows = {row["name"]: row["totals"] for row in model.run.read_json("result.json")["rows"]}
    nats = {name: row["nats"] - row["spelling_nats"] for name, row in rows.items()}
    exact = score(model.model, test.ids, test.offsets, ScoreSettings()).sum()
    assert nats["mixture"] == pytest.approx(exact, rel=1e-9)
    for name, member in (("lstm", model.model.network), ("-gram", model.model.ngram)):
        (found,) = [nats[one] for one in nats if name in one]
        exact = score(member, test.ids, test.offsets, ScoreSettings()).sum()
        assert found == pytest.approx(exact, rel=1e-5)


def test_what_comes_before_a_sample_is_read_without_distributions() -> None:
    train, codec = corpus(prose(2_000))
    model = estimate(train.ids, train.offsets, codec.size, NgramSettings(order=4)).packed()
    asked, whole = list[int](), encode_corpus([prose(3_000, seed=3)], codec)
    true = model.nats
    model.nats = lambda inputs, *others: asked.append(inputs.numel()) or true(inputs, *others)  # type: ignore[method-assign]
    some = ScoredText.of(whole, 4_000)
    some.nats(model)
    assert sum(asked) == len(some.text)


def test_a_sample_of_records_is_whole_records_with_their_unknown_symbols() -> None:
    codec = Characters().fit(["abc", "cab"], ends=True)
    whole = encode_corpus(
        ["abc" * (n % 5 + 1) + ("é" if n % 3 == 0 else "") for n in range(400)], codec
    )
    model = estimate(whole.ids, whole.offsets, codec.size, NgramSettings(order=2)).packed()
    some = ScoredText.of(whole, len(whole) // 10)
    assert len(some.text.offsets) in (40, 41)
    np.testing.assert_array_equal(
        np.flatnonzero(some.text.ids == codec.unknown), some.text.unknown_at
    )
    assert len(some.text.unknown_nats) == len(some.text.unknown_at) > 5
    exact = score(model, whole.ids, whole.offsets, ScoreSettings())
    places = np.concatenate([np.arange(*stretch) for stretch in some.stretches])
    np.testing.assert_allclose(some.nats(model), exact[places], atol=1e-12)


class _Lines:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("kind", [Plain, Live])
def test_what_takes_long_is_told_while_it_does(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensue.cli.progress.PLAIN_SECONDS", 0.05)
    monkeypatch.setattr("ensue.cli.progress.SILENT_SECONDS", 0.02)
    out: Any = _Lines()
    with Heartbeat(kind(out)) as watch:
        watch(Working("counting n-grams"))
        time.sleep(0.3)
    assert out.text.count("counting n-grams  0:0") >= 2
    assert out.text.endswith("\n" if kind is Plain else "\r\x1b[K")
    before = out.text
    time.sleep(0.1)
    assert out.text == before


def test_answers_that_are_long_in_coming_are_told_of_and_stand_on_lines_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`classify RUN FILE` and the like were silent until the first of their rows, and between
    them."""
    monkeypatch.setattr("ensue.cli.progress.SILENT_SECONDS", 0.02)

    def slowly() -> Iterator[str]:
        for answer in ("one", "two"):
            time.sleep(0.2)
            yield answer

    out: Any = _Lines()
    with Heartbeat(Live(out)) as watch:
        watch(Working("classifying"))
        for answer in watch.each(slowly()):
            assert out.text.endswith("\r\x1b[K")
            out.write(f"{answer}\n")
    first, rest = out.text.split("one\n")
    assert "classifying  0:0" in first
    assert "classifying: 1 done  0:0" in rest


TAGGED = "1\tthe\t_\tDET\t_\t_\t_\t_\t_\t_\n2\tcat\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"
ASKED = [
    (
        "generate",
        "ngram",
        ["generate", "RUN", "--novelty", "--length", "20"],
        "searching the training data",
    ),
    (
        "generate",
        "ngram",
        ["generate", "RUN", "--samples", "2", "--json"],
        "searching the training data",
    ),
    (
        "generate",
        "ngram",
        ["evaluate", "RUN", "FILE", "--novelty", "--json"],
        "searching the training data",
    ),
    ("generate", "ngram", ["evaluate", "RUN", "FILE", "--prequential"], "scoring and training"),
    ("generate", "ngram", ["export", "RUN", "OUT"], "writing n-grams"),
    ("generate", "ngram", ["check", "FILE"], "checking the data"),
    ("classify", "majority", ["classify", "RUN", "FILE"], "classifying"),
    ("classify", "majority", ["evaluate", "RUN", "FILE", "--json"], "scoring"),
    ("tag", "most-frequent-tag", ["tag", "RUN", "FILE", "--out", "OUT"], "tagging"),
    ("forecast", "ridge", ["forecast", "RUN"], "forecasting"),
]


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Path, Path]]:
    """Give a run of a verb, and the file it was trained on."""
    contents = {
        "generate": prose(2_000),
        "classify": "text,label\n"
        + "".join(f"a {word} film,{word}\n" for word in ("good", "bad") * 40),
        "tag": TAGGED * 40,
        "forecast": "date,value\n"
        + "".join(f"{1990 + n // 12}-{n % 12 + 1:02}-01,{n % 12}\n" for n in range(240)),
    }
    endings = {"generate": "txt", "classify": "csv", "tag": "conllu", "forecast": "csv"}
    folder = tmp_path_factory.mktemp("answering")

    def made(verb: str, model: str) -> tuple[Path, Path]:
        run, file = folder / verb, folder / f"{verb}.{endings[verb]}"
        if not run.exists():
            file.write_text(contents[verb])
            ensue.train(verb, file, model=model, out=run)
        return run, file

    return made


@pytest.mark.parametrize(
    ("verb", "model", "line", "what"), ASKED, ids=[" ".join(one[2]) for one in ASKED]
)
def test_every_verb_that_answers_tells_what_it_does(
    verb: str,
    model: str,
    line: list[str],
    what: str,
    answering: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, file = answering(verb, model)
    events: list[Event] = []
    monkeypatch.setattr("ensue.cli.progress.follow_answer", lambda *_: events.append)
    places = {"RUN": str(run), "FILE": str(file), "OUT": str(tmp_path / "out")}
    assert main([places.get(one, one) for one in line]) == 0
    assert any(isinstance(event, Working) and what in event.what for event in events)


def test_what_is_told_again_keeps_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensue.cli.progress.PLAIN_SECONDS", 0.0)
    monkeypatch.setattr("ensue.cli.progress.SILENT_SECONDS", 0.02)
    out: Any = _Lines()
    with Heartbeat(Plain(out)) as watch:
        watch(Reading(30_000_000, 120_000_000, 75.0))
        time.sleep(0.2)
        watch(Working("scoring the test part: 3-gram", 0.5))
        time.sleep(0.2)
    assert "reading the data  30 of 120 MB  25%, about 1:15 left  0:00" in out.text
    assert "scoring the test part: 3-gram  50%  0:00" in out.text


def test_how_long_reading_takes_goes_by_what_each_pass_takes() -> None:
    told: list[float | None] = []
    progress = ReadingProgress(300, (1.0, 1.0, 8.0), lambda done, total, left: told.append(left))
    progress.began -= 2  # the first two passes took a second each
    progress.advance(200)
    assert told[-1] == pytest.approx(8, rel=0.01)
    ReadingProgress(300, None, lambda done, total, left: told.append(left)).advance(100)
    assert told[-1] is None


def test_large_data_is_told_of_with_the_time_that_it_takes(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("data.prepare", "tasks.generate.data"):
        monkeypatch.setattr(f"ensue.{module}.LONG", 1000)
    events: list[Event] = []
    ensue.train("generate", text, model="ngram", out=tmp_path / "run", on_event=events.append)
    read = [event for event in events if isinstance(event, Reading)]
    assert read[0].left is not None
    assert read[0].left > 0
    assert read[-1].done == read[-1].total


def test_notes_are_held_until_the_data_was_read() -> None:
    shown: list[Event] = []
    held = BufferedProgress(shown.append)
    for event in (
        Note("a guess"),
        Working("reading the data"),
        Reading(1, 2),
        Note("it takes long"),
        Reading(2, 2),
    ):
        held(event)
    held(Note("another"))
    assert shown == [
        Working("reading the data"),
        Reading(1, 2),
        Note("it takes long"),
        Reading(2, 2),
    ]
    held(Working("counting n-grams"))
    assert shown[4:] == [Note("a guess"), Note("another"), Working("counting n-grams")]
    held(Note("a third"))
    assert shown[-1] == Note("a third")


def test_every_stage_of_a_training_has_a_name(text: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    settings = ["training.steps=2", "body.width=8", "mixture.use=always"]
    ensue.train("generate", text, out=tmp_path / "run", settings=settings, on_event=events.append)
    doing = [event.what for event in events if isinstance(event, Working)]
    for what in (
        "counting n-grams",
        "fitting the mixture",
        "scoring the test part: mixture",
        "writing samples",
    ):
        assert any(one.startswith(what) for one in doing), what
    assert any(isinstance(event, Progress) for event in events)


def test_a_machine_that_becomes_slower_takes_fewer_steps(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ensue.training.gradient import GradientLearner

    true, notes = GradientLearner.update, []
    done = 0

    def slower(self: Any, *given: Any) -> Any:
        nonlocal done
        done += 1
        if done > 60:
            time.sleep(0.1 + 0.01 * (done - 60))  # slower with every step
        return true(self, *given)

    monkeypatch.setattr(GradientLearner, "update", slower)
    settings = ["body.width=8", "training.evaluate_every=1000", "baseline.order=2"]
    began = time.perf_counter()
    ensue.train(
        "generate",
        text,
        out=tmp_path / "run",
        minutes=0.1,
        settings=settings,
        on_event=_notes(notes),
    )
    told = [note for note in notes if note.startswith("the machine has become slower: ")]
    assert len(told) == 1  # steps are reduced again and again, but this is news once
    assert told[0].endswith(" planned steps, to keep to --minutes")
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(
    ("size", "symbols"), [(66, 100_000), (3000, 100_000), (33_279, 9014), (1_000_000, 8000)]
)
def test_a_validation_costs_no_more_for_a_large_vocabulary(size: int, symbols: int) -> None:
    run: Any = SimpleNamespace(about={})
    data: Any = SimpleNamespace(codec=SimpleNamespace(size=size))
    assert text_training.validation_symbols(run, data) == symbols


def test_a_validation_takes_as_many_symbols_as_its_share_allows(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine one took 16 s of a training of 30 s."""
    given: list[tuple[float, int]] = []
    scored: list[int] = []
    true = text_training.score

    def count(work: Callable[[int], object], seconds: float, most: int) -> int:
        given.append((seconds, most))
        work(100)
        return 2_500

    def noted(model: Any, ids: Any, *others: Any) -> Any:
        scored.append(len(ids))
        return true(model, ids, *others)

    monkeypatch.setattr(text_training, "count_in_time", count)
    monkeypatch.setattr(text_training, "score", noted)
    settings = ["body.width=8", "baseline.order=2", "mixture.use=never"]
    model = ensue.train("generate", text, out=tmp_path / "run", minutes=0.05, settings=settings)
    ((seconds, most),) = given
    assert seconds <= text_training.VALIDATION_SHARE * 3
    assert most == 100_000
    assert scored[0] == 100
    assert model.run.about["validated"] == {"symbols": 2_500}
    assert set(scored[1:]) == {min(2_500, len(model.parts.validation))}
