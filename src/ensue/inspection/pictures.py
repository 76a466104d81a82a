"""Pictures of reports, drawn by matplotlib: each function returns a figure."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from ensue.errors import SettingError
from ensue.escape import for_terminal, shorten

INK, RED, BLUE, GREY = "#333333", "#c1440e", "#2a6f97", "#767676"
"""Colours of lines; the colour-blind tell them apart by their lightness too."""
DASHES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
"""Styles of the lines of baselines, in turn."""
STYLE = {
    # Names from data may hold dollar signs, which would begin a formula.
    "text.parse_math": False,
    # Letters as text and not as outlines: a tenth of the size, and it can be searched.
    "svg.fonttype": "none",
    # With a fixed salt and no date the same results make the same bytes.
    "svg.hashsalt": "ensue",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "lines.linewidth": 1.3,
    "lines.markersize": 3.0,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
MAX_NAME = 28
"""Characters of a name in a picture; the middle of a longer one is left out."""
MAX_CONFUSION = 16
"""Labels of a confusion matrix in a picture: those with the most errors."""
ENDINGS = (".png", ".svg", ".pdf")


def check_ending(path: Path) -> None:
    """Raise SettingError for the name of a picture in no known format."""
    if path.suffix.lower() not in ENDINGS:
        hint = f"give a name that ends in {', '.join(ENDINGS)}"
        what = f"{path.suffix!r} is not a supported image format"
        raise SettingError(what, where="--plot", hint=hint)


def render(form: str, draw: Callable[..., Any], *values: Any) -> bytes:
    """Draw a figure of values, and write it in the format `form`: the same bytes each time."""
    # It warns of a home directory without write access, which costs only time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import rc_context

    image = BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        # The fonts here may lack letters that a browser has.
        warnings.simplefilter("ignore")
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type")) if form == "svg" else None
        draw(*values).savefig(image, dpi=130, format=form, metadata=metadata)
    return image.getvalue()


def to_svg(draw: Callable[..., Any], *values: Any) -> str:
    """Draw a figure as an SVG element of a page."""
    text = render("svg", draw, *values).decode()
    # Names of groups would occur twice in a page of several pictures.
    return re.sub('<g id="[^"]*">', "<g>", text[text.index("<svg") :])


def new_figure(width: float, height: float, rows: int = 1) -> tuple[Any, Any]:
    """Make an empty figure, in inches, with axes in rows; its layout makes room for all labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, 1, squeeze=False)[:, 0]


def _label(name: str) -> str:
    return shorten(for_terminal(name), MAX_NAME)


def draw_curves(log: Sequence[Mapping[str, Any]], baselines: Mapping[str, float], unit: str) -> Any:
    """Draw training and validation loss by step, and the losses of baselines as lines."""
    figure, (axes,) = new_figure(7.5, 3.2)
    for name, colour in (("loss", BLUE), ("validation", RED)):
        points = np.array([(row["step"], row[name]) for row in log if row[name] is not None])
        label = "training" if name == "loss" else name
        axes.plot(*points.reshape(-1, 2).T, "o-", color=colour, label=label)
    for number, (name, loss) in enumerate(baselines.items()):
        style = {"linestyle": DASHES[number % len(DASHES)], "color": INK, "linewidth": 1}
        axes.axhline(loss, label=f"{_label(name)}, test ({loss:.3f})", **style)
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="training step", ylabel=f"loss ({unit})")
    figure.legend(loc="outside right upper")
    return figure


def draw_scores(scores: Sequence[Any], metric: str, label: str) -> Any:
    """Draw a metric of each score as a dot, with its 95 % interval."""
    shown = [one for one in scores if isfinite(one.metrics.get(metric, nan))]
    figure, (axes,) = new_figure(7.5, 0.9 + 0.3 * len(shown))
    for row, one in enumerate(shown):
        value, ends = one.metrics[metric], one.intervals[metric]
        reach = [[max(value - ends[0], 0)], [max(ends[-1] - value, 0)]]
        colour = GREY if one.role == "baseline" else RED
        axes.errorbar(value, row, xerr=reach, fmt="o", color=colour, capsize=3, markersize=5)
    axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=f"{label}, with 95 % intervals")
    axes.set_yticks(range(len(shown)), [_label(one.name) for one in shown])
    axes.grid(axis="x")
    return figure


def draw_line(x: Sequence[float], y: Sequence[float | None], names: tuple[str, str]) -> Any:
    """Draw values as a line; `names` are of both axes."""
    figure, (axes,) = new_figure(6, 2.8)
    axes.plot(x, np.array(y, dtype=np.float64), "o-", color=BLUE)
    axes.set(xlabel=names[0], ylabel=names[1])
    return figure


def draw_reliability(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """Draw accuracy against confidence, before and after calibration."""
    figure, (axes,) = new_figure(5.3, 3.4)
    axes.plot([0, 1], [0, 1], "--", color=GREY, label="perfect")
    for (when, bins), colour in zip(curves.items(), (BLUE, RED), strict=False):
        x, y, counts = ([one[name] for one in bins] for name in ("confidence", "accuracy", "count"))
        axes.plot(x, y, color=colour, label=f"{when} calibration")
        # The area of a dot is its share of the examples.
        axes.scatter(x, y, s=[12 + 200 * one / sum(counts) for one in counts], color=colour)
    axes.set(xlabel="confidence", ylabel="accuracy")
    figure.legend(loc="outside right upper")
    return figure


def draw_confusion(names: Sequence[str], counts: Any) -> Any:
    """Draw a confusion matrix, of the labels with the most errors if there are many."""
    counts = np.asarray(counts)
    errors = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-errors, kind="stable")[:MAX_CONFUSION])
    shown, labels = counts[np.ix_(chosen, chosen)], [_label(names[one]) for one in chosen]
    shares = shown / np.maximum(counts[chosen].sum(1, keepdims=True), 1)
    figure, (axes,) = new_figure(2.8 + 0.38 * len(chosen), 1.8 + 0.32 * len(chosen))
    # Rectangles and not an image, which would be a file of its own inside the picture.
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for row, column in np.argwhere(shown):
        colour = "white" if shares[row, column] > 0.55 else INK
        place = column + 0.5, row + 0.5, str(shown[row, column])
        axes.text(*place, color=colour, ha="center", va="center")
    middles = np.arange(len(chosen)) + 0.5
    axes.set_xticks(middles, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, labels)
    axes.set(xlabel="predicted", ylabel="actual", ylim=(len(chosen), 0))
    axes.grid(visible=False)
    return figure


def draw_sequences(
    prompt: Sequence[Mapping[str, Any]],
    samples: Sequence[Sequence[Mapping[str, Any]]],
    example: Sequence[Mapping[str, Any]] = (),
) -> Any:
    """Draw rows that continue those of a prompt, or new ones beside an example of training.

    Two numbers are a path, and so are x and y, or dx and dy, beside symbols; others are drawn over
    the steps.
    """
    before = {"training": example, "prompt": prompt}
    lines = [(label, INK, 0, rows) for label, rows in before.items() if rows]
    for number, (steps, colour) in enumerate(zip(samples, (RED, BLUE, GREY), strict=False), 1):
        rows = [*prompt[-1:], *steps]
        lines.append((f"sample {number}", colour, max(len(prompt) - 1, 0), rows))
    names = [*next(row for *_, rows in lines for row in rows)]
    columns = {name: [[row[name] for row in rows] for *_, rows in lines] for name in names}
    symbols = {name: sorted(set().union(*of)) for name, of in columns.items() if _are_texts(of)}
    pair = tuple(name for name in names if name not in symbols)
    moves = pair == ("dx", "dy")
    if len(pair) == 2 and (not symbols or moves or pair == ("x", "y")):
        figure, (axes,) = new_figure(6.5, 5)
        for (label, colour, *_), x, y in zip(lines, *(columns[name] for name in pair), strict=True):
            points = np.cumsum([x, y], 1) if moves else (x, y)
            axes.plot(*points, "o-", color=colour, label=label, linewidth=0.8, alpha=0.8)
        of_axes = [f"sum of {name}" if moves else _label(name) for name in pair]
        axes.set(xlabel=of_axes[0], ylabel=of_axes[1])
        axes.set_aspect("equal", adjustable="datalim")
        figure.legend(loc="outside right upper")
        return figure
    figure, every = new_figure(7.5, 0.8 + 1.8 * len(names), len(names))
    for name, axes in zip(names, every, strict=True):
        for (label, colour, first, _), values in zip(lines, columns[name], strict=True):
            shown = [symbols[name].index(one) for one in values] if name in symbols else values
            steps = np.arange(first + 1, first + 1 + len(values))
            axes.step(steps, shown, where="mid", color=colour, label=label)
        axes.set(ylabel=_label(name))
        if name in symbols:
            axes.set_yticks(range(len(symbols[name])), map(_label, symbols[name]))
    every[-1].set(xlabel="step")
    figure.legend(*every[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def _are_texts(columns: Sequence[Sequence[Any]]) -> bool:
    return any(isinstance(one, str) for column in columns for one in column)
