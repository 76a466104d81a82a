"""Neural tagger: words by name, spelling, affixes and shape, in their sentence.

After Lample et al. 2016 ("Neural architectures for named entity recognition", characters through a
recurrent encoder and a CRF), Ma & Hovy 2016 (characters through a convolution) and Collobert et al.
2011 (affixes, convolution).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.heads import TAG_HEADS, CRFSettings
from ensue.layers import ENCODERS, BidirectionalSettings, ConvolutionSettings, build_encoder
from ensue.models.contract import Predictor
from ensue.models.parameters import ParameterMixin
from ensue.settings import Choice, Settings

Body = Annotated[Any, Choice(ENCODERS)]
Spelling = Annotated[Any, Choice(ENCODERS)]
Head = Annotated[Any, Choice(TAG_HEADS)]

AFFIXES = ("prefix", "suffix")


class TaggerSettings(Settings):
    """Settings of a neural tagger."""

    name: Literal["tagger"] = "tagger"
    word: int = Field(default=100, ge=1)
    """Embedding features of a word."""
    character: int = Field(default=32, ge=1)
    """Embedding features of a character."""
    spelling: Spelling = ConvolutionSettings(width=64, windows=(3,), depth=1)
    """Encoder of a word's characters; its output is max-pooled."""
    affix: int = Field(default=16, ge=1)
    """Embedding features of each prefix, each suffix and the shape of a word."""
    endings: int = Field(default=4, ge=1)
    """Number of suffixes used, from the shortest on; prefixes are as many as the codec has."""
    body: Body = BidirectionalSettings(width=128)
    """Encoder of the words of a sentence."""
    head: Head = CRFSettings()
    """Head: softmax (tags are independent) or crf (tags of a sentence jointly)."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Dropout before and after the body."""
    unknown: float = Field(default=0.1, ge=0, lt=1)
    """Share of words masked as unknown in training, so that the network learns to use spelling."""

    def build(self, sizes: Mapping[str, int], vectors: np.ndarray | None = None) -> Tagger:
        """Build the network for fields with these numbers of ids.

        `vectors` (words, features) are pretrained word vectors, which stay frozen.
        """
        return Tagger(self, sizes, vectors)


class Tagger(ParameterMixin, Predictor):
    """p(tags | sentence) = head(body(embeddings of each word)).

    It reads the fields "word", "character", "form", "prefix", "suffix", "shape", and "vector" if
    there are vectors. `sizes` has the number of ids of each field; that of "target" is the number
    of tags.
    """

    def __init__(
        self, settings: TaggerSettings, sizes: Mapping[str, int], vectors: np.ndarray | None = None
    ) -> None:
        super().__init__()
        self.settings = settings
        self.word = nn.Embedding(sizes["word"], settings.word)
        self.character = nn.Embedding(sizes["character"], settings.character, padding_idx=0)
        self.spelling = build_encoder(settings.spelling, settings.character)
        self.affixes = nn.ModuleDict(
            {name: nn.Embedding(sizes[name], settings.affix) for name in (*AFFIXES, "shape")}
        )
        inputs = settings.word + self.spelling.width + settings.affix * len(self.affixes)
        self.vectors = None
        if vectors is not None:
            self.vectors = nn.Parameter(torch.tensor(vectors), requires_grad=False)
            inputs += vectors.shape[1]
        self.body = build_encoder(settings.body, inputs)
        self.head = settings.head.build(self.body.width, sizes["target"])
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the tags of each sentence."""
        word = batch["word"]
        if self.training and self.settings.unknown:
            word = word.masked_fill(
                torch.rand(word.shape, device=word.device) < self.settings.unknown, 0
            )
        parts = [self.word(word), self._encode_spelling(batch), *self._affixes(batch)]
        if self.vectors is not None:
            parts.append(self.vectors[batch["vector"]])
        features = self.body(self.dropout(torch.cat(parts, 2)), batch.lengths)
        return self.head(self.dropout(features), batch.lengths)

    def _encode_spelling(self, batch: Batch[Tensor]) -> Tensor:
        """Encode the characters of each distinct word once."""
        forms, places = torch.unique(batch["form"], return_inverse=True)
        steps = torch.arange(places.numel(), device=places.device)
        one = steps.new_zeros(len(forms)).scatter_(0, places.flatten(), steps)
        characters = batch["character"].flatten(0, 1)[one]
        lengths = (characters > 0).sum(1)
        longest = max(int(lengths.max()), 1)
        read = self.spelling(self.character(characters[:, :longest]), lengths)
        # Padding is zero, and would hide what is below it.
        past = torch.arange(longest, device=read.device) >= lengths[:, None].clamp_min(1)
        return read.masked_fill(past[..., None], -torch.inf).amax(1)[places]

    def _affixes(self, batch: Batch[Tensor]) -> list[Tensor]:
        """Return the sum of a word's prefixes, that of its suffixes, and its shape."""
        sums = []
        for name in AFFIXES:
            most = self.settings.endings if name == "suffix" else batch[name].shape[2]
            sums.append(self.affixes[name](batch[name][..., :most]).sum(2))
        return [*sums, self.affixes["shape"](batch["shape"])]
