"""Optional compiled kernels from the wheel `ensue-native`; without them everything is slower."""

from __future__ import annotations

import ctypes
import importlib
import os
import warnings
from functools import lru_cache

from ensue.errors import UserError

INTERFACE = 6
"""ABI version (native/cpp/ensue.h) that this version of ensue needs."""
VARIABLE = "ENSUE_NATIVE"
"""Environment variable: `off` disables the kernels, another value names their instruction set."""


class SlowerWarning(UserWarning):
    """The compiled kernels are installed but unusable; torch's slower kernels are used instead."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Load the kernels; None if they are not installed, disabled, or unusable (with one warning).

    Raises UserError if the environment requests an instruction set that is not available.
    """
    requested = os.environ.get(VARIABLE, "")
    if requested == "off":
        return None
    try:
        path = importlib.import_module("ensue_native").library()
        found = ctypes.CDLL(str(path))
        number = found.ensue_interface()
    except ModuleNotFoundError:
        if not requested:
            return None
        what = f"{requested!r} needs ensue-native, which is not installed"
        raise UserError(what, where=VARIABLE, hint=UNSET) from None
    except (OSError, AttributeError) as error:
        return _warn_unusable(f"ensue-native cannot be loaded ({error})")
    if number != INTERFACE:
        return _warn_unusable(
            f"ensue-native has another version (its interface is {number}, ensue's is {INTERFACE})"
        )
    found.ensue_instruction_sets.restype = found.ensue_used.restype = ctypes.c_char_p
    if requested and not found.ensue_use(requested.encode()):
        sets = ", ".join(_sets(found))
        what = f"instruction set {requested!r} is not available"
        raise UserError(what, where=VARIABLE, hint=f"choose off, {sets}")
    return found


UNSET = "install it (`pip install ./native`), or unset the variable"


def _warn_unusable(what: str) -> None:
    hint = "install the matching version (`pip install ./native`)"
    warnings.warn(f"{what}: torch's kernels are used; {hint}", SlowerWarning, stacklevel=3)


def _sets(kernels: ctypes.CDLL) -> list[str]:
    return kernels.ensue_instruction_sets().decode().split()


def used() -> str:
    """Return the name of the instruction set in use; "none" without kernels."""
    kernels = library()
    return "none" if kernels is None else kernels.ensue_used().decode()


def instruction_sets() -> list[str]:
    """Return the instruction sets available here, best first; an empty list without kernels."""
    kernels = library()
    return [] if kernels is None else _sets(kernels)


def use_large_pages(address: int, size: int) -> None:
    """Request large pages for `size` bytes of memory before they are first written."""
    kernels = library() if size >= LARGE else None
    if kernels is not None:
        kernels.ensue_large_pages(ctypes.c_void_p(address), ctypes.c_int64(size))


def fingerprint(address: int, size: int) -> int:
    """Compute a hash of `size` bytes of memory; needs the kernels."""
    kernels = library()
    assert kernels is not None
    kernels.ensue_fingerprint.restype = ctypes.c_uint64
    return kernels.ensue_fingerprint(ctypes.c_void_p(address), ctypes.c_int64(size))


PAGE = 2 << 20
"""Size of a large page, in bytes."""
LARGE = 1 << 20
"""Smallest allocation that requests large pages, in bytes."""


def describe() -> str:
    """Describe the kernels in use, for reports."""
    kernels = library()
    if kernels is not None:
        return (
            f"ensue-native with {kernels.ensue_used().decode()} (available: "
            f"{', '.join(_sets(kernels))})"
        )
    if os.environ.get(VARIABLE) == "off":
        return f"torch's; ensue-native is disabled by {VARIABLE}"
    return "torch's, which are slower; ensue-native is not installed, or not usable"
