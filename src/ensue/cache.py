"""Encoded data in a folder of the run, each file with its sum, so that a run goes on without its
sources.

The sums are written last: a folder without them was not finished, and is made anew. They are
checked when the data is used, once in a process, for one changed bit would lead to other weights
and other figures, without a word.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ensue.atomic_io import (
    PIECE,
    damage_error,
    hash_inside,
    parse_json,
    path_inside,
    read_errors,
    read_inside,
    write_atomically,
    write_errors,
)

T = TypeVar("T")

SUMS = "sums.json"
_seen: dict[tuple[str, str], tuple[int, ...]] = {}
"""Files, with their sum, that were checked in this process, as they were then."""


class Cache:
    """A folder of arrays and plain values: `begin`, then `save...`, then `finish`; or, of a
    finished one, `load...`.

    What is loaded was checked. Raises RunError where a file is missing or damaged, or where the
    disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sums: dict[str, str] | None = None

    @property
    def finished(self) -> bool:
        """Tell whether there is something to load."""
        return path_inside(self.folder, SUMS).exists()

    def begin(self) -> None:
        """Make an empty folder, whatever was there."""
        with write_errors(self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True)
        self._sums = {}

    def save_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array (.npy); one that lies there already is only summed."""
        path = path_inside(self.folder, name)
        if (
            isinstance(array, np.memmap)
            and path.exists()
            and Path(str(array.filename)).samefile(path)
        ):
            with write_errors(path), path.open("rb") as file:
                os.fsync(file.fileno())
            self._known[name] = hash_inside(self.folder, name)
        else:
            self._write(name, _pieces(array))

    def save_json(self, name: str, values: Any) -> None:
        """Write plain values."""
        self._write(name, iter([json.dumps(values).encode()]))

    def finish(self) -> None:
        """Write the sums: from here on there is something to load."""
        text = json.dumps({"sha256": self._known}, indent=1)
        write_atomically(path_inside(self.folder, SUMS), text.encode())

    def has(self, name: str) -> bool:
        """Tell whether a file was written."""
        return name in self._known

    def load_array(self, name: str) -> NDArray[Any]:
        """Map an array."""
        path = self._checked(name)
        with read_errors(path):
            try:
                return np.load(path, mmap_mode="r", allow_pickle=False)
            except OSError:
                raise
            except Exception as error:  # of what may be in a file, NumPy names no kinds
                raise damage_error(str(path), " ".join(str(error).split())[:120]) from None

    def load_json(self, name: str, make: Callable[[Any], T]) -> T:
        """Make something of plain values."""
        path = self._checked(name)
        return parse_json(read_inside(self.folder, name), str(path), make)

    def _write(self, name: str, pieces: Iterator[bytes | memoryview]) -> None:
        digest = hashlib.sha256()

        def summed() -> Iterator[bytes | memoryview]:
            for piece in pieces:
                digest.update(piece)
                yield piece

        write_atomically(path_inside(self.folder, name), summed())
        self._known[name] = digest.hexdigest()

    @property
    def _known(self) -> dict[str, str]:
        if self._sums is None:
            data, where = read_inside(self.folder, SUMS), str(self.folder / SUMS)
            sums = parse_json(
                data, where, lambda values: {str(n): str(s) for n, s in values["sha256"].items()}
            )
            for name in sums:
                with read_errors(path := path_inside(self.folder, name)):
                    path.stat()
            self._sums = sums
        return self._sums

    def _checked(self, name: str) -> Path:
        path, known = path_inside(self.folder, name), self._known.get(name)
        with read_errors(path):
            found = path.stat()
        now = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if known is None or (
            _seen.get((str(path), known)) != now and hash_inside(self.folder, name) != known
        ):
            raise damage_error(
                str(path), "its content is not what was saved (its SHA-256 has changed)"
            )
        _seen[str(path), known] = now
        return path


def _pieces(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Give an array as the content of an .npy file, piece by piece: what NumPy writes itself tells
    no reason where a disk refuses."""
    head = BytesIO()
    kind = npy.dtype_to_descr(array.dtype)
    npy.write_array_header_1_0(head, {"descr": kind, "fortran_order": False, "shape": array.shape})
    yield head.getvalue()
    data = np.ascontiguousarray(array)
    if data.size:
        content = data.reshape(-1).view(np.uint8).data
        yield from (content[at : at + PIECE] for at in range(0, len(content), PIECE))
