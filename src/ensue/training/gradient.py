"""Learning by gradient: forward, backward, clip, step."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite, nan

import numpy as np
import torch
from torch import Tensor, nn

from ensue.batch import Batch
from ensue.models.contract import Autoregressive, Loss, Predictor
from ensue.state import State, detach, map_state, walk_tensors
from ensue.training.contract import Learner, Snapshot, Update
from ensue.training.devices import random_state, set_random_state, to_device
from ensue.training.failure import NonFiniteError, diagnose
from ensue.training.settings import OptimiserSettings, TrainingSettings

LEAST_SCALE = 1e-3
"""fp16 halves its loss scale while gradients overflow; below this they overflow for another
reason."""


class GradientLearner(Learner):
    """Teach a network by back-propagation, truncated where a batch ends; the state goes on to the
    next batch.

    The objective of a batch is sum(weight * nats) / sum(weight * count), in nats per symbol, and
    adds the rows' `extra` to their nats. It is computed in `parts` groups of rows whose gradients
    add up to that of the whole.
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
        kept = self.network.named_parameters() if settings.ema_decay else ()
        self._average = {name: parameter.detach().clone() for name, parameter in kept}

    def update(self, batch: Batch[np.ndarray], scale: float) -> Update:
        """Learn from one batch. Raises NonFiniteError, and leaves the weights as they were, if
        the numbers break."""
        start = None if batch.fresh.all() else self._state
        total = max(float((batch.weight * batch.counts).sum()), 1e-9)
        everything = np.arange(len(batch.lengths))
        try:
            nats, state = self._gradient(batch, start, everything, total)
            norm = self._clip()
        except ValueError:  # a distribution refuses parameters that are not finite
            nats, state, norm = nan, None, nan
        overflow = self._half is torch.float16 and self._scaler.get_scale() > LEAST_SCALE
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
        """Compute the gradient, part after part, and give the nats of all rows and the state
        after them."""
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
        """Give the part of the batch's objective that some of its rows make up."""
        part = to_device(batch.map(lambda array: array[rows]), self.device)
        index = torch.tensor(rows, device=self.device)
        state = (
            None
            if state is None
            else map_state(lambda tensor: tensor.index_select(0, index), state)
        )
        with torch.autocast(self.device.type, self._half, enabled=self._half is not None):
            loss, state = self.model.loss(part, state)
        cost = loss.nats if loss.extra is None else loss.nats + loss.extra
        return (cost * part.weight).sum() / total, loss, state

    def _clip(self) -> float:
        """Shorten the gradient to the longest that is let through, and give its length before
        that."""
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
        # a young average forgets faster, or it would remember the random start
        keep = min(self.settings.ema_decay, (1 + self._updates) / (10 + self._updates))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters() if self._average else ():
                self._average[name].lerp_(parameter, 1 - keep)

    def finish(self) -> None:
        """Nothing is left to do: each update has done its part."""

    @contextmanager
    def as_used(self) -> Generator[None, None, None]:
        """Within, the network has its averaged weights, if any, and no dropout."""
        self._swap()
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.network.train()
            self._swap()

    def _swap(self) -> None:
        """Exchange the weights and their average."""
        for name, parameter in self.network.named_parameters() if self._average else ():
            parameter.data, self._average[name] = self._average[name], parameter.data

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the weights, copied. Raises NonFiniteError if they are not finite."""
        for name, parameter in self.network.named_parameters():
            if not torch.isfinite(parameter).all():
                raise NonFiniteError(name, "weights that are not finite")
        return {name: np.array(array) for name, array in self.model.arrays().items()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over weights."""
        self.model.load(arrays)

    def snapshot(self) -> Snapshot:
        """Give weights, averages, the optimiser's moments, the carried state and the random
        numbers' state."""
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
        """Go back to where `snapshot` was taken, with the same bits. Raises ValueError where it
        is that of another."""
        self._updates = snapshot.values["updates"]
        if type(self._updates) is not int or self._updates < 0:
            raise ValueError("the number of updates is none")
        if snapshot.values["scaler"]:
            self._scaler.load_state_dict(snapshot.values["scaler"])
        with torch.no_grad():
            for name, tensor in self._weights():
                tensor.copy_(_alike(snapshot.tensors, f"weight/{name}", tensor))
            for name, tensor in self._average.items():
                tensor.copy_(_alike(snapshot.tensors, f"average/{name}", tensor))
        self._restore_moments(_under("moment/", snapshot.tensors))
        self._restore_state(_under("state/", snapshot.tensors), snapshot.values["rows"])
        set_random_state(_under("random/", snapshot.tensors), self.device)

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        yield from self.network.named_parameters()
        yield from self.network.named_buffers()

    def _restore_moments(self, tensors: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = [one for group in self._optimiser.param_groups for one in group["params"]]
        known = (
            ("momentum_buffer",)
            if self.settings.optimiser.name == "sgd"
            else ("step", "exp_avg", "exp_avg_sq")
        )
        for name in tensors:
            number, _, moment = name.partition("/")
            # An optimiser reads and writes as many numbers as the weights have, whatever there is.
            like = torch.zeros(()) if moment == "step" else parameters[int(number)]
            moments.setdefault(int(number), {})[moment] = _alike(tensors, name, like).clone()
        if any(set(one) != set(known) for one in moments.values()) or min(moments, default=0) < 0:
            raise ValueError("the moments are those of another optimiser")
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def _restore_state(self, tensors: Mapping[str, Tensor], rows: int) -> None:
        """Put the carried tensors into the model's state structure, as `walk_tensors` orders."""
        if not rows:
            self._state = None
            return
        if not isinstance(self.model, Autoregressive) or any(
            len(one) != rows for one in tensors.values()
        ):
            raise ValueError(f"the state that is carried is not that of {rows} rows")
        shape = map_state(
            torch.clone, self.model.initial(rows)
        )  # cloned, because two places may hold one tensor
        by_place = {id(place): f"{number}" for number, place in enumerate(walk_tensors(shape))}
        self._state = map_state(
            lambda place: _alike(tensors, by_place[id(place)], place).to(self.device), shape
        )


def _alike(tensors: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """Give a saved tensor. Raises ValueError unless it is of the shape and type that it had."""
    found = tensors[name]
    if found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError(
            f"{name} is {list(found.shape)} of {found.dtype}, not {list(like.shape)} of "
            f"{like.dtype}"
        )
    return found


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _optimiser(network: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Make the optimiser; only matrices decay."""
    matrices = [one for one in network.parameters() if one.requires_grad and one.dim() > 1]
    others = [one for one in network.parameters() if one.requires_grad and one.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.name == "sgd":
        return torch.optim.SGD(
            groups, lr=settings.learning_rate, momentum=settings.momentum, fused=True
        )
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(settings.momentum, settings.beta2), fused=True
    )
