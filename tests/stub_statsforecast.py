"""A statsforecast for tests where the true one, of the extra `series`, is not installed."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest


class LastValue:
    """Repeats the last value; the intervals are as wide as the past varies."""

    def __init__(self, season_length: int) -> None:
        self.season = season_length

    def fit(self, y: np.ndarray) -> Any:
        self.y = y
        return self

    def predict(self, h: int, level: list[int]) -> dict[str, np.ndarray]:
        return self.forward(self.y, h, level)

    def forward(self, y: np.ndarray, h: int, level: list[int]) -> dict[str, np.ndarray]:
        ends = {}
        for per_cent in level:
            width = y.std() * per_cent / 50
            ends |= {f"lo-{per_cent}": y[-1] - width, f"hi-{per_cent}": y[-1] + width}
        return {name: np.full(h, one) for name, one in {"mean": y[-1], **ends}.items()}


class Mean(LastValue):
    """Repeats the mean of the history that it was fitted to."""

    def forward(self, y: np.ndarray, h: int, level: list[int]) -> dict[str, np.ndarray]:
        return super().forward(np.append(y, self.y.mean()), h, level)


def install(monkeypatch: pytest.MonkeyPatch, **models: type) -> None:
    """Make `from statsforecast import models` import these, by the names of the true ones."""
    library = ModuleType("statsforecast")
    library.__spec__ = ModuleSpec("statsforecast", None)
    known = {"AutoETS": LastValue, "AutoTheta": Mean, "AutoARIMA": Mean}
    library.models = SimpleNamespace(**{**known, **models})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "statsforecast", library)
