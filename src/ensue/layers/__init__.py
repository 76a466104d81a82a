"""Maps over a whole sequence."""

from ensue.layers.bag import Bag, BagSettings
from ensue.layers.contract import Causal, Encoder
from ensue.layers.recurrent import Recurrent, RecurrentSettings
from ensue.layers.window import Window, WindowSettings
from ensue.settings import Settings

LAYERS: dict[str, type[Settings]] = {"recurrent": RecurrentSettings, "window": WindowSettings, "bag": BagSettings}

__all__ = [
    "LAYERS",
    "Bag",
    "BagSettings",
    "Causal",
    "Encoder",
    "Recurrent",
    "RecurrentSettings",
    "Window",
    "WindowSettings",
]
