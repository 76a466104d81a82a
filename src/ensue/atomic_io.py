"""Atomic and confined file access in run folders.

A file is written under a temporary name, synced, and renamed over the old one; then the folder is
synced. A rename that reaches the disk before the content would leave an empty file after a power
cut. So a reader finds the old content or the new one, never a part.

A run may come from anybody. No name in it may lead out of its folder, no link in it is followed,
and only regular files are opened: reading a device or a pipe would never end.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from ensue.errors import RunError, UserError

T = TypeVar("T")

DISK_FULL = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("your quota on this disk is used up", "make room, or ask for a larger quota"),
    errno.EFBIG: (
        "the largest size that a file may have here is reached",
        "raise it with `ulimit -f unlimited`",
    ),
}
"""Errors of a full disk or quota, and their fixes."""
AGAIN = "and try again"
HINT = "restore the file from a copy, or train again"
COPY = "replace it by the file that it leads to"
TEMPORARY = ".*.tmp"
"""Temporary files that a killed process left behind."""
PIECE = 1 << 24
"""Chunk size for writing and hashing, in bytes."""


@contextmanager
def write_errors(path: Path) -> Generator[None, None, None]:
    """Convert an OSError of writing to a RunError that names the file.

    The old content is intact.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from None


def disk_error(error: OSError, path: Path) -> RunError:
    """Build the error for a file that cannot be written."""
    if error.errno in DISK_FULL:
        what, hint = DISK_FULL[error.errno]
        hint = f"{hint}, {AGAIN}"
    elif not path.parent.exists():
        what, hint = "cannot be written: its folder does not exist", "create it, or name another"
    else:
        what = f"cannot be written ({error.strerror or error})"
        hint = "check the folder and its permissions"
    refused = RunError(what, where=str(path), hint=hint)
    refused.disk = True
    return refused


@contextmanager
def read_errors(path: Path) -> Generator[None, None, None]:
    """Convert an OSError of reading to a RunError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise RunError("the file is missing", where=str(path), hint=HINT) from None
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        hint = "check the file and its permissions"
        raise RunError(what, where=str(path), hint=hint) from None


def damage_error(where: str, why: str) -> RunError:
    """Build the error for a damaged file."""
    return RunError(f"the file is damaged: {why}", where=where, hint=HINT)


def path_inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a run folder; the file may not exist yet.

    Raises RunError if the name leads out of the folder, or if a link or anything else but a regular
    file is found.
    """
    path, parts = folder, name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        what = f"it names {name!r:.80}, which is not a file in it"
        raise RunError(what, where=str(folder), hint=HINT)
    for number, part in enumerate(parts, 1):
        path = path / part
        with read_errors(path):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                return folder.joinpath(*parts)
        if stat.S_ISLNK(mode):
            what = "this is a link, which is not followed in a run"
            raise RunError(what, where=str(path), hint=COPY)
        if not (stat.S_ISREG if number == len(parts) else stat.S_ISDIR)(mode):
            kind = "file" if number == len(parts) else "folder"
            raise RunError(f"this is not a {kind}, as a run needs", where=str(path), hint=HINT)
    return path


def folder_inside(folder: Path, name: str) -> Path:
    """Return the path of a subfolder, which may not exist yet.

    Raises RunError, as `path_inside` does.
    """
    return path_inside(folder, f"{name}/file").parent


def list_files(folder: Path) -> Iterator[str]:
    """Iterate over the files in a run folder and its subfolders, without hidden ones.

    Raises RunError at a link.
    """
    with read_errors(folder):
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from (f"{entry.name}/{name}" for name in list_files(folder / entry.name))
        else:
            path_inside(folder, entry.name)
            yield entry.name


def open_inside(folder: Path, name: str) -> IO[bytes]:
    """Open a file of a run for reading. Raises RunError if it is missing or not a regular file."""
    path = path_inside(folder, name)
    with read_errors(path):
        # Not to block on a pipe that replaced the file since the check.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise RunError("this is not a file, as a run needs", where=str(path), hint=HINT)
    return file


def read_inside(folder: Path, name: str, max_bytes: int | None = None) -> bytes:
    """Read a file of at most `max_bytes` bytes. Raises RunError."""
    with open_inside(folder, name) as file, read_errors(folder / name):
        if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
            raise damage_error(str(folder / name), f"it has more than {max_bytes} bytes")
        return file.read()


def hash_inside(folder: Path, name: str, first: int | None = None) -> str:
    """Compute the SHA-256 of a file, or of its `first` bytes, in chunks. Raises RunError."""
    digest, left = hashlib.sha256(), first
    with open_inside(folder, name) as file, read_errors(folder / name):
        while piece := file.read(PIECE if left is None else min(left, PIECE)):
            digest.update(piece)
            left = None if left is None else left - len(piece)
    return digest.hexdigest()


def parse_json(data: bytes, where: str, make: Callable[[Any], T], what: str = "it") -> T:
    """Parse JSON, and convert it by `make`. Raises RunError that names the file.

    >>> parse_json(b"[1, 2]", "codec.json", sum)
    3
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise damage_error(
            where, f"{what} is nested too deeply" if deep else f"{what} is not JSON"
        ) from None
    with format_errors(where):
        return make(values)


@contextmanager
def format_errors(where: str) -> Generator[None, None, None]:
    """Convert any error of parsing stored values to a RunError that names their file."""
    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except (
        Exception
    ) as why:  # libraries that take plain values over, such as tokenizers, name no kinds
        if type(why).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(why):
            raise
        reason = " ".join(f"{type(why).__name__} {why}".split())
        raise damage_error(where, f"unexpected content ({reason:.120})") from None


def write_atomically(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace the content of a file atomically. Raises RunError if writing fails."""
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    with write_errors(path):
        try:
            with temporary.open(
                "xb"
            ) as file:  # a name that nobody can have taken, and no link is followed
                for piece in [data] if isinstance(data, bytes) else data:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def open_log(folder: Path, name: str, flags: int = 0) -> IO[bytes]:
    """Open a file of a run for changes in place, with additional `flags`. Raises RunError."""
    path = path_inside(folder, name)
    with write_errors(path):
        flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o666), "rb+", buffering=0)


def _unshare(folder: Path, name: str) -> None:
    """Replace a hard-linked file by a copy, so that the other name stays unchanged."""
    path = path_inside(folder, name)
    if path.exists() and path.stat().st_nlink > 1:
        write_atomically(path, read_inside(folder, name))


def append(folder: Path, name: str, data: bytes) -> None:
    """Append to a log without syncing; call `sync` where durability is needed."""
    _unshare(folder, name)
    with write_errors(folder / name), open_log(folder, name, os.O_CREAT | os.O_APPEND) as file:
        while data:  # a full disk may take only a part
            data = data[file.write(data) :]


def sync(folder: Path, name: str) -> int:
    """Sync a log to the disk, and return its size in bytes; 0 for a missing file."""
    if not path_inside(folder, name).exists():
        return 0
    with open_log(folder, name) as file, write_errors(folder / name):
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def trim(folder: Path, name: str, size: int) -> None:
    """Truncate a log to its first `size` bytes. Raises RunError if it is shorter."""
    path = path_inside(folder, name)
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        what = f"the file is truncated: {found} bytes of {size}"
        raise RunError(what, where=str(path), hint=HINT)
    if found > size:
        _unshare(folder, name)
        with open_log(folder, name) as file, write_errors(path):
            file.truncate(size)
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync the directory entries of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
