"""Lidy & Schindler, "Parallel CNNs for music genre and mood classification", MIREX 2016."""
