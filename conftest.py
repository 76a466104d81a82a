"""What cannot be collected where an extra is not installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("sklearn") else ["src/ensue/sklearn/*"]
