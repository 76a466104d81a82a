"""What every tagger obeys: a sentence is tagged alike alone and in a batch, padding is ignored,
all weights learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ensue.batch import Batch
from ensue.data.codecs.tagged import TaggedWords
from ensue.data.dataset import Examples
from ensue.data.feeds.examples import iterate_sorted, make_batch
from ensue.data.labelled import Example
from ensue.data.tagged import MAX_PIECE, encode_tagged
from ensue.layers import ENCODERS, ConvolutionSettings, RecurrentSettings
from ensue.models.contract import Predictor
from ensue.models.tagger import TaggerSettings
from ensue.tasks.tag.settings import MODELS

TAGS = ["D", "N", "V"]
TEXTS = ["the/D cat/N sees/V the/D dogs/N", "Internationally/N", "a/D cats/N ran/V 42/N"]
NARROW = {
    "bidirectional": {"width": 3},
    "convolution": {"width": 3},
    "recurrent": {"width": 3},
    "window": {"width": 3},
    "bag-of-context": {"width": 3},
    "tcn": {"width": 3, "depth": 2},
    "wavenet": {"width": 3, "residual": 2, "depth": 2},
    "transformer": {"width": 4, "depth": 1},
    "none": {},
}
NETWORKS = {
    f"{body}, {head}": TaggerSettings(
        word=3,
        character=3,
        affix=2,
        body=ENCODERS[body](**NARROW[body]),
        spelling=ENCODERS[spelling](**NARROW[spelling]),
        head=head,
    )
    for body, spelling, head in (
        ("bidirectional", "convolution", "crf"),
        ("convolution", "bidirectional", "softmax"),
        ("recurrent", "recurrent", "crf"),
        ("window", "bag-of-context", "crf"),
        ("bag-of-context", "window", "softmax"),
        ("tcn", "wavenet", "softmax"),
        ("wavenet", "transformer", "crf"),
        ("transformer", "tcn", "softmax"),
        ("none", "none", "softmax"),
    )
}


@pytest.fixture(scope="module")
def examples() -> Examples:
    sentences = []
    for line, text in enumerate(TEXTS, 1):
        words, tags = zip(*(word.split("/") for word in text.split()), strict=True)
        sentences.append(Example({"words": list(words)}, list(tags), "a", line))
    codec = TaggedWords(min_count=1).fit([sentence.content for sentence in sentences])
    pytest.sizes = {**codec.shape.symbols, "target": len(TAGS)}  # type: ignore[attr-defined]
    return encode_tagged(sentences, codec, TAGS)


def made(name: str, examples: Examples) -> Predictor:
    torch.manual_seed(0)
    sizes = pytest.sizes  # type: ignore[attr-defined]
    if name in NETWORKS:
        return NETWORKS[name].build(sizes).double().eval()
    model = MODELS.parts[name]().build(sizes)  # type: ignore[attr-defined]
    model.fit(examples)
    return model


def tensors(examples: Examples, *rows: int) -> Batch[torch.Tensor]:
    return make_batch(examples, np.array(rows)).map(torch.tensor)


def test_every_tagger_and_encoder_is_held_to_the_laws() -> None:
    assert {*MODELS.parts} - {"tagger"} == {"most-frequent-tag", "hmm"}
    assert {settings.body.name for settings in NETWORKS.values()} == set(ENCODERS)
    assert {settings.spelling.name for settings in NETWORKS.values()} == set(ENCODERS)


@pytest.mark.parametrize("name", [*NETWORKS, "most-frequent-tag", "hmm"])
def test_a_sentence_is_tagged_alike_alone_and_in_a_batch(examples: Examples, name: str) -> None:
    model = made(name, examples)
    batch = tensors(examples, 0, 1, 2)
    loss, _ = model.loss(batch)
    assert loss.count.tolist() == [5, 1, 4]
    for row in range(3):
        alone = tensors(examples, row)
        steps = int(alone.lengths[0])
        own, _ = model.loss(alone)
        torch.testing.assert_close(own.nats[0].double(), loss.nats[row].double(), rtol=0, atol=1e-6)
        for said in ("marginals", "mode"):
            torch.testing.assert_close(
                getattr(model(alone), said)[0], getattr(model(batch), said)[row, :steps]
            )
    torch.testing.assert_close(
        model(batch).marginals.sum(2),
        (torch.arange(5) < batch.lengths[:, None]).to(model(batch).marginals),
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_what_stands_in_padding_changes_nothing(examples: Examples, name: str) -> None:
    model, batch = made(name, examples), tensors(examples, 0, 1, 2)
    past = torch.arange(5) >= batch.lengths[:, None]
    fields = dict(batch.fields)
    for field in ("word", "shape", "prefix", "suffix", "character", "form"):
        fields[field] = fields[field].clone()
        fields[field][past] = 1
    torch.testing.assert_close(
        model.loss(replace(batch, fields=fields))[0].nats, model.loss(batch)[0].nats
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(examples: Examples, name: str) -> None:
    model = made(name, examples)
    assert isinstance(model, torch.nn.Module)
    model.loss(tensors(examples, 0, 1, 2))[0].nats.sum().backward()
    assert [
        key for key, one in model.named_parameters() if one.grad is None or not one.grad.any()
    ] == []


def test_a_word_is_spelled_the_same_wherever_it_stands(examples: Examples) -> None:
    """Each word of a batch is read once: the characters of another must not be taken for its
    own."""
    model = made("bidirectional, crf", examples)
    batch = tensors(examples, 0, 1, 2)
    spelled = model._encode_spelling(batch)  # type: ignore[attr-defined]
    torch.testing.assert_close(spelled[0, 0], spelled[0, 3])
    for row, step in ((0, 1), (1, 0), (2, 3)):
        characters = batch["character"][row, step][None]
        count = int((characters > 0).sum())
        read = model.spelling(model.character(characters[:, :count]))  # type: ignore[attr-defined]
        torch.testing.assert_close(spelled[row, step], read.amax(1)[0])


def test_one_very_long_sentence_among_short_ones_makes_no_large_batch() -> None:
    words = [["a", "b"]] * 60 + [["a"] * 100_000]
    codec = TaggedWords(min_count=1).fit([{"words": ["a", "b"]}])
    examples = encode_tagged(
        [Example({"words": one}, ["D"] * len(one), "a", 1) for one in words], codec, TAGS
    )
    shapes = [batch["word"].shape for _, batch in iterate_sorted(examples, 32)]
    assert max(steps for _, steps in shapes) == MAX_PIECE
    assert sum(rows for rows, _ in shapes) == len(examples) == 60 + 196


def test_settings_of_parts_are_chosen_by_name() -> None:
    settings = TaggerSettings(
        spelling="bidirectional", head="softmax", body=RecurrentSettings(width=128)
    )  # type: ignore[arg-type]
    assert settings.spelling.cell == "lstm"
    assert TaggerSettings().spelling == ConvolutionSettings(width=64, windows=(3,), depth=1)
