"""Demos of `forecast`."""

from ensue.data.demos import Demo
from ensue.data.demos.ball import simulate_balls
from ensue.data.demos.sunspots import load_sunspots

DEMOS = {
    "ball": Demo(
        "forecast",
        "series",
        "24 balls that bounce in a box, simulated: their positions x and y in metres every 0.04 "
        "s, with errors of 5 mm; given the path, where does it go next?",
        simulate_balls,
        ".csv",
        {"generate": "steps"},
    ),
    "sunspots": Demo(
        "forecast",
        "series",
        "sunspot numbers of the years 1700 to 2008, from statsmodels (the extra `demos`)",
        load_sunspots,
        ".csv",
    ),
}
