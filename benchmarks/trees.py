"""Speed of training recursive networks: level by level in a batch, against node by node.

Both ways compute the loss of every labelled node of a batch, and its gradient; `apart` is the
largest difference of a node's units between them. Run `python benchmarks/trees.py [FILE of
bracketed trees] [--write]`; without a file it takes the demo `ast`, whose nodes have more than two
children, so child_sum alone reads them. Rounds are interleaved; figures are medians in milliseconds
of processor time, on one thread.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import torch
from tables import conditions, medians, write_table
from torch import Tensor
from torch.nn import functional as F

from ensue.batch import Batch
from ensue.data.codecs import TreeCodecSettings
from ensue.data.contract import SILENT
from ensue.data.feeds import ExampleFeed
from ensue.data.labelled_examples import LabelledSettings
from ensue.data.labelled_parts import prepare_labelled
from ensue.data.readers.trees import Trees
from ensue.models.tree import TreeModel, TreeSettings
from ensue.tasks.demos import write_demo

CELLS = ("binary", "child_sum", "plain")


def one_after_the_other(
    model: TreeModel, words: dict[str, list[int]], parents: list[int]
) -> Tensor:
    """Give the units of the nodes of one tree, (nodes, width), each computed when its children
    are."""
    cell, width = model.settings.cell, model.settings.width
    children: list[list[int]] = [[] for _ in parents]
    for node, parent in enumerate(parents):
        if parent >= 0:
            children[parent].append(node)
    h: list[Tensor] = []
    c: list[Tensor] = []
    zero = model.word.bias.new_zeros(width)
    for node, below in enumerate(children):
        known = [table.weight[words[name][node]] for name, table in model.tables.items()]
        gates = model.word(sum(known)) if words["symbol"][node] else model.word.bias
        if cell == "plain":
            both = (
                model.child(torch.cat([*(h[one] for one in below), zero, zero][:2])) if below else 0
            )
            h.append(torch.tanh(gates + both))
            continue
        keep, write, new, show = gates.chunk(4)
        keeps: list[Tensor] = []
        if below and cell == "binary":
            *keeps, a, b, d = model.child(torch.cat([*(h[one] for one in below), zero][:2])).chunk(
                5
            )
            write, new, show = write + a, new + b, show + d
        elif below:
            together = torch.stack([h[one] for one in below]).sum(0)
            a, b, d = F.linear(together, model.child.weight[width:]).chunk(3)
            keeps = [F.linear(h[one], model.child.weight[:width]) for one in below]
            write, new, show = write + a, new + b, show + d
        memory = torch.sigmoid(write) * torch.tanh(new)
        for one, forget in zip(below, keeps, strict=False):
            memory = memory + torch.sigmoid(forget + keep) * c[one]
        c.append(memory)
        h.append(torch.sigmoid(show) * torch.tanh(memory))
    return torch.stack(h)


def cost(model: TreeModel, units: Tensor, label: Tensor) -> Tensor:
    """Give the nats of all nodes that have a label."""
    return model.head.nats(units[label > 0], label[label > 0] - 1).sum()


def level_by_level(model: TreeModel, batch: Batch[Tensor]) -> None:
    """Learn a batch as ensue does."""
    model.zero_grad()
    cost(model, model.units(batch), batch["label"]).backward()


def node_by_node(model: TreeModel, batch: Batch[Tensor]) -> None:
    """Learn a batch tree after tree."""
    model.zero_grad()
    for row, length in enumerate(batch.lengths.tolist()):
        words, parents = tree_of(model, batch, row)
        cost(
            model, one_after_the_other(model, words, parents), batch["label"][row, :length]
        ).backward()


def tree_of(
    model: TreeModel, batch: Batch[Tensor], row: int
) -> tuple[dict[str, list[int]], list[int]]:
    """Give the ids of the words of one tree by field, and the parents of its nodes."""
    length = int(batch.lengths[row])
    words = {name: batch[name][row, :length].tolist() for name in model.tables}
    return words, batch["parent"][row, :length].tolist()


def apart(model: TreeModel, batch: Batch[Tensor]) -> float:
    """Give the largest difference between the two ways."""
    found = 0.0
    units = model.units(batch)
    for row, length in enumerate(batch.lengths.tolist()):
        words, parents = tree_of(model, batch, row)
        alone = one_after_the_other(model, words, parents)
        found = max(found, float((units[row, :length] - alone).abs().max().detach()))
    return found


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or write_demo("ast", Path(folder))
        readers = {"all": Trees().build([path])}
        parts = prepare_labelled(
            readers, LabelledSettings(reader=Trees()), TreeCodecSettings(), 1, SILENT
        )
        feed = ExampleFeed(parts["train"], options.rows, seed=1)
        batches = [
            batch.map(torch.as_tensor)
            for _, batch in zip(range(options.batches), feed.epoch(0), strict=False)
        ]
    nodes = statistics.mean(int(batch.lengths.sum()) for batch in batches)
    lines = [
        f"{options.rows} trees a batch, {nodes:,.0f} nodes in the mean; {conditions()}.",
        "",
        "| cell | level by level, ms | node by node, ms | times faster | apart |",
        "|---|---|---|---|---|",
    ]
    for cell in CELLS if parts.content.shape.children == 2 else ("child_sum",):
        torch.manual_seed(1)
        settings = TreeSettings(cell=cell, input_dropout=0.0, output_dropout=0.0)
        model = settings.build(parts.content.shape, parts.labels.kind, parts.labels.size)
        ways = {
            way.__name__: lambda way=way, model=model: [way(model, batch) for batch in batches]
            for way in (level_by_level, node_by_node)
        }
        quick, slow = (taken / len(batches) for taken in medians(ways, options.rounds).values())
        gap = max(apart(model, batch) for batch in batches)
        lines.append(f"| {cell} | {quick:.1f} | {slow:.0f} | {slow / quick:.1f} | {gap:.0e} |")
        print(lines[-1], flush=True)
    print("\n".join(lines))
    if options.write:
        write_table("trees", lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", help="bracketed trees, one a line")
    parser.add_argument("--rows", type=int, default=25, help="trees in a batch")
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into docs/results.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
