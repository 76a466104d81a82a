"""Ctrl-C: once stops at the end of the step, twice stops immediately."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def catch_interrupt() -> Generator[Callable[[], bool], None, None]:
    """Yield a function that returns whether Ctrl-C was pressed.

    Only the main thread may set signal handlers; in other threads it always returns False.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted.is_set
    finally:
        signal.signal(signal.SIGINT, before)
