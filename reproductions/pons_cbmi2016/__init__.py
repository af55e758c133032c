"""Pons, Lidy & Serra, "Experimenting with musically motivated CNNs", CBMI 2016."""
