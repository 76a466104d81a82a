"""Files of a run: paths that stay inside it, and writing that leaves the old content or the new
one, never a part.

A file is written under a temporary name, synced, renamed over the old one, and then the folder is
synced: a rename that reaches the disk before the content would leave an empty file after a power
cut.

A run may have been made by anybody. So no name that stands in one leads out of its folder, no link
in it is followed, and nothing but a regular file is opened: a device or a pipe would never come to
an end.
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
"""What a system says that takes no more, and what helps."""
AGAIN = "and try again"
HINT = "restore the file from a copy, or train again"
COPY = "put in its place what it leads to"
TEMPORARY = ".*.tmp"
"""Files that a kill left half-written."""
PIECE = 1 << 24
"""Bytes that are written, or read for a sum, at once."""


@contextmanager
def write_errors(path: Path) -> Generator[None, None, None]:
    """Turn an error of the disk into a RunError that names the file; what was there before is
    still there."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from None


def disk_error(error: OSError, path: Path) -> RunError:
    """Give the error of a file that cannot be written."""
    if error.errno in DISK_FULL:
        what, hint = DISK_FULL[error.errno]
        hint = f"{hint}, {AGAIN}"
    elif not path.parent.exists():
        what, hint = "cannot be written: its folder is not there", "make it, or name another"
    else:
        what, hint = (
            f"cannot be written ({error.strerror or error})",
            "check the folder and its permissions",
        )
    refused = RunError(what, where=str(path), hint=hint)
    refused.disk = True
    return refused


@contextmanager
def read_errors(path: Path) -> Generator[None, None, None]:
    """Turn an error of the system into a RunError that names the file that cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise RunError("the file is missing", where=str(path), hint=HINT) from None
    except OSError as error:
        what, hint = (
            f"cannot be read ({error.strerror or error})",
            "check the file and its permissions",
        )
        raise RunError(what, where=str(path), hint=hint) from None


def damage_error(where: str, why: str) -> RunError:
    """Give the error of a file that cannot be what was written."""
    return RunError(f"the file is damaged: {why}", where=where, hint=HINT)


def path_inside(folder: Path, name: str) -> Path:
    """Give the path of a file in a folder of a run: of a regular file, or of none yet.

    Raises RunError where the name leads out of the folder, or a link or anything else that is no
    file stands there.
    """
    path, parts = folder, name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise RunError(
            f"it names {name!r:.80}, which is no file in it", where=str(folder), hint=HINT
        )
    for number, part in enumerate(parts, 1):
        path = path / part
        with read_errors(path):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                return folder.joinpath(*parts)
        if stat.S_ISLNK(mode):
            raise RunError(
                "this is a link, and none is followed in a run", where=str(path), hint=COPY
            )
        if not (stat.S_ISREG if number == len(parts) else stat.S_ISDIR)(mode):
            kind = "file" if number == len(parts) else "folder"
            raise RunError(f"this is no {kind}, where a run has one", where=str(path), hint=HINT)
    return path


def folder_inside(folder: Path, name: str) -> Path:
    """Give the path of a folder in a folder of a run, which may not be there yet. Raises
    RunError, as `inside` does."""
    return path_inside(folder, f"{name}/file").parent


def list_files(folder: Path) -> Iterator[str]:
    """Name the files in a folder of a run, and in the folders in it, but for hidden ones. Raises
    RunError at a link."""
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
    """Open a file of a run to read it. Raises RunError if it is missing, or is no regular file."""
    path = path_inside(folder, name)
    with read_errors(path):
        # Not to be held up by a pipe that took the place of the file since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise RunError("this is no file, where a run has one", where=str(path), hint=HINT)
    return file


def read_inside(folder: Path, name: str, most: int | None = None) -> bytes:
    """Read a file of a run, which has `most` bytes. Raises RunError."""
    with open_inside(folder, name) as file, read_errors(folder / name):
        if most is not None and os.fstat(file.fileno()).st_size > most:
            raise damage_error(str(folder / name), f"it has more than {most} bytes")
        return file.read()


def hash_inside(folder: Path, name: str, first: int | None = None) -> str:
    """Give the SHA-256 of a file of a run, or of its `first` bytes, read in pieces. Raises
    RunError."""
    digest, left = hashlib.sha256(), first
    with open_inside(folder, name) as file, read_errors(folder / name):
        while piece := file.read(PIECE if left is None else min(left, PIECE)):
            digest.update(piece)
            left = None if left is None else left - len(piece)
    return digest.hexdigest()


def parse_json(data: bytes, where: str, make: Callable[[Any], T], what: str = "it") -> T:
    """Make something of JSON. Raises RunError that names the file, where it is none, or of another
    shape.

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
    """Turn whatever goes wrong where plain values are taken over into a RunError that names
    their file."""
    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except (
        Exception
    ) as why:  # libraries that take plain values over, such as tokenizers, name no kinds
        if type(why).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(why):
            raise
        said = " ".join(f"{type(why).__name__} {why}".split())
        raise damage_error(where, f"it does not hold what was written ({said:.120})") from None


def write_atomically(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace the content of a file as one act. Raises RunError if the disk refuses."""
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


def open_log(folder: Path, name: str, more: int = 0) -> IO[bytes]:
    """Open a file of a run to change it where it lies; `more` are flags of the system. Raises
    RunError."""
    path = path_inside(folder, name)
    with write_errors(path):
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | more
        return os.fdopen(os.open(path, flags, 0o666), "rb+", buffering=0)


def _unshare(folder: Path, name: str) -> None:
    """Put a copy in the place of a file that has another name too, a hard link: that one stays
    as it is."""
    path = path_inside(folder, name)
    if path.exists() and path.stat().st_nlink > 1:
        write_atomically(path, read_inside(folder, name))


def append(folder: Path, name: str, data: bytes) -> None:
    """Add to the end of a log; not synced, because whoever needs it on the disk calls `sync`."""
    _unshare(folder, name)
    with write_errors(folder / name), open_log(folder, name, os.O_CREAT | os.O_APPEND) as file:
        while data:  # a disk may take a part, and then refuse the rest
            data = data[file.write(data) :]


def sync(folder: Path, name: str) -> int:
    """Bring a log's content to the disk, and give its size in bytes; a missing file has none."""
    if not path_inside(folder, name).exists():
        return 0
    with open_log(folder, name) as file, write_errors(folder / name):
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size


def trim(folder: Path, name: str, size: int) -> None:
    """Cut a log back to its first `size` bytes. Raises RunError if it is shorter than that."""
    path = path_inside(folder, name)
    found = path.stat().st_size if path.exists() else 0
    if found < size:
        raise RunError(
            f"the file is truncated: {found} bytes of {size}", where=str(path), hint=HINT
        )
    if found > size:
        _unshare(folder, name)
        with open_log(folder, name) as file, write_errors(path):
            file.truncate(size)
            os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
