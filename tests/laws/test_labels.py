"""What heads of labels, pooling and the network over them obey."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelCodec, LabelSettings, fit_labels, label_names
from ensue.data.dataset import Examples
from ensue.data.label_kinds import find_label_kind
from ensue.data.labelled import Example, Fields
from ensue.heads import LABEL_HEADS, Regression
from ensue.layers import ENCODERS
from ensue.layers.pooling import POOLINGS, Pooling
from ensue.models.classifier import ClassifierSettings
from ensue.models.names import resize
from ensue.settings import read
from ensue.tasks.classify.settings import MODELS

FEATURES, SIZE, CLOSE = 4, 3, 1e-9
LABEL_HEADS_AND_TOLD = LABEL_HEADS | {"quantiles": partial(Regression, output="quantiles")}


def head(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return LABEL_HEADS_AND_TOLD[kind](
        FEATURES, 1 if kind in ("regression", "quantiles") else SIZE
    ).double()


@pytest.mark.parametrize("kind", ["multiclass", "ordinal"])
def test_one_label_has_probabilities_that_add_up_to_one(kind: str) -> None:
    features = torch.randn(5, FEATURES, dtype=torch.float64) * 20
    probabilities = head(kind)(features).log_prob(torch.arange(SIZE)[:, None].expand(SIZE, 5)).exp()
    torch.testing.assert_close(
        probabilities.sum(0), torch.ones(5, dtype=torch.float64), rtol=0, atol=CLOSE
    )


def test_several_labels_have_probabilities_that_add_up_to_one() -> None:
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * SIZE)[:, None]
    probabilities = (
        head("multilabel")(torch.randn(1, FEATURES, dtype=torch.float64)).log_prob(every).exp()
    )
    torch.testing.assert_close(
        probabilities.sum(), torch.tensor(1.0, dtype=torch.float64), rtol=0, atol=CLOSE
    )


@pytest.mark.parametrize("kind", ["regression", "quantiles"])
def test_a_number_has_a_density_that_integrates_to_one(kind: str) -> None:
    places = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    density = head(kind)(torch.randn(FEATURES, dtype=torch.float64)).log_prob(places).exp()
    assert float(torch.trapezoid(density, places).detach()) == pytest.approx(
        1, abs=1e-4 if kind == "quantiles" else 1e-6
    )  # jumps


@pytest.mark.parametrize("kind", LABEL_HEADS_AND_TOLD)
def test_heads_have_right_gradients(kind: str) -> None:
    made, features = head(kind), torch.randn(2, FEATURES, dtype=torch.float64, requires_grad=True)
    number = torch.randn(2)
    target = {"multilabel": torch.ones(2, SIZE).double(), "regression": number, "quantiles": number}
    true = target.get(kind, torch.tensor([0, 2]))
    assert torch.autograd.gradcheck(lambda x: made(x).log_prob(true), (features,))
    nats, _ = made.cost(features, true)  # type: ignore[operator]
    torch.testing.assert_close(nats, -made(features).log_prob(true))


def test_cumulative_logits_are_those_of_their_formula() -> None:
    made = head("ordinal")
    features = torch.randn(6, FEATURES, dtype=torch.float64)
    cuts = torch.cat([made.lowest, made.lowest + torch.nn.functional.softplus(made.gaps).cumsum(0)])
    below = torch.sigmoid(cuts - features @ made.linear.weight.T)
    whole = torch.cat([torch.zeros(6, 1), below, torch.ones(6, 1)], 1).diff(dim=1)
    torch.testing.assert_close(made(features).probs, whole, rtol=0, atol=1e-12)
    flat = LABEL_HEADS["ordinal"](FEATURES, 5)(torch.zeros(1, FEATURES)).probs
    torch.testing.assert_close(flat, torch.full((1, 5), 0.2))


def test_cumulative_logits_are_finite_far_out() -> None:
    scores = head("ordinal")(torch.full((1, FEATURES), 1e4, dtype=torch.float64)).logits
    assert torch.isfinite(scores).all()


BY_HAND = {
    "last": lambda y: y[-1],
    "ends": lambda y: np.concatenate([y[0], y[-1]]),
    "mean": lambda y: y.mean(0),
    "max": lambda y: y.max(0),
    "sum": lambda y: y.sum(0),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_pooling_is_what_its_name_says(kind: str) -> None:
    y, lengths = torch.randn(4, 7, 3, dtype=torch.float64), torch.tensor([7, 1, 4, 0])
    pooled = Pooling(kind, 3)(y, lengths)
    for row, length in enumerate(lengths.tolist()[:3]):
        np.testing.assert_allclose(
            pooled[row], BY_HAND[kind](y[row, :length].numpy()), rtol=0, atol=1e-12
        )
    assert not pooled[3].any()


def test_attention_is_a_weighed_mean() -> None:
    pool, y = Pooling("attention", 3).double(), torch.randn(2, 6, 3, dtype=torch.float64)
    pooled = pool(y, torch.tensor([6, 4]))
    shares = pool.score(y[1, :4]).softmax(0)
    torch.testing.assert_close(pooled[1], (shares * y[1, :4]).sum(0), rtol=0, atol=1e-12)
    assert set(BY_HAND) | {"attention"} == set(POOLINGS)


def batch(lengths: list[int], time: int, garbage: float = 0.0) -> Batch[torch.Tensor]:
    draws = torch.Generator().manual_seed(3)
    real = torch.arange(12) < torch.tensor(lengths)[:, None]
    symbols = torch.where(
        real, torch.randint(1, 9, (len(lengths), 12), generator=draws), int(garbage) % 9
    )
    numbers = torch.randn(len(lengths), 12, 2, generator=draws, dtype=torch.float64)
    numbers = torch.where(real[..., None], numbers, garbage)
    static = torch.randn(len(lengths), 1, generator=draws, dtype=torch.float64)
    fields = {"symbol": symbols[:, :time], "numbers": numbers[:, :time], "static": static}
    fields["target"] = torch.tensor([0, 2, 1])[: len(lengths)]
    fields["counted"] = torch.ones(len(lengths), 1, dtype=torch.bool)
    return Batch(fields, torch.tensor(lengths), torch.ones(len(lengths), dtype=torch.bool))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("body", ENCODERS)
def test_padding_changes_nothing(body: str, pooling: str) -> None:
    torch.manual_seed(1)
    settings = read(ClassifierSettings, {"embedding": 3, "body": body, "pooling": pooling})
    network = sized(settings).build(Fields({"symbol": 9}, 2, 1), "multiclass", SIZE).double().eval()
    lengths = [7, 3, 1]
    short, long = network(batch(lengths, 7)).logits, network(batch(lengths, 12, 1e3)).logits
    torch.testing.assert_close(short, long, rtol=0, atol=CLOSE)
    for row in range(3):
        alone = Batch(
            {name: field[row : row + 1] for name, field in batch(lengths, 7).fields.items()},
            torch.tensor(lengths[row : row + 1]),
            torch.ones(1).bool(),
        )
        torch.testing.assert_close(network(alone).logits, short[row : row + 1], rtol=0, atol=CLOSE)


def sized(settings: ClassifierSettings) -> ClassifierSettings:
    made = resize(settings, "tiny")
    assert isinstance(made, ClassifierSettings)
    return made.model_copy(update={"embedding": settings.embedding})


@pytest.mark.parametrize("kind", LABEL_HEADS_AND_TOLD)
def test_every_weight_learns_and_one_batch_can_be_learned_by_heart(kind: str) -> None:
    torch.manual_seed(1)
    settings = ClassifierSettings(
        embedding=8, token_dropout=0, input_dropout=0, output_dropout=0, auxiliary="lm"
    )
    kind, numbers = ("regression", "quantiles") if kind == "quantiles" else (kind, "gaussian")
    settings = settings.model_copy(update={"output": numbers})
    network = sized(settings).build(Fields({"symbol": 9}, 2, 1), kind, SIZE).double()
    told = batch([7, 3, 4], 7)
    target = {"multilabel": torch.eye(3), "regression": torch.tensor([0.5, -1.0, 2.0])}.get(
        kind, told["target"]
    )
    told = Batch({**told.fields, "target": target}, told.lengths, told.fresh)
    steps = torch.optim.Adam(network.parameters(), 0.03)
    costs = []
    for _ in range(40):
        loss, _ = network.loss(told)
        assert loss.objective is not None or loss.penalties
        steps.zero_grad()
        loss.cost.sum().backward()
        assert all(
            one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters()
        )
        steps.step()
        costs.append(float(loss.nats.detach().sum()))
    assert costs[-1] < costs[0] - 1
    assert kind == "regression" or costs[-1] < costs[0] / 2


def test_training_alone_sees_beginnings() -> None:
    torch.manual_seed(1)
    plain = ClassifierSettings(embedding=3, token_dropout=0, input_dropout=0, output_dropout=0)
    shape, whole = Fields({"symbol": 9}, 2, 1), batch([7, 3, 1], 7)
    network, cut = (
        sized(one).build(shape, "multiclass", SIZE).double()
        for one in (plain, plain.model_copy(update={"random_prefix": 1.0}))
    )
    cut.load(network.arrays())
    begun = [cut.loss(whole)[0].nats.tolist() for _ in range(8)]
    assert len({row[0] for row in begun}) > 2  # seven steps have many beginnings
    assert len({round(row[2], 9) for row in begun}) == 1  # and one has one
    torch.testing.assert_close(cut.eval().loss(whole)[0].nats, network.loss(whole)[0].nats)


def test_the_next_symbols_are_not_part_of_the_reported_nats() -> None:
    torch.manual_seed(1)
    settings = sized(ClassifierSettings(embedding=3, auxiliary="lm"))
    network = settings.build(Fields({"symbol": 9}, 2, 1), "multiclass", SIZE).double()
    told = batch([7, 3, 1], 7)
    network.train()
    assert network.loss(told)[0].penalties
    network.eval()
    loss, _ = network.loss(told)
    assert not loss.penalties
    torch.testing.assert_close(loss.nats, -network(told).log_prob(told["target"]))


OTHERS = ("tree",)
"""A network that reads no sequences: see test_tree.py."""


@pytest.mark.parametrize("name", [name for name in MODELS.names if name not in OTHERS])
def test_every_name_stands_for_a_model_that_comes_back_from_its_arrays(name: str) -> None:
    settings = resize(MODELS.resolve(name), "tiny")
    shape = Fields({"symbol": 9}, 2, 1, 2)
    model, again = (settings.build(shape, "multiclass", SIZE) for _ in range(2))  # type: ignore[attr-defined]
    if hasattr(model, "fit"):
        fields = batch([7, 3, 1], 7).fields
        offsets = np.array([0, 7, 10, 11])
        real = (torch.arange(7) < torch.tensor([7, 3, 1])[:, None]).numpy()
        steps = {
            "symbol": fields["symbol"].numpy()[real],
            "numbers": fields["numbers"].numpy()[real],
        }
        whole = {"static": fields["static"].numpy(), "target": fields["target"].numpy()}
        model.fit(Examples(offsets, steps, whole), Examples(offsets, steps, whole))
    again.load(model.arrays())
    for one in (model, again):
        one.eval() if hasattr(one, "eval") else None
    told = batch([7, 3, 1], 7)
    told = Batch(
        {
            name: field.float() if field.is_floating_point() else field
            for name, field in told.fields.items()
        },
        told.lengths,
        told.fresh,
    )
    assert torch.equal(model(told).logits, again(told).logits)


NAMES = st.lists(
    st.text("abc|;", min_size=1, max_size=3).map(str.strip).filter(bool), min_size=1, max_size=4
)


@given(labels=st.lists(NAMES, min_size=1, max_size=8))
def test_targets_of_several_labels_name_what_is_there(labels: list[list[str]]) -> None:
    examples = [Example("", label, "a.csv", 1) for label in labels]
    codec = fit_labels(examples, LabelSettings(), "multilabel", "")
    assert LabelCodec.from_json(codec.to_json()) == codec
    for label in labels:
        target = codec.target(label)
        assert {name for name, there in zip(codec.names, target, strict=True) if there} == set(
            label
        )
        assert codec.unseen_labels([*label, "new"]) == ["new"]


GUESSED = {
    "multiclass": ["a", "b", "a", "c"] * 10,
    "multilabel": ["a|b", "b", "a", "b|c", "c|a"] * 4,
    "regression": [str(n / 3) for n in range(50)],
}


@pytest.mark.parametrize("kind", GUESSED)
def test_the_kind_of_labels_is_guessed(kind: str) -> None:
    found, mark, told = find_label_kind(
        [Example("", one, "a.csv", 1) for one in GUESSED[kind]], LabelSettings()
    )
    assert found == kind
    assert (told is None) == (kind == "multiclass")
    assert mark == {"multilabel": "|", "regression": "."}.get(kind, "")


def test_numbers_are_sorted_as_numbers_and_whole_ones_are_names() -> None:
    examples = [Example("", label, "a.csv", 1) for label in (10, 9, 1.0, "x")]
    assert fit_labels(examples, LabelSettings(), "multiclass", "").names == ("1", "9", "10", "x")
    assert label_names(["b", "a", "b"], "", "multilabel") == ["b", "a"]
