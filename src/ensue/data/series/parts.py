"""Series whose validation and test part stand in files of their own, which go on where the others end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ensue.data.contract import Listener
from ensue.data.readers.named_parts import files_of_parts
from ensue.data.readers.series import read_panel
from ensue.data.series import Panel, SeriesSettings, counted_on, gone_on
from ensue.data.series.joining import read_as
from ensue.data.series.layout import BacktestSettings
from ensue.errors import DataError, SettingError


def read_series_of_parts(
    paths: Sequence[Path], data: SeriesSettings, backtest: BacktestSettings, listener: Listener
) -> tuple[Panel, BacktestSettings, Mapping[Path, str]]:
    """Read all series with the files that go on from them, and say how long the parts are and which files were read.

    Raises DataError, SettingError.
    """
    if data.valid_file and not data.test_file:
        raise _without_test("--valid")
    files = files_of_parts("train", paths, data, listener)
    if "tune" in files and "test" not in files:
        raise _without_test(str(files["tune"][0]))
    panel = read_panel(files["train"], data, listener)
    for part, length in (("tune", "held"), ("test", "test")):
        if part in files:
            panel, count = _with_files(files[part], panel, data, listener)
            backtest = backtest.model_copy(update={length: count})
    return panel, backtest, {path: part for part, own in files.items() for path in own}


def _without_test(where: str) -> SettingError:
    what, mend = (
        "the test would be cut from the file to choose on",
        "give --test as well, a file that goes on from there",
    )
    return SettingError(what, where=where, mend=mend)


def _with_files(files: Sequence[Path], panel: Panel, data: SeriesSettings, listener: Listener) -> tuple[Panel, int]:
    """Put files after the series that they go on from, by so many steps each. Raises DataError if they do not."""
    later = read_as(panel, data, lambda said: read_panel(files, said, listener, panel))
    later, first = gone_on(panel, counted_on(panel, later))
    added = {len(one) - begin for one, begin in zip(later.series, first, strict=True)}
    if len(later.series) != len(panel.series) or len(added) > 1 or 0 in first or 0 in added:
        what = "the file does not go on with every series, for as many steps each, where the data ends"
        mend = "score other series with `ensue evaluate RUN FILE`"
        given = str(files[0]) in (data.valid_file, data.test_file)
        option = None if given else "read all files together with --set data.split=drawn"
        raise DataError(what, where=str(files[0]), mend=mend, option=option)
    return later, added.pop()
