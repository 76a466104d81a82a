"""`python -m ensue`: the command, where no script of that name is at hand."""

import sys

from ensue.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
