"""Networks over steps of several fields: embeddings and numbers, a causal layer, a joint head."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ensue.fields import Fields, Steps
from ensue.heads.joint import JointDistribution, JointSettings
from ensue.layers import LAYERS, RecurrentSettings
from ensue.models.contract import StepModel
from ensue.models.parameters import ParameterMixin
from ensue.settings import Choice, Settings
from ensue.state import State

Body = Annotated[Any, Choice(LAYERS)]


class StepNetworkSettings(Settings):
    """Settings of a network over steps of several fields."""

    name: Literal["network"] = "network"
    embedding: int = Field(32, ge=1)
    """Embedding features of each symbol."""
    body: Body = RecurrentSettings(width=128)
    """Causal layer between input and head."""
    head: JointSettings = JointSettings()
    """Head over the fields of the next step."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Dropout of the body's output."""

    def build(self, fields: Fields) -> StepNetwork:
        """Build the network for the fields of a step."""
        return StepNetwork(self, fields)


class StepNetwork(ParameterMixin, StepModel):
    """p(step | before) = head(body(step before), step before).

    Of each number the body reads its value and its change from the step before, and so does the
    head: a linear extrapolation is a linear function of its input.
    """

    def __init__(self, settings: StepNetworkSettings, fields: Fields) -> None:
        super().__init__()
        self.fields = fields
        self.tables = nn.ModuleList(
            nn.Embedding(size + 1, settings.embedding) for size in fields.of_rows.values()
        )
        inputs = settings.embedding * len(self.tables) + 3 * len(fields.numbers)
        self.body = settings.body.build(inputs)
        self.head = settings.head.build(self.body.width + inputs, fields)
        self.dropout = nn.Dropout(settings.dropout)

    def initial(self, batch_size: int, context: State | None = None) -> State:
        """Return the body's state, and numbers of NaN for the step before the first."""
        body = self.body.initial(batch_size, context)
        like = next(self.parameters())
        return {
            "body": body,
            "last": like.new_full((batch_size, len(self.fields.numbers)), torch.nan),
        }

    def __call__(
        self, inputs: Any, state: State, lengths: Tensor | None = None
    ) -> tuple[JointDistribution, State]:
        """Map steps (batch, time) to the distribution of the next one and the last state."""
        return nn.Module.__call__(self, inputs, state, lengths)

    def forward(
        self, inputs: Steps, state: Any, lengths: Tensor | None = None
    ) -> tuple[JointDistribution, State]:
        """Map steps (batch, time) to the distribution of the next one and the last state."""
        numbers, last = inputs["numbers"], state["last"]
        earlier = torch.cat([last[:, None], numbers[:, :-1]], 1)
        unit = numbers.new_tensor(self.head.units)
        parts = [
            numbers.nan_to_num(),
            ((numbers - earlier) / unit).nan_to_num(),
            numbers.isnan().to(numbers),
            *(table(inputs["symbols"][..., place]) for place, table in enumerate(self.tables)),
        ]
        x = torch.cat(parts, -1)
        y, body = self.body(x, state["body"], lengths)
        features = torch.cat([self.dropout(y), x], -1)
        if lengths is None:
            last = numbers[:, -1] if numbers.shape[1] else last
        else:
            at = (lengths - 1).clamp_min(0)[:, None, None].expand(-1, 1, numbers.shape[2])
            last = torch.where(lengths[:, None] > 0, numbers.gather(1, at)[:, 0], last)
        return self.head(features, parts[0]), {"body": body, "last": last}
