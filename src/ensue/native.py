"""The compiled kernels of the wheel `ensue-native`, where it is installed. Everything works
without it, only slower."""

from __future__ import annotations

import ctypes
import importlib
import os
import warnings
from functools import lru_cache

from ensue.errors import UserError

INTERFACE = 6
"""The number of the interface (native/cpp/ensue.h) that this version of ensue speaks."""
VARIABLE = "ENSUE_NATIVE"
"""The environment variable that turns the kernels off, or names their instruction set."""


class SlowerWarning(UserWarning):
    """Kernels are there and cannot be used; what is asked for is done all the same, only slower."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Open the library; None if it is not installed, turned off, or cannot be used, which is said
    once.

    Raises UserError if the environment asks for an instruction set that is not there.
    """
    wish = os.environ.get(VARIABLE, "")
    if wish == "off":
        return None
    try:
        path = importlib.import_module("ensue_native").library()
        found = ctypes.CDLL(str(path))
        number = found.ensue_interface()
    except ModuleNotFoundError:
        if not wish:
            return None
        raise UserError(
            f"{wish!r} asks for ensue-native, which is not installed", where=VARIABLE, hint=UNSET
        ) from None
    except (OSError, AttributeError) as error:
        return _refuse(f"ensue-native cannot be loaded ({error})")
    if number != INTERFACE:
        return _refuse(
            f"ensue-native is of another version (its interface is {number}, ensue's is "
            f"{INTERFACE})"
        )
    found.ensue_instruction_sets.restype = found.ensue_used.restype = ctypes.c_char_p
    if wish and not found.ensue_use(wish.encode()):
        sets = ", ".join(_sets(found))
        raise UserError(
            f"there is no instruction set {wish!r} here", where=VARIABLE, hint=f"choose off, {sets}"
        )
    return found


UNSET = "install it (`pip install ./native`), or unset the variable"


def _refuse(what: str) -> None:
    hint = "install the one that belongs to this ensue (`pip install ./native`)"
    warnings.warn(f"{what}: torch's kernels are used instead; {hint}", SlowerWarning, stacklevel=3)


def _sets(kernels: ctypes.CDLL) -> list[str]:
    return kernels.ensue_instruction_sets().decode().split()


def used() -> str:
    """Name the instruction set in use; "none" without kernels."""
    kernels = library()
    return "none" if kernels is None else kernels.ensue_used().decode()


def instruction_sets() -> list[str]:
    """Name the instruction sets that the kernels could use here, the best first; none without
    kernels."""
    kernels = library()
    return [] if kernels is None else _sets(kernels)


def use_large_pages(address: int, size: int) -> None:
    """Say that `size` bytes of memory will be written for the first time, so that the system
    gives large pages."""
    kernels = library() if size >= LARGE else None
    if kernels is not None:
        kernels.ensue_large_pages(ctypes.c_void_p(address), ctypes.c_int64(size))


def fingerprint(address: int, size: int) -> int:
    """Give a number that changes when these `size` bytes of memory do; only where there are
    kernels."""
    kernels = library()
    assert kernels is not None
    kernels.ensue_fingerprint.restype = ctypes.c_uint64
    return kernels.ensue_fingerprint(ctypes.c_void_p(address), ctypes.c_int64(size))


PAGE = 2 << 20
"""Bytes of a large page."""
LARGE = 1 << 20
"""Bytes from which large pages are worth asking for."""


def describe() -> str:
    """Say in a few words what is used."""
    kernels = library()
    if kernels is not None:
        return (
            f"ensue-native with {kernels.ensue_used().decode()} (here are "
            f"{', '.join(_sets(kernels))})"
        )
    if os.environ.get(VARIABLE) == "off":
        return f"torch's; ensue-native is turned off by {VARIABLE}"
    return "torch's, which are slower; ensue-native is not installed, or not usable"
