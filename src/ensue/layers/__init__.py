"""Sequence layers: causal ones (LAYERS) and encoders (ENCODERS)."""

from ensue.layers.bag import Bag, BagSettings
from ensue.layers.bidirectional import Bidirectional, BidirectionalSettings
from ensue.layers.causal_convolution import TCN, TCNSettings
from ensue.layers.contract import Causal, Encoder
from ensue.layers.convolution import Convolution, ConvolutionSettings
from ensue.layers.none import NoLayer, NoLayerSettings
from ensue.layers.recurrent import Recurrent, RecurrentSettings
from ensue.layers.transformer import Transformer, TransformerSettings
from ensue.layers.unidirectional import Unidirectional, build_encoder
from ensue.layers.wavenet import WaveNet, WaveNetSettings
from ensue.layers.window import Window, WindowSettings
from ensue.settings import Settings

LAYERS: dict[str, type[Settings]] = {
    "recurrent": RecurrentSettings,
    "window": WindowSettings,
    "bag-of-context": BagSettings,
    "tcn": TCNSettings,
    "wavenet": WaveNetSettings,
    "transformer": TransformerSettings,
}
"""Causal layers."""

ENCODERS: dict[str, type[Settings]] = {
    "none": NoLayerSettings,
    "bidirectional": BidirectionalSettings,
    "convolution": ConvolutionSettings,
    **LAYERS,
}
"""Encoders: layers that may look ahead, and causal layers."""

__all__ = [
    "ENCODERS",
    "LAYERS",
    "TCN",
    "Bag",
    "BagSettings",
    "Bidirectional",
    "BidirectionalSettings",
    "Causal",
    "Convolution",
    "ConvolutionSettings",
    "Encoder",
    "NoLayer",
    "NoLayerSettings",
    "Recurrent",
    "RecurrentSettings",
    "TCNSettings",
    "Transformer",
    "TransformerSettings",
    "Unidirectional",
    "WaveNet",
    "WaveNetSettings",
    "Window",
    "WindowSettings",
    "build_encoder",
]
