"""mirkeras: the classic music-CNN papers, re-run in Keras and compared row by row."""

from mirkeras.system import interrupts

interrupts.take_over()

__version__ = "0.1.0"
