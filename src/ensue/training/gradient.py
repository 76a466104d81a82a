"""Gradient descent: forward, backward, clip, step."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count, islice
from math import isfinite, nan

import numpy as np
import torch
from torch import Tensor, nn

from ensue.batch import Batch, select_named
from ensue.heads.paths import to_float32
from ensue.models.contract import Autoregressive, Loss, Predictor
from ensue.models.parameters import to_device
from ensue.state import State, detach, map_state, select_rows, walk_tensors
from ensue.training.contract import Feed, Snapshot, Update
from ensue.training.devices import choose_device, random_state, set_random_state
from ensue.training.failure import NonFiniteError, diagnose
from ensue.training.folder.checkpoint import LoopState
from ensue.training.schedules import scale
from ensue.training.settings import AdamWSettings, SGDSettings, TrainingSettings

MIN_LOSS_SCALE = 1e-3
"""fp16 halves its loss scale while gradients overflow; below this, the scale is not the cause."""


class GradientLearner:
    """Train a network by truncated back-propagation through time; batches carry the state over.

    The objective of a batch is sum(cost) / sum(count), in nats per symbol. `accumulation_steps`
    groups of rows are computed in turn, and their gradients added.
    """

    def __init__(
        self, model: Autoregressive | Predictor, settings: TrainingSettings, device: torch.device
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"{type(model).__name__} is no torch module, so it has no gradients")
        self.model: Autoregressive | Predictor = model
        self.network: nn.Module = model.to(device).train()
        self.settings, self.device = settings, device
        self._optimiser = _optimiser(self.network, settings.optimiser)
        precision = settings.hardware.precision
        self._half = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._state: State | None = None
        self._updates = 0
        averaged = self.network.named_parameters() if settings.ema_decay else ()
        self._average = {name: parameter.detach().clone() for name, parameter in averaged}

    def update(self, batch: Batch[np.ndarray], scale: float) -> Update:
        """Take one optimiser step, at `scale` times the peak learning rate.

        Raises NonFiniteError, and leaves the weights unchanged, if loss or gradient is not finite.
        """
        start = None if batch.fresh.all() else self._state
        total = max(float(batch.counts.sum()), 1e-9)
        everything = np.arange(len(batch.lengths))
        try:
            nats, state = self._gradient(batch, start, everything, total)
            norm = self._clip()
        except ValueError:  # torch's distributions raise it for non-finite parameters
            nats, state, norm = nan, None, nan
        overflow = self._half is torch.float16 and self._scaler.get_scale() > MIN_LOSS_SCALE
        if not isfinite(nats) or not (isfinite(norm) or overflow):
            raise diagnose(
                self.network, lambda: self._objective(batch, start, everything, total)[0]
            )
        self._step(scale)
        self._state = state
        return Update(nats, int(batch.counts.sum()), norm if isfinite(norm) else None)

    def _gradient(
        self, batch: Batch[np.ndarray], start: State | None, rows: np.ndarray, total: float
    ) -> tuple[float, State]:
        """Accumulate the gradient over groups of rows; return total nats and the final state."""
        self._optimiser.zero_grad()
        nats, states = 0.0, []
        for part in np.array_split(rows, min(self.settings.batching.accumulation_steps, len(rows))):
            objective, loss, state = self._objective(batch, start, part, total)
            self._scaler.scale(objective).backward()
            nats += float(loss.nats.detach().cpu().double().sum())  # Metal has no float64
            states.append(detach(state))
        return nats, map_state(lambda *parts: torch.cat(parts), *states)

    def _objective(
        self, batch: Batch[np.ndarray], state: State | None, rows: np.ndarray, total: float
    ) -> tuple[Tensor, Loss, State]:
        """Return the share of some rows in the batch's objective, their loss and final state."""
        part = to_device(batch.map(lambda array: array[rows]), self.device)
        index = torch.tensor(rows, device=self.device)
        state = None if state is None else select_rows(state, index)
        with torch.autocast(self.device.type, self._half, enabled=self._half is not None):
            loss, state = self.model.loss(part, state)
        # In half precision the sum would overflow.
        return to_float32(loss.cost).sum() / total, loss, state

    def _clip(self) -> float:
        """Clip the gradient to the largest norm, and return its norm before that."""
        self._scaler.unscale_(self._optimiser)
        return float(
            nn.utils.clip_grad_norm_(
                self.network.parameters(), self.settings.optimiser.max_grad_norm
            )
        )

    def _step(self, scale: float) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.optimiser.learning_rate * scale
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._updates += 1
        # Early on the decay is lower, or the average would remember the random initial weights.
        decay = min(self.settings.ema_decay, (1 + self._updates) / (10 + self._updates))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters() if self._average else ():
                self._average[name].lerp_(parameter, 1 - decay)

    @contextmanager
    def evaluation_mode(self) -> Generator[None, None, None]:
        """Put the network into evaluation mode: averaged weights, if any, and no dropout."""
        self._swap()
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.network.train()
            self._swap()

    def _swap(self) -> None:
        """Swap the weights and their average."""
        for name, parameter in self.network.named_parameters() if self._average else ():
            parameter.data, self._average[name] = self._average[name], parameter.data

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return a copy of the weights; called within `evaluation_mode`.

        Raises NonFiniteError if they are not finite.
        """
        for name, parameter in self.network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFiniteError(name, "weights that are not finite")
        return {name: np.array(array) for name, array in self.model.arrays().items()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the weights."""
        self.model.load(arrays)

    def snapshot(self) -> Snapshot:
        """Return everything that the next update depends on, as copies.

        It is weights, averages, optimiser moments, carried state and random states.
        """
        tensors = {f"weight/{name}": tensor for name, tensor in self._weights()}
        tensors |= {f"average/{name}": tensor for name, tensor in self._average.items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {
                f"moment/{number}/{name}": one for name, one in moments.items() if one is not None
            }
        carried = [] if self._state is None else list(walk_tensors(self._state))
        tensors |= {f"state/{number}": tensor for number, tensor in enumerate(carried)}
        tensors |= {f"random/{name}": tensor for name, tensor in random_state(self.device).items()}
        rows = len(carried[0]) if carried else 0
        values = {"updates": self._updates, "rows": rows, "scaler": self._scaler.state_dict()}
        return Snapshot({name: tensor.detach().clone() for name, tensor in tensors.items()}, values)

    def restore(self, snapshot: Snapshot) -> None:
        """Return to the state of `snapshot`, with the same bits.

        Raises ValueError if it belongs to another network or optimiser.
        """
        self._updates = snapshot.values["updates"]
        if type(self._updates) is not int or self._updates < 0:
            raise ValueError(f"updates is {self._updates!r:.40}")
        if snapshot.values["scaler"]:
            self._scaler.load_state_dict(snapshot.values["scaler"])
        with torch.no_grad():
            for name, tensor in self._weights():
                tensor.copy_(_checked(snapshot.tensors, f"weight/{name}", tensor))
            for name, tensor in self._average.items():
                tensor.copy_(_checked(snapshot.tensors, f"average/{name}", tensor))
        self._restore_moments(select_named(snapshot.tensors, "moment/"))
        self._restore_state(select_named(snapshot.tensors, "state/"), snapshot.values["rows"])
        set_random_state(select_named(snapshot.tensors, "random/"), self.device)

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.named_parameters()
        yield from self.network.named_buffers()

    def _restore_moments(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = [one for group in self._optimiser.param_groups for one in group["params"]]
        known = (
            ("momentum_buffer",)
            if isinstance(self.settings.optimiser, SGDSettings)
            else ("step", "exp_avg", "exp_avg_sq")
        )
        for name in tensors:
            number, _, moment = name.partition("/")
            # Fused optimisers do not check sizes: too short a moment would be read past its end.
            like = torch.zeros(()) if moment == "step" else parameters[int(number)]
            moments.setdefault(int(number), {})[moment] = _checked(tensors, name, like).clone()
        if any(set(one) != set(known) for one in moments.values()) or min(moments, default=0) < 0:
            raise ValueError("the moments belong to another optimiser")
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def _restore_state(self, tensors: Mapping[str, Tensor], rows: int) -> None:
        """Restore the carried state from its tensors, in the order of `walk_tensors`."""
        if not rows:
            self._state = None
            return
        if not isinstance(self.model, Autoregressive) or any(
            len(one) != rows for one in tensors.values()
        ):
            raise ValueError(f"the carried state does not have {rows} rows")
        # Cloned, because two places may hold the same tensor, and `id` must tell them apart.
        shape = map_state(torch.clone, self.model.initial(rows))
        by_place = {id(place): f"{number}" for number, place in enumerate(walk_tensors(shape))}
        self._state = map_state(
            lambda place: _checked(tensors, by_place[id(place)], place).to(self.device), shape
        )


def _checked(tensors: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """Return a saved tensor. Raises ValueError if its shape or type differs from `like`."""
    found = tensors[name]
    if found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError(
            f"{name} is {list(found.shape)} of {found.dtype}, not {list(like.shape)} of "
            f"{like.dtype}"
        )
    return found


def _optimiser(network: nn.Module, settings: AdamWSettings | SGDSettings) -> torch.optim.Optimizer:
    """Make the optimiser, with weight decay for matrices only."""
    matrices = [one for one in network.parameters() if one.requires_grad and one.dim() > 1]
    others = [one for one in network.parameters() if one.requires_grad and one.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if isinstance(settings, SGDSettings):
        return torch.optim.SGD(
            groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True
        )
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(settings.momentum, settings.beta2), fused=True
    )


def train_again(network: Predictor, feed: Feed, updates: int, settings: TrainingSettings) -> None:
    """Train a network with a number of updates, without validation, and load averaged weights."""
    learner = GradientLearner(network, settings, choose_device(settings.hardware))
    batches = chain.from_iterable(map(feed.epoch, count()))
    for done, batch in enumerate(islice(batches, updates)):
        learner.update(batch, scale(done, updates, LoopState().plateau, settings.schedule))
    with learner.evaluation_mode():
        averaged = learner.arrays()
    learner.load(averaged)
    learner.network.eval()
