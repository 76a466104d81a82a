"""N-gram models against the papers' formulas, computed one history at a time with dictionaries."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue.errors import SettingError
from ensue.models.ngram import NgramSettings, estimate
from ensue.models.ngram.counts import count
from ensue.models.ngram.estimation import fit
from ensue.models.ngram.held_out import compute_nats, find_steps, nats_by_order
from ensue.models.ngram.smoothing import KneserNey
from ensue.models.ngram.tuned_discounts import choose_discounts

SIZE = 3
START = SIZE
Record = Sequence[int]
Gram = tuple[int, ...]


def occurrences(records: Sequence[Record], n: int) -> Counter[Gram]:
    """Count the n-grams of records, each with one start before it, which never is the last
    symbol."""
    grams: Counter[Gram] = Counter()
    for record in records:
        text = (START, *record)
        grams.update(text[i : i + n] for i in range(len(text) - n + 1) if text[i + n - 1] != START)
    return grams


def kneser_ney_counts(records: Sequence[Record], n: int, order: int) -> Counter[Gram]:
    """Chen & Goodman 1998, section 2.7: below the top, in how many contexts, but what begins a
    record is counted."""
    counts = occurrences(records, n)
    if n == order:
        return counts
    lefts = Counter(gram[1:] for gram in occurrences(records, n + 1))
    return Counter({gram: counts[gram] if gram[0] == START else lefts[gram] for gram in counts})


def kneser_ney_discounts(counts: Counter[Gram]) -> list[float]:
    n1, n2, n3, n4 = (sum(value == k for value in counts.values()) for k in (1, 2, 3, 4))
    if 0 in (n1, n2, n3):
        return [0.5, 1.0, 1.5]
    y = n1 / (n1 + 2 * n2)
    found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    return (
        found if all(0 < d <= k for k, d in zip((1, 2, 3), found, strict=True)) else [0.5, 1.0, 1.5]
    )


def kneser_ney(records: Sequence[Record], order: int, history: Gram, symbol: int) -> float:
    def p(history: Gram) -> float:
        n = len(history) + 1
        counts = kneser_ney_counts(records, n, order)
        d = kneser_ney_discounts(counts)
        here = {gram[-1]: value for gram, value in counts.items() if gram[:-1] == history}
        shorter = p(history[1:]) if history else 1 / SIZE
        if not here:
            return shorter
        freed = sum(d[min(value, 3) - 1] for value in here.values())
        value = here.get(symbol, 0)
        own = value - d[min(value, 3) - 1] if value else 0
        return (own + freed * shorter) / sum(here.values())

    return p(history)


def witten_bell(records: Sequence[Record], order: int, history: Gram, symbol: int) -> float:
    here = {
        gram[-1]: n
        for gram, n in occurrences(records, len(history) + 1).items()
        if gram[:-1] == history
    }
    shorter = witten_bell(records, order, history[1:], symbol) if history else 1 / SIZE
    total, kinds = sum(here.values()), len(here)
    return (here.get(symbol, 0) + kinds * shorter) / (total + kinds) if here else shorter


def laplace(records: Sequence[Record], order: int, history: Gram, symbol: int) -> float:
    here = {
        gram[-1]: n
        for gram, n in occurrences(records, len(history) + 1).items()
        if gram[:-1] == history
    }
    return (here.get(symbol, 0) + 0.7) / (sum(here.values()) + 0.7 * SIZE)


FORMULAS: dict[str, Callable[[Sequence[Record], int, Gram, int], float]] = {
    "kneser-ney": kneser_ney,
    "witten-bell": witten_bell,
    "additive": laplace,
}

RECORDS = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=25), min_size=1, max_size=6)
HISTORY = st.lists(st.integers(0, SIZE - 1), max_size=6)


def flat(records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([id for record in records for id in record], int), np.cumsum(
        [0, *map(len, records)]
    )


@pytest.mark.parametrize("smoothing", FORMULAS)
@settings(max_examples=60, deadline=None)
@given(records=RECORDS, order=st.integers(1, 5), history=HISTORY)
def test_equals_the_formula(
    smoothing: str, records: list[list[int]], order: int, history: list[int]
) -> None:
    chosen = NgramSettings(order=order, smoothing=smoothing, pseudo_count=0.7)  # pyrefly: ignore
    model = estimate(*flat(records), SIZE, chosen)
    answer, _ = model(torch.tensor([[START, *history]]), model.initial(1))
    for step in range(len(history) + 1):
        seen = (START, *history[:step])[-(order - 1) :] if order > 1 else ()
        expected = [FORMULAS[smoothing](records, order, seen, symbol) for symbol in range(SIZE)]
        np.testing.assert_allclose(answer.probs[0, step].numpy(), expected, rtol=1e-10)


def test_the_formula_by_hand() -> None:
    """Records 0 1 0 and 0 0: the bigrams are ^0 twice, 01, 10, 00; discounts fall back to 0.5, 1,
    1.5.

    Left neighbours: 0 has ^, 1 and 0; 1 has 0. So P(0) = (3 - 1.5 + (1.5 + 0.5) / 3) / 4, and so
    on.
    """
    model = estimate(*flat([[0, 1, 0], [0, 0]]), SIZE, NgramSettings(order=2))
    answer, _ = model(torch.tensor([[START, 0]]), model.initial(1))
    p0, p1, p2 = (1.5 + 2 / 3) / 4, (0.5 + 2 / 3) / 4, (2 / 3) / 4
    np.testing.assert_allclose(answer.probs[0, 0].numpy(), [(1 + p0) / 2, p1 / 2, p2 / 2])
    np.testing.assert_allclose(answer.probs[0, 1].numpy(), [(0.5 + p0) / 2, (0.5 + p1) / 2, p2 / 2])


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, order=st.integers(1, 9))
def test_counts_are_those_of_a_dictionary(records: list[list[int]], order: int) -> None:
    check_counts(records, SIZE, order)


@pytest.mark.parametrize("size", [200, 40_000, 100_000])
def test_long_ngrams_of_large_vocabularies_do_not_overflow(size: int) -> None:
    """Twelve symbols of 17 bits are far more than a machine word: ranks stand in for them."""
    drawn = np.random.default_rng(0).choice([0, 1, size - 1], 400).tolist()
    check_counts([drawn[:150], drawn[150:]], size, 12)


def check_counts(records: Sequence[Record], size: int, order: int) -> None:
    levels = count(*flat(records), size, order).levels
    grams: list[Gram] = [(id,) for id in range(size + 1)]
    for n in range(2, order + 1):
        level = levels[n - 1]
        grams = [
            (*grams[context], int(symbol))
            for context, symbol in zip(level.context, level.symbol, strict=True)
        ]
        expected: Counter[Gram] = Counter()
        for record in records:
            text = (size, *record)
            expected.update(text[i : i + n] for i in range(len(text) - n + 1))
        assert grams == sorted(expected)
        assert level.count.tolist() == [expected[gram] for gram in grams]


@pytest.mark.parametrize("smoothing", FORMULAS)
def test_orders_are_judged_as_the_models_they_give(smoothing: str) -> None:
    """What the choice of an order computes for all at once is what the model of each order says
    of the text."""
    rng = np.random.default_rng(1)
    records = [rng.integers(0, SIZE, 30).tolist() for _ in range(4)]
    tune = [rng.integers(0, SIZE, 20).tolist() for _ in range(2)]
    smooth = NgramSettings(smoothing=smoothing, pseudo_count=0.7).smooth()  # pyrefly: ignore
    counts = count(*flat(records), SIZE, 6)
    for order, nats in enumerate(nats_by_order(counts, flat(tune), smooth), 1):
        model = fit(counts, smooth, order)
        text = torch.tensor([[START, *record] for record in tune])
        scored, _ = model.nats(text[:, :-1], text[:, 1:], model.initial(2))
        assert scored.sum().item() == pytest.approx(nats, rel=1e-12)


def test_the_order_of_the_data_is_found() -> None:
    """In a text where each symbol follows from the two before it, three symbols say all."""
    text = [0, 1]
    rng = np.random.default_rng(2)
    for _ in range(3000):
        text.append(int((text[-1] + 2 * text[-2] + (rng.random() < 0.1)) % SIZE))
    ids, offsets = flat([text])
    assert estimate(ids, offsets, SIZE, NgramSettings()).order == 3
    assert (
        estimate(
            ids[:2500], np.array([0, 2500]), SIZE, NgramSettings(), (ids, np.array([2500, 3002]))
        ).order
        == 3
    )


def test_tuned_discounts_are_the_best_for_the_tuning_part() -> None:
    """A little more or less of any of them makes the part that they were fitted to no likelier."""
    rng = np.random.default_rng(3)
    text = np.cumsum(rng.integers(0, 4, 9000) ** 2) % 11
    counts = count(text[:6000], np.array([0, 6000]), 11, 4)
    part = (text[6000:], np.array([0, 3000]))
    order, tuned = choose_discounts(counts, part, range(3, 5))
    assert len(tuned.given) == order

    def nats(smoothing: KneserNey) -> float:
        return float(compute_nats(counts, list(find_steps(counts, part))[:order], smoothing))

    least = nats(tuned)
    assert least < nats(KneserNey()) - 1
    for n in range(order):
        for kind in range(3):
            for factor in (0.8, 1.2):
                moved = [list(each) for each in tuned.given]
                moved[n][kind] = min(moved[n][kind] * factor, kind + 1)
                assert nats(KneserNey(moved)) > least - 0.05, (n, kind, factor)


def test_too_little_to_tune_on_leaves_the_formula() -> None:
    text = np.arange(300) % 7
    counts = count(text, np.array([0, 300]), 7, 3)
    assert choose_discounts(counts, (text, np.array([0, 300])), range(2, 4))[1].given == []


@pytest.mark.parametrize("order", [3, "auto"])
def test_a_tuned_model_is_a_distribution(order: int | str) -> None:
    rng = np.random.default_rng(4)
    text = np.cumsum(rng.integers(0, 9, 30_000) ** 2) % 97
    chosen = NgramSettings(order=order, max_order=4, discounts="tuned")  # pyrefly: ignore
    model = estimate(text, np.array([0, 30_000]), 98, chosen)
    answer, _ = model(torch.from_numpy(rng.integers(0, 99, (4, 50))), model.initial(4))
    torch.testing.assert_close(
        answer.probs.sum(-1), torch.ones(4, 50, dtype=torch.float64), rtol=0, atol=1e-9
    )
    by_formula = estimate(
        text, np.array([0, 30_000]), 98, chosen.model_copy(update={"discounts": "counts"})
    )
    assert any(
        not np.array_equal(by_formula.arrays()[name], array)
        for name, array in model.arrays().items()
    )
    again = estimate(text, np.array([0, 30_000]), 98, model.with_choices_of(chosen))
    assert all(
        np.array_equal(again.arrays()[name], array) for name, array in model.arrays().items()
    )
    assert NgramSettings.model_validate(
        model.with_choices_of(chosen).model_dump(mode="json")
    ) == model.with_choices_of(chosen)


def test_discounts_that_do_not_fit_are_refused() -> None:
    chosen = NgramSettings(order=2, discounts=((0.5, 1.0, 1.5),))
    with pytest.raises(
        SettingError,
        match="discounts: 1 rows of discounts do not fit the order 2; give D1, D2 and D3",
    ):
        chosen.smooth()
    with pytest.raises(
        SettingError,
        match=r"discounts: invalid discounts \(0.5, 1.0, 3.5\); D1 lies in \(0, 1\], D2",
    ):
        chosen.model_copy(update={"order": 1, "discounts": ((0.5, 1.0, 3.5),)}).smooth()
