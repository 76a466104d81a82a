"""Autoregressive forecasts: a recurrent network fed with its own samples (DeepAR).

After Salinas et al. 2020, arXiv:1704.04110. Each step also sees the value one season before. The
head also sees the input itself, which adds a linear autoregression (Lai et al. 2018,
arXiv:1703.07015).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.heads.numbers import NUMBERS, NumbersDistribution, StudentSettings
from ensue.layers import LAYERS, RecurrentSettings
from ensue.models.contract import Loss, Predictor
from ensue.models.forecaster_contract import Forecasting, NextValues, Sizes, numbers_loss
from ensue.models.parameters import ParameterMixin
from ensue.settings import Choice, Settings
from ensue.state import State

Body = Annotated[Any, Choice(LAYERS)]
Head = Annotated[Any, Choice(NUMBERS)]


class AutoregressiveSettings(Settings):
    """Settings of an autoregressive forecaster."""

    name: Literal["autoregressive"] = "autoregressive"
    body: Body = RecurrentSettings(width=32)
    """Causal layer that reads the past."""
    head: Head = StudentSettings()
    """Distribution of the next value."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout of the body's output."""

    def build(self, sizes: Sizes) -> AutoregressiveForecaster:
        """Build the network."""
        return AutoregressiveForecaster(self, sizes)


class AutoregressiveForecaster(ParameterMixin, Predictor, Forecasting):
    """p(y_t | y_<t) = head(body(y_{t-1}, y_{t-season}, known_t, past_{t-1}, static)).

    Past covariates are zero from the first forecast on, and a flag marks this, in training too.
    """

    horizon = 0

    def __init__(self, settings: AutoregressiveSettings, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, self.scaling = sizes, getattr(settings.head, "scaling", self.scaling)
        self.lag = sizes.season if 1 < sizes.season <= sizes.window else 1
        inputs = 4 * sizes.channels + sizes.known + sizes.past + sizes.static + 2
        self.body = settings.body.build(inputs)
        self.head = settings.head.build(self.body.width + inputs, sizes.channels)
        self.lower_bound = self.head.lower_bound
        self.dropout = nn.Dropout(settings.dropout)
        # It begins with what the value before, or a season before, says of the next.
        with torch.no_grad():
            for channel in range(sizes.channels):
                row = self.head.linear.weight[
                    channel * self.head.places : (channel + 1) * self.head.places
                ]
                row[:, self.body.width :] = 0.0

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of each target step given the steps before it."""
        return self.head.distribution(self._raw(batch), batch["scale"][:, None])

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the negative log-likelihood of each row's targets, in units of the data."""
        return numbers_loss(self.head, self._raw(batch), batch), ()

    def _raw(self, batch: Batch[Tensor]) -> Tensor:
        values = torch.cat([batch["past"], batch["target"][:, :-1]], 1)
        x = torch.cat([values, self._add_lag(values), self._covariates(batch)], 2)
        y, _ = self.body(x, self.body.initial(len(x)))
        features = torch.cat([self.dropout(y), x], 2)[:, self.sizes.window - 1 :]
        return self.head.raw(features)

    def _add_lag(self, values: Tensor) -> Tensor:
        """Return, for each value, the one that lies a season before the next."""
        before = values[:, :1].expand(-1, self.lag - 1, -1)
        return torch.cat([before, values], 1)[:, : values.shape[1]]

    def _covariates(self, batch: Batch[Tensor]) -> Tensor:
        """Return the covariates and flags of each step but the last.

        They are (batch, window + horizon - 1, features).
        """
        known = batch["known"][:, 1:]
        steps, window = known.shape[1], batch["past"].shape[1]
        beyond = (0, 0, 0, steps - window)
        covariate = nn.functional.pad(batch["covariate"], beyond)
        flags = nn.functional.pad(
            torch.stack([torch.ones_like(batch["seen"]), batch["seen"]], 2).to(known), beyond
        )
        static = torch.cat([batch["static"], batch["level"]], 1)[:, None].expand(-1, steps, -1)
        return torch.cat([known, covariate, flags, static], 2)

    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor] | None:
        """Return None: only the first step has a closed-form distribution; use `begin`."""
        return None

    @torch.no_grad()
    def begin(self, batch: Batch[Tensor]) -> tuple[NextValues, State, Tensor]:
        """Read the window but its last step, from which paths continue with their own samples."""
        past, covariates = batch["past"], self._covariates(batch)
        rows, window = past.shape[:2]
        body = self.body.initial(rows)
        if window > 1:
            x = torch.cat([past, self._add_lag(past), covariates[:, :window]], 2)[:, :-1]
            _, body = self.body(x, body)
        recent = torch.cat([past[:, :1], past[:, window - self.lag : window - 1]], 1)
        row = torch.arange(rows, device=past.device)
        state: State = {"body": body, "recent": recent, "row": row, "step": torch.zeros_like(row)}
        return _NextValues(self, covariates[:, window - 1 :], batch["scale"]), state, past[:, -1]


class _NextValues(NextValues):
    """The forecaster beyond the window. Its state has the values of the last season.

    Covariates (batch, horizon, features) and scales are those of the batch; the state has the row
    of each path in it, so that many paths share them.
    """

    def __init__(
        self, forecaster: AutoregressiveForecaster, covariates: Tensor, scale: Tensor
    ) -> None:
        self.forecaster, self.covariates, self.scale = forecaster, covariates, scale

    def __call__(self, inputs: Tensor, state: Any) -> tuple[Any, State]:
        """Map values (rows, 1, channels) to the distribution of the next ones and the state."""
        own, row, step = self.forecaster, state["row"], state["step"]
        recent = torch.cat([state["recent"][:, 1:], inputs], 1)
        x = torch.cat([inputs[:, 0], recent[:, 0], self.covariates[row, step]], 1)[:, None]
        y, body = own.body(x, state["body"])
        raw = own.head.raw(torch.cat([own.dropout(y), x], 2))[:, 0]
        after = {"body": body, "recent": recent, "row": row, "step": step + 1}
        return NumbersDistribution(own.head, raw, self.scale[row]), after
