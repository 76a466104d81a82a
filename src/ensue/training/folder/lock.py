"""Lock of a run folder: one writer at a time, released when its process ends.

The kernel holds the lock (flock), so the lock of a killed process is free at once, without a guess
from its number. The file's text names the owner, for the message; its start time distinguishes it
from a later process with that number.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ensue.atomic_io import open_log, parse_json, write_errors
from ensue.errors import RunError

NAME, SMALL = ".lock", 4096


class Lock:
    """Exclusive lock of a run folder, until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        with write_errors(folder / NAME):
            self._file = open_log(folder, NAME, os.O_CREAT)
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A hard link to another file must not be overwritten.
                if os.fstat(self._file.fileno()).st_nlink == 1:
                    self._file.truncate(0)
                    self._file.write(json.dumps(owner).encode())
            except BlockingIOError:
                with self._file:
                    raise _in_use(folder, self._file) from None
            except OSError:
                self._file.close()
                raise

    def release(self) -> None:
        """Release the lock; the file stays, because removing it could admit two writers at once."""
        self._file.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _in_use(folder: Path, file: IO[bytes]) -> RunError:
    file.seek(0)
    try:
        who = parse_json(
            file.read(SMALL), NAME, "process {0[pid]} on {0[host]} since {0[since]}".format
        )
    except RunError:
        who = "another process"
    what = f"the run is in use by {who}"
    return RunError(what, where=str(folder), hint="wait for it, or stop it, and try again")
