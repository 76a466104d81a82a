"""What every model of what comes next obeys, networks, tables and mixtures alike."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ensue.errors import RunError, SettingError
from ensue.layers import LAYERS
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.names import resize
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.settings import Settings, SizeName, assign, read, to_plain
from ensue.tasks.generate.settings import MODELS

SIZE, BATCH, TIME = 5, 2, 7


def sequence_settings(layer: str, **fields: object) -> SequenceSettings:
    body = {"width": 4, "depth": 1} | (
        {"window": 3} if "window" in LAYERS[layer].model_fields else {}
    )
    return SequenceSettings(body=LAYERS[layer](**body), **fields)


def models() -> dict[str, Autoregressive]:
    torch.manual_seed(0)
    networks = {layer: sequence_settings(layer, embedding=3) for layer in LAYERS}
    networks["one-hot"] = sequence_settings("window", embedding=0)
    networks["tied"] = sequence_settings(
        "bag-of-context", embedding=3, head={"name": "categorical", "tied": True}
    )
    built = {name: settings.build(SIZE).double().eval() for name, settings in networks.items()}
    tables = {
        smoothing: ngram(NgramSettings(order=3, smoothing=smoothing))
        for smoothing in ("kneser-ney", "witten-bell", "additive")
    }
    tables["unigram"] = ngram(NgramSettings(order=1))
    weights = torch.tensor([[0.3, 0.5, -0.4, 0.1], [0.6, -0.3, 0.2, 0.2]], dtype=torch.float64)
    return {**built, **tables, "mixture": Mixture(built["window"], tables["kneser-ney"], weights)}


def ngram(settings: NgramSettings) -> Ngram:
    ids = np.random.default_rng(0).choice(SIZE, 400, p=[0.1, 0.1, 0.2, 0.2, 0.4])
    return estimate(ids, np.array([0, 150, 400]), SIZE, settings)


@pytest.fixture(params=models())
def model(request: pytest.FixtureRequest) -> Autoregressive:
    return models()[request.param]


@pytest.fixture
def inputs() -> Tensor:
    inputs = torch.randint(SIZE, (BATCH, TIME), generator=torch.Generator().manual_seed(2))
    inputs[:, 0] = SIZE
    return inputs


def test_each_conditional_sums_to_one(model: Autoregressive, inputs: Tensor) -> None:
    distribution, _ = model(inputs, model.initial(BATCH))
    assert distribution.probs.shape == (BATCH, TIME, SIZE)
    assert (distribution.probs > 0).all()
    torch.testing.assert_close(
        distribution.probs.sum(-1).double(), torch.ones(BATCH, TIME, dtype=torch.float64)
    )


def test_a_sequence_scores_the_sum_of_its_steps(model: Autoregressive, inputs: Tensor) -> None:
    targets = inputs.roll(-1, 1).clamp(max=SIZE - 1)
    nats, _ = model.nats(inputs, targets, model.initial(BATCH))
    state = model.initial(BATCH)
    for t in range(TIME):
        distribution, state = model(inputs[:, t : t + 1], state)
        step = -distribution.probs[torch.arange(BATCH), 0, targets[:, t]].log()
        torch.testing.assert_close(nats[:, t], step, rtol=0, atol=1e-9)


def test_all_sequences_together_are_certain(model: Autoregressive) -> None:
    every = torch.cartesian_prod(*[torch.arange(SIZE)] * 3)
    inputs = torch.cat([torch.full((len(every), 1), SIZE), every[:, :-1]], 1)
    nats, _ = model.nats(inputs, every, model.initial(len(every)))
    assert nats.sum(1).neg().exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_resuming_equals_running_at_once(model: Autoregressive, inputs: Tensor, cut: int) -> None:
    whole, _ = model(inputs, model.initial(BATCH))
    first, state = model(inputs[:, :cut], model.initial(BATCH))
    second, _ = model(inputs[:, cut:], state)
    torch.testing.assert_close(
        torch.cat([first.probs, second.probs], 1), whole.probs, rtol=0, atol=1e-9
    )


def test_advancing_gives_the_state_of_running(model: Autoregressive, inputs: Tensor) -> None:
    start = model.initial(BATCH)
    _, state = model(inputs, start)
    before, _ = model(inputs, state)
    after, _ = model(inputs, model.advance(inputs, start))
    torch.testing.assert_close(after.probs, before.probs)


def test_a_mixture_advances_without_mixing(inputs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = models()["mixture"]

    def fail(*_: object) -> None:
        raise AssertionError("the probabilities of all symbols were computed")

    monkeypatch.setattr("ensue.models.mixture.query", fail)
    mixture.advance(inputs, mixture.initial(BATCH))


@pytest.mark.parametrize("name", models())
def test_nothing_depends_on_what_comes(name: str, inputs: Tensor) -> None:
    model = models()[name]
    before, _ = model(inputs, model.initial(BATCH))
    for t in range(1, TIME):
        changed = inputs.clone()
        changed[:, t] = (changed[:, t] + 1) % SIZE
        after, _ = model(changed, model.initial(BATCH))
        assert torch.equal(after.probs[:, :t], before.probs[:, :t])
        if name != "unigram":
            assert not torch.allclose(after.probs[:, t], before.probs[:, t])


def test_padding_costs_nothing_and_keeps_the_state(model: Autoregressive, inputs: Tensor) -> None:
    targets = inputs.roll(-1, 1).clamp(max=SIZE - 1)
    nats, state = model.nats(inputs, targets, model.initial(BATCH), torch.tensor([3, TIME]))
    assert not nats[0, 3:].any()
    short, short_state = model.nats(inputs[:1, :3], targets[:1, :3], model.initial(1))
    torch.testing.assert_close(nats[:1, :3], short, rtol=0, atol=1e-9)
    after, _ = model(inputs[:, :1], state)
    short_after, _ = model(inputs[:1, :1], short_state)
    torch.testing.assert_close(after.probs[:1], short_after.probs, rtol=0, atol=1e-9)


def test_saved_and_loaded(inputs: Tensor) -> None:
    for name, model in models().items():
        twin = models()[name]
        if isinstance(twin, SequenceModel):
            for parameter in twin.parameters():
                parameter.data.zero_()
        twin.load(model.arrays())
        probs = model(inputs, model.initial(BATCH))[0].probs
        assert torch.equal(twin(inputs, twin.initial(BATCH))[0].probs, probs)


def test_saved_arrays_are_copies() -> None:
    model = models()["window"]
    saved = {name: array.copy() for name, array in model.arrays().items()}
    held = model.arrays()
    for parameter in model.parameters():
        parameter.data += 1
    assert all((held[name] == saved[name]).all() for name in saved)


def test_weights_of_another_network_are_refused() -> None:
    small, large = (
        sequence_settings("bag-of-context", embedding=3).build(SIZE),
        sequence_settings("bag-of-context", embedding=4).build(SIZE),
    )
    with pytest.raises(
        RunError, match=r"^the saved 'table.weight' is \[6, 3\], and the network has \[6, 4\]; use"
    ):
        large.load(small.arrays())
    other = sequence_settings("bag-of-context", embedding=0).build(SIZE)
    with pytest.raises(
        RunError, match=r"^the saved weights and the network differ in 'table.weight'; use"
    ):
        other.load(small.arrays())


def test_settings_are_changed_by_the_ends_of_their_names() -> None:
    class Run(Settings):
        model: SequenceSettings = sequence_settings("window")

    run = assign(assign(Run(), "body.window=5"), "tied=true")
    assert (run.model.body.window, run.model.head.tied) == (5, True)
    assert read(Run, to_plain(run)) == run
    with pytest.raises(
        SettingError, match=r"there is no setting .body.widht.; did you mean body.width\?"
    ):
        assign(run, "body.widht=5")


def test_tied_weights_need_embeddings() -> None:
    with pytest.raises(
        SettingError, match="tied=true needs embedded input, and embedding is 0; set embedding to"
    ):
        sequence_settings(
            "bag-of-context", embedding=0, head={"name": "categorical", "tied": True}
        ).build(SIZE)


def test_a_name_chooses_a_model() -> None:
    assert {MODELS.resolve(name).name for name in MODELS.names} == set(MODELS.parts)  # type: ignore[attr-defined]
    assert MODELS.resolve("bag-of-context").body.name == "bag-of-context"
    with pytest.raises(
        SettingError,
        match=r"^--model: there is no model 'widnow' for generate; did you mean window\?$",
    ):
        MODELS.resolve("widnow")


def test_each_size_is_larger_than_the_one_before() -> None:
    networks = [resize(MODELS.resolve("window"), size).build(SIZE) for size in get_args(SizeName)]
    counts = [sum(array.size for array in network.arrays().values()) for network in networks]
    assert counts == sorted(set(counts))
    assert resize(MODELS.resolve("ngram"), "large") == MODELS.resolve("ngram")
