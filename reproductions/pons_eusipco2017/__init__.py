"""Pons, Slizovskaia, Gong, Gomez & Serra, "Timbre analysis of music audio signals with CNNs",
EUSIPCO 2017: tagging, and the trained instrument recognition."""
