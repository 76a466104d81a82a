"""What a mixture of network and n-gram obeys: proper, resumable, blind to what comes, never worse than either."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from ensue.batch import Batch
from ensue.errors import RunError
from ensue.layers import BagSettings, WindowSettings
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Evidence, Mixture, MixtureSettings, clues, fit_mixture, gather
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.state import State

SIZE, BATCH, TIME = 5, 2, 7


class Pairs(Autoregressive):
    """A table of what follows what."""

    def __init__(self, seed: int = 0) -> None:
        self.size = SIZE
        table = torch.randn(SIZE + 1, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        self.table = (2 * table).softmax(-1)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        return torch.zeros(batch_size, 1)

    def __call__(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Distribution, State]:
        return Categorical(probs=self.table[inputs]), state

    def arrays(self) -> dict[str, np.ndarray]:
        return {"table": self.table.numpy()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        self.table = torch.from_numpy(arrays["table"])


def network(seed: int = 0) -> SequenceModel:
    torch.manual_seed(seed)
    body = WindowSettings(width=8, depth=1, window=3) if seed else BagSettings(width=8, depth=1, window=3)
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
        symbols[:, t + 1] = torch.multinomial(distribution.probs[:, 0], 1, generator=generator)[:, 0]
    lengths = torch.tensor([steps] * (rows - 1) + [steps // 2])
    fields = {"input": symbols[:, :-1], "target": symbols[:, 1:]}
    return Batch(fields, lengths, torch.ones(rows), torch.ones(rows, dtype=torch.bool))


def mixture() -> Mixture:
    weights = torch.tensor([0.5, -1.0, 0.3, 1.0, -0.2, 0.1], dtype=torch.float64)
    return Mixture(network(), Pairs(), weights)


@pytest.mark.parametrize("writer", [network(), Pairs(), mixture()], ids=["network", "pairs", "mixture"])
def test_at_least_as_good_as_either_on_what_it_was_fitted(writer: Autoregressive) -> None:
    batch = sample_of(writer, 8, 200)
    fit = fit_mixture(gather(network(), Pairs(), [batch]))
    assert fit.nats <= min(fit.network_nats, fit.ngram_nats)
    fitted = Mixture(network(), Pairs(), fit.weights)
    for model, nats in ((fitted, fit.nats), (network(), fit.network_nats), (Pairs(), fit.ngram_nats)):
        loss, _ = model.loss(batch)
        assert (loss.nats.sum() / loss.count.sum()).item() == pytest.approx(nats, abs=1e-9)


def test_gains_where_each_is_right_at_times() -> None:
    fit = fit_mixture(gather(network(), Pairs(), [sample_of(mixture(), 8, 400)]))
    assert fit.nats < min(fit.network_nats, fit.ngram_nats) - 0.02
    assert MixtureSettings().wanted(fit)
    assert not MixtureSettings(use="never").wanted(fit)


def test_falls_back_to_the_better_one_where_mixing_gains_nothing() -> None:
    fit = fit_mixture(gather(network(), network(), [sample_of(network(), 4, 50)]))
    assert not MixtureSettings().wanted(fit)
    assert MixtureSettings(use="always").wanted(fit)


def test_extreme_weights_give_the_parts() -> None:
    inputs = torch.randint(SIZE, (BATCH, TIME))
    for sign, part in ((1, network()), (-1, Pairs())):
        weights = torch.tensor([0, 0, 0, 0, 0, sign * 40.0], dtype=torch.float64)
        model = Mixture(network(), Pairs(), weights)
        mixed, _ = model(inputs, model.initial(BATCH))
        torch.testing.assert_close(mixed.probs, part(inputs, part.initial(BATCH))[0].probs, rtol=0, atol=1e-12)


def test_interpolates_probabilities() -> None:
    model = mixture()
    inputs = torch.randint(SIZE, (BATCH, TIME))
    mixed, _ = model(inputs, model.initial(BATCH))
    one = model.network(inputs, model.network.initial(BATCH))[0].probs
    other = model.ngram(inputs, model.ngram.initial(BATCH))[0].probs
    share = torch.sigmoid(clues(one.log(), other.log()) @ model.weights)[..., None]
    torch.testing.assert_close(mixed.probs, share * one + (1 - share) * other, rtol=0, atol=1e-12)


def test_goes_on_from_batch_to_batch() -> None:
    whole = sample_of(mixture(), 2, 40)
    whole = Batch(whole.fields, torch.tensor([40, 40]), whole.weight, whole.fresh)
    halves = [
        Batch({k: v[:, :20] for k, v in whole.fields.items()}, whole.lengths // 2, whole.weight, whole.fresh),
        Batch({k: v[:, 20:] for k, v in whole.fields.items()}, whole.lengths // 2, whole.weight, ~whole.fresh),
    ]
    at_once, in_two = gather(network(), Pairs(), [whole]), gather(network(), Pairs(), halves)
    assert float(at_once.network.sum()) == pytest.approx(float(in_two.network.sum()), abs=1e-9)
    assert float(at_once.clues.sum()) == pytest.approx(float(in_two.clues.sum()), abs=1e-9)


def test_fitting_is_deterministic_and_survives_few_steps() -> None:
    evidence = gather(network(), Pairs(), [sample_of(mixture(), 2, 4)])
    assert torch.equal(fit_mixture(evidence).weights, fit_mixture(evidence).weights)
    one = Evidence(evidence.clues[:1], evidence.network[:1], evidence.ngram[:1])
    assert torch.isfinite(fit_mixture(one).weights).all()


def test_saved_and_loaded() -> None:
    model, other = mixture(), Mixture(network(1), Pairs(1))
    inputs = torch.randint(SIZE, (BATCH, TIME))
    with pytest.raises(RunError, match="the saved weights and the network differ in 'body"):
        other.load(mixture().arrays() | {"network.body.odd": np.zeros(1)})
    with pytest.raises(RunError, match="the saved mixture has no 6 weights"):
        other.load({})
    twin = Mixture(network(), Pairs(1))
    twin.load(model.arrays())
    mixed, _ = model(inputs, model.initial(BATCH))
    again, _ = twin(inputs, twin.initial(BATCH))
    assert torch.equal(mixed.probs, again.probs)
