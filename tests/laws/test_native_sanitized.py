"""The sanitizers of the compiler find no error of memory and no undefined behaviour while the
kernels are tested."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TESTS = [
    str(path) for path in sorted(ROOT.glob("tests/**/test_native*.py")) if path != Path(__file__)
]
CMAKE, COMPILER = shutil.which("cmake"), shutil.which("c++")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CMAKE is None or COMPILER is None,
        reason="there is no C++ compiler, or no cmake, to build with",
    ),
]


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    found = re.search(r"(\S+: runtime error|ERROR: )", done.stderr)
    assert done.returncode == 0, (done.stderr[found.start() :] if found else done.stdout)[:2000]
    return done.stdout.strip()


def test_nothing_is_found(tmp_path: Path) -> None:
    asan = run(str(COMPILER), "-print-file-name=libasan.so")
    if not Path(asan).is_absolute():
        pytest.skip("the compiler has no libasan.so")
    package, build = tmp_path / "ensue_native", tmp_path / "build"
    run(
        str(CMAKE),
        "-S",
        str(ROOT / "native"),
        "-B",
        str(build),
        "-DENSUE_SANITIZE=ON",
        "-DCMAKE_BUILD_TYPE=Release",
    )
    run(str(CMAKE), "--build", str(build))
    shutil.copytree(
        ROOT / "native" / "src" / "ensue_native",
        package,
        ignore=shutil.ignore_patterns("libensue.*"),
    )
    shutil.copy(next(build.glob("libensue.*")), package)
    watched = {
        "PYTHONPATH": os.pathsep.join(
            [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "LD_PRELOAD": asan,
        # Python itself frees little at its end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        "OMP_NUM_THREADS": "1",
    }
    place = "import ensue_native; print(ensue_native.library())"
    assert run(sys.executable, "-c", place, **watched) == str(package / "libensue.so")
    run(
        sys.executable,
        "-m",
        "pytest",
        "-sq",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *TESTS,
        **watched,
    )
