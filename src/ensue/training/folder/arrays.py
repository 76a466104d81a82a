"""Serialise named arrays as safetensors: a header in JSON, then the numbers, nothing executable."""

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
"""Largest header: a longer one is damaged or malicious, and reading it would fill the memory.
Networks need some kilobytes; the largest is lm-bayes with 1.7 KB per label."""
HEADER_ALONE = 1_000_000
"""A header may exceed the bytes of its arrays by this much: parsing one of 15 MB took 42 s."""
MALFORMED = (AttributeError, LookupError, OverflowError, TypeError, ValueError)
"""What NumPy, torch and safetensors raise for impossible types, shapes and offsets."""
AXES = 8
"""Most dimensions of an array."""


def pack_arrays(arrays: Mapping[str, np.ndarray], note: str = "") -> bytes:
    """Serialise arrays with a note; the same arrays always give the same bytes."""
    data = safetensors.numpy.save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()},
        {"note": note} if note else None,
    )
    header(data, "the model")  # raises for what `unpack_arrays` would refuse
    return data


def unpack_arrays(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Deserialise the output of `pack_arrays`. Raises RunError that names the file if it fails.

    >>> unpack_arrays(pack_arrays({"bias": np.ones(2)}), "weights.safetensors")
    {'bias': array([1., 1.])}
    """
    header(data, where)
    try:
        return safetensors.numpy.load(data)
    except (safetensors.SafetensorError, *MALFORMED) as error:
        raise damage_error(where, str(error)) from None


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """Map the arrays of a file written by `pack_arrays` into memory, without reading them.

    `Run.open` has checked the SHA-256 of every byte before. A file of a run is never changed in
    place, only replaced, so the mapped arrays stay those that were checked. This function checks
    the header; callers check types and shapes.
    """
    data = _map(path)
    entries = header(data, str(path))
    begin = 8 + int.from_bytes(bytes(data[:8]), "little")
    try:
        return {
            name: _view(data[begin:], entry)
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except MALFORMED as error:
        raise damage_error(str(path), str(error)) from None


def read_note(path: Path) -> str:
    """Read the note that is saved with arrays; it is empty if there is none."""
    metadata = header(_map(path), str(path)).get("__metadata__", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("note", ""), str):
        raise damage_error(str(path), "its note is not a text")
    return metadata.get("note", "")


def _map(path: Path) -> np.ndarray:
    # NumPy refuses to map an empty file.
    return np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)


def _view(data: np.ndarray, entry: Mapping) -> np.ndarray:
    first, last = entry["data_offsets"]
    if not 0 <= first <= last <= len(data):
        raise ValueError(f"an array claims the bytes from {first} to {last}")
    return data[first:last].view(TYPES[entry["dtype"]]).reshape(entry["shape"])


TYPES = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "UI" for size in (1, 2, 4, 8)}
TYPES |= {"F32": "<f4", "F64": "<f8"}


def pack_tensors(tensors: Mapping[str, Tensor], note: str) -> bytes:
    """Serialise tensors of any type, none sharing memory, with a note and their SHA-256."""
    on_cpu = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(on_cpu, metadata={"note": note, "sha256": _sum(on_cpu, note)})


def unpack_tensors(data: bytes, where: str) -> tuple[dict[str, Tensor], str]:
    """Deserialise the output of `pack_tensors`.

    Raises RunError that names the file if a byte of it has changed.
    """
    metadata = header(data, where).get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("note"), str):
        raise damage_error(where, "it is not a checkpoint")
    note = metadata["note"]
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, *MALFORMED) as error:
        raise damage_error(where, str(error)) from None
    if _sum(tensors, note) != metadata.get("sha256"):
        raise damage_error(where, "its content has changed since it was saved")
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
    """Parse the header; its length, the first eight bytes, is checked before it is read."""
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
            raise damage_error(where, f"its header has an impossible entry for {name!r:.80}")
    return found


def _possible(entry: Any) -> bool:
    """Return whether a header entry could describe an array; offsets are checked when read."""
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
