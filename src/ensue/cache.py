"""Cache of encoded data in a run folder, with checksums, so that a run resumes without its data.

The checksums are written last: a folder without them is incomplete, and is rebuilt. They are
verified once per process when the data is used, because one changed bit would silently lead to
other weights and metrics.
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
_verified: dict[tuple[str, str], tuple[int, ...]] = {}
"""Files and checksums verified in this process, with their file status at that time."""


class Cache:
    """A folder of arrays and plain values: `begin`, `save...`, `finish`; later `load...`.

    Loaded content is verified. Raises RunError if a file is missing or damaged, or if writing
    fails.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sums: dict[str, str] | None = None

    @property
    def finished(self) -> bool:
        """Whether the cache is complete."""
        return path_inside(self.folder, SUMS).exists()

    def begin(self) -> None:
        """Create an empty folder; existing content is deleted."""
        with write_errors(self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True)
        self._sums = {}

    def save_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array (.npy); a memory map of the same file is only hashed."""
        path = path_inside(self.folder, name)
        if (
            isinstance(array, np.memmap)
            and path.exists()
            and Path(str(array.filename)).samefile(path)
        ):
            with write_errors(path), path.open("rb") as file:
                os.fsync(file.fileno())
            self._checksums[name] = hash_inside(self.folder, name)
        else:
            self._write(name, _pieces(array))

    def save_json(self, name: str, values: Any) -> None:
        """Write plain values as JSON."""
        self._write(name, iter([json.dumps(values).encode()]))

    def finish(self) -> None:
        """Write the checksums, which marks the cache as complete."""
        text = json.dumps({"sha256": self._checksums}, indent=1)
        write_atomically(path_inside(self.folder, SUMS), text.encode())

    def has(self, name: str) -> bool:
        """Return whether a file was written."""
        return name in self._checksums

    def load_array(self, name: str) -> NDArray[Any]:
        """Memory-map an array."""
        path = self._verify(name)
        with read_errors(path):
            try:
                return np.load(path, mmap_mode="r", allow_pickle=False)
            except OSError:
                raise
            except Exception as error:  # NumPy does not document which errors a damaged file raises
                raise damage_error(str(path), " ".join(str(error).split())[:120]) from None

    def load_json(self, name: str, make: Callable[[Any], T]) -> T:
        """Parse plain values by `make`."""
        path = self._verify(name)
        return parse_json(read_inside(self.folder, name), str(path), make)

    def _write(self, name: str, pieces: Iterator[bytes | memoryview]) -> None:
        digest = hashlib.sha256()

        def hashed() -> Iterator[bytes | memoryview]:
            for piece in pieces:
                digest.update(piece)
                yield piece

        write_atomically(path_inside(self.folder, name), hashed())
        self._checksums[name] = digest.hexdigest()

    @property
    def _checksums(self) -> dict[str, str]:
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

    def _verify(self, name: str) -> Path:
        path, known = path_inside(self.folder, name), self._checksums.get(name)
        with read_errors(path):
            found = path.stat()
        now = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if known is None or (
            _verified.get((str(path), known)) != now and hash_inside(self.folder, name) != known
        ):
            raise damage_error(
                str(path), "its content has changed since it was saved (SHA-256 mismatch)"
            )
        _verified[str(path), known] = now
        return path


def _pieces(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield the content of an .npy file in pieces.

    NumPy's own writer hides the reason if the disk refuses.
    """
    head = BytesIO()
    kind = npy.dtype_to_descr(array.dtype)
    npy.write_array_header_1_0(head, {"descr": kind, "fortran_order": False, "shape": array.shape})
    yield head.getvalue()
    data = np.ascontiguousarray(array)
    if data.size:
        content = data.reshape(-1).view(np.uint8).data
        yield from (content[at : at + PIECE] for at in range(0, len(content), PIECE))
