"""Single steps of recurrent networks, run by the compiled kernels where these are installed."""

from __future__ import annotations

from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from ensue.engine.native import operation
from ensue.engine.step.layer import Source, add_layer
from ensue.engine.step.network import Network, Ticks
from ensue.heads import Categorical as CategoricalHead
from ensue.layers import Recurrent
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.parameters import WrapperMixin
from ensue.models.sequence import SequenceModel
from ensue.native import fingerprint, library
from ensue.state import State

_packed: WeakKeyDictionary[SequenceModel, tuple[list[int], Ticks]] = WeakKeyDictionary()
"""Packed weights of each network, and fingerprints of the parameters that they were packed from."""


class Compiled(WrapperMixin, Autoregressive):
    """A network whose single steps run on packed weights; longer inputs go to the network itself.

    Weights stay as they were when packed.
    """

    def __init__(self, network: SequenceModel, ticks: Ticks) -> None:
        self.size, self.model, self.ticks = network.size, network, ticks

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the network's state before any input."""
        return self.model.initial(batch_size, context)

    def __call__(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Map inputs (batch, time) to the distribution of the next symbol."""
        if inputs.dim() != 2 or inputs.shape[1] != 1 or lengths is not None:
            return self.model(inputs, state, lengths)
        memory = self.ticks.memory(state, len(inputs))
        log_probs = self.ticks.predict(memory, inputs[:, 0].numpy())
        logits = torch.from_numpy(log_probs)[:, None]
        return Categorical(logits=logits, validate_args=False), self.ticks.state(memory)


def compile_model(model: Autoregressive) -> Autoregressive:
    """Return the model with its network compiled, alone or in a mixture; else the model itself.

    Weights are packed once, and again when a parameter has changed.
    """
    if isinstance(model, Mixture):
        network = compile_model(model.network)
        return model if network is model.network else Mixture(network, model.ngram, model.weights)
    if not isinstance(model, SequenceModel):
        return model
    parameters = list(model.parameters())
    return Compiled(model, _ticks(model, parameters)) if _is_supported(model, parameters) else model


def _is_supported(network: SequenceModel, parameters: list[nn.Parameter]) -> bool:
    if library() is None or network.training or not isinstance(network.body, Recurrent):
        return False
    if any(one.dtype != torch.float32 or one.device.type != "cpu" for one in parameters):
        return False
    return all(operation(node.op) >= 0 for node in network.body.program.nodes if node.args)


def _ticks(network: SequenceModel, parameters: list[nn.Parameter]) -> Ticks:
    # Not torch's count of changes, which an averaged weight that is exchanged by its data leaves as
    # it was.
    dense = [parameter.detach().contiguous() for parameter in parameters]
    prints = [fingerprint(one.data_ptr(), 4 * one.numel()) for one in dense]
    packed = _packed.get(network)
    if packed is None or packed[0] != prints:
        with torch.no_grad():
            packed = _packed[network] = prints, _compile(network)
    return packed[1]


def _compile(network: SequenceModel) -> Ticks:
    tick, body = Network(network.weights), cast(Recurrent, network.body)
    table = torch.eye(network.size + 1) if network.table is None else network.table.weight
    y = _write_layers(tick, body, Source(table=table))
    return Ticks(tick, _write_head(tick, cast(CategoricalHead, network.head), y), network.size)


def _write_layers(tick: Network, body: Recurrent, source: Source) -> int:
    """Write down all layers as Recurrent.forward computes them; return the output's place."""
    stream = y = -1
    for depth, cell in enumerate(body.cells):
        values = dict(cast(nn.ParameterDict, cell).items())
        if body.settings.zoneout:
            values |= {
                f"zone/{name}": torch.full((body.units(name),), body.settings.zoneout)
                for name in body.program.states
            }
        path = add_layer(
            tick, body.program, values, body.settings.width, Source(y) if depth else source
        )
        if depth and body.settings.residual:
            added = tick.row(body.width)
            tick.stage(body.width, [], ("add", added, (stream, path)))
            stream = added
        else:
            stream = path
        y = stream
        if body.norms:
            norm = cast(nn.LayerNorm, body.norms[depth])
            y = tick.normalise(stream, norm.weight, norm.bias)
    return y


def _write_head(tick: Network, head: CategoricalHead, y: int) -> int:
    """Write down the head as Categorical.scores computes it."""
    scores = tick.row(head.size)
    if head.table is None:
        matrix, bias = head.linear.weight, head.linear.bias
    else:
        matrix, bias = head.table.weight[: head.size], head.bias
        if head.change is not None:
            features = tick.row(head.table.embedding_dim)
            tick.stage(
                head.table.embedding_dim, [tick.product(head.change.weight, y, -1, features)]
            )
            y = features
    tick.stage(head.size, [tick.product(matrix, y, tick.shared(bias), scores)])
    return scores
