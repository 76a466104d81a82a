"""The compiled kernels of the wheel `ensue-native`, where it is installed. Everything works without it, only slower."""

from __future__ import annotations

import ctypes
import importlib
import os
import warnings
from functools import lru_cache

from ensue.errors import UserError

INTERFACE = 1
"""The number of the interface (native/cpp/ensue.h) that this version of ensue speaks."""
VARIABLE = "ENSUE_NATIVE"
"""The environment variable that turns the kernels off, or names their instruction set."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Open the library; None if it is not installed, turned off, or of another interface, which is said once.

    Raises UserError if the environment asks for an instruction set that is not there.
    """
    wish = os.environ.get(VARIABLE, "")
    if wish == "off":
        return None
    try:
        path = importlib.import_module("ensue_native").library()
        found = ctypes.CDLL(str(path))
        found.ensue_interface.restype = ctypes.c_int32
        number = found.ensue_interface()
    except ModuleNotFoundError:
        return None
    except (OSError, AttributeError, StopIteration) as error:
        return _refuse(f"ensue-native cannot be loaded ({error})")
    if number != INTERFACE:
        return _refuse(f"ensue-native is of another version (its interface is {number}, ensue's is {INTERFACE})")
    found.ensue_instruction_sets.restype = found.ensue_used.restype = ctypes.c_char_p
    if wish and not found.ensue_use(wish.encode()):
        sets = found.ensue_instruction_sets().decode().replace(" ", ", ")
        raise UserError(f"there is no instruction set {wish!r}", where=VARIABLE, mend=f"choose off, {sets}")
    return found


def _refuse(what: str) -> None:
    warnings.warn(f"{what}: torch's kernels are used instead; `pip install --upgrade ensue-native`", stacklevel=3)


def describe() -> str:
    """Say in a few words what is used."""
    found = library()
    if found is None:
        off = os.environ.get(VARIABLE) == "off"
        return f"turned off by {VARIABLE}" if off else "not installed: torch's kernels are used, which are slower"
    return f"{found.ensue_used().decode()} (this machine has {found.ensue_instruction_sets().decode()})"
