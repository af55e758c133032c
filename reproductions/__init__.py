"""One folder per paper: its networks, its experiments, its training and evaluation commands."""
