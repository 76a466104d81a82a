"""The compiled kernels of ensue: one shared library with a plain C interface, which
`ensue.native` opens."""

from pathlib import Path

FOLDER = Path(__file__).parent


def library() -> Path:
    """Give the path of the shared library."""
    for path in sorted(FOLDER.glob("libensue.*")):
        if path.suffix in (".so", ".dylib"):
            return path
    raise FileNotFoundError(f"there is no libensue in {FOLDER}")
