"""Draws and lays out what it is given."""

import sys

try:
    import matplotlib
except ValueError as error:  # its name is wrong; figures are files here and need none
    sys.exit(f"error: MPLBACKEND: {str(error).partition(';')[0]}; correct or unset it")
