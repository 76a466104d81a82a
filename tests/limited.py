"""What a test may take of time and memory."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class TooLong(BaseException):
    """Something took longer than it may: no exception that it could take for one of its own."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Stop what goes on for too long."""
    if sys.platform != "linux":
        yield
        return

    def stop(*_: Any) -> None:
        raise TooLong(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def limits(more: int) -> Iterator[None]:
    """Let no more bytes than some be asked for; how many were held is looked at afterwards."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def peak() -> int:
    """Give the most memory that this process held since it was asked last; 0 where nobody can
    say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    found = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")
    return int(found.split()[1]) * 1024
