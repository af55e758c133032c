"""One folder per paper: its networks, its experiments, its training and evaluation commands."""

import mirkeras  # before all else: it answers Ctrl-C from then on
