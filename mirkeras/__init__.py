"""mirkeras: the classic music-CNN papers, re-run in Keras and compared row by row."""

__version__ = "0.1.0"
