"""The task `forecast`: the next steps of numeric series, with prediction intervals."""

from __future__ import annotations

from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.baselines.statistical import StatisticalSettings, load_library
from ensue.tasks.contract import Choices, Proposal
from ensue.tasks.demos import demo_name
from ensue.tasks.forecast.data import DEMO
from ensue.tasks.forecast.settings import MODELS, ForecastSettings
from ensue.tasks.forecast.trained import BACKTEST, open_forecaster
from ensue.tasks.forecast.training import TRAINING
from ensue.tasks.pipeline import make_task
from ensue.tasks.proposal import apply_overrides, finish, load_config, with_budget, with_model


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    settings, values = load_config(ForecastSettings, choices)
    reasons: list[str] = []
    name = None
    if choices.model is None and "model" not in values:
        name = _choose_default(apply_overrides(settings, choices), choices, reasons)
    settings = with_budget(with_model(settings, choices, MODELS, name), choices)
    settings = apply_overrides(settings, choices)
    if isinstance(settings.model, StatisticalSettings):
        load_library()
    return finish(settings, reasons, choices)


HELD = "the run holds the best on the validation part, or their mixture"


def _choose_default(settings: ForecastSettings, choices: Choices, reasons: list[str]) -> str | None:
    """Choose the default model: a network for several targets, else ridge regression.

    It is None if an assignment chooses a model.
    """
    if settings.model != RidgeSettings():
        return None
    if len(settings.data.target) > 1 or demo_name(choices.data, "forecast") == DEMO:
        reasons.append(
            "model lstm: the targets of a step depend on one another; "
            f"{HELD} (choose one with --model)"
        )
        return "lstm"
    reasons.append(
        f"model ridge, with the naive and statistical ones, fitted in seconds; {HELD} (choose one "
        "with --model: ridge, boosting, linear, mlp, or a cell such as lstm)"
    )
    return "ridge"


TASK = make_task(TRAINING, _propose, open_forecaster, arrays=(BACKTEST,))
"""The task of `ensue train forecast`."""
