"""The generative classifier over networks against Bayes' rule written out, and its learning from
its own examples."""

import numpy as np
import pytest
import torch

from ensue.batch import Batch
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.layers import RecurrentSettings
from ensue.models.baselines.lm_bayes import LMBayes, LMBayesSettings
from ensue.models.sequence import SequenceSettings

SYMBOLS, LABELS = 4, 3
SMALL = LMBayesSettings(
    sequence=SequenceSettings(embedding=5, body=RecurrentSettings(width=6), input_dropout=0.2)
)


def model() -> LMBayes:
    torch.manual_seed(1)
    made = SMALL.build(Fields({"symbol": SYMBOLS}), "multiclass", LABELS)
    with torch.no_grad():
        made.prior.copy_(torch.tensor([0.5, -0.2, 0.1]))
    return made.double().eval()


def batch(rows: list[list[int]], target: list[int]) -> Batch[torch.Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    symbols = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for place, row in enumerate(rows):
        symbols[place, : len(row)] = torch.tensor(row)
    fields = {"symbol": symbols, "target": torch.tensor(target)}
    return Batch(fields, lengths, torch.ones(len(rows)))


def test_bayes_rule_over_networks() -> None:
    made, rows = model(), [[0, 3, 1, 2], [2], [1, 1, 3]]
    told = made(batch(rows, [0, 1, 2])).probs
    for row, found in zip(rows, told.detach(), strict=True):
        joint = []
        for label, network in enumerate(made.models):
            state, before, log_p = network.initial(1), SYMBOLS + 1, 0.0
            for symbol in [*row, SYMBOLS]:  # each example is ended
                distribution, state = network(torch.tensor([[before]]), state)
                log_p += float(distribution.logits.detach().log_softmax(-1)[0, 0, symbol])
                before = symbol
            joint.append(np.exp(float(made.prior[label].detach()) + np.exp(-1.0) * log_p))
        np.testing.assert_allclose(found.numpy(), np.array(joint) / sum(joint), rtol=1e-6)


def test_networks_learn_from_the_examples_of_their_label_alone() -> None:
    made = model().train()
    loss, _ = made.loss(batch([[0, 3], [2, 1, 1]], [0, 2]))
    loss.cost.sum().backward()
    learned = [
        any(p.grad is not None and p.grad.any() for p in network.parameters())
        for network in made.models
    ]
    assert learned == [True, False, True]
    assert made.prior.grad is not None
    assert made.log_exponent.grad is not None
    probability = made.eval()(batch([[0, 3], [2, 1, 1]], [0, 2])).probs.gather(
        1, torch.tensor([[0], [2]])
    )
    judged, _ = made.loss(batch([[0, 3], [2, 1, 1]], [0, 2]))
    assert not judged.penalties
    torch.testing.assert_close(judged.nats, -probability[:, 0].log())


@pytest.mark.parametrize(
    ("shape", "kind"), [(Fields({"symbol": 4}), "multilabel"), (Fields(numbers=2), "multiclass")]
)
def test_what_it_is_not_for(shape: Fields, kind: str) -> None:
    with pytest.raises(
        SettingError, match="--model lm-bayes: lm-bayes needs sequences of symbols with one label"
    ):
        SMALL.build(shape, kind, LABELS)
