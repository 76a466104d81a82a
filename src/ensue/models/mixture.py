"""Log-linear mixture of a network and an n-gram, weighted at every step by their entropies.

The n-gram memorises what the network learns slowly (names, set phrases), and has no context beyond
its order. The mixture usually beats both. Log-linear interpolation (Klakow 1998) was compared with
linear interpolation, with weights from the same features: on tiny_shakespeare it is 0.01 nats per
character better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.nn.functional import cross_entropy

from ensue.batch import Batch, select_named
from ensue.data.contract import Codec, Corpus
from ensue.data.feeds import Feed, ScoringFeed, Streams
from ensue.errors import RunError
from ensue.layers.padding import without_padding
from ensue.models.contract import Autoregressive
from ensue.models.ngram import Ngram
from ensue.models.ngram.distribution import NextSymbol
from ensue.models.parameters import get_device, join_arrays, to_device
from ensue.models.pool import MixtureSettings
from ensue.state import State, reset_rows

FEATURES = 4
"""Number of features per step; see `compute_features`."""
MAX_PROBABILITIES = 2_000_000
"""Maximum probabilities of each model that a fit holds.

Longer validation parts are subsampled evenly.
"""
MIN_STEPS, MAX_PROBABILITIES_OF_MIN_STEPS = 1000, 20_000_000
"""A fit uses at least so many steps, however large the vocabulary, if they fit the second limit.

The second limit is in probabilities: 320 MB for the two models.
"""

ROWS, MIN_STREAM, WARMUP = 32, 1000, 32
"""Rows of one long text, their least length, and the symbols at the start of each that are ignored,
for the network has no context there."""
MAX_AT_ONCE = 1 << 22
"""Probabilities that the network computes at once: 16 MB."""
NEWTON_STEPS, PRECISION = 40, 1e-12
"""Most steps of a fit, and the gain in nats at which it ends; ten steps are usual."""
CHUNK = 1 << 16
"""Probabilities per chunk of a fit: arrays that fit a cache take a fifth of the time."""


@dataclass(frozen=True)
class FitData:
    """Steps of the validation part that a mixture is fitted on, in float64."""

    features: Tensor
    """Features known before the symbol, (steps, FEATURES)."""
    network: Tensor
    """The network's log-probability of every symbol, (steps, size)."""
    ngram: Tensor
    """The n-gram's log-probability of every symbol, (steps, size)."""
    target: Tensor
    """The actual symbol, (steps,)."""

    def parts(self, steps: int) -> list[FitData]:
        """Split into parts of so many steps."""
        fields = (self.features, self.network, self.ngram, self.target)
        return [
            FitData(*some) for some in zip(*(field.split(steps) for field in fields), strict=True)
        ]


@dataclass(frozen=True)
class MixtureFit:
    """Fitted weights, and nats per symbol of the mixture and both models on the same part."""

    weights: Tensor
    """(2, FEATURES), in float64."""
    nats: float
    network_nats: float
    ngram_nats: float
    steps: int
    """Number of steps it was fitted on."""


def improves(fit: MixtureFit, settings: MixtureSettings) -> bool:
    """Decide whether to use a fitted mixture."""
    if settings.use == "auto":
        # Weights that mean nothing gain half a nat each where they are fitted (Akaike 1973).
        gain = max(settings.gain, fit.weights.numel() / fit.steps)
        return fit.nats + gain < min(fit.network_nats, fit.ngram_nats)
    return settings.use == "always"


class Mixture(Autoregressive):
    """p is proportional to p_network^a * p_ngram^b, with (a, b) = weights . features(before)."""

    def __init__(
        self,
        network: Autoregressive,
        ngram: Ngram,
        weights: Tensor | None = None,
        each: bool = False,
    ) -> None:
        """Take both models; with `each` it scores them too: nothing is computed twice."""
        self.scores = (3,) if each else ()
        self.size, self.network, self.ngram = network.size, network, ngram
        self.weights = torch.zeros(2, FEATURES, dtype=torch.float64) if weights is None else weights

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the states of both models before any input."""
        return {
            "network": self.network.initial(batch_size, context),
            "ngram": self.ngram.initial(batch_size),
        }

    def __call__(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Map inputs (batch, time) to the mixed distribution of the next symbol."""
        network, ngram, features, state = query(self.network, self.ngram, inputs, state, lengths)
        mixed = mix(self.weights.to(features.device), features, network, ngram)
        return Categorical(logits=mixed, validate_args=False), state

    def nats(
        self, inputs: Tensor, targets: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the nats of each target; with `each` those of network, n-gram and mixture."""
        if not self.scores:
            return super().nats(inputs, targets, state, lengths)
        network, ngram, features, state = query(self.network, self.ngram, inputs, state, lengths)
        mixed = mix(self.weights.to(features.device), features, network, ngram)
        place = targets[..., None]
        each = [network.gather(-1, place), ngram.gather(-1, place)]
        each.append(mixed.gather(-1, place) - mixed.logsumexp(-1, keepdim=True))
        return without_padding(-torch.cat(each, -1), lengths), state

    def advance(self, inputs: Tensor, state: State) -> State:
        """Return the states of both models after inputs (batch, time)."""
        states = cast("dict[str, State]", state)
        return {
            "network": self.network.advance(inputs, states["network"]),
            "ngram": self.ngram.advance(inputs, states["ngram"]),
        }

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters, both models included."""
        return self.network.parameter_count + self.ngram.parameter_count + self.weights.numel()

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays of both models, and the weights."""
        parts = {"network": self.network, "ngram": self.ngram}
        return join_arrays(parts.items()) | {"weights": self.weights.numpy().copy()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if the weights have another shape."""
        if "weights" not in arrays or arrays["weights"].shape != (2, FEATURES):
            what = f"the saved mixture has no 2 x {FEATURES} weights"
            raise RunError(what, hint="train it again with this version")
        self.network.load(select_named(arrays, "network."))
        self.ngram.load(select_named(arrays, "ngram."))
        self.weights = torch.from_numpy(np.array(arrays["weights"], dtype=np.float64))


def query(
    network: Autoregressive, ngram: Ngram, inputs: Tensor, state: State, lengths: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, State]:
    """Return both log-probabilities of every symbol, the features, and both states.

    Log-probabilities are (batch, time, size), in float64.
    """
    states = cast("dict[str, State]", state)
    ours, network_state = network(inputs, states["network"], lengths)
    theirs, ngram_state = ngram(inputs, states["ngram"], lengths)
    # From a network's scores, since its probabilities may vanish in single precision; those of
    # counts do not.
    log_network = cast(Categorical, ours).logits.double()
    log_ngram = _logs(cast(NextSymbol, theirs).probs, inputs.device)
    features = compute_features(
        log_network, log_ngram, cast(NextSymbol, theirs).depth.to(inputs.device)
    )
    return log_network, log_ngram, features, {"network": network_state, "ngram": ngram_state}


def _logs(probabilities: Tensor, device: torch.device) -> Tensor:
    return probabilities.clamp_min(1e-300).log().to(device)


def compute_features(network: Tensor, ngram: Tensor, depth: Tensor) -> Tensor:
    """Compute the features of each step.

    They are 1, both entropies in nats, and the length of the n-gram's longest known context.
    """
    entropies = [-(log_probs.exp() * log_probs).sum(-1) for log_probs in (network, ngram)]
    return torch.stack([torch.ones_like(entropies[0]), *entropies, depth.double()], -1)


def mix(weights: Tensor, features: Tensor, network: Tensor, ngram: Tensor) -> Tensor:
    """Interpolate log-probabilities (..., size); the result is not normalised."""
    a, b = (features @ weights.T)[..., None].unbind(-2)
    return a * network + b * ngram


@torch.no_grad()
def gather_fit_data(
    network: Autoregressive,
    ngram: Ngram,
    batches: Iterable[Batch[Tensor]],
    steps: int,
    skipped: int = 0,
) -> FitData:
    """Run both models over batches and collect evenly spread steps to fit a mixture on.

    `steps` is the number of steps in all batches. The first `unread` steps of a row that begins in
    the middle of a text are skipped: there the network has less context than in use.
    """
    every = ceil(steps / max_steps(network.size))
    found: list[tuple[Tensor, ...]] = []
    state: State | None = None
    seen, row_steps = 0, 0
    for batch in batches:
        rows, time = batch["target"].shape
        start: State = {"network": network.initial(rows), "ngram": ngram.initial(rows)}
        fresh = state is None or bool(batch.fresh.all())
        state = start if state is None else reset_rows(state, start, batch.fresh)
        row_steps = 0 if fresh else row_steps
        places = torch.arange(time, device=batch["target"].device)
        read = (places < batch.lengths[:, None]) & (places >= skipped - row_steps)
        chosen = read & ((read.flatten().cumsum(0).view_as(read) - 1 + seen) % every == 0)
        states = cast("dict[str, State]", state)
        logits, network_state = network.logits_at(
            batch["input"], states["network"], batch.lengths, chosen
        )
        theirs, ngram_state = ngram(batch["input"], states["ngram"], batch.lengths)
        state = {"network": network_state, "ngram": ngram_state}
        if chosen.any():
            log_network = logits.double()
            probabilities, depth = cast(NextSymbol, theirs).at(chosen)
            log_ngram = _logs(probabilities, log_network.device)
            features = compute_features(log_network, log_ngram, depth.to(log_network.device))
            parts = features, log_network, log_ngram, batch["target"][chosen]
            found.append(tuple(part.cpu() for part in parts))
        seen, row_steps = seen + int(read.sum()), row_steps + time
    return FitData(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def max_steps(size: int) -> int:
    """Return the maximum number of steps that a fit uses for a vocabulary of this size."""
    return max(MAX_PROBABILITIES // size, min(MIN_STEPS, MAX_PROBABILITIES_OF_MIN_STEPS // size), 1)


def fit_mixture_to_text(
    network: Autoregressive, ngram: Ngram, text: Corpus, codec: Codec
) -> MixtureFit:
    """Fit the weights to a text that neither model has learned from."""
    warmup = 0
    if codec.end is None:
        rows = min(max(len(text) // MIN_STREAM, 1), ROWS)
        warmup = WARMUP if rows > 1 else 0
        window = min(_get_window(rows, network.size), len(text) // rows)
        batches: Feed = Streams(text, codec.start, rows, window)
    else:
        batches = ScoringFeed(text, codec.start, ROWS, _get_window(ROWS, network.size))
    device = get_device(network)
    there = (to_device(batch, device) for batch in batches.epoch(0))
    return fit_mixture(gather_fit_data(network, ngram, there, len(text), warmup))


def _get_window(rows: int, size: int) -> int:
    return min(max(MAX_AT_ONCE // (rows * size), 1), 1024)


def fit_mixture(data: FitData) -> MixtureFit:
    """Fit the weights by maximum likelihood; the better of the two models alone is the fallback."""
    network, ngram = torch.zeros(2, 2, FEATURES, dtype=torch.float64)
    network[0, 0] = ngram[1, 0] = 1.0
    candidates = [network, ngram, _maximise((network + ngram) / 2, data)]
    nats = [_nats(weights, data).item() for weights in candidates]
    best = min(range(3), key=nats.__getitem__)
    return MixtureFit(candidates[best], nats[best], nats[0], nats[1], len(data.target))


def _nats(weights: Tensor, data: FitData) -> Tensor:
    return cross_entropy(mix(weights, data.features, data.network, data.ngram), data.target)


def _maximise(start: Tensor, data: FitData) -> Tensor:
    """Maximise the likelihood, which is concave, by Newton's method, halving steps that fail.

    A small L2 penalty towards the start keeps the weights of a short validation part bounded.
    """
    steps, size = data.network.shape
    penalty, parts = 0.1 / steps, data.parts(max(CHUNK // size, 1))

    def measure(weights: Tensor) -> tuple[float, Tensor, Tensor]:
        """Compute the cost, its gradient (2 * FEATURES,) and its second derivatives."""
        cost, gradient = 0.0, torch.zeros_like(weights)
        curvature = weights.new_zeros(2, FEATURES, 2, FEATURES)
        for part in parts:
            known = torch.stack([part.network, part.ngram], 1)
            scores = (part.features @ weights.T)[:, None] @ known
            p, target = scores.softmax(-1), part.target[:, None, None]
            expected = (p * known).sum(-1)
            both = (p * known) @ known.mT - expected[:, :, None] * expected[:, None]
            excess = expected - known.gather(-1, target.expand(-1, 2, 1))[..., 0]
            cost -= p.gather(-1, target).log().sum().item()
            gradient += excess.T @ part.features
            curvature += torch.einsum("sij,sa,sb->iajb", both, part.features, part.features)
        shift, eye = weights - start, torch.eye(2 * FEATURES, dtype=weights.dtype)
        return (
            cost / steps + penalty * shift.square().sum().item(),
            (gradient / steps + 2 * penalty * shift).flatten(),
            curvature.view(2 * FEATURES, -1) / steps + 2 * penalty * eye,
        )

    weights = start
    cost, gradient, curvature = measure(weights)
    for _ in range(NEWTON_STEPS):
        step = torch.linalg.solve(curvature, gradient)
        gain, share = float(gradient @ step), 1.0
        while gain > PRECISION and share > PRECISION:
            found = measure(weights - share * step.view_as(weights))
            if found[0] <= cost - 0.1 * share * gain:
                break
            share /= 2
        else:
            break
        weights = weights - share * step.view_as(weights)
        cost, gradient, curvature = found
    return weights
