"""A network and an n-gram, interpolated at every step by how sure each of them is.

What the network learns slowly (names, set phrases) the n-gram knows by heart, and the n-gram has no idea beyond
its order. Interpolation costs nothing and usually beats both (Jelinek & Mercer 1980; Mikolov et al. 2011).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.nn.functional import logsigmoid

from ensue.batch import Batch
from ensue.errors import RunError
from ensue.models.contract import Autoregressive
from ensue.settings import Settings
from ensue.state import State, start_afresh

CERTAIN = 40.0
"""The logit of a share that is one, to the last bit of a float64."""


class MixtureSettings(Settings):
    """Settings of the mixture of a network with the best n-gram."""

    use: Literal["auto", "always", "never"] = "auto"
    """Whether to mix: auto does where it gains on the tune part."""
    gain: float = 0.001
    """Nats per symbol on the tune part that the mixture must gain on both to be used by auto."""

    def wanted(self, fit: MixtureFit) -> bool:
        """Tell whether to use the mixture that was fitted."""
        if self.use == "auto":
            return fit.nats + self.gain < min(fit.network_nats, fit.ngram_nats)
        return self.use == "always"


@dataclass(frozen=True)
class Evidence:
    """What a mixture is fitted on, for each step of the tune part, in float64."""

    clues: Tensor
    """What is known before the symbol, (steps, clues)."""
    network: Tensor
    """The network's log-probability of the symbol, (steps,)."""
    ngram: Tensor
    """The n-gram's, (steps,)."""


@dataclass(frozen=True)
class MixtureFit:
    """The weights of a mixture, and nats per symbol of all three on the part that it was fitted on."""

    weights: Tensor
    nats: float
    network_nats: float
    ngram_nats: float


class Mixture(Autoregressive):
    """p = share * p_network + (1 - share) * p_ngram,  share = sigmoid(weights . clues(before))."""

    def __init__(self, network: Autoregressive, ngram: Autoregressive, weights: Tensor | None = None) -> None:
        self.size, self.network, self.ngram = network.size, network, ngram
        self.weights = torch.zeros(CLUE_COUNT, dtype=torch.float64) if weights is None else weights

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the states of both before anything was seen."""
        return {"network": self.network.initial(batch_size, context), "ngram": self.ngram.initial(batch_size)}

    def __call__(self, inputs: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Distribution, State]:
        """Ask both what follows each of inputs (batch, time), and mix their answers."""
        network, ngram, state = ask(self.network, self.ngram, inputs, state, lengths)
        lean = clues(network, ngram) @ self.weights.to(network.device)
        mixed = mix(lean[..., None], network, ngram)
        return Categorical(logits=mixed, validate_args=False), state

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the arrays of both, and the weights."""
        network = {f"network.{name}": array for name, array in self.network.arrays().items()}
        ngram = {f"ngram.{name}": array for name, array in self.ngram.arrays().items()}
        return network | ngram | {"weights": self.weights.numpy().copy()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave."""
        if "weights" not in arrays or arrays["weights"].shape != (CLUE_COUNT,):
            raise RunError(f"the saved mixture has no {CLUE_COUNT} weights", mend="train it again with this version")
        for prefix, part in (("network.", self.network), ("ngram.", self.ngram)):
            part.load({name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)})
        self.weights = torch.from_numpy(np.array(arrays["weights"], dtype=np.float64))


def ask(
    network: Autoregressive, ngram: Autoregressive, inputs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, Tensor, State]:
    """Give both log-probabilities of every symbol, (batch, time, size) in float64, and both states."""
    states = cast("dict[str, State]", state)
    ours, network_state = network(inputs, states["network"], lengths)
    theirs, ngram_state = ngram(inputs, states["ngram"], lengths)
    # From a network's scores, since its probabilities may vanish in single precision; those of counts never do.
    log_network = cast(Categorical, ours).logits.double().log_softmax(-1)
    log_ngram = cast(Categorical, theirs).probs.double().log().to(log_network.device)
    return log_network, log_ngram, {"network": network_state, "ngram": ngram_state}


CLUE_COUNT = 6


def clues(network: Tensor, ngram: Tensor) -> Tensor:
    """Say how sure each is before the symbol is known: top log-probability and entropy; and how far they agree."""
    agreement = torch.logsumexp((network + ngram) / 2, -1)
    known = [*_sureness(network), *_sureness(ngram), agreement, torch.ones_like(agreement)]
    return torch.stack(known, -1)


def _sureness(log_probs: Tensor) -> tuple[Tensor, Tensor]:
    return log_probs.amax(-1), torch.special.entr(log_probs.exp()).sum(-1)


def mix(lean: Tensor, network: Tensor, ngram: Tensor) -> Tensor:
    """Interpolate log-probabilities, the network's share being sigmoid(lean)."""
    return torch.logaddexp(logsigmoid(lean) + network, logsigmoid(-lean) + ngram)


@torch.no_grad()
def gather(network: Autoregressive, ngram: Autoregressive, batches: Iterable[Batch[Tensor]]) -> Evidence:
    """Run both over the tune part, and keep what a mixture is fitted on."""
    steps: list[tuple[Tensor, ...]] = []
    state: State | None = None
    for batch in batches:
        rows = len(batch.lengths)
        start: State = {"network": network.initial(rows), "ngram": ngram.initial(rows)}
        state = start if state is None else start_afresh(state, start, batch.fresh)
        one, other, state = ask(network, ngram, batch["input"], state, batch.lengths)
        target = batch["target"][..., None]
        real = torch.arange(target.shape[1], device=target.device) < batch.lengths[:, None]
        seen = (clues(one, other), one.gather(-1, target)[..., 0], other.gather(-1, target)[..., 0])
        steps.append(tuple(part[real].cpu() for part in seen))
    return Evidence(*(torch.cat(parts) for parts in zip(*steps, strict=True)))


def fit_mixture(evidence: Evidence) -> MixtureFit:
    """Choose the weights that make the tune part likeliest; at worst those of the better one alone."""
    alone = torch.zeros(CLUE_COUNT, dtype=torch.float64)
    alone[-1] = CERTAIN
    candidates = [alone, -alone, _climb(evidence)]
    nats = [float(_nats(weights, evidence)) for weights in candidates]
    best = min(range(3), key=nats.__getitem__)
    return MixtureFit(candidates[best], nats[best], nats[0], nats[1])


def _nats(weights: Tensor, evidence: Evidence) -> Tensor:
    return -mix(evidence.clues @ weights, evidence.network, evidence.ngram).mean()


def _climb(evidence: Evidence) -> Tensor:
    """Maximise the likelihood, held back a little so that short tune parts do not drive the weights off."""
    weights = torch.zeros(CLUE_COUNT, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe")
    held = 1e-2 / len(evidence.network)

    def closure() -> float:
        optimiser.zero_grad()
        with torch.enable_grad():
            cost = _nats(weights, evidence) + held * weights.square().sum()
            cost.backward()
        return cost.item()

    optimiser.step(closure)
    return weights.detach()
