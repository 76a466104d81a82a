"""Transformer: causal self-attention over a window of the last steps (Vaswani et al. 2017).

Blocks are as later work found them better: normalised before each part (Xiong et al. 2020), by the
root mean square (Zhang & Sennrich 2019), with rotary positions (Su et al. 2021) or linear biases
(ALiBi, Press et al. 2022), heads that share keys and values in groups (Ainslie et al. 2023), and
gated feed-forward layers (SwiGLU, Shazeer 2020).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.engine import Features, dense
from ensue.errors import SettingError
from ensue.layers.contract import Causal
from ensue.layers.window import look_back
from ensue.settings import Settings
from ensue.state import State

HEAD_FEATURES = 32
"""Features of a head, where the number of heads is left open."""

ROTARY_BASE = 10_000.0
"""Base of the wavelengths of rotary positions, as published."""


class TransformerSettings(Settings):
    """Settings of a stack of Transformer blocks."""

    name: Literal["transformer"] = "transformer"
    width: int = Field(default=128, ge=2)
    """Features of a step; each head has width / heads of them."""
    depth: int = Field(default=4, ge=1, le=1000)
    """Number of blocks."""
    heads: int = Field(default=0, ge=0)
    """Attention heads; 0 for one per 32 features, or nearly so."""
    key_heads: int = Field(default=0, ge=0)
    """Heads of keys and values, each shared by a group of heads; 0 for one per head."""
    window: int = Field(default=256, ge=1, le=100_000)
    """Steps that attention reads in each block, the current one included."""
    feed_forward: int = Field(default=0, ge=0)
    """Hidden units of the feed-forward layers; 0 for 8/3 of the width."""
    positions: Literal["rotary", "alibi"] = "rotary"
    """How attention knows the distance of a step."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout rate of what each block adds, and of attention."""

    def build(self, inputs: int) -> Transformer:
        """Make the layer for `inputs` features a step.

        Raises SettingError if the heads do not divide the width.
        """
        heads = self.count_heads()
        if self.width % heads or heads % (self.key_heads or heads):
            what = f"{heads} heads, {self.key_heads or heads} of keys, do not divide {self.width}"
            raise SettingError(what, where="body.width", hint="choose a multiple of body.heads")
        if self.positions == "rotary" and self.width // heads % 2:
            what = f"rotary positions need an even number of features, not {self.width // heads}"
            raise SettingError(what, where="body.heads", hint="choose half as many heads")
        return Transformer(self, inputs)

    def count_heads(self) -> int:
        """Return the number of heads.

        >>> [TransformerSettings(width=width).count_heads() for width in (6, 128, 200)]
        [1, 4, 5]
        """
        if self.heads:
            return self.heads
        most = max(self.width // HEAD_FEATURES, 1)
        fits = [one for one in range(1, most + 1) if self.width % (2 * one) == 0]
        return max(fits, default=1)


class Transformer(Causal):
    """x + attention(norm(x)), then x + feed_forward(norm(x)), in each block.

    The state holds, of each block, the keys and values of the last `window - 1` steps, and which of
    them are real.

    >>> layer = TransformerSettings(width=8, depth=1, heads=2, window=4).build(3)
    >>> y, state = layer(torch.zeros(2, 5, 3))
    >>> y.shape, state["blocks"][0]["keys"].shape, state["real"].shape
    (torch.Size([2, 5, 8]), torch.Size([2, 3, 2, 4]), torch.Size([2, 3]))
    """

    def __init__(self, settings: TransformerSettings, inputs: int) -> None:
        super().__init__()
        self.inputs, self.width, self.window = inputs, settings.width, settings.window
        self.input = nn.Linear(inputs, self.width) if inputs != self.width else nn.Identity()
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.depth))
        self.norm = nn.RMSNorm(self.width)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return zero keys and values, and a mask (batch, window - 1) that marks none as real."""
        blocks = tuple(cast(_Block, one).initial(batch_size) for one in self.blocks)
        real = self.norm.weight.new_zeros(batch_size, self.window - 1)
        return {"blocks": blocks, "real": real}

    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the final state of each row."""
        x, before = self.input(dense(x)), cast("dict[str, State]", state)
        ys = []
        # A stretch as long as the window reads at most as many steps before it: longer input costs
        # its length times the window, not its square.
        for begin in range(0, x.shape[1], self.window):
            part = x[:, begin : begin + self.window]
            own = None if lengths is None else (lengths - begin).clamp(0, part.shape[1])
            y, before = self._run(part, before, own)
            ys.append(y)
        return self.norm(torch.cat(ys, 1)) if ys else x, before

    def _run(
        self, x: Tensor, state: dict[str, State], lengths: Tensor | None
    ) -> tuple[Tensor, dict[str, State]]:
        before = cast(Tensor, state["real"])
        steps = x.shape[1]
        fresh = not before.any()
        real, after = look_back(before.new_ones(len(x), steps), before, lengths)
        mask = None if fresh else _make_mask(real, steps, self.window)
        ends: list[State] = []
        for block, kept in zip(self.blocks, state["blocks"], strict=True):
            x, end = block(x, kept, mask, lengths)
            ends.append(end)
        return x, {"blocks": tuple(ends), "real": after}


def _make_mask(real: Tensor, steps: int, window: int) -> Tensor:
    """Return which of the real steps (batch, keys) each of the last `steps` reads.

    The result is (batch, 1, steps, keys).
    """
    distance = _distances(steps, real.shape[1], real.device)
    near = (distance >= 0) & (distance < window)
    return near & (real[:, None, None] > 0)


def _distances(steps: int, keys: int, device: torch.device) -> Tensor:
    """Return how many steps before each of the last `steps` each key is, (steps, keys)."""
    places = torch.arange(keys, device=device)
    return places[keys - steps :, None] - places


class _Block(nn.Module):
    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.count_heads()
        self.groups = settings.key_heads or self.heads
        self.features, self.window = width // self.heads, settings.window
        self.positions, self.dropout = settings.positions, settings.dropout
        hidden = settings.feed_forward or -(-8 * width // 3)
        self.before_attention, self.before_feed_forward = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * self.groups * self.features, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.enter = nn.Linear(width, 2 * hidden, bias=False)
        self.leave = nn.Linear(hidden, width, bias=False)
        # Radford et al. (2019): what is added to the residual path does not grow with its length.
        for one in (self.mix, self.leave):
            nn.init.normal_(one.weight, std=0.02 / (2 * settings.depth) ** 0.5)
        for one in (self.query, self.key_value, self.enter):
            nn.init.normal_(one.weight, std=width**-0.5)

    def initial(self, batch_size: int) -> dict[str, State]:
        past = self.mix.weight.new_zeros(batch_size, self.window - 1, self.groups, self.features)
        return {"keys": past, "values": past}

    def forward(
        self, x: Tensor, kept: dict[str, Tensor], mask: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        read = self.before_attention(x)
        query = self.query(read).unflatten(-1, (self.heads, self.features))
        new = self.key_value(read).unflatten(-1, (2, self.groups, self.features))
        keys, past_keys = look_back(new[:, :, 0], kept["keys"], lengths)
        values, past_values = look_back(new[:, :, 1], kept["values"], lengths)
        if mask is None:  # whole sequences from their beginning: nothing is kept of earlier steps
            keys, values = keys[:, self.window - 1 :], values[:, self.window - 1 :]
        x = x + self._drop(self.mix(self._attend(query, keys, values, mask).flatten(2)))
        value, gate = self.enter(self.before_feed_forward(x)).chunk(2, -1)
        x = x + self._drop(self.leave(value * F.silu(gate)))
        return x, {"keys": past_keys, "values": past_values}

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        steps, all_steps = query.shape[1], keys.shape[1]
        if self.positions == "rotary":
            # Only differences of positions count, so they are counted anew from the first key.
            angles = _angles(all_steps, self.features, query.device, query.dtype)
            query, keys = _rotate(query, *(one[-steps:] for one in angles)), _rotate(keys, *angles)
        else:
            distance = _distances(steps, all_steps, query.device)
            bias = -distance * _slopes(self.heads, query)[:, None, None]
            seen = distance >= 0 if mask is None else mask
            mask = torch.where(seen, bias, float("-inf"))
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(
            query.transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            attn_mask=mask,
            dropout_p=dropout,
            # Its mask is aligned with the first key: right only if queries and keys are as many.
            is_causal=mask is None,
            enable_gqa=self.groups != self.heads,
        )
        return mixed.transpose(1, 2)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


@lru_cache(maxsize=32)
def _angles(
    steps: int, features: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of rotary positions, (steps, 1, features / 2) each."""
    # Whoever calls first may only infer, and tensors made then are of no use to training.
    with torch.inference_mode(False):
        # In double precision, since a position times a frequency is rounded otherwise.
        rates = ROTARY_BASE ** -(torch.arange(0, features, 2, dtype=torch.float64) / features)
        angles = torch.arange(steps, dtype=torch.float64)[:, None, None] * rates
        return angles.cos().to(device, dtype), angles.sin().to(device, dtype)


def _rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the pairs of features of x (batch, steps, heads, features) by their positions."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1)


def _slopes(heads: int, like: Tensor) -> Tensor:
    """Return the slopes of ALiBi: 2^(-8/heads), 2^(-16/heads), ..."""
    return torch.exp2(-8 / heads * torch.arange(1, heads + 1, device=like.device)).to(like.dtype)
