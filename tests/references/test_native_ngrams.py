"""The compiled kernels of n-grams against NumPy and against brute force, bit for bit where sums
have one order."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ensue import native
from ensue.errors import RunError
from ensue.models.ngram import (
    Ngram,
    NgramSettings,
    count,
    estimate,
    kernels,
    packed,
    read_arpa,
    spilling,
    write_arpa,
)
from ensue.models.ngram.levels import Counts
from ensue.models.ngram.packed import PackedTable

needs_kernels = pytest.mark.skipif(native.library() is None, reason="ensue-native is not installed")
pytestmark = needs_kernels

Records = Sequence[Sequence[int]]


def flat(records: Records) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([id for record in records for id in record], np.int64)
    return ids, np.cumsum([0, *map(len, records)])


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Turn the kernels off for what follows."""

    def turn_off() -> None:
        monkeypatch.setattr(kernels, "library", lambda: None)
        monkeypatch.setattr(packed, "library", lambda: None)

    return turn_off


def assert_same(ours: Counts, theirs: Counts) -> None:
    for mine, other in zip(ours.levels, theirs.levels, strict=True):
        for name in ("symbol", "context", "suffix", "count", "left"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(other, name), err_msg=name)
        assert mine.started == other.started


def both(records: Records, size: int, order: int) -> tuple[Counts, Counts]:
    with pytest.MonkeyPatch.context() as patch:
        ours = count(*flat(records), size, order)
        patch.setattr(kernels, "library", lambda: None)
        return ours, count(*flat(records), size, order)


SIZES = [1, 2, 3, 255, 256, 40_000, 200_000]


def texts(size: int) -> st.SearchStrategy[Records]:
    """Records over few of the ids, the last among them, so that n-grams come again."""
    ids = st.sampled_from(sorted({0, size // 2, size - 1}))
    return st.lists(st.lists(ids, max_size=30), max_size=6)


@pytest.mark.parametrize("size", SIZES)
@settings(max_examples=40, deadline=None)
@given(data=st.data(), order=st.integers(1, 32))
def test_counts_are_numpys(size: int, data: st.DataObject, order: int) -> None:
    assert_same(*both(data.draw(texts(size)), size, order))


ODD: dict[str, Records] = {
    "nothing": [],
    "one word": [[0]],
    "empty lines": [[], [], [0], [], [1, 0]],
    "one symbol repeated": [[1] * 5000],
    "two by turns": [[0, 1] * 3000],
    "a line many times": [[0, 1, 1, 0, 1]] * 700,
}


@pytest.mark.parametrize("records", ODD.values(), ids=ODD)
@pytest.mark.parametrize("size", [2, 200_000])
@pytest.mark.parametrize("order", [1, 2, 5, 32])
def test_odd_data_counts_as_in_numpy(records: Records, size: int, order: int) -> None:
    assert_same(*both(records, size, order))


@pytest.mark.parametrize(("size", "order"), [(3, 12), (90, 9), (30_000, 5), (200_000, 7)])
def test_many_symbols_count_as_in_numpy_and_by_brute_force(size: int, order: int) -> None:
    rng = np.random.default_rng(size)
    text = np.minimum(rng.zipf(1.3, 60_000), size) - 1
    cuts = np.sort(rng.integers(0, len(text), 40)).tolist()
    records = [text[a:b].tolist() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    ours, theirs = both(records, size, order)
    assert_same(ours, theirs)
    grams: list[tuple[int, ...]] = [(id,) for id in range(size + 1)]
    for n, level in enumerate(ours.levels[1:4], 2):
        grams = [(*grams[c], int(s)) for c, s in zip(level.context, level.symbol, strict=True)]
        whole = [(size, *record) for record in records]
        expected = Counter(t[i : i + n] for t in whole for i in range(len(t) - n + 1))
        assert dict(zip(grams, level.count.tolist(), strict=True)) == expected
        assert grams == sorted(grams)


@pytest.mark.parametrize("with_kernels", [True, False])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), size=st.sampled_from([1, 3, 200_000]), order=st.integers(1, 12))
def test_counting_in_runs_is_counting_at_once(
    with_kernels: bool, data: st.DataObject, size: int, order: int
) -> None:
    ids, offsets = flat(data.draw(texts(size)))
    expected = count(ids, offsets, size, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spilling, "MIN_ROWS", data.draw(st.integers(1, 30)))
        if not with_kernels:
            patch.setattr(kernels, "library", lambda: None)
        assert_same(spilling.count_in_runs(ids, offsets, size, order, memory=1), expected)


def test_counting_in_runs_of_a_longer_text() -> None:
    ids, offsets = text_of(300)
    assert_same(count(ids, offsets, 300, 5, memory=1_000_000), count(ids, offsets, 300, 5))


def text_of(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A text that repeats itself, whose most frequent symbols are followed by hundreds of
    others."""
    rng = np.random.default_rng(seed)
    text = np.minimum(rng.zipf(1.2, 30_000), size) - 1
    text[15_000:] = np.where(rng.random(15_000) < 0.4, text[15_000:], text[:15_000])
    return text, np.array([0, 200, 200, 9_000, len(text)])


@pytest.mark.parametrize("size", [5, 300, 70_000])
@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell", "additive"])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_estimates_are_numpys_to_the_last_bit(
    size: int, smoothing: str, order: int, without: Callable[[], None]
) -> None:
    chosen = NgramSettings(order=order, smoothing=smoothing)  # pyrefly: ignore
    ours = estimate(*text_of(size), size, chosen)
    without()
    theirs = estimate(*text_of(size), size, chosen)
    for name, array in theirs.arrays().items():
        np.testing.assert_array_equal(ours.arrays()[name], array, err_msg=name)


def answers(model: Ngram, size: int) -> Iterator[torch.Tensor]:
    """Ask in every way: a text by itself, other symbols, all symbols, how deep."""
    text, _ = text_of(size, seed=1)
    inputs = torch.from_numpy(text[:3000].reshape(3, 1000))
    inputs[:, 0] = size
    state = model.initial(3)
    state[0, -1:] = size
    targets = torch.cat([inputs[:, 1:], inputs[:, :1] * 0], 1)
    answer, _ = model(inputs, state)
    yield answer.log_prob(targets)
    yield answer.log_prob((targets + 1) % size)
    yield answer.depth  # pyrefly: ignore
    few, _ = model(inputs[:, :20], state)
    yield few.probs


@pytest.mark.parametrize("size", [5, 300, 70_000])
@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("quantised", [False, True])
def test_packed_tables_answer_as_unpacked_ones(size: int, order: int, quantised: bool) -> None:
    exact = estimate(*text_of(size), size, NgramSettings(order=order))
    small = exact.packed(quantised)
    assert isinstance(small.table, PackedTable)
    plain = Ngram(small.table.plain, small.discounts)
    for ours, theirs in zip(answers(small, size), answers(plain, size), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(answers(small, size), answers(exact, size), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2.0 if quantised else 1e-6)


def test_packed_tables_answer_without_kernels_too(without: Callable[[], None]) -> None:
    small = estimate(*text_of(300), 300, NgramSettings(order=4)).packed()
    expected = list(answers(small, 300))
    arrays = small.arrays()
    without()
    again = NgramSettings().build(300)
    again.load(arrays)
    for ours, theirs in zip(answers(again, 300), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_sizes_of_records() -> None:
    """At most 10 bytes for an n-gram where most are long, 5 quantised, with what the kernels
    note."""
    text = np.minimum(np.random.default_rng(0).zipf(1.2, 300_000), 3000) - 1
    model = estimate(text, np.array([0, len(text)]), 3000, NgramSettings(order=5))
    grams = sum(len(level.symbol) for level in model.table.orders)
    for quantised, most in ((False, 10), (True, 5)):
        small = model.packed(quantised)
        assert isinstance(small.table, PackedTable)
        arrays = [*small.arrays().values(), *small.table.index]
        assert sum(array.nbytes for array in arrays) / grams < most


def test_quantised_values_are_near_and_zero_and_one_stay() -> None:
    small = estimate(*text_of(300), 300, NgramSettings(order=3)).packed()
    coarse = small.packed(quantised=True)
    assert isinstance(small.table, PackedTable)
    assert isinstance(coarse.table, PackedTable)
    for fine, rough in zip(small.table.records, coarse.table.records, strict=True):
        for name in ("probability", "backoff"):
            was, now = fine.values(name), rough.values(name)
            np.testing.assert_array_equal(was == 0, now == 0)
            assert (now[was == 1] == 1).all()
            if len(was):
                assert np.abs(np.log(now[was > 0] / was[was > 0])).mean() < 0.05


def test_a_damaged_table_is_never_read_outside_of_itself() -> None:
    """Whatever its bytes are: where they point is kept inside."""
    rng = np.random.default_rng(5)
    small = estimate(*text_of(300), 300, NgramSettings(order=4)).packed()
    for _ in range(20):
        arrays = {name: array.copy() for name, array in small.arrays().items()}
        for name, array in arrays.items():
            if name != "discounts":
                raw = array.reshape(-1).view(np.uint8)
                raw[rng.random(len(raw)) < 0.3] ^= 0xA5
        model = NgramSettings().build(300)
        model.load(arrays)
        text = np.random.default_rng(6).integers(-1, 301, (3, 500))
        places = model.table.places(text, 4)
        contexts = [place.ravel() for place in places[:3]]
        model.table.score(text, 4)
        model.table.query(contexts, text.ravel())
        model.table.probabilities(contexts, text.size)
        for n, place in enumerate(places[1:], 2):
            assert place.max() < len(arrays[f"grams.{n}"])


def test_a_symbol_without_probability_and_n_grams_out_of_order_are_refused() -> None:
    model = estimate(*text_of(300), 300, NgramSettings(order=3)).packed()
    text = torch.arange(8)[None]
    arrays = {name: array.copy() for name, array in model.arrays().items()}
    for n in (1, 2, 3):
        arrays[f"grams.{n}"].view(model.table.records[n - 1].grams.dtype)["probability"] = 0
    model.load(arrays)
    with pytest.raises(RunError, match="it gives a symbol no probability; train it again"):
        model(text, model.initial(1))[0].log_prob(text)
    arrays["far.1"][:] = arrays["far.1"][::-1].copy()
    arrays["base.1"][:] = arrays["base.1"][::-1].copy()
    model.load(arrays)
    with pytest.raises(RunError, match="its n-grams are not in order; train it again"):
        _ = model.table.plain


def test_packed_arrays_that_do_not_fit_are_refused() -> None:
    arrays = estimate(*text_of(300), 300, NgramSettings(order=3)).packed().arrays()

    def refused(message: str, size: int = 300, **changed: np.ndarray) -> None:
        with pytest.raises(RunError, match=message):
            NgramSettings().build(size).load({**arrays, **changed})

    refused("it is not over 9 symbols; train it again", size=9)
    refused("its arrays are not those of an n-gram model", extra=arrays["far.1"])
    refused("its 2-grams do not fit together", **{"grams.2": arrays["grams.2"][:-40]})
    refused("its 2-grams do not fit together", **{"grams.2": arrays["grams.2"][:, :-1].copy()})
    refused("its 1-grams do not fit together", **{"base.1": arrays["base.1"].astype(np.int64)})
    refused("its 2-grams do not fit together", **{"sparse.2": arrays["sparse.2"][1:]})
    refused("its 3-grams do not fit together", **{"books.3": np.zeros((2, 9), np.float32)})


def test_a_packed_model_is_written_as_arpa(tmp_path) -> None:
    text, offsets = text_of(30)
    small = estimate(text, offsets, 30, NgramSettings(order=3)).packed()
    write_arpa(small, tmp_path / "a.arpa", [str(id) for id in range(30)], 0, 1)
    again, _ = read_arpa(tmp_path / "a.arpa")
    assert [len(level.symbol) for level in again.table.orders] == [
        len(level.symbol) for level in small.table.orders
    ]


def test_a_packed_table_has_learned_as_many_numbers_as_a_plain_one() -> None:
    plain = estimate(*text_of(300), 300, NgramSettings(order=3))
    assert plain.packed().parameter_count == plain.parameter_count
    assert plain.parameter_count == sum(
        len(level.probability) + len(level.backoff) for level in plain.table.orders
    )
