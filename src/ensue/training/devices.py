"""Hardware: device, threads, random state, memory, and moving batches to the device."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ensue import native
from ensue.errors import SettingError
from ensue.training.settings import HardwareSettings


def choose_device(settings: HardwareSettings) -> torch.device:
    """Return the device that the settings name.

    Raises SettingError if this machine does not have it.

    >>> choose_device(HardwareSettings(device="cpu"))
    device(type='cpu')
    """
    name = settings.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise _no_device(name, "is not a device", "use auto, cpu, cuda, cuda:1 or mps") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise _no_device(
            name, "is not there: torch finds no CUDA GPU on this machine", "use --device cpu"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise _no_device(
            name, f"is not there: this machine has {torch.cuda.device_count()} GPU(s)", "use cuda:0"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise _no_device(
            name, "is not there: torch finds no Metal GPU on this machine", "use --device cpu"
        )
    if device.type not in ("cpu", "cuda", "mps"):
        raise _no_device(
            name, "is a device that ensue does not use", "use auto, cpu, cuda, cuda:1 or mps"
        )
    if device.type in ("cpu", "mps") and device.index is not None:
        raise _no_device(name, f"is not a device: there is one {device.type}", f"use {device.type}")
    if settings.precision == "fp16" and device.type == "cpu":
        what = "'fp16' needs a GPU"
        raise SettingError(what, where="training.hardware.precision", hint="use fp32")
    return device


def _no_device(name: str, what: str, hint: str) -> SettingError:
    return SettingError(f"{name!r} {what}", where="--device", hint=hint)


def prepare(settings: HardwareSettings, seed: int) -> torch.device:
    """Choose the device, set the CPU threads and seed torch; call it before making a network."""
    device = choose_device(settings)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(seed)
    return device


def describe_hardware(device: torch.device, settings: HardwareSettings) -> dict[str, str | int]:
    """Describe the hardware and libraries that the bits of a run depend on, for run.toml."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    # Kernels of another torch, or for other vector instructions, sum in another order.
    backend = (
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, ensue-native "
        f"{native.used()}"
    )
    of_device = {"device": str(device), "device_name": name, "dtype": settings.precision}
    return {"threads": torch.get_num_threads(), **of_device, "backend": backend}


def restore_hardware(settings: HardwareSettings, before: Mapping[str, Any]) -> HardwareSettings:
    """Fill unset threads and device with those that the run began with.

    `before` is the table of run.toml. If the old device is missing, the settings decide, and
    `describe_changes` names the difference.
    """
    with_threads = settings.model_copy(
        update={"threads": settings.threads or before.get("threads")}
    )
    if settings.device != "auto" or "device" not in before:
        return with_threads
    same = with_threads.model_copy(update={"device": before["device"]})
    try:
        choose_device(same)
    except SettingError:
        return with_threads
    return same


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Describe changes of hardware since the run began; None if resuming is bit-identical.

    >>> describe_changes({"threads": 4, "device": "cuda"}, {"threads": 4, "device": "cpu"})
    'not bit-identical to an uninterrupted training: device is cpu, was cuda'
    """
    changed = [
        f"{name} is {now.get(name)}, was {before[name]}"
        for name in before
        if now.get(name) != before[name]
    ]
    if not changed:
        return None
    return f"not bit-identical to an uninterrupted training: {'; '.join(changed)}"


def memory_mb() -> float:
    """Return the peak memory so far, in MB: of all GPUs once they are in use, else of the process.

    >>> memory_mb() > 1
    True
    """
    if torch.cuda.is_initialized():
        return sum(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count()))) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def available_memory() -> int:
    """Return the bytes that this process may still allocate.

    The smallest of: memory of the machine, MemAvailable, cgroup v2 limit, RLIMIT_AS.
    """
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    try:
        text = Path("/proc/meminfo").read_text()
        found.append(1024 * int(text.split("MemAvailable:")[1].split()[0]))
    except (OSError, IndexError, ValueError):
        pass  # not Linux
    try:
        limit, used = (
            Path(f"/sys/fs/cgroup/memory.{name}").read_text() for name in ("max", "stat")
        )
        found.append(int(limit) - int(used.split("anon ")[1].split()[0]))
    except (OSError, IndexError, ValueError):
        pass  # no container, or one without a limit
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        found.append(limit - int(memory_mb() * 1e6))
    return max(min(found), 0)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's random number generators, on the CPU and the device.

    Other GPUs are not read, because that would initialise them.
    """
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Restore the states that `random_state` returned; the type of device may have changed."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
