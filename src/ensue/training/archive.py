"""Named arrays as bytes and back, in the safetensors format: a header in JSON, then the numbers, nothing executable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from ensue.errors import RunError

HEADER_BYTES = 16_000_000
"""A longer header than this is a sign of damage, or of malice: reading it would fill the memory."""
MEND = "restore the file from a copy, or train again"


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write arrays as the content of a file; the same arrays always give the same bytes."""
    return safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def unpack_arrays(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Read what `pack_arrays` wrote. Raises RunError that names the file if it is no such thing.

    >>> unpack_arrays(pack_arrays({"bias": np.ones(2)}), "weights.safetensors")
    {'bias': array([1., 1.])}
    """
    header(data, where)
    try:
        return safetensors.numpy.load(data)
    except safetensors.SafetensorError as error:
        raise damaged(where, str(error)) from None


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """Give the arrays of a file of `pack_arrays` where they lie in it, to be read as they are asked for: at once.

    What is checked when: `Run.open` has read every byte for its sum before anybody comes here. A file of a run is
    never changed in place, only replaced under its name, so the arrays stay those that were summed. Here the header is
    looked at; what takes the arrays looks at types and sizes. After that nothing is read that is not asked for.
    """
    whole: np.ndarray = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    found = header(whole, str(path))
    begin = 8 + int.from_bytes(bytes(whole[:8]), "little")
    try:
        return {name: _mapped(whole[begin:], entry) for name, entry in found.items() if name != "__metadata__"}
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(str(path), str(error)) from None


def _mapped(data: np.ndarray, entry: Mapping) -> np.ndarray:
    first, last = entry["data_offsets"]
    if not 0 <= first <= last <= len(data):
        raise ValueError(f"an array claims the bytes from {first} to {last}")
    return data[first:last].view(TYPES[entry["dtype"]]).reshape(entry["shape"])


TYPES = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "UI" for size in (1, 2, 4, 8)}
TYPES |= {"F32": "<f4", "F64": "<f8"}


def pack_tensors(tensors: Mapping[str, Tensor], note: str) -> bytes:
    """Write tensors of any type, none sharing memory, with a note beside them and the sum of all of it."""
    apart = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(apart, metadata={"note": note, "sha256": _sum(apart, note)})


def unpack_tensors(data: bytes, where: str) -> tuple[dict[str, Tensor], str]:
    """Read what `pack_tensors` wrote. Raises RunError that names the file if a byte of it has changed."""
    beside = header(data, where).get("__metadata__", {})
    try:
        tensors, note = safetensors.torch.load(data), str(beside["note"])
    except (safetensors.SafetensorError, KeyError, TypeError) as error:
        raise damaged(where, str(error)) from None
    if _sum(tensors, note) != beside.get("sha256"):
        raise damaged(where, "its content is not what was saved")
    return tensors, note


def _sum(tensors: Mapping[str, Tensor], note: str) -> str:
    digest = hashlib.sha256(note.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def header(data: bytes | np.ndarray, where: str) -> dict:
    """Read the header after its length, a number of eight bytes, was seen to be possible."""
    length = int.from_bytes(bytes(data[:8]), "little")
    if len(data) < 8 or length > len(data) - 8:
        raise damaged(where, "it is truncated")
    if length > HEADER_BYTES:
        raise damaged(where, f"its header claims {length} bytes")
    try:
        found = json.loads(bytes(data[8 : 8 + length]))
    except (ValueError, RecursionError):
        raise damaged(where, "its header is not JSON") from None
    if not isinstance(found, dict):
        raise damaged(where, "its header is not a table")
    return found


def damaged(where: str, why: str) -> RunError:
    """Give the error of a file that cannot be what was written."""
    return RunError(f"the file is damaged: {why}", where=where, mend=MEND)
