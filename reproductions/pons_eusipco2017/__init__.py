"""Pons, Slizovskaia, Gong, Gomez & Serra, "Timbre analysis of music audio signals with CNNs",
EUSIPCO 2017: its trained instrument recognition."""
