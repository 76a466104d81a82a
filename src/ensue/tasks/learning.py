"""Training a network that predicts, as every such task does it."""

from __future__ import annotations

import torch
from torch import nn

from ensue.data.batching import Wholes, in_order
from ensue.data.examples import Examples
from ensue.errors import Interrupted
from ensue.models.contract import Predictor
from ensue.training.by_gradient import ByGradient
from ensue.training.contract import Outcome, Watch
from ensue.training.devices import to_device
from ensue.training.fit import fit
from ensue.training.run import Run
from ensue.training.settings import TrainingSettings


def learn(
    run: Run,
    network: Predictor,
    training: TrainingSettings,
    device: torch.device,
    feed: Wholes,
    tune: Examples,
    watch: Watch,
) -> Outcome:
    """Train until the budget is spent; the weights with the least nats on the tune part are kept, in run and network.

    Raises Interrupted, once all is saved, where a person stopped it.
    """

    def validate() -> float:
        return mean_nats(network, tune, training.batching.rows, device)

    outcome = fit(ByGradient(network, training, device), feed, training, run, validate, None, watch)
    if outcome.how == "interrupted":
        raise Interrupted(f"interrupted and saved; go on with `{run.resuming}`")
    if isinstance(network, nn.Module):
        network.to("cpu" if device.type == "mps" else device).eval()
    return outcome


@torch.no_grad()
def mean_nats(network: Predictor, examples: Examples, rows: int, device: torch.device) -> float:
    """Give the nats of each thing that is to be predicted, in the mean."""
    nats, count = 0.0, 0
    for _, batch in in_order(examples, rows):
        loss, _ = network.loss(to_device(batch, device))
        nats, count = nats + float(loss.nats.cpu().double().sum()), count + int(batch.counts.sum())
    return nats / max(count, 1)
