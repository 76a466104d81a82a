"""Maps over a whole sequence."""

from ensue.layers.alone import Alone, AloneSettings
from ensue.layers.bag import Bag, BagSettings
from ensue.layers.bidirectional import Bidirectional, BidirectionalSettings
from ensue.layers.contract import Causal, Encoder
from ensue.layers.convolution import Convolution, ConvolutionSettings
from ensue.layers.onward import LAYERS, Onward, OnwardSettings
from ensue.layers.recurrent import Recurrent, RecurrentSettings
from ensue.layers.window import Window, WindowSettings
from ensue.settings import Settings

ENCODERS: dict[str, type[Settings]] = {
    "alone": AloneSettings,
    "bidirectional": BidirectionalSettings,
    "convolution": ConvolutionSettings,
    "onward": OnwardSettings,
}
"""Layers that may look ahead; LAYERS names those that may not."""

__all__ = [
    "ENCODERS",
    "LAYERS",
    "Alone",
    "AloneSettings",
    "Bag",
    "BagSettings",
    "Bidirectional",
    "BidirectionalSettings",
    "Causal",
    "Convolution",
    "ConvolutionSettings",
    "Encoder",
    "Onward",
    "OnwardSettings",
    "Recurrent",
    "RecurrentSettings",
    "Window",
    "WindowSettings",
]
