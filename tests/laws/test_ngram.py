"""What every n-gram model obeys, whatever it was estimated from: proper distributions, additive
scores, resumable."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ensue.errors import RunError, SettingError
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.ngram.distribution import NextSymbol
from ensue.tasks.contract import Choices
from ensue.tasks.generate.settings import GenerateSettings
from ensue.tasks.generate.task import TASK

SMOOTHINGS = ["kneser-ney", "witten-bell", "additive"]
SIZE = 4


def flat(records: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([id for record in records for id in record], np.uint8)
    return ids, np.cumsum([0, *map(len, records)])


def model_of(
    records: Sequence[Sequence[int]], smoothing: str, order: int | str, size: int = SIZE
) -> Ngram:
    return estimate(
        *flat(records), size, NgramSettings(order=order, smoothing=smoothing, pseudo_count=0.3)
    )  # pyrefly: ignore


# The last id never occurs in training, as an unknown symbol may not.
RECORDS = st.lists(st.lists(st.integers(0, SIZE - 2), max_size=12), max_size=5)
HISTORIES = st.lists(
    st.lists(st.integers(-1, SIZE), min_size=6, max_size=6), min_size=1, max_size=6
)
ORDERS = st.integers(1, 6)

ODD = {
    "nothing": [],
    "one empty record": [[]],
    "empty records": [[], [], []],
    "one symbol": [[0]],
    "all the same": [[1] * 40],
    "the same records": [[0, 1, 2]] * 30,
    "no count of one": [[0, 1], [0, 1], [1, 0], [1, 0]],
}


def sums(model: Ngram, histories: Tensor) -> Tensor:
    """Give the sum of the distribution after each history (rows, time); -1 at its left is no
    symbol."""
    width = model.order - 1
    padded = torch.cat([torch.full((len(histories), width), -1), histories], 1)
    answer = NextSymbol(model.table, padded, histories.shape[1])
    assert (answer.probs > 0).all()
    symbols = torch.full(histories.shape, model.size - 1)
    torch.testing.assert_close(
        answer.log_prob(symbols), answer.probs[..., -1].log(), rtol=0, atol=1e-12
    )
    return answer.probs.sum(-1)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@settings(max_examples=60, deadline=None)
@given(records=RECORDS, order=ORDERS, histories=HISTORIES)
def test_sums_to_one_at_every_history(
    smoothing: str, records: list[list[int]], order: int, histories: list[list[int]]
) -> None:
    total = sums(
        model_of(records, smoothing, order),
        torch.tensor([sorted_left(history) for history in histories]),
    )
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-9)


def sorted_left(history: list[int]) -> list[int]:
    """Move what stands for nothing to the left, where alone it may stand."""
    real = [id for id in history if id >= 0]
    return [-1] * (len(history) - len(real)) + real


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("records", ODD.values(), ids=ODD)
@pytest.mark.parametrize("order", [1, 2, 3, 5, "auto"])
def test_odd_data_gives_a_valid_model(
    smoothing: str, records: list[list[int]], order: int | str
) -> None:
    histories = torch.cartesian_prod(*[torch.arange(SIZE + 1)] * 3)
    total = sums(model_of(records, smoothing, order), histories)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-9)


def test_a_vocabulary_of_one_symbol() -> None:
    model = model_of([[0, 0, 0]], "kneser-ney", 3, size=1)
    answer, _ = model(torch.tensor([[1, 0, 0]]), model.initial(1))
    assert answer.probs.tolist() == [[[1.0], [1.0], [1.0]]]


TEXT = [[0, 1, 2, 0, 1, 1, 2], [2, 1, 0, 0, 1, 2], [0, 1, 2, 2], [1]] * 2
INPUTS = torch.tensor([[4, 0, 1, 2, 0, 1, 3], [2, 1, 0, 4, 2, 1, 1]])
TARGETS = torch.tensor([[0, 1, 2, 0, 1, 3, 2], [1, 0, 1, 2, 1, 1, 0]])


@pytest.fixture(
    params=[(smoothing, order) for smoothing in SMOOTHINGS for order in (1, 2, 3, 5)], ids=str
)
def model(request: pytest.FixtureRequest) -> Ngram:
    return model_of(TEXT, *request.param)


def test_scores_are_what_the_distribution_says(model: Ngram) -> None:
    answer, _ = model(INPUTS, model.initial(2))
    # One way looks the targets up, the other reads the text with its last target; the second row is
    # no text.
    chosen = answer.probs.gather(2, TARGETS[..., None])[..., 0].log()
    torch.testing.assert_close(answer.log_prob(TARGETS), chosen, rtol=0, atol=1e-12)
    first, _ = model(INPUTS[:1], model.initial(1))
    torch.testing.assert_close(first.log_prob(TARGETS[:1]), chosen[:1], rtol=0, atol=1e-12)
    every = torch.arange(SIZE)[:, None, None].expand(SIZE, *INPUTS.shape)
    torch.testing.assert_close(
        answer.log_prob(every).exp().permute(1, 2, 0), answer.probs, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("cut", range(8))
def test_resuming_equals_running_at_once(model: Ngram, cut: int) -> None:
    whole, end = model.nats(INPUTS, TARGETS, model.initial(2))
    first, middle = model.nats(INPUTS[:, :cut], TARGETS[:, :cut], model.initial(2))
    second, last = model.nats(INPUTS[:, cut:], TARGETS[:, cut:], middle)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=0)
    torch.testing.assert_close(last, end, rtol=0, atol=0)


def test_a_score_is_the_sum_of_its_steps(model: Ngram) -> None:
    whole, _ = model.nats(INPUTS, TARGETS, model.initial(2))
    state, steps = model.initial(2), []
    for t in range(INPUTS.shape[1]):
        answer, state = model(INPUTS[:, t : t + 1], state)
        steps.append(-answer.log_prob(TARGETS[:, t : t + 1]))
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=0, atol=1e-12)


def test_padding_and_neighbours_change_nothing(model: Ngram) -> None:
    lengths = torch.tensor([3, 0])
    nats, state = model.nats(INPUTS, TARGETS, model.initial(2), lengths)
    assert (nats[0, 3:] == 0).all()
    assert (nats[1] == 0).all()
    alone, end = model.nats(INPUTS[:1, :3], TARGETS[:1, :3], model.initial(1))
    torch.testing.assert_close(nats[:1, :3], alone, rtol=0, atol=0)
    torch.testing.assert_close(state[:1], end, rtol=0, atol=0)  # pyrefly: ignore
    torch.testing.assert_close(state[1:], model.initial(1), rtol=0, atol=0)  # pyrefly: ignore


def test_depth_is_the_longest_context_seen() -> None:
    answer, _ = (model := model_of(TEXT, "kneser-ney", 5))(INPUTS, model.initial(2))
    # pyrefly: ignore
    assert answer.depth.tolist() == [[1, 2, 3, 4, 4, 4, 0], [1, 2, 3, 1, 2, 3, 2]]


def test_samples_follow_the_probabilities(model: Ngram) -> None:
    torch.manual_seed(0)
    answer, _ = model(INPUTS[:, :2], model.initial(2))
    drawn = answer.sample(torch.Size([4000]))
    shares = torch.nn.functional.one_hot(drawn, SIZE).double().mean(0)
    torch.testing.assert_close(shares, answer.probs, rtol=0, atol=0.04)
    assert answer.sample().shape == (2, 2)


def test_arrays_carry_the_whole_model(model: Ngram) -> None:
    other = NgramSettings().build(SIZE)
    other.load({name: array.copy() for name, array in model.arrays().items()})
    one, _ = model.nats(INPUTS, TARGETS, model.initial(2))
    two, _ = other.nats(INPUTS, TARGETS, other.initial(2))
    assert other.order == model.order
    torch.testing.assert_close(two, one, rtol=0, atol=0)


def test_arrays_that_do_not_fit_are_refused() -> None:
    arrays = dict(model_of(TEXT, "kneser-ney", 3).arrays())
    with pytest.raises(RunError, match="it is not over 9 symbols; train it again"):
        NgramSettings().build(9).load(arrays)
    with pytest.raises(RunError, match="its arrays are not those of an n-gram model"):
        NgramSettings().build(SIZE).load(
            {name: array for name, array in arrays.items() if name != "symbol.2"}
        )
    with pytest.raises(RunError, match="its 3-grams do not fit together"):
        NgramSettings().build(SIZE).load(arrays | {"probability.3": arrays["probability.3"][:-1]})


def test_an_untrained_model_is_uniform() -> None:
    model = NgramSettings().build(5)
    answer, _ = model(torch.tensor([[5, 0]]), model.initial(1))
    assert answer.probs.tolist() == [[[0.2] * 5] * 2]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64])
def test_any_integers_count_alike(dtype: type[np.integer]) -> None:
    ids, offsets = flat(TEXT)
    model = estimate(ids.astype(dtype), offsets, SIZE, NgramSettings(order=3))
    expected, _ = model_of(TEXT, "kneser-ney", 3).nats(INPUTS, TARGETS, model.initial(2))
    nats, _ = model.nats(INPUTS, TARGETS, model.initial(2))
    torch.testing.assert_close(nats, expected, rtol=0, atol=0)


def test_a_limit_of_memory_is_a_size() -> None:
    assert NgramSettings.model_validate({"memory": "1.5 GB"}).memory == 1_500_000_000
    chosen = TASK.propose(Choices(model="ngram", flags={"memory": "300M"})).settings
    assert isinstance(chosen, GenerateSettings)
    assert chosen.baseline.memory == chosen.model.memory == 300_000_000
    with pytest.raises(
        SettingError, match="--memory: 'plenty' is not a size; give one such as 500M or 4G"
    ):
        TASK.propose(Choices(flags={"memory": "plenty"}))


def test_with_a_limit_of_memory_all_is_counted() -> None:
    ids, offsets = np.arange(50) % SIZE, np.array([0, 50])
    whole = estimate(ids, offsets, SIZE, NgramSettings(order=2, memory=1))
    assert all(
        np.array_equal(whole.arrays()[name], array)
        for name, array in model_of([ids.tolist()], "kneser-ney", 2).arrays().items()
    )
