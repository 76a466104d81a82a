"""A tiny training that can be killed anywhere: a network with dropout, a feed of streams, and a
driver.

As a program it is given jobs as JSON: [[folder, [kill, ...], fault], ...]. Each kill is a process
of its own that takes up the run and is killed -9 at the given place; at last one goes on to the
end. It forks, so torch is imported once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

import ensue.training.gradient as by_gradient_module
from ensue.batch import Batch
from ensue.models.contract import Autoregressive
from ensue.settings import read
from ensue.state import State
from ensue.training.contract import Event
from ensue.training.fit import fit
from ensue.training.folder.run import Run
from ensue.training.gradient import GradientLearner
from ensue.training.settings import TrainingSettings

SIZE, ROWS, STEPS = 5, 4, 7
SETTINGS = {
    "steps": 45,
    "evaluate_every": 6,
    "report_every": 4,
    "ema_decay": 0.9,
    "schedule": {"name": "plateau", "patience": 0, "warmup": 5},
    "optimiser": {"learning_rate": 0.03},
}


class TinyNetwork(nn.Module, Autoregressive):
    parameter_count = 0

    def __init__(self, dropout: float = 0.2, width: int = 6) -> None:
        super().__init__()
        self.size, self.width = SIZE, width
        self.embed = nn.Embedding(SIZE + 1, 4)
        self.drop = nn.Dropout(dropout)
        self.body = nn.GRU(4, width, batch_first=True)
        self.head = nn.Linear(width, SIZE)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        return (self.embed.weight.new_zeros(batch_size, self.width),)

    def forward(self, inputs: Tensor, state: Any, lengths: Tensor | None = None) -> Any:
        out, last = self.body(self.drop(self.embed(inputs)), state[0][None].contiguous())
        return Categorical(logits=self.head(self.drop(out))), (last[0],)

    __call__ = nn.Module.__call__  # type: ignore[assignment]

    def arrays(self) -> Mapping[str, np.ndarray]:
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


class TinyStreams:
    """Contiguous streams whose state is carried from batch to batch, and from each epoch's end
    to nowhere."""

    unit = "symbols"

    def __init__(self, batches: int = 11, seed: int = 0) -> None:
        length = batches * STEPS
        walk = np.random.default_rng(seed).choice([1, 1, 1, 2], size=(ROWS, length + 1)).cumsum(1)
        self.ids = (walk % SIZE).astype(np.int64)

    def __len__(self) -> int:
        return (self.ids.shape[1] - 1) // STEPS

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[np.ndarray]]:
        for index in range(first, len(self)):
            cut = slice(index * STEPS, (index + 1) * STEPS)
            before = self.ids[:, cut].copy()
            if index == 0:
                before[:, 0] = SIZE
            fields = {"input": before, "target": self.ids[:, cut.start + 1 : cut.stop + 1]}
            yield Batch(fields, np.full(ROWS, STEPS), np.full(ROWS, index == 0))


def validation_loss(network: TinyNetwork, feed: TinyStreams) -> float:
    nats, count, state = 0.0, 0, None
    for batch in feed.epoch(0):
        loss, state = network.loss(batch.map(torch.tensor), state)
        nats, count = nats + float(loss.nats.double().sum()), count + int(loss.count.sum())
    return nats / count


def likeliest(network: TinyNetwork) -> tuple[str, float]:
    symbol, state, text, nats = torch.tensor([[SIZE]]), network.initial(1), "", 0.0
    for _ in range(8):
        chances, state = network(symbol, state)
        symbol = chances.probs.argmax(-1)
        text, nats = text + str(int(symbol)), nats - float(chances.log_prob(symbol))
    return text, nats


def train(
    path: Path, values: Mapping[str, Any] = SETTINGS, seed: int = 1, on_event: Any = None
) -> Any:
    """Begin the run, or take it up where it was left."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    settings = read(TrainingSettings, values)
    network, feed = TinyNetwork(), TinyStreams()
    learner = GradientLearner(network, settings, torch.device("cpu"))
    begun = (path / "run.toml").exists()

    def nothing(event: Event) -> None: ...

    with Run.resume(path) if begun else Run.create(path, {"seed": seed}) as run:
        tune = TinyStreams(3, seed=9)
        return fit(
            learner,
            feed,
            settings,
            run,
            validate=lambda: validation_loss(network, tune),
            sample=lambda: likeliest(network),
            on_event=on_event or nothing,
        )


def arm(kill: str) -> None:
    """Make this process kill itself at the n-th time of something: "update:17", "fsync:4",
    "torn:2", ..."""
    place, _, number = kill.partition(":")
    left = int(number)

    def strike(at: str) -> bool:
        nonlocal left
        left -= at == place
        return at == place and left == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    true_update, true_fsync, true_replace = GradientLearner.update, os.fsync, os.replace

    def update(self: Any, batch: Any, scale: float) -> Any:
        if strike("update"):
            die()
        return true_update(self, batch, scale)

    def fsync(descriptor: int) -> None:
        if strike("fsync"):
            die()
        true_fsync(descriptor)

    def replace(old: Any, new: Any) -> None:
        if strike("torn"):  # half of the new file was written
            os.truncate(old, os.stat(old).st_size // 2)
            die()
        if strike("replace"):
            die()
        true_replace(old, new)
        if strike("replaced"):
            die()

    GradientLearner.update, os.fsync, os.replace = update, fsync, replace  # type: ignore[method-assign]


def plant(fault: str) -> None:
    """Break resuming on purpose, to see that the test notices."""
    if fault == "random":
        by_gradient_module.set_random_state = lambda state, device: None
    elif fault == "state":
        GradientLearner._restore_state = lambda self, tensors, rows: None  # type: ignore[method-assign]
    elif fault == "moments":
        GradientLearner._restore_moments = lambda self, tensors: None  # type: ignore[method-assign]
    elif fault == "logs":
        import ensue.training.folder.run as run_module

        run_module.Run._cut_logs = lambda run: None
    elif fault:
        raise ValueError(fault)


def in_a_process_of_its_own(path: Path, kill: str | None, fault: str) -> None:
    child = os.fork()
    if child == 0:
        try:
            plant(fault)
            if kill:
                arm(kill)
            train(path)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    expected = -signal.SIGKILL if kill else 0
    if os.waitstatus_to_exitcode(status) != expected:
        sys.exit(
            f"{path.name}, kill {kill}: ended with {os.waitstatus_to_exitcode(status)}, "
            f"not {expected}"
        )


if __name__ == "__main__":
    for folder, kills, fault in json.loads(sys.argv[1]):
        for kill in [*kills, None]:
            in_a_process_of_its_own(Path(folder), kill, fault)
