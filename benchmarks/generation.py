"""Speed of generation: ensue's compiled ticks against common and optimised torch code.

Every way reads a symbol, runs the network, and draws the next one. `nn.LSTM` is called once a step,
`LSTMCell` is a stack of cells, `loop` torch's cell or, where it has none, a careful loop by hand,
`onnxruntime` runs one step (if it is installed, with onnx). Reading the weights alone is the roof,
at the bandwidth of memory of that size.

Run `python benchmarks/generation.py [--threads N] [--write]`. Rounds are interleaved, so that a
busy moment meets all alike; figures are medians in microseconds per symbol and stream, on one
thread in the time of the processor.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tables import conditions, medians, write_table
from torch import Tensor, nn

from ensue.decoding.rollout import rollout
from ensue.decoding.sampling import SamplingSettings
from ensue.decoding.stepper import Rules
from ensue.layers import RecurrentSettings
from ensue.models.compiled import Compiled, compile_model
from ensue.models.quantisation import quantise
from ensue.models.sequence import SequenceModel, SequenceSettings

SIZE, EMBEDDING = 65, 64
USER_CELL = '''
from ensue.cells.algebra import sigmoid, tanh
from ensue.cells.contract import Cell


class Blend(Cell):
    """A cell of a user's own: two candidates, blended."""

    states = ("h",)
    gates = ("blend", "one", "other")

    def equation(self, gate, state, weight):
        share = sigmoid(gate.blend)
        return {"h": share * tanh(gate.one) + (1 - share) * sigmoid(gate.other) * state.h}
'''
Tick = Callable[[Tensor, list[Tensor]], list[Tensor]]


def network(cell: str, width: int, depth: int) -> SequenceModel:
    settings = SequenceSettings(
        embedding=EMBEDDING, body=RecurrentSettings(cell=cell, width=width, depth=depth)
    )
    return settings.build(SIZE).eval()


def ours(model: SequenceModel, streams: int = 1) -> Callable[[int], None]:
    def write(symbols: int) -> None:
        rules = Rules(symbols, np.ones(SIZE, dtype=bool), None)
        for _ in rollout(
            model, [np.zeros(0, np.int64)] * streams, SamplingSettings(), rules, seed=1
        ):
            pass

    return write


class Plain(nn.Module):
    """What users write around a step: an embedding before it, a linear map, a softmax and a draw
    behind it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.table, self.linear = nn.Embedding(SIZE, EMBEDDING), nn.Linear(features, SIZE)

    def loop(self, symbols: int, step: Callable[[Tensor], Tensor]) -> None:
        symbol = torch.zeros(1, dtype=torch.long)
        with torch.inference_mode():
            for _ in range(symbols):
                scores = self.linear(step(self.table(symbol)))
                symbol = torch.multinomial(torch.softmax(scores, -1), 1)[:, 0]
                symbol.item()


def module(kind: type[nn.RNNBase], width: int, depth: int) -> Callable[[int], None]:
    net, plain, state = kind(EMBEDDING, width, depth), Plain(width), [None]

    def step(x: Tensor) -> Tensor:
        y, state[0] = net(x[None], state[0])
        return y[0]

    return lambda symbols: plain.loop(symbols, step)


def cells(kind: type[nn.RNNCellBase], width: int, depth: int) -> Callable[[int], None]:
    made = [kind(width if layer else EMBEDDING, width) for layer in range(depth)]
    plain, states = Plain(width), [None] * depth

    def step(x: Tensor) -> Tensor:
        for layer, cell in enumerate(made):
            states[layer] = cell(x, states[layer])
            x = states[layer][0] if isinstance(states[layer], tuple) else states[layer]
        return x

    return lambda symbols: plain.loop(symbols, step)


def by_hand(
    gates: int, tick: Callable[..., tuple[Tensor, ...]], width: int, states: int
) -> Callable[[int], None]:
    """What a careful person writes for one layer of a cell that torch has not."""
    inputs, recurrent, plain = (
        nn.Linear(EMBEDDING, gates * width),
        nn.Linear(width, gates * width),
        Plain(width),
    )
    more, weights = nn.Linear(EMBEDDING, width), torch.randn(3, width)
    held = [torch.zeros(1, width)] * states
    recurrent_small = nn.Linear(width, width, bias=False)

    def step(x: Tensor) -> Tensor:
        held[:] = tick(inputs(x), recurrent, more, recurrent_small, weights, x, *held)
        return held[0]

    return lambda symbols: plain.loop(symbols, step)


def peephole(
    a: Tensor,
    u: nn.Linear,
    _m: nn.Linear,
    _s: nn.Linear,
    w: Tensor,
    _x: Tensor,
    h: Tensor,
    c: Tensor,
):
    write, keep, new, show = (a + u(h)).chunk(4, 1)
    c = torch.sigmoid(keep + w[0] * c) * c + torch.sigmoid(write + w[1] * c) * torch.tanh(new)
    return torch.sigmoid(show + w[2] * c) * torch.tanh(c), c


def mlstm(
    a: Tensor, u: nn.Linear, m: nn.Linear, s: nn.Linear, _w: Tensor, x: Tensor, h: Tensor, c: Tensor
):
    write, keep, new, show = (a + u(m(x) * s(h))).chunk(4, 1)
    c = torch.sigmoid(keep) * c + torch.sigmoid(write) * torch.tanh(new)
    return torch.sigmoid(show) * torch.tanh(c), c


def blend(a: Tensor, u: nn.Linear, _m: nn.Linear, _s: nn.Linear, _w: Tensor, _x: Tensor, h: Tensor):
    share, one, other = (a + u(h)).chunk(3, 1)
    share = torch.sigmoid(share)
    return (share * torch.tanh(one) + (1 - share) * torch.sigmoid(other) * h,)


def onnx(width: int) -> Callable[[int], None] | None:
    """A step of one LSTM in onnxruntime, its loop and draw in NumPy; None if it is not
    installed."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    draws = np.random.default_rng(1)
    shapes = {
        "E": (SIZE, EMBEDDING),
        "W": (1, 4 * width, EMBEDDING),
        "R": (1, 4 * width, width),
        "B": (1, 8 * width),
    }
    shapes |= {"V": (width, SIZE), "b": (SIZE,)}
    held = [
        numpy_helper.from_array(draws.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    held.append(numpy_helper.from_array(np.array([1, width]), "flat"))
    nodes = [
        helper.make_node("Gather", ["E", "id"], ["x"]),
        helper.make_node(
            "LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "h1", "c1"], hidden_size=width
        ),
        helper.make_node("Reshape", ["h1", "flat"], ["f"]),
        helper.make_node("Gemm", ["f", "V", "b"], ["s"]),
        helper.make_node("Softmax", ["s"], ["p"]),
    ]
    state, f32 = (1, 1, width), TensorProto.FLOAT
    given = [helper.make_tensor_value_info("id", TensorProto.INT64, (1, 1))]
    given += [helper.make_tensor_value_info(name, f32, state) for name in "hc"]
    gives = [helper.make_tensor_value_info("p", f32, (1, SIZE))]
    gives += [helper.make_tensor_value_info(name, f32, state) for name in ("h1", "c1")]
    graph = helper.make_graph(nodes, "step", given, gives, held)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)

    def write(symbols: int) -> None:
        id, h, c = (
            np.zeros((1, 1), np.int64),
            np.zeros(state, np.float32),
            np.zeros(state, np.float32),
        )
        for _ in range(symbols):
            p, h, c = session.run(None, {"id": id, "h": h, "c": c})
            id[0, 0] = np.searchsorted(np.cumsum(p[0]), draws.random() * p[0].sum())

    return write


def reading(size: int, threads: int) -> float:
    """Give the seconds that it takes to read so many bytes once more, all threads at once."""
    parts = [np.ones(max(size // 8 // threads, 1), np.int64) for _ in range(threads)]
    times = max(1, 20_000_000 // size)

    def read(part: np.ndarray) -> None:
        for _ in range(times):
            part.max()

    with ThreadPoolExecutor(threads) as pool:
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            list(pool.map(read, parts))
            seconds.append((time.perf_counter() - start) / times)
    return statistics.median(seconds)


class Table:
    """Rows of microseconds per symbol and stream."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.lines = [
            "| network | microseconds a symbol | others | against each |",
            "|---|---|---|---|",
        ]

    def add(
        self,
        title: str,
        own: dict[str, Callable[[int], None]],
        others: dict[str, Callable[[int], None]],
        symbols: int,
    ) -> None:
        """Time ensue's ways, each "NAME" or "NAME, N streams", and those of others."""
        ways = {name: partial(way, symbols) for name, way in (own | others).items()}
        streams = {name: int(name.split()[-2]) if name.endswith("streams") else 1 for name in ways}
        cost = {
            name: 1000 * took / symbols / streams[name]
            for name, took in medians(ways, self.rounds).items()
        }
        first = next(iter(own))
        for name in own:
            compared = {other: cost[other] for other in others} | (
                {} if name == first else {first: cost[first]}
            )
            figures = "; ".join(f"{other} {one:.1f}" for other, one in compared.items())
            factors = "; ".join(f"{one / cost[name]:.1f} x" for one in compared.values())
            self.lines.append(f"| {title}, {name} | {cost[name]:.1f} | {figures} | {factors} |")
            print(self.lines[-1], flush=True)

    def add_roofs(self, model: SequenceModel, title: str, threads: int) -> None:
        """Say how long reading the weights alone takes."""
        numbers = sum(
            p.numel()
            for name, p in model.named_parameters()
            if p.dim() == 2 and ".0.equation/in" not in name
        )
        for weights, each in (("fp32", 4), ("bf16", 2), ("int8", 1)):
            seconds = reading(numbers * each, threads)
            rate = f"{numbers * each / 1e6:.1f} MB at {numbers * each / seconds / 1e9:.0f} GB/s"
            self.lines.append(
                f"| {title}, {weights}: reading alone | {seconds * 1e6:.1f} | {rate} | |"
            )
            print(self.lines[-1], flush=True)


def lstm_512(table: Table, threads: int) -> None:
    model = network("lstm", 512, 3)
    narrow = {weights: quantise(model, weights) for weights in ("bf16", "int8")}
    own = {"fp32": ours(model)} | {weights: ours(one) for weights, one in narrow.items()}
    own |= {"fp32, 16 streams": ours(model, 16), "int8, 16 streams": ours(narrow["int8"], 16)}
    others = {"nn.LSTM": module(nn.LSTM, 512, 3), "LSTMCell": cells(nn.LSTMCell, 512, 3)}
    table.add("LSTM 512 x 3", own, others, 64)
    assert isinstance(compile_model(model), Compiled)
    table.add_roofs(model, "LSTM 512 x 3", threads)


def small_cells(table: Table, width: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "blend.py"
        own.write_text(USER_CELL)
        users = network(str(own), width, 1)
    model, found = network("lstm", width, 1), onnx(width)
    others = {"nn.LSTM": module(nn.LSTM, width, 1), "LSTMCell": cells(nn.LSTMCell, width, 1)}
    streams = {"fp32": ours(model), "fp32, 16 streams": ours(model, 16)}
    table.add(f"LSTM {width}", streams, others | ({"onnxruntime": found} if found else {}), 1000)
    table.add_roofs(model, f"LSTM {width}", threads)
    loops = {
        "GRU": (network("gru", width, 1), cells(nn.GRUCell, width, 1)),
        "tanh": (network("tanh", width, 1), cells(nn.RNNCell, width, 1)),
        "peephole": (network("peephole", width, 1), by_hand(4, peephole, width, 2)),
        "mlstm": (network("mlstm", width, 1), by_hand(4, mlstm, width, 2)),
        "a user's cell": (users, by_hand(3, blend, width, 1)),
    }
    for name, (model, loop) in loops.items():
        table.add(f"{name} {width}", {"fp32": ours(model)}, {"loop": loop}, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--write", action="store_true", help="put the table into docs/results.md")
    chosen = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(chosen.threads)
    table = Table(chosen.rounds)
    lstm_512(table, chosen.threads)
    small_cells(table, 128, chosen.threads)
    table.lines += ["", f"{time.strftime('%Y-%m-%d')}: {conditions()}."]
    print(table.lines[-1])
    if chosen.write:
        write_table(
            "generation" if chosen.threads == 1 else f"generation on {chosen.threads} threads",
            table.lines,
        )


if __name__ == "__main__":
    main()
