"""Direct multi-step forecasts from a fixed window: linear, or with hidden layers (mlp).

Linear after Zeng et al. 2023 (arXiv:2205.13504). All series share the weights. Each channel is
forecast from the past of all channels. A window is scaled by its own mean and spread, and its
forecast scaled back (reversible normalisation: Kim et al. 2022). DLinear's decomposition into trend
and remainder is linear too, so one matrix covers both.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from ensue.batch import Batch
from ensue.heads.numbers import NUMBERS, GaussianSettings
from ensue.layers.window import hidden_layers
from ensue.models.contract import Loss, Predictor
from ensue.models.forecaster_contract import Forecasting, Sizes, Uniforms, numbers_loss
from ensue.models.parameters import ParameterMixin
from ensue.settings import Choice, Settings
from ensue.state import State

Head = Annotated[Any, Choice(NUMBERS)]


class LinearSettings(Settings):
    """Settings of a direct forecaster that is linear in the window."""

    name: Literal["linear"] = "linear"
    head: Head = GaussianSettings()
    """Distribution of each value."""

    def build(self, sizes: Sizes) -> DirectForecaster:
        """Build the network."""
        return DirectForecaster(self.head, sizes)


class MLPSettings(Settings):
    """Settings of a direct forecaster with hidden layers."""

    name: Literal["mlp"] = "mlp"
    depth: int = Field(2, ge=1, le=1000)
    """Hidden layers."""
    width: int = Field(128, ge=1)
    """Units of each hidden layer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of hidden units."""
    head: Head = GaussianSettings()
    """Distribution of each value."""

    def build(self, sizes: Sizes) -> DirectForecaster:
        """Build the network."""
        return DirectForecaster(self.head, sizes, self.width, self.depth, self.dropout)


class DirectForecaster(ParameterMixin, Predictor, Forecasting):
    """y_{t+1..t+horizon} ~ head(net(y_{t-window+1..t}, known, past, static))."""

    def __init__(
        self, head: Any, sizes: Sizes, width: int = 0, depth: int = 0, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.sizes, self.horizon = sizes, sizes.horizon
        self.deep, self.scaling = depth > 0, getattr(head, "scaling", self.scaling)
        known = sizes.calendar + (sizes.known - sizes.calendar) * sizes.horizon
        inputs = (
            sizes.window * (sizes.channels + sizes.past)
            + known
            + sizes.static
            + 2 * sizes.channels * self.deep
        )
        self.net = hidden_layers(inputs, width, depth, dropout)
        self.head = head.build(width if self.deep else inputs, sizes.horizon * sizes.channels)
        self.lower_bound = self.head.lower_bound
        if not self.deep:
            # The mean of the window is the forecast to begin with, at every step.
            nn.init.zeros_(self.head.linear.weight)

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of each value."""
        return self.head.distribution(self._raw(batch), batch["scale"][:, None])

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the negative log-likelihood of each row's targets, in units of the data."""
        return numbers_loss(self.head, self._raw(batch), batch), ()

    def _raw(self, batch: Batch[Tensor]) -> Tensor:
        known = batch["known"][:, self.sizes.window : self.sizes.window + self.horizon]
        calendar, known = known[:, 0, : self.sizes.calendar], known[:, :, self.sizes.calendar :]
        seen = [batch["past"], calendar, known, batch["covariate"], batch["static"]]
        seen += [batch["level"]] if self.deep else []
        x = torch.cat([one.flatten(1) for one in seen], 1)
        return self.head.raw(self.net(x)).unflatten(1, (self.horizon, self.sizes.channels))

    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor] | None:
        """Return mean and standard deviation if the head is Gaussian, else None."""
        with torch.no_grad():
            distribution = self(batch)
        return (distribution.loc, distribution.scale) if isinstance(distribution, Normal) else None

    @torch.no_grad()
    def draw(self, batch: Batch[Tensor], uniforms: Uniforms) -> Tensor:
        """Sample each step independently."""
        steps = [uniforms(step) for step in range(self.horizon)]
        first, second = (torch.stack([step[place] for step in steps], 2) for place in (0, 1))
        return self.head.draw(self(batch), first, second).to(first)
