"""What a mixture of network and n-gram obeys: proper, resumable, blind to what comes, never
worse than either."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.batch import Batch
from ensue.errors import RunError
from ensue.layers import BagSettings, WindowSettings
from ensue.models import mixture as module
from ensue.models.contract import Autoregressive
from ensue.models.mixture import FitData, Mixture, fit_mixture, gather_fit_data, improves
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.pool import MixtureSettings
from ensue.models.sequence import SequenceModel, SequenceSettings

SIZE, BATCH, TIME = 5, 2, 7


def ngram(seed: int = 0) -> Ngram:
    """Count pairs and triples of a text in which some symbols like to follow others."""
    random = np.random.default_rng(seed)
    ids = [0]
    liking = random.dirichlet(np.full(SIZE, 0.3), SIZE)
    for _ in range(300):
        ids.append(int(random.choice(SIZE, p=liking[ids[-1]])))
    return estimate(np.array(ids), np.array([0, 301]), SIZE, NgramSettings(order=3))


def network(seed: int = 0) -> SequenceModel:
    torch.manual_seed(seed)
    body = (
        WindowSettings(width=8, depth=1, window=3)
        if seed
        else BagSettings(width=8, depth=1, window=3)
    )
    model = SequenceSettings(embedding=4, body=body).build(SIZE).double().eval()
    model.head.linear.weight.data *= 5
    return model


def sample_of(model: Autoregressive, rows: int, steps: int) -> Batch[Tensor]:
    """Let a model write, so that it is the right one for what it wrote."""
    generator = torch.Generator().manual_seed(1)
    symbols = torch.full((rows, steps + 1), SIZE)
    state = model.initial(rows)
    for t in range(steps):
        distribution, state = model(symbols[:, t : t + 1], state)
        symbols[:, t + 1] = torch.multinomial(distribution.probs[:, 0], 1, generator=generator)[
            :, 0
        ]
    lengths = torch.tensor([steps] * (rows - 1) + [steps // 2])
    fields = {"input": symbols[:, :-1], "target": symbols[:, 1:]}
    return Batch(fields, lengths, torch.ones(rows, dtype=torch.bool))


def mixture() -> Mixture:
    weights = torch.tensor([[0.3, 0.5, -0.4, 0.1], [0.6, -0.3, 0.2, 0.2]], dtype=torch.float64)
    return Mixture(network(), ngram(), weights)


def evidence_of(batches: Sequence[Batch[Tensor]]) -> FitData:
    return gather_fit_data(
        network(), ngram(), batches, sum(int(batch.lengths.sum()) for batch in batches)
    )


@pytest.mark.parametrize(
    "writer", [network(), ngram(), mixture()], ids=["network", "ngram", "mixture"]
)
def test_at_least_as_good_as_either_on_what_it_was_fitted(writer: Autoregressive) -> None:
    batch = sample_of(writer, 8, 200)
    fit = fit_mixture(evidence_of([batch]))
    assert fit.nats <= min(fit.network_nats, fit.ngram_nats)
    fitted = Mixture(network(), ngram(), fit.weights)
    for model, nats in (
        (fitted, fit.nats),
        (network(), fit.network_nats),
        (ngram(), fit.ngram_nats),
    ):
        loss, _ = model.loss(batch)
        assert (loss.nats.sum() / loss.count.sum()).item() == pytest.approx(nats, abs=1e-9)


def test_a_fit_reaches_the_optimum_in_few_passes_over_its_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a large vocabulary a pass takes a second; there were more than fifty."""
    data, passes = evidence_of([sample_of(mixture(), 8, 400)]), 0
    true = FitData.parts

    def counted(self: FitData, steps: int) -> list[FitData]:
        nonlocal passes
        parts = true(self, steps)

        class Counting(list[FitData]):
            def __iter__(self) -> Iterator[FitData]:
                nonlocal passes
                passes += 1
                return super().__iter__()

        return Counting(parts)

    monkeypatch.setattr(FitData, "parts", counted)
    weights = fit_mixture(data).weights.requires_grad_()
    assert passes <= 15
    steps = len(data.target)
    start = torch.zeros(2, 4, dtype=torch.float64)
    start[:, 0] = 0.5
    cost = module._nats(weights, data) + 0.1 / steps * (weights - start).square().sum()
    (gradient,) = torch.autograd.grad(cost, weights)
    assert gradient.abs().max().item() < 1e-7


def test_a_network_computes_its_head_only_where_it_is_asked() -> None:
    model, seen = network(), list[int]()
    model.head.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[:-1].numel()))
    batch = sample_of(mixture(), 2, 40)
    inputs, lengths = batch["input"], batch.lengths
    chosen = torch.zeros(2, 40, dtype=torch.bool)
    chosen[0, 7] = chosen[1, 3] = chosen[1, 19] = True
    with torch.no_grad():
        found, _ = model.logits_at(inputs, model.initial(2), lengths, chosen)
        assert seen == [3]
        every, _ = Autoregressive.logits_at(model, inputs, model.initial(2), lengths, chosen)
    torch.testing.assert_close(found, every, rtol=0, atol=1e-12)


def test_gains_where_each_is_right_at_times() -> None:
    fit = fit_mixture(evidence_of([sample_of(mixture(), 8, 400)]))
    assert fit.nats < min(fit.network_nats, fit.ngram_nats) - 0.02
    assert improves(fit, MixtureSettings())
    assert not improves(fit, MixtureSettings(use="never"))


def test_falls_back_to_the_better_one_where_mixing_gains_nothing() -> None:
    fit = fit_mixture(evidence_of([sample_of(ngram(), 8, 200)]))
    assert not improves(fit, MixtureSettings())
    assert improves(fit, MixtureSettings(use="always"))


def test_extreme_weights_give_the_parts() -> None:
    inputs = torch.randint(SIZE, (BATCH, TIME))
    for row, part in enumerate((network(), ngram())):
        weights = torch.zeros(2, 4, dtype=torch.float64)
        weights[row, 0] = 1
        model = Mixture(network(), ngram(), weights)
        mixed, _ = model(inputs, model.initial(BATCH))
        torch.testing.assert_close(
            mixed.probs, part(inputs, part.initial(BATCH))[0].probs, rtol=0, atol=1e-12
        )


def test_is_what_the_formula_says() -> None:
    model = mixture()
    inputs = torch.randint(SIZE, (1, TIME))
    mixed, _ = model(inputs, model.initial(1))
    ours, theirs = (part(inputs, part.initial(1))[0] for part in (model.network, model.ngram))
    for t in range(TIME):
        p, q = ours.probs[0, t].detach().numpy(), theirs.probs[0, t].numpy()
        known = np.array(
            [1, -(p * np.log(p)).sum(), -(q * np.log(q)).sum(), theirs.depth[0, t].item()]
        )
        a, b = model.weights.numpy() @ known
        expected = p**a * q**b
        np.testing.assert_allclose(
            mixed.probs[0, t].detach(), expected / expected.sum(), atol=1e-12
        )


def test_a_long_tune_part_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = [sample_of(mixture(), 8, 200)] * 2
    whole = evidence_of(batches)
    monkeypatch.setattr(module, "MAX_PROBABILITIES", 1000 * SIZE)
    monkeypatch.setattr(module, "MIN_STEPS", 0)
    thin = evidence_of(batches)
    assert (len(whole.target), len(thin.target)) == (3000, 1000)
    assert torch.equal(thin.target, whole.target[::3])
    assert torch.equal(thin.ngram, whole.ngram[::3])
    torch.testing.assert_close(thin.network, whole.network[::3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_thinned_however_many_symbols_there_are_and_however_short_the_batches(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of one step each cannot be halved: a loop that tried to never ended."""
    monkeypatch.setattr(module, "MAX_PROBABILITIES", 2_000)
    monkeypatch.setattr(module, "MAX_PROBABILITIES_OF_MIN_STEPS", 2_000_000)
    held = 2_000_000 // size
    assert module.max_steps(size) == held
    monkeypatch.setattr(module, "max_steps", lambda size: held)
    whole = sample_of(mixture(), 2, 130)
    rows = [
        Batch(
            {k: v[:1, t : t + 1] for k, v in whole.fields.items()},
            torch.tensor([1]),
            fresh,
        )
        for t, fresh in enumerate(torch.arange(130)[:, None] == 0)
    ]
    evidence = evidence_of(rows)
    every = -(-130 // held)
    assert torch.equal(evidence.target, whole["target"][0, ::every])


def test_the_cold_beginning_of_a_stream_is_no_evidence() -> None:
    whole = sample_of(mixture(), 3, 40)
    whole = Batch(whole.fields, torch.tensor([40, 40, 40]), whole.fresh)
    halves = [
        Batch(
            {k: v[:, :5] for k, v in whole.fields.items()},
            torch.tensor([5, 5, 5]),
            whole.fresh,
        ),
        Batch(
            {k: v[:, 5:] for k, v in whole.fields.items()},
            torch.tensor([35, 35, 35]),
            ~whole.fresh,
        ),
    ]
    at_once, in_two = (
        gather_fit_data(network(), ngram(), one, 120, skipped=7) for one in ([whole], halves)
    )
    assert torch.equal(at_once.target, whole["target"][:, 7:].flatten())
    assert torch.equal(at_once.target.sort()[0], in_two.target.sort()[0])
    assert at_once.network.sum().item() == pytest.approx(in_two.network.sum().item(), abs=1e-6)


def test_goes_on_from_batch_to_batch() -> None:
    whole = sample_of(mixture(), 2, 40)
    whole = Batch(whole.fields, torch.tensor([40, 40]), whole.fresh)
    halves = [
        Batch(
            {k: v[:, :20] for k, v in whole.fields.items()},
            whole.lengths // 2,
            whole.fresh,
        ),
        Batch(
            {k: v[:, 20:] for k, v in whole.fields.items()},
            whole.lengths // 2,
            ~whole.fresh,
        ),
    ]
    at_once, in_two = evidence_of([whole]), evidence_of(halves)
    for one, other in (
        (at_once.network, in_two.network),
        (at_once.ngram, in_two.ngram),
        (at_once.features, in_two.features),
    ):
        assert one.sum().item() == pytest.approx(other.sum().item(), abs=1e-6)


def test_fitting_is_deterministic_and_survives_few_steps() -> None:
    evidence = evidence_of([sample_of(mixture(), 2, 4)])
    assert torch.equal(fit_mixture(evidence).weights, fit_mixture(evidence).weights)
    one = FitData(
        evidence.features[:1], evidence.network[:1], evidence.ngram[:1], evidence.target[:1]
    )
    assert torch.isfinite(fit_mixture(one).weights).all()


def test_fitting_part_by_part_gives_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = evidence_of([sample_of(mixture(), 4, 50)])
    at_once = fit_mixture(evidence)
    monkeypatch.setattr(module, "CHUNK", 8 * SIZE)
    assert [len(part.target) for part in evidence.parts(8)][-1] < 8
    torch.testing.assert_close(fit_mixture(evidence).weights, at_once.weights, atol=1e-6, rtol=0)


def test_saved_and_loaded() -> None:
    model, other = mixture(), Mixture(network(1), ngram(1))
    inputs = torch.randint(SIZE, (BATCH, TIME))
    with pytest.raises(RunError, match="the saved weights and the network differ in 'body"):
        other.load(mixture().arrays() | {"network.body.odd": np.zeros(1)})
    with pytest.raises(RunError, match="the saved mixture has no 2 x 4 weights"):
        other.load({})
    twin = Mixture(network(), ngram(1))
    twin.load(model.arrays())
    mixed, _ = model(inputs, model.initial(BATCH))
    again, _ = twin(inputs, twin.initial(BATCH))
    assert torch.equal(mixed.probs, again.probs)
