"""What recursive networks obey, whatever their cell: padding and other rows change nothing,
gradients are right."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelCodec
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.models.names import resize
from ensue.models.tree import TreeModel, TreeSettings
from ensue.models.tree_leaves import build_classifier
from ensue.tasks.classify.settings import MODELS

CELLS = [cell for cell in get_args(TreeSettings.model_fields["cell"].annotation) if cell != "auto"]
SYMBOL = torch.tensor([[1, 2, 0, 3, 0], [4, 5, 0, 0, 0]])
PARENT = torch.tensor([[2, 2, 4, 4, -1], [2, 2, -1, 0, 0]])
LABELS = LabelCodec("multiclass", ("bad", "fair", "good"))
LABEL = torch.tensor([[1, 0, 2, 3, 1], [2, 2, 3, 0, 0]])


def make_batch(rows: slice = slice(None), time: int = 5) -> Batch[Tensor]:
    steps = {"symbol": SYMBOL, "parent": PARENT, "label": LABEL}
    fields = {name: field[rows, :time].clone() for name, field in steps.items()}
    fields |= {
        "target": torch.tensor([0, 2])[rows],
        "counted": torch.ones(2, 1, dtype=torch.bool)[rows],
    }
    lengths = torch.tensor([5, 3])[rows]
    return Batch(fields, lengths, torch.ones(len(lengths), dtype=torch.bool))


@pytest.fixture(params=CELLS)
def model(request: pytest.FixtureRequest) -> TreeModel:
    torch.manual_seed(0)
    settings = TreeSettings(
        cell=request.param, embedding=3, width=4, input_dropout=0, output_dropout=0
    )
    return settings.build(Fields({"symbol": 6}, children=2), "multiclass", 3).double()


def test_padding_and_other_rows_change_nothing(model: TreeModel) -> None:
    both = model.units(make_batch())
    torch.testing.assert_close(
        both[1:, :3], model.units(make_batch(slice(1, 2), time=3)), rtol=0, atol=1e-12
    )
    assert not both[1, 3:].any()
    odd = make_batch()
    odd["symbol"][1, 3:], odd["parent"][1, 3:] = 5, 1
    torch.testing.assert_close(model.units(odd), both, rtol=0, atol=0)


def test_the_order_of_children_matters_but_where_they_are_summed(model: TreeModel) -> None:
    swapped = make_batch()
    swapped["symbol"][0, :2] = torch.tensor([2, 1])
    same = torch.allclose(
        model.units(swapped)[0, -1], model.units(make_batch())[0, -1], rtol=0, atol=1e-9
    )
    assert same == (model.settings.cell == "child_sum")


def test_gradients_are_right_and_every_parameter_has_one(model: TreeModel) -> None:
    parameters = dict(model.train().named_parameters())

    def cost(*values: Tensor) -> Tensor:
        loss = torch.func.functional_call(
            _Loss(model), {f"model.{name}": v for name, v in zip(parameters, values, strict=True)}
        )
        return loss.cost

    assert torch.autograd.gradcheck(cost, tuple(parameters.values()))
    cost(*parameters.values()).sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.any() for parameter in parameters.values()
    )


class _Loss(torch.nn.Module):
    def __init__(self, model: TreeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self):
        return self.model.loss(make_batch())[0]


def test_what_was_learned_is_taken_over(model: TreeModel) -> None:
    other = model.settings.build(Fields({"symbol": 6}, children=2), "multiclass", 3).double()
    other.load(model.arrays())
    torch.testing.assert_close(other.units(make_batch()), model.units(make_batch()), rtol=0, atol=0)
    assert model.parameter_count == sum(array.size for array in model.arrays().values())


def test_a_model_of_sequences_is_shown_the_words_alone() -> None:
    torch.manual_seed(0)
    gru = resize(MODELS.resolve("gru"), "tiny")
    over = build_classifier(gru, Fields({"symbol": 6}, children=2), LABELS).double().eval()  # type: ignore[attr-defined]
    batch, one = make_batch(), torch.ones(2)
    words = Batch({"symbol": torch.tensor([[1, 2, 3], [4, 5, 0]])}, torch.tensor([3, 2]), one)
    torch.testing.assert_close(over(batch).logits, over.model(words).logits, rtol=0, atol=1e-12)
    batch["symbol"][1, 3:] = 5  # padding
    torch.testing.assert_close(over(batch).logits, over.model(words).logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(
        over.loss(batch)[0].nats, -over.model(words).log_prob(batch["target"]), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["multiclass", "ordinal", "multilabel", "regression"])
def test_every_kind_of_label_is_told_at_the_root(kind: str) -> None:
    torch.manual_seed(0)
    model = TreeSettings(embedding=3, width=4).build(
        Fields({"symbol": 6}, children=2), kind, 1 if kind == "regression" else 3
    )  # type: ignore[arg-type]
    target = {
        "multilabel": torch.tensor([[1.0, 0, 1], [0, 0, 0]]),
        "regression": torch.tensor([0.5, -1]),
    }
    batch = make_batch()
    fields = {name: field for name, field in batch.fields.items() if name != "label"}
    fields |= {"target": target.get(kind, batch["target"])}
    loss, _ = model.loss(Batch(fields, batch.lengths, batch.fresh))
    assert loss.nats.shape == (2,)
    assert not loss.penalties
    assert np.isfinite(loss.nats.detach().numpy()).all()


def test_the_cell_is_chosen_by_the_data_and_refused_where_it_does_not_fit() -> None:
    three = Fields({"symbol": 6}, children=3)
    assert TreeSettings().resolved(Fields({"symbol": 6}, children=2)).cell == "binary"
    assert TreeSettings().resolved(three).cell == "child_sum"
    for cell in ("binary", "plain"):
        with pytest.raises(SettingError) as error:
            TreeSettings(cell=cell).resolved(three)  # type: ignore[arg-type]
        what = f"a node has up to 3 children, and the cell {cell} takes two"
        assert str(error.value) == f"model.cell: {what}; choose with --set model.cell=child_sum"
    with pytest.raises(SettingError, match="the model tree needs trees"):
        TreeSettings().resolved(Fields({"symbol": 6}))


def test_the_size_is_one_dial() -> None:
    small = resize(MODELS.resolve("tree"), "tiny")
    assert isinstance(small, TreeSettings)
    assert (small.embedding, small.width) == (50, 64)
