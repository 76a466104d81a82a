"""What every score obeys: it is the sum of its steps, it is honest about the past, and its
conversions are exact."""

import json
from dataclasses import dataclass, field
from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Categorical

from ensue.errors import DataError, SettingError
from ensue.evaluation.intervals import Chunks, intervals
from ensue.evaluation.likelihood import FIGURES, Likelihood, paid
from ensue.evaluation.line_scores import by_line, line_numbers
from ensue.evaluation.prequential import prequential
from ensue.evaluation.ranking import explain_recommendation
from ensue.evaluation.surprisal import highest_surprisal
from ensue.evaluation.text_scoring import ScoreSettings, score
from ensue.evaluation.unigram import Frequencies, measure_text, symbol_counts
from ensue.inspection.memory import MemorySettings, memory
from ensue.models.contract import Autoregressive
from ensue.settings import read

SIZE = 5


@dataclass(frozen=True)
class Encoded:
    ids: np.ndarray
    offsets: np.ndarray
    characters: int
    bytes: int
    words: int
    unknown_at: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    unknown_nats: np.ndarray = field(default_factory=lambda: np.empty(0))
    tokens: int = 0


def encoded(count, offsets=None, seed=0, **more):
    ids = np.random.default_rng(seed).integers(0, SIZE, count)
    sizes = {
        "characters": count,
        "bytes": count,
        "words": max(count // 5, 1),
        "tokens": count,
    } | more
    return Encoded(ids, np.array([0, count] if offsets is None else offsets), **sizes)


class Network(nn.Module, Autoregressive):
    """A GRU, to have a state with a past."""

    parameter_count = 0

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.size = SIZE
        self.inner = nn.Embedding(SIZE + 1, 4)
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.out = nn.Linear(6, SIZE)

    def initial(self, batch_size, context=None):
        return torch.zeros(batch_size, 6, dtype=torch.float64)

    def forward(self, inputs, state, lengths=None):
        y, _ = self.gru(self.inner(inputs), state[None])
        last = torch.full((len(inputs),), inputs.shape[1]) if lengths is None else lengths
        return Categorical(logits=3 * self.out(y)), y[torch.arange(len(inputs)), last - 1]

    def arrays(self):
        return {}

    def load(self, arrays):
        pass


class Remembering(Autoregressive):
    """Knows that the symbol is the one `back` steps ago, and that its state holds no more than
    that."""

    parameter_count = 0

    def __init__(self, back):
        self.size, self.back = SIZE, back

    def initial(self, batch_size, context=None):
        return torch.full((batch_size, self.back), SIZE)

    def __call__(self, inputs, state, lengths=None):
        seen = torch.cat([state, inputs], 1)
        probs = torch.full((*inputs.shape, SIZE + 1), 0.1 / SIZE, dtype=torch.float64)
        expected = seen[:, 1 : 1 + inputs.shape[1]]
        probs.scatter_(2, expected[..., None], 0.9 + 0.1 / SIZE)
        flat = torch.full_like(probs, 1 / SIZE)
        probs = torch.where((expected == SIZE)[..., None], flat, probs)[..., :SIZE]
        return Categorical(probs=probs), seen[:, -self.back :]

    def arrays(self):
        return {}

    def load(self, arrays):
        pass


@pytest.fixture
def network():
    return Network().double().eval()


def directly(model, ids):
    inputs = torch.from_numpy(np.concatenate([[SIZE], ids[:-1]]))[None]
    with torch.no_grad():
        nats, _ = model.nats(inputs, torch.from_numpy(ids)[None], model.initial(1))
    return nats[0].numpy()


def test_one_long_text_is_scored_with_all_its_past(network, monkeypatch):
    text = encoded(203)
    expected = directly(network, text.ids)
    np.testing.assert_allclose(
        score(network, text.ids, text.offsets, ScoreSettings()), expected, atol=1e-12
    )
    monkeypatch.setattr("ensue.evaluation.text_scoring._MOST_STEPS", 17)
    np.testing.assert_allclose(
        score(network, text.ids, text.offsets, ScoreSettings()), expected, atol=1e-12
    )


def test_records_are_scored_each_from_its_own_start(network, monkeypatch):
    text = encoded(60, offsets=[0, 7, 7, 8, 30, 41, 60])
    expected = np.concatenate(
        [directly(network, part) for part in np.split(text.ids, text.offsets[1:-1]) if len(part)]
    )
    for batch, steps in [(1, 8192), (2, 8192), (128, 8192), (3, 4), (128, 5)]:
        monkeypatch.setattr("ensue.evaluation.text_scoring._MOST_STEPS", steps)
        nats = score(network, text.ids, text.offsets, ScoreSettings(batch=batch))
        np.testing.assert_allclose(nats, expected, atol=1e-12)


def test_rows_side_by_side_are_exact_where_the_memory_is_shorter_than_the_warmup():
    text = encoded(100)
    model = Remembering(back=4)
    exact = score(model, text.ids, text.offsets, ScoreSettings())
    np.testing.assert_allclose(exact, directly(model, text.ids), atol=1e-12)
    fast = score(model, text.ids, text.offsets, ScoreSettings(batch_size=7, warmup=4))
    np.testing.assert_allclose(fast, exact, atol=1e-12)
    assert not np.allclose(
        score(model, text.ids, text.offsets, ScoreSettings(batch_size=7, warmup=2)), exact
    )


def test_an_empty_text_costs_nothing(network):
    assert (
        score(network, np.empty(0, dtype=np.int64), np.array([0, 0]), ScoreSettings()).tolist()
        == []
    )
    likelihood = Likelihood.of(encoded(0, words=0), np.empty(0))
    assert (likelihood.nats_per_character, likelihood.bits_per_word, likelihood.perplexity) == (
        0,
        0,
        1,
    )


# A text of two words in a codec of words, one of them unknown: worked out by hand.
HAND = Encoded(
    np.array([0, 1, 2]), np.array([0, 3]), 6, 7, 2, np.array([1]), np.array([3.0]), tokens=4
)
HAND_NATS = np.array([1.0, 2.0, 1.5])


def test_conversions_of_a_worked_example():
    likelihood = Likelihood.of(HAND, HAND_NATS)
    assert likelihood.total_nats == 7.5
    assert likelihood.nats_per_character == 7.5 / 6
    assert likelihood.bits_per_character == pytest.approx(7.5 / 6 / log(2))
    assert likelihood.bits_per_byte == pytest.approx(7.5 / 7 / log(2))
    assert likelihood.bits_per_word == pytest.approx(7.5 / 2 / log(2))
    assert likelihood.perplexity == pytest.approx(exp(4.5 / 3))
    assert likelihood.perplexity_per_token == pytest.approx(exp(4.5 / 4))
    assert likelihood.perplexity_without_unknown == pytest.approx(exp(2.5 / 2))
    assert paid(HAND, HAND_NATS).tolist() == [1, 5, 1.5]


def test_json_keeps_what_programs_rely_on():
    text = encoded(400)
    nats = np.random.default_rng(1).exponential(1.0, 400)
    likelihood = Likelihood.of(text, nats)
    found = json.loads(json.dumps(likelihood.to_json(intervals(Chunks.of(text, nats), likelihood))))
    assert found["count"] == 400
    assert found["nats_per_character"] == pytest.approx(nats.mean())
    for name in FIGURES:
        low, high = found["intervals"][name]
        assert low < found[name] < high


@given(st.lists(st.floats(0, 20), min_size=2, max_size=20), st.integers(1, 19))
def test_parts_add_up_to_the_whole(values, cut):
    nats, cut = np.array(values), min(cut, len(values) - 1)
    whole = Likelihood.of(encoded(len(nats), words=4), nats)
    parts = [Likelihood.of(encoded(len(part), words=2), part) for part in (nats[:cut], nats[cut:])]
    together = parts[0] + parts[1]
    assert together.total_nats == pytest.approx(whole.total_nats)
    assert (together.symbols, together.characters, together.words) == (
        whole.symbols,
        whole.characters,
        whole.words,
    )


def test_an_infinite_cost_is_an_infinite_perplexity():
    assert Likelihood(1e6, 0, 10, 10, 10, 2, 0).perplexity == float("inf")


def test_intervals_are_those_of_the_theory_for_independent_symbols():
    nats = np.random.default_rng(0).normal(2.0, 0.5, 20_000)
    text = encoded(len(nats), characters=10_000)
    low, high = intervals(Chunks.of(text, nats), Likelihood.of(text, nats))["nats_per_character"]
    half = 1.96 * 2 * 0.5 / len(nats) ** 0.5
    assert (low + high) / 2 == pytest.approx(2 * nats.mean(), abs=0.2 * half)
    assert (high - low) / 2 == pytest.approx(half, rel=0.15)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        nats = random.exponential(1.0, 400)
        text = encoded(400)
        low, high = intervals(Chunks.of(text, nats), Likelihood.of(text, nats))[
            "nats_per_character"
        ]
        held += low <= 1.0 <= high
    assert 175 <= held <= 199  # of 200, 95 % is 190


def test_a_difference_is_sharper_than_its_two_parts():
    random = np.random.default_rng(0)
    shared = random.exponential(1.0, 5000)
    text = encoded(5000)
    first, second = (
        measure_text(text, shared + random.normal(shift, 0.05, 5000)).of("lstm", "network", 0.0, 0)
        for shift in (0.02, 0.0)
    )
    mean, (low, high) = first.paired_difference(second)
    assert mean == pytest.approx(first.cost - second.cost)
    assert first.cost == pytest.approx(first.metrics["nats_per_character"])
    assert 0 < low < mean < high
    own = first.intervals["nats_per_character"]
    assert (high - low) < 0.2 * (own[1] - own[0])


def test_very_short_texts_have_intervals_too():
    for count in (0, 1, 3):
        text, nats = encoded(count), np.ones(count)
        low, high = intervals(Chunks.of(text, nats), Likelihood.of(text, nats))[
            "nats_per_character"
        ]
        assert low == high == (1.0 if count else 0.0)


def test_baselines_are_distributions_and_match_a_plain_count():
    training, text = (
        np.array([0, 0, 1, 4]),
        Encoded(np.arange(SIZE), np.array([0, SIZE]), SIZE, SIZE, 1),
    )
    assert np.exp(-Frequencies.uniform(SIZE).nats(text)).sum() == pytest.approx(1)
    probabilities = np.exp(-Frequencies.unigram(symbol_counts(training, SIZE)).nats(text))
    np.testing.assert_allclose(probabilities, np.array([3, 2, 1, 1, 2]) / 9)


def rows_of(**shifts):
    random = np.random.default_rng(0)
    text, shared = encoded(5000), random.exponential(1.0, 5000)
    roles = {
        "lstm": ("network", 180.0, 90_000),
        "ngram": ("baseline", 2.0, 40_000),
        "mixture": ("mixture", 182.0, 130_000),
    }
    made = []
    for name, shift in shifts.items():
        role, seconds, parameters = roles[name]
        nats = shared + random.normal(shift, 0.05, 5000)
        made.append(measure_text(text, nats).of(name, role, seconds, parameters))
    return made


@pytest.mark.parametrize(
    ("shifts", "begins", "holds"),
    [
        (
            {"lstm": 0.5, "ngram": 0.6},
            "lstm (1.5",
            "The network (lstm) is better than ngram by 0.100 nats per character [0.09",
        ),
        (
            {"lstm": 0.7, "ngram": 0.6},
            "ngram (1.6",
            "The network (lstm) is worse than ngram by 0.1",
        ),
        (
            {"lstm": 0.6, "ngram": 0.6},
            "ngram (1.6",
            "The network (lstm) is not significantly different from ngram: ",
        ),
        (
            {"lstm": 0.5, "ngram": 0.6, "mixture": 0.45},
            "mixture (1.4",
            "training time 3.0 min against 2.0 s",
        ),
        ({"mixture": 0.5, "lstm": 0.5}, "lstm (1.", ""),
    ],
)
def test_the_recommendation_is_honest(shifts, begins, holds):
    found = explain_recommendation(rows_of(**shifts))
    assert found.recommendation.startswith(begins)
    assert holds in "".join(found.comparison)


def test_a_row_becomes_json():
    found = rows_of(ngram=0.1)[0].to_json()
    assert (found["name"], found["role"], found["seconds"], found["parameters"]) == (
        "ngram",
        "baseline",
        2.0,
        40_000,
    )
    assert (
        json.loads(json.dumps(found))["intervals"]["perplexity"][0] < found["metrics"]["perplexity"]
    )


def test_lines_are_counted_as_an_editor_does():
    # Symbols: "a", a line break, and one that holds two line breaks.
    lines = line_numbers(np.array([0, 1, 0, 2, 0]), np.array([0, 5]))
    assert lines.tolist() == [1, 1, 2, 2, 4]
    scores = by_line(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), lines, np.array([0, 5]))
    assert [(score.line, score.symbols, score.nats) for score in scores] == [
        (1, 2, 3.0),
        (2, 2, 7.0),
        (4, 1, 5.0),
    ]
    nothing = np.empty(0, dtype=np.int64)
    assert by_line(np.empty(0), line_numbers(nothing, np.array([0, 0])), np.array([0, 0])) == []


def test_records_are_scored_at_the_lines_of_their_files():
    offsets = np.array(
        [0, 2, 5, 6]
    )  # the second has a line break inside, the third begins a file of its own
    lines = line_numbers(np.array([0, 1, 1, 0, 1, 1]), offsets, firsts=np.array([2, 5, 6]))
    assert lines.tolist() == [2, 2, 5, 6, 6, 6]
    scores = by_line(np.ones(6), lines, offsets)
    assert [(score.line, score.symbols) for score in scores] == [(2, 2), (5, 1), (6, 2), (6, 1)]


def test_the_most_surprising_places_are_found_apart_from_each_other():
    ids = np.array([0, 1, 2, 3, 4, 0, 1])
    nats = np.array([1.0, 9.0, 8.0, 0.0, 1.0, 2.0, 7.0])
    found = highest_surprisal(
        nats,
        np.arange(1, 8),
        lambda begin, end: "".join("abcde"[id] for id in ids[begin:end]),
        count=2,
        apart=1,
    )
    assert [(each.position, each.line, each.before, each.symbol, each.nats) for each in found] == [
        (1, 2, "a", "b", 9.0),
        (6, 7, "abcdea", "b", 7.0),
    ]
    more = highest_surprisal(nats, np.arange(1, 8), lambda begin, end: "", count=3, apart=9)
    assert [each.nats for each in more] == [9.0, 8.0, 7.0]  # near each other rather than too few


def test_each_chunk_is_scored_before_it_is_learned():
    learned: list[int] = []

    def cost(chunk):
        assert chunk not in learned
        return Likelihood(1.0 / (1 + len(learned)), 0, 1, 1, 1, 1, 0)

    points = list(prequential([1, 2, 3], cost, learned.append))
    assert learned == [1, 2, 3]
    assert [point.chunk.nats for point in points] == [1, 1 / 2, 1 / 3]
    assert points[-1].total.nats == pytest.approx(11 / 6)
    assert points[-1].total.characters == 3


def test_memory_finds_how_far_back_a_model_looks():
    ids = np.tile(np.random.default_rng(0).integers(0, SIZE, 8), 60)
    found = memory(
        Remembering(back=8), ids, np.array([0, len(ids)]), MemorySettings(longest=32, places=100)
    )
    assert found.contexts == [1, 2, 4, 8, 16, 32]
    assert found.nats[:3] == pytest.approx([log(SIZE)] * 3)
    assert found.nats[3:] == pytest.approx([-log(0.92)] * 3)
    assert found.effective_context == 8
    assert str(found).startswith(
        "the model uses 8 symbols of context: 32 of them would save 0.0000 nats per symbol"
    )
    short = memory(
        Remembering(back=8), ids, np.array([0, len(ids)]), MemorySettings(longest=8, places=100)
    )
    assert str(short) == "the model uses at least 8 symbols of context, the most measured"


def test_memory_costs_are_those_of_the_truncated_past(network):
    text = encoded(40)
    found = memory(network, text.ids, text.offsets, MemorySettings(longest=4, places=1000))
    expected = []
    for place in range(4, 40):
        inputs = torch.from_numpy(text.ids[None, place - 4 : place])
        with torch.no_grad():
            distribution, _ = network(inputs, network.initial(1))
        expected.append(-distribution.probs[0, -1, text.ids[place]].log().item())
    assert found.nats[-1] == pytest.approx(np.mean(expected))


def test_memory_never_looks_into_the_record_before():
    ids = np.concatenate([np.full(20, record % SIZE) for record in range(4)])
    found = memory(
        Remembering(back=1), ids, np.arange(0, 81, 20), MemorySettings(longest=64, places=1000)
    )
    assert found.contexts == [1, 2, 4, 8]
    assert found.nats == pytest.approx([-log(0.92)] * 4)


def test_memory_of_a_short_text_is_refused():
    text = encoded(12)
    with pytest.raises(
        DataError, match=r"^8 symbols have 4 before them, and 10 are needed; give a longer text"
    ):
        memory(Remembering(1), text.ids, text.offsets, MemorySettings())


def test_settings_out_of_range_are_refused():
    with pytest.raises(
        SettingError, match="'batch_size' cannot be 0: input should be greater than or equal to 1"
    ):
        read(ScoreSettings, {"batch_size": 0})
