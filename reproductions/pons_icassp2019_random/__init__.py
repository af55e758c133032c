"""Pons & Serra, "Randomly weighted CNNs for (music) audio classification", ICASSP 2019.

What networks make of audio that have learned nothing, and how far a classifier of it gets.
"""
