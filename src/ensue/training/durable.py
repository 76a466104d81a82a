"""Writing files so that a crash, a kill or a full disk leaves either the old content or the new one, never a part.

A file is written under a temporary name, synced, renamed over the old one, and then the folder is synced: a rename
that reaches the disk before the content would leave an empty file after a power cut.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ensue.errors import RunError

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK = "the disk is full"


@contextmanager
def blaming(path: Path) -> Generator[None, None, None]:
    """Turn an error of the disk into a RunError that names the file; what was there before is still there."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise RunError(FULL_DISK, where=str(path), mend="make room, and try again") from None
        what, mend = f"cannot be written ({error.strerror or error})", "check the folder and its permissions"
        raise RunError(what, where=str(path), mend=mend) from None


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file as one act. Raises RunError if the disk refuses."""
    temporary = path.with_name(f".{path.name}.tmp")
    with blaming(path):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add to the end of a file; not synced, because whoever needs it on the disk calls `sync`."""
    with blaming(path), path.open("ab") as file:
        file.write(data)


def sync(path: Path) -> int:
    """Bring a file's content to the disk, and give its size in bytes; a missing file has none."""
    if not path.exists():
        return 0
    with blaming(path), path.open("rb+") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def trim(path: Path, size: int) -> None:
    """Cut a file back to its first `size` bytes. Raises RunError if it is shorter than that."""
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        mend = "restore the file from a copy, or train again"
        raise RunError(f"the file is truncated: {found} bytes of {size}", where=str(path), mend=mend)
    if found > size:
        with blaming(path), path.open("rb+") as file:
            file.truncate(size)
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
