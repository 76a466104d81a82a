"""The library of the kernels as a person may have it: missing, broken, of another version,
turned off, at a wish."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ensue import native
from ensue.cli.main import main
from ensue.errors import UserError

INSTALLED = native.library() is not None


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(native.VARIABLE, raising=False)
    native.library.cache_clear()
    yield
    monkeypatch.undo()
    native.library.cache_clear()


def doctor(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ensue doctor` where `ensue_native.library` is what `code` says."""
    package = folder / "ensue_native"
    package.mkdir()
    (package / "__init__.py").write_text(f"def library():\n    {code}\n")
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "ensue", "doctor"]
    kept = {name: value for name, value in os.environ.items() if name != native.VARIABLE}
    return subprocess.run(
        command,
        env=kept | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_broken_library_is_told_in_one_line_and_does_no_harm(tmp_path: Path) -> None:
    broken = tmp_path / "libensue.so"
    broken.write_text("this is no library")
    done = doctor(tmp_path, f"return {str(broken)!r}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"ensue: ensue-native cannot be loaded ({broken}: ")
    assert done.stderr.endswith(
        "): torch's kernels are used; install the matching version (`pip install ./native`)\n"
    )
    assert done.stderr.count("\n") == 1
    assert "torch's, which are slower" in done.stdout


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="there is no C compiler to make a library of another version"
)
def test_a_library_of_another_version_is_told_in_one_line(tmp_path: Path) -> None:
    source, other = tmp_path / "other.c", tmp_path / "libensue.so"
    source.write_text("int ensue_interface(void) { return 999; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", other, source], check=True)
    done = doctor(tmp_path, f"return {str(other)!r}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        f"ensue: ensue-native has another version (its interface is 999, ensue's is "
        f"{native.INTERFACE}): torch's "
        "kernels are used; install the matching version (`pip "
        "install ./native`)\n"
    )


def test_a_library_of_another_version_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensue_native", SimpleNamespace(library=lambda: "other"))  # type: ignore[arg-type]
    monkeypatch.setattr(ctypes, "CDLL", lambda path: SimpleNamespace(ensue_interface=lambda: 0))
    with pytest.warns(
        native.SlowerWarning, match=f"its interface is 0, ensue's is {native.INTERFACE}"
    ) as told:
        native.library()
    assert native.library() is None
    assert len(told) == 1


def test_without_the_wheel_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensue_native", None)
    assert native.library() is None
    assert native.instruction_sets() == []
    assert (
        native.describe()
        == "torch's, which are slower; ensue-native is not installed, or not usable"
    )
    native.library.cache_clear()
    monkeypatch.setenv(native.VARIABLE, "avx2")
    with pytest.raises(
        UserError,
        match=r"ENSUE_NATIVE: 'avx2' needs ensue-native, which is not installed; install",
    ):
        native.library()


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "off")
    assert native.library() is None
    assert native.describe() == "torch's; ensue-native is disabled by ENSUE_NATIVE"


@pytest.mark.skipif(not INSTALLED, reason="ensue-native is not installed")
def test_a_wrong_instruction_set_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(native.VARIABLE, "sse9")
    assert main(["doctor"]) == 2
    line = capsys.readouterr().err
    assert line.startswith(
        "ensue: ENSUE_NATIVE: instruction set 'sse9' is not available; choose off, "
    )
    assert line.rstrip().endswith("generic")
    assert line.count("\n") == 1


@pytest.mark.skipif(not INSTALLED, reason="ensue-native is not installed")
def test_it_opens_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.perf_counter()
    kernels = native.library()
    opened = time.perf_counter() - before
    assert kernels is not None
    assert kernels.ensue_operation(b"tanh") >= 0
    # The promise is 50 ms for all of it (benchmarks/training.py measures it); a busy machine gets
    # ten times that.
    assert opened < 0.5
    assert native.describe().startswith(
        f"ensue-native with {native.instruction_sets()[0]} (available: "
    )
