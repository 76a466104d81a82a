"""Series in files of their own that continue the training series: parts, and later rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.contract import SILENT, Listener
from ensue.data.readers.named_parts import get_part_files
from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.joining import append, continue_times, read_like, refuse_unlike
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.tables.series import build_panel, read_panel
from ensue.data.tables.sources import read_frame
from ensue.errors import DataError, SettingError


def read_series_of_parts(
    paths: Sequence[Path],
    data: SeriesSettings,
    backtest: BacktestSettings,
    listener: Listener,
    read: Callable[[Sequence[Path], SeriesSettings, Listener], Panel] = read_panel,
) -> tuple[Panel, BacktestSettings, Mapping[Path, str]]:
    """Read all series with the files that continue them; `read` reads those of training.

    Returns the panel, the settings with the lengths of the parts, and the part of each file. Raises
    DataError, SettingError.
    """
    if data.valid_file and not data.test_file:
        raise _missing_test("--valid")
    files = get_part_files("train", paths, data, listener)
    if "validation" in files and "test" not in files:
        raise _missing_test(str(files["validation"][0]))
    panel = read(files["train"], data, listener)
    for part, length in (("validation", "validation_steps"), ("test", "test")):
        if part in files:
            panel, count = _append_files(files[part], panel, data, listener)
            backtest = backtest.model_copy(update={length: count})
    return panel, backtest, {path: part for part, own in files.items() for path in own}


def _missing_test(where: str) -> SettingError:
    what = "the test part would be cut from the validation file"
    hint = "give --test as well, a file that continues the validation file"
    return SettingError(what, where=where, hint=hint)


def _append_files(
    files: Sequence[Path], panel: Panel, data: SeriesSettings, listener: Listener
) -> tuple[Panel, int]:
    """Append files to the series that they continue, and return how many steps each adds.

    Raises DataError if they do not continue every series by the same number of steps.
    """
    later = read_later_files(panel, data, files, listener)
    later, first = append(panel, continue_times(panel, later))
    added = {len(one) - begin for one, begin in zip(later.series, first, strict=True)}
    if len(later.series) != len(panel.series) or len(added) > 1 or 0 in first or 0 in added:
        what = "the file does not continue every series where the data ends, by equally many steps"
        hint = "score other series with `ensue evaluate RUN FILE`"
        # Steps of one series in two files cannot be read together.
        separate = not any(first) and str(files[0]) not in (data.valid_file, data.test_file)
        flag_hint = None if not separate else "read all files together with --set data.split=drawn"
        raise DataError(what, where=str(files[0]), hint=hint, flag_hint=flag_hint)
    return later, added.pop()


def read_later_files(
    train: Panel, settings: SeriesSettings, files: Sequence[Path], listener: Listener = SILENT
) -> Panel:
    """Read files of series like those of training. Raises DataError, SettingError."""
    return read_like(train, settings, lambda own: read_panel(files, own, listener, train))


def read_later(train: Panel, settings: SeriesSettings, data: Any) -> Panel:
    """Read a file, a data frame or a Panel of series like those of training.

    Raises DataError, SettingError.
    """
    if isinstance(data, Panel):
        refuse_unlike(train, data)
        return data
    if isinstance(data, str | Path):
        return read_later_files(train, settings, [Path(data)])
    frame = read_frame(data, settings, like=train)
    return read_like(train, settings, lambda own: build_panel([frame], own, like=train))
