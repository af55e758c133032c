"""`python -m mirkeras` is the command `mirkeras`."""

import sys

from mirkeras.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
