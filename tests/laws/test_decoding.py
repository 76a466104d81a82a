"""What every text that is written obeys, whichever model writes it."""

import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from ensue.decoding.constraints.matching import Matching, only
from ensue.decoding.continuation import Continuation
from ensue.decoding.rollout import collect, read, rollout, stop_at
from ensue.decoding.sampling import SamplingSettings
from ensue.decoding.stepper import Rules, log_probabilities
from ensue.errors import PromptError
from ensue.models.contract import Autoregressive

LETTERS = "abc1"
SIZE = len(LETTERS) + 1
END = SIZE - 1
SPELLINGS = [*(letter.encode() for letter in LETTERS), b""]
NO_END = np.array([True] * END + [False])


class Markov(Autoregressive):
    """A table of order 2; its state is the symbol before the last."""

    parameter_count = 0

    def __init__(self) -> None:
        self.size = SIZE
        table = torch.randn(
            SIZE + 1,
            SIZE + 1,
            SIZE,
            generator=torch.Generator().manual_seed(1),
            dtype=torch.float64,
        )
        self.table = (table * 2).softmax(-1)

    def initial(self, batch_size, context=None):
        return torch.full((batch_size,), SIZE)

    def __call__(self, inputs, state, lengths=None):
        before = torch.cat([state[:, None], inputs], 1)
        return Categorical(probs=self.table[before[:, :-1], inputs]), inputs[:, -1]

    def arrays(self):
        return {}

    def load(self, arrays):
        pass


class Network(nn.Module, Autoregressive):
    parameter_count = 0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.size = SIZE
        self.inner = nn.Embedding(SIZE + 1, 4)
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.out = nn.Linear(6, SIZE)

    def initial(self, batch_size, context=None):
        return {"h": torch.zeros(batch_size, 6, dtype=torch.float64)}

    def forward(self, inputs: Tensor, state, lengths=None):
        y, h = self.gru(self.inner(inputs), state["h"][None])
        return Categorical(logits=3 * self.out(y)), {"h": h[0]}

    def arrays(self):
        return {}

    def load(self, arrays):
        pass


@pytest.fixture(params=["markov", "network"])
def model(request):
    return Markov() if request.param == "markov" else Network().double().eval()


def ids_of(text):
    return np.array([LETTERS.index(letter) for letter in text], dtype=np.int64)


def text_of(ids):
    return "".join(LETTERS[id] for id in ids if id != END)


def rules(length=20, end=None, **more):
    return Rules(
        length=length, allowed=NO_END if end is None else np.ones(SIZE, dtype=bool), end=end, **more
    )


def texts(model, prompts, rules, filters=None, seed=7, samples=None):
    steps = rollout(
        model,
        [ids_of(prompt) for prompt in prompts],
        filters or SamplingSettings(),
        rules,
        seed,
        samples,
    )
    return {number: text_of(sample.ids) for number, sample in collect(steps).items()}


def test_a_sample_is_the_same_alone_and_in_a_crowd(model):
    prompts = ["abc", "", "a", "abc", "1" * 10]
    filters = SamplingSettings(
        temperature=0.9, top_p=0.95, repetition_penalty=1.2, repetition_window=3
    )
    crowd = texts(model, prompts, rules(end=END), filters)
    for number, prompt in enumerate(prompts):
        alone = texts(model, [prompt], rules(end=END), filters, samples=[number])
        assert alone.get(number) == crowd.get(number)
    assert len(set(crowd.values())) > 2


def test_the_same_seed_gives_the_same_text_and_another_seed_another(model):
    assert texts(model, ["a"], rules()) == texts(model, ["a"], rules())
    assert texts(model, ["a"], rules()) != texts(model, ["a"], rules(), seed=8)


def test_a_long_prompt_leaves_the_state_of_reading_it_at_once(model):
    prompt = np.random.default_rng(0).integers(0, SIZE - 1, 700)
    state, last = read(model, [prompt])
    scores = log_probabilities(Continuation(model, state, last).read())
    inputs = torch.from_numpy(np.concatenate([[SIZE], prompt]))[None]
    with torch.no_grad():
        distribution, _ = model(inputs, model.initial(1))
    np.testing.assert_allclose(np.exp(scores[0]), distribution.probs[0, -1].numpy(), atol=1e-12)


def test_nats_are_those_of_the_model_before_any_filter(model):
    prompt = ids_of("ab")
    filters = SamplingSettings(temperature=0.3, top_k=2, repetition_penalty=2)
    sample = collect(rollout(model, [prompt], filters, rules(), seed=1))[0]
    inputs = torch.from_numpy(np.concatenate([[SIZE], prompt, sample.ids[:-1]]))[None]
    with torch.no_grad():
        distribution, _ = model(inputs, model.initial(1))
    expected = (
        -distribution.probs[0, len(prompt) :]
        .log()
        .gather(1, torch.from_numpy(sample.ids)[:, None])[:, 0]
    )
    np.testing.assert_allclose(sample.nats, expected.numpy(), atol=1e-9)


def test_samples_follow_the_model(model):
    """Frequencies of the first two symbols are the probabilities, within five standard errors."""
    count = 4000
    written = texts(model, [""] * count, rules(length=2, end=END))
    inputs = torch.tensor([[SIZE, 0]])
    with torch.no_grad():
        probs = model(inputs, model.initial(1))[0].probs[0]
    for text, probability in [("ab", probs[0, 0] * probs[1, 1]), ("ac", probs[0, 0] * probs[1, 2])]:
        share = sum(value == text for value in written.values()) / count
        assert abs(share - float(probability)) < 5 * (float(probability) / count) ** 0.5


def test_temperature_reaches_the_draw_once(model):
    count = 4000
    written = texts(model, [""] * count, rules(length=1), SamplingSettings(temperature=0.5))
    state, last = read(model, [ids_of("")])
    scores = log_probabilities(Continuation(model, state, last).read())
    sharp = np.exp(scores[0] / 0.5)[:END]
    for letter, probability in zip(LETTERS, sharp / sharp.sum(), strict=True):
        share = sum(value == letter for value in written.values()) / count
        assert abs(share - probability) < 5 * (probability / count) ** 0.5 + 1e-9


def test_forbidden_symbols_are_never_written(model):
    allowed = np.array([True, False, True, True, False])
    for filters in (
        SamplingSettings(),
        SamplingSettings(temperature=0),
        SamplingSettings(typical_p=0.5),
    ):
        steps = rollout(
            model, [ids_of("b")] * 8, filters, Rules(length=30, allowed=allowed, end=None), seed=0
        )
        for sample in collect(steps).values():
            assert not set(sample.ids.tolist()) & {1, END}


def test_a_record_ends_with_its_end(model):
    samples = collect(
        rollout(model, [ids_of("")] * 20, SamplingSettings(), rules(length=50, end=END), seed=2)
    )
    for sample in samples.values():
        assert END not in sample.ids[:-1]
        assert sample.ids[-1] == END or len(sample.ids) == 50
    assert any(len(sample.ids) < 50 for sample in samples.values())


def test_steps_say_who_has_finished(model):
    open_samples = set(range(6))
    for step in rollout(
        model, [ids_of("")] * 6, SamplingSettings(), rules(length=9, end=END), seed=2
    ):
        assert set(step.samples.tolist()) == open_samples
        open_samples -= set(step.samples[step.finished].tolist())
    assert not open_samples


def test_a_stop_text_ends_the_sample_where_it_ends(model):
    stop = stop_at("ab", text_of)
    written = texts(model, ["a"] * 20, rules(length=60, stop=stop))
    stopped = [text for text in written.values() if len(text) < 60]
    assert stopped
    for text in stopped:
        assert text.index("ab") == len(text) - 2


@pytest.mark.parametrize("expression", ["(ab|c1)+", "a{3,7}b?", "[^a]*", ".+1", only("ac")])
@pytest.mark.parametrize("end", [None, END])
def test_what_is_written_under_a_pattern_matches_it(model, expression, end):
    matching = Matching(expression, SPELLINGS, end)
    for filters in (
        SamplingSettings(),
        SamplingSettings(temperature=0),
        SamplingSettings(top_k=1, repetition_penalty=3),
    ):
        for number in range(12):
            text = texts(
                model, ["b"], rules(length=9, end=end, matching=matching), filters, samples=[number]
            )
            assert re.fullmatch(expression, text.get(number, ""))


def test_a_pattern_for_the_empty_text_writes_nothing(model):
    assert texts(model, ["a"], rules(matching=Matching("", SPELLINGS))) == {}


def test_a_pattern_and_a_stop_text_contradict_each_other(model):
    both = rules(matching=Matching("a+", SPELLINGS), stop=stop_at("a", text_of))
    with pytest.raises(
        PromptError, match="--regex and a stop text cannot be combined; give one of them"
    ):
        next(rollout(model, [ids_of("a")], SamplingSettings(), both, 0))


def test_a_match_that_does_not_fit_is_refused(model):
    with pytest.raises(PromptError, match="no match is as short as 3 symbols; ask for at least 4"):
        next(
            rollout(
                model,
                [ids_of("a")],
                SamplingSettings(),
                rules(length=3, matching=Matching("abc1", SPELLINGS)),
                0,
            )
        )


def test_greedy_takes_the_likeliest_each_time(model):
    sample = collect(
        rollout(model, [ids_of("b")], SamplingSettings(temperature=0), rules(length=12), seed=5)
    )[0]
    state, inputs = read(model, [ids_of("b")])
    for id in sample.ids.tolist():
        running = Continuation(model, state, inputs)
        scores, state = log_probabilities(running.read()), running.state
        assert id == int(scores[0, :END].argmax())
        inputs = torch.tensor([id])


def test_the_repetition_penalty_reaches_its_window_and_no_further(model):
    filters = SamplingSettings(temperature=0, repetition_penalty=1e9, repetition_window=2)
    sample = collect(rollout(model, [ids_of("a1")], filters, rules(length=30), seed=5))[0]
    written = [0, 3, *sample.ids.tolist()]
    assert all(len(set(written[at : at + 3])) == 3 for at in range(len(written) - 2))
    assert len(set(written)) < len(written)
