"""Named arrays as bytes and back, in the safetensors format: a header in JSON, then the numbers,
nothing executable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from ensue.atomic_io import damage_error, parse_json

HEADER_BYTES = 16_000_000
"""A longer header than this is a sign of damage, or of malice: reading it would fill the memory.
Networks have some kilobytes; what has most is Bayes' rule, with 1.7 KB for every label."""
HEADER_ALONE = 1_000_000
"""Nor is a header longer than this and the numbers that it is about: reading one of 15 MB took
42 s."""
ODD = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What NumPy, torch and safetensors raise for types, shapes and places that cannot be."""
AXES = 8
"""No array has more."""


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write arrays as the content of a file; the same arrays always give the same bytes."""
    data = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()}
    )
    header(data, "the model")  # what cannot be read again must not be written
    return data


def unpack_arrays(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Read what `pack_arrays` wrote. Raises RunError that names the file if it is no such thing.

    >>> unpack_arrays(pack_arrays({"bias": np.ones(2)}), "weights.safetensors")
    {'bias': array([1., 1.])}
    """
    header(data, where)
    try:
        return safetensors.numpy.load(data)
    except (safetensors.SafetensorError, *ODD) as error:
        raise damage_error(where, str(error)) from None


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """Give the arrays of a file of `pack_arrays` where they lie in it, to be read as they are asked
    for: at once.

    What is checked when: `Run.open` has read every byte for its sum before anybody comes here. A
    file of a run is never changed in place, only replaced under its name, so the arrays stay those
    that were summed. Here the header is looked at; what takes the arrays looks at types and sizes.
    After that nothing is read that is not asked for.
    """
    whole: np.ndarray = (
        np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    )
    found = header(whole, str(path))
    begin = 8 + int.from_bytes(bytes(whole[:8]), "little")
    try:
        return {
            name: _mapped(whole[begin:], entry)
            for name, entry in found.items()
            if name != "__metadata__"
        }
    except ODD as error:
        raise damage_error(str(path), str(error)) from None


def _mapped(data: np.ndarray, entry: Mapping) -> np.ndarray:
    first, last = entry["data_offsets"]
    if not 0 <= first <= last <= len(data):
        raise ValueError(f"an array claims the bytes from {first} to {last}")
    return data[first:last].view(TYPES[entry["dtype"]]).reshape(entry["shape"])


TYPES = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "UI" for size in (1, 2, 4, 8)}
TYPES |= {"F32": "<f4", "F64": "<f8"}


def pack_tensors(tensors: Mapping[str, Tensor], note: str) -> bytes:
    """Write tensors of any type, none sharing memory, with a note beside them and the sum of all
    of it."""
    apart = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(apart, metadata={"note": note, "sha256": _sum(apart, note)})


def unpack_tensors(data: bytes, where: str) -> tuple[dict[str, Tensor], str]:
    """Read what `pack_tensors` wrote. Raises RunError that names the file if a byte of it has
    changed."""
    beside = header(data, where).get("__metadata__")
    if not isinstance(beside, dict) or not isinstance(beside.get("note"), str):
        raise damage_error(where, "it is no checkpoint")
    note = beside["note"]
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, *ODD) as error:
        raise damage_error(where, str(error)) from None
    if _sum(tensors, note) != beside.get("sha256"):
        raise damage_error(where, "its content is not what was saved")
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
        raise damage_error(where, "it is truncated")
    if length > min(HEADER_BYTES, HEADER_ALONE + len(data) - 8 - length):
        raise damage_error(where, f"its header claims {length} bytes")
    found = parse_json(bytes(data[8 : 8 + length]), where, lambda values: values, "its header")
    if not isinstance(found, dict):
        raise damage_error(where, "its header is not a table")
    for name, entry in found.items():
        if name != "__metadata__" and not _possible(entry):
            raise damage_error(where, f"its header says of {name!r:.80} what is said of no array")
    return found


def _possible(entry: Any) -> bool:
    """Tell whether this is what a header says of an array; how that lies in the file is for the
    reader to see."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        return False
    shape, offsets = entry["shape"], entry["data_offsets"]
    if (
        not isinstance(entry["dtype"], str)
        or not isinstance(shape, list)
        or not isinstance(offsets, list)
    ):
        return False
    return (
        len(shape) <= AXES
        and len(offsets) == 2
        and all(type(one) is int and one >= 0 for one in (*shape, *offsets))
    )
