"""A run of `generate` whose network another training starts from, alike for all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ensue.data.codecs import load_codec
from ensue.data.contract import Codec
from ensue.errors import RunError, SettingError
from ensue.models.parameters import load_into
from ensue.models.pool import select
from ensue.models.sequence import SequenceModel, SequenceSettings
from ensue.settings import read_stored
from ensue.tasks.cached import CODEC
from ensue.tasks.held import limit_model_size
from ensue.training.folder.run import WEIGHTS, Run

HINT = "name a run of `generate` that has a recurrent network"


@dataclass(frozen=True)
class Pretrained:
    """The network of a pretrained run, which may be a part of a mixture, and its codec."""

    run: Run
    settings: SequenceSettings
    codec: Codec

    @classmethod
    def open(cls, folder: str) -> Pretrained:
        """Open a run. Raises RunError if it has no network of `generate`."""
        run = Run.open(folder)
        model = run.about["settings"].get("model", {})
        if run.about.get("task") != "generate" or model.get("name") != "sequence":
            raise RunError("the run has no network of `generate`", where=folder, hint=HINT)
        settings = read_stored(SequenceSettings, model, f"{folder}/run.toml")
        return cls(run, settings, run.parse(CODEC, load_codec))

    def network(self) -> SequenceModel:
        """Load the network. Raises RunError if it is damaged."""
        with limit_model_size(self.run, training=True):
            network = self.settings.build(self.codec.size)
        arrays: Mapping[str, Any] = self.run.read_arrays()
        if self.run.read_note():
            # A run that holds its n-gram has the network in its checkpoint alone.
            checkpoint = self.run.checkpoint()
            arrays = select(arrays, "network.") or (checkpoint.best if checkpoint else {})
        load_into(network, arrays, str(self.run.path / WEIGHTS))
        return network.eval()


def refuse_pretrained(what: str) -> SettingError:
    """Make the error for data or a model that no pretrained run fits."""
    where = "--pretrained"
    return SettingError(f"{what} cannot use a pretrained run", where=where, hint="leave it out")
