"""Trees level by level against one node after the other, and brackets against what they say."""

import random
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ensue.batch import Batch
from ensue.data.codecs.tree import TreeCodec, TreeCodecSettings
from ensue.data.labelled import Fields
from ensue.data.readers.trees import FORM, Trees, parse_tree
from ensue.errors import DataError
from ensue.models.tree import TreeModel, TreeSettings
from ensue.models.tree_levels import plan_levels

Nested = st.recursive(
    st.integers(1, 7), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=8
)
Wide = st.recursive(
    st.integers(1, 7), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=8
)


def flat(tree) -> tuple[list[int], list[int]]:
    """Give symbol and parent of each node, children first."""
    symbols: list[int] = []
    parents: list[int] = []

    def add(node) -> int:
        children = [add(child) for child in node] if isinstance(node, list) else []
        symbols.append(0 if isinstance(node, list) else node)
        parents.append(-1)
        for child in children:
            parents[child] = len(parents) - 1
        return len(parents) - 1

    add(tree)
    return symbols, parents


def make_batch(trees: list) -> Batch[Tensor]:
    every = [flat(tree) for tree in trees]
    lengths = torch.tensor([len(symbols) for symbols, _ in every])
    symbol, parent = (
        torch.zeros(len(trees), int(lengths.max()), dtype=torch.long) for _ in range(2)
    )
    for row, (symbols, parents) in enumerate(every):
        symbol[row, : len(symbols)], parent[row, : len(parents)] = (
            torch.tensor(symbols),
            torch.tensor(parents),
        )
    return Batch(
        {"symbol": symbol, "parent": parent},
        lengths,
        torch.ones(len(trees)),
    )


def one_node_after_the_other(model: TreeModel, tree) -> Tensor:
    """The equations of Tai et al. 2015 (child-sum: 2 to 8; binary: 9 to 14 with N = 2) and
    Socher et al. 2011."""
    cell, width = model.settings.cell, model.settings.width
    zero = torch.zeros(width, dtype=model.tables["symbol"].weight.dtype)
    found: list[Tensor] = []

    def visit(node) -> tuple[Tensor, Tensor]:
        below = [visit(child) for child in node] if isinstance(node, list) else []
        x = model.word.bias if below else model.word(model.tables["symbol"].weight[node])
        if cell == "plain":
            both = [*[h for h, _ in below], zero, zero][:2]
            h, c = torch.tanh(x + model.child(torch.cat(both))), zero
        else:
            f, i, u, o = x.split(width)
            if cell == "binary":
                two = [*below, (zero, zero), (zero, zero)][:2]
                left, right, *others = model.child(torch.cat([h for h, _ in two])).split(width)
                keeps = [left, right]
            else:
                together = sum((h for h, _ in below), zero)
                two, others = below, F.linear(together, model.child.weight[width:]).split(width)
                keeps = [F.linear(h, model.child.weight[:width]) for h, _ in below]
            i, u, o = (a + b for a, b in zip((i, u, o), others, strict=True))
            c = torch.sigmoid(i) * torch.tanh(u)
            for keep, (_, old) in zip(keeps, two, strict=True):
                c = c + torch.sigmoid(keep + f) * old
            h = torch.sigmoid(o) * torch.tanh(c)
        found.append(h)
        return h, c

    visit(tree)
    return torch.stack(found)


def network(cell: str) -> TreeModel:
    torch.manual_seed(0)
    shape = Fields({"symbol": 8}, children=4 if cell == "child_sum" else 2)
    return (
        TreeSettings(cell=cell, embedding=3, width=4).build(shape, "multiclass", 3).double().eval()
    )


@pytest.mark.parametrize("cell", ["binary", "child_sum", "plain"])
def test_level_by_level_is_one_node_after_the_other(cell):
    @settings(deadline=None, max_examples=25)
    @given(trees=st.lists(Wide if cell == "child_sum" else Nested, min_size=1, max_size=4))
    def check(trees):
        model = network(cell)
        units = model.units(make_batch(trees))
        gradients = []
        alone = [one_node_after_the_other(model, tree) for tree in trees]
        for row, expected in enumerate(alone):
            torch.testing.assert_close(units[row, : len(expected)], expected, rtol=0, atol=1e-12)
            assert not units[row, len(expected) :].any()
        for sum_of in (units.square().sum(), sum(each.square().sum() for each in alone)):
            model.zero_grad()
            sum_of.backward()
            gradients.append(
                [
                    parameter.grad
                    for parameter in (model.tables["symbol"].weight, *model.child.parameters())
                ]
            )
        for one, other in zip(*gradients, strict=True):
            if one is not None and other is not None:
                torch.testing.assert_close(one, other, rtol=0, atol=1e-12)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["binary", "child_sum", "plain"])
def test_a_batch_is_learned_ten_times_faster_level_by_level(cell):
    dice = random.Random(1)

    def grown(leaves: int):
        cut = dice.randrange(1, leaves) if leaves > 1 else 0
        return [grown(cut), grown(leaves - cut)] if cut else dice.randrange(1, 900)

    trees = [grown(dice.randrange(10, 40)) for _ in range(25)]
    model = (
        TreeSettings(cell=cell).build(Fields({"symbol": 900}, children=2), "multiclass", 5).eval()
    )
    batch, seconds = make_batch(trees), {"together": [], "none": []}
    for _ in range(3):
        began = time.process_time()
        units = model.units(batch)
        units.square().sum().backward()
        seconds["together"].append(time.process_time() - began)
        began = time.process_time()
        alone = [one_node_after_the_other(model, tree) for tree in trees]
        sum(each.square().sum() for each in alone).backward()
        seconds["none"].append(time.process_time() - began)
    assert (
        max((units[row, : len(each)] - each).abs().max() for row, each in enumerate(alone)) < 1e-6
    )
    assert min(seconds["none"]) > 10 * min(seconds["together"])


@settings(deadline=None)
@given(trees=st.lists(Wide, min_size=1, max_size=5))
def test_levels_have_each_node_once_after_its_children(trees):
    batch = make_batch(trees)
    levels = plan_levels(batch["parent"].numpy(), batch.lengths.numpy())
    place = {node: number for number, level in enumerate(levels) for node in level.nodes.tolist()}
    assert len(place) == int(batch.lengths.sum()) == sum(len(level.nodes) for level in levels)
    time = batch["parent"].shape[1]
    for row, length in enumerate(batch.lengths.tolist()):
        for node, parent in enumerate(batch["parent"][row, :length].tolist()):
            assert parent < 0 or place[row * time + node] < place[row * time + parent]


def test_the_loss_is_that_of_the_root_and_beside_it_those_of_inner_nodes_with_a_label():
    model, batch = network("binary"), make_batch([[1, [2, 3]], 4])
    fields = {**batch.fields, "target": torch.tensor([1, 2]), "counted": torch.ones(2, 1)}
    fields["label"] = torch.tensor([[2, 0, 1, 0, 2], [3, 0, 0, 0, 0]])
    whole = Batch(fields, batch.lengths, batch.fresh)
    nats = -model(whole).logits.log_softmax(-1)
    loss, _ = model.loss(whole)
    assert not loss.penalties
    assert loss.count.tolist() == [1, 1]
    torch.testing.assert_close(loss.nats, torch.stack([nats[0, 4, 1], nats[1, 0, 2]]))
    model.settings = model.settings.model_copy(
        update={"input_dropout": 0.0, "output_dropout": 0.0, "inner": 0.5}
    )
    loss, _ = model.train().loss(whole)
    torch.testing.assert_close(
        loss.penalties["inner nodes"],
        torch.stack([0.5 * (nats[0, 0, 1] + nats[0, 2, 0]), nats.new_zeros(())]),
    )


def test_brackets_are_read(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_text("(3 (2 It) (4 (2 8\u00a01/2) (_ Lovely)))\n\n(1 bad)\n")
    first, second = Trees().build([path]).examples()
    assert first.content == {
        "word": ["It", "8\u00a01/2", "Lovely", "", ""],
        "parent": [4, 3, 3, 4, -1],
    }
    assert first.inner == ["2", "2", None, "4", "3"]
    assert (first.label, first.line, second.label, second.line) == ("3", 1, "1", 3)
    assert [example.inner for example in Trees(inner=False).build([path]).examples()] == [
        None,
        None,
    ]
    codec = TreeCodec.fit([first.content, second.content], TreeCodecSettings(min_count=1))
    assert TreeCodec.from_json(codec.to_json()).to_json() == codec.to_json()
    symbols = codec.encode(first.content)[0]["symbol"].tolist()
    assert [codec.known["symbol"][id - 2] if id > 1 else id for id in symbols] == [
        "it",
        "8\u00a01/2",
        "lovely",
        0,
        0,
    ]
    assert codec.encode("(_ (_ never) (9 It))")[0]["symbol"].tolist() == [1, symbols[0], 0]
    steps, _ = codec.encode("(_ (_ Loveliest) (_ (_ tricky) (_ never)))")
    known = {name: ["", "?", *codec.known[name]] for name in codec.known}
    assert [[known[name][id] for id in steps[name]] for name in known] == [
        ["?", "?", "?", "", ""],
        ["lovel", "?", "?", "", ""],
        ["?", "?", "?", "", ""],
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("(3 (2 It) (4 works)", "a bracket is never closed, at position 1"),
        ("(3 (2 It)) (4 works)", "something follows the end of the tree, at position 12"),
        ("It works", "a tree begins with an opening bracket, at position 1"),
        ("(3 ())", "a bracket closes before there is a label, at position 5"),
        ("((2 It))", "a bracket opens where a label should stand, at position 2"),
        ("(3)", "a node has neither a word nor children, at position 3"),
        ("( (3 It))", "a bracket opens where a label should stand, at position 3"),
        ("(3 it works)", "a node has 2 words ('it works'), at position 12"),
    ],
)
def test_brackets_that_do_not_fit_are_named(line, what):
    with pytest.raises(DataError) as error:
        parse_tree(line, "trees.txt:7")
    assert str(error.value) == f"trees.txt:7: {what}; {FORM}"


def test_a_deep_tree_is_read_and_learned_without_recursion():
    depth = 2000
    line = "".join(f"({number % 5} (2 w) " for number in range(depth)) + "(1 end)" + ")" * depth
    tree = parse_tree(line, "deep.txt:1")
    assert len(tree.words) == 2 * depth + 1
    codec = TreeCodec.fit([tree.content], TreeCodecSettings(min_count=1))
    steps = {
        name: torch.from_numpy(field)[None] for name, field in codec.encode(tree.content)[0].items()
    }
    assert len(plan_levels(steps["parent"].numpy(), np.array([2 * depth + 1]))) == depth + 1
    fields = {**steps, "target": torch.tensor([1]), "counted": torch.ones(1, 1)}
    model, one = network("binary").train(), torch.ones(1)
    model.loss(Batch(fields, torch.tensor([2 * depth + 1]), one))[0].nats.sum().backward()
    assert torch.isfinite(model.child.weight.grad).all()
