"""Small pictures for pages, as PNG: of segments, of their scores, of sound."""

import io
from base64 import b64encode

import numpy as np
from matplotlib import colormaps
from matplotlib.image import imsave

CELL, DOT = 10, slice(3, 7)  # pixels of a cell of `score_map`, and of the dot in it
WAVE = 400, 96  # pixels of a `waveform`, wide and high
WAVE_COLOUR = (31, 111, 139)


def spectrogram(values: np.ndarray, low: float, high: float) -> bytes:
    """Draw frames (time, band) as PNG, a pixel each, time to the right, low bands below."""
    file = io.BytesIO()
    imsave(file, values.T, vmin=low, vmax=high, cmap="magma", origin="lower", format="png")
    return file.getvalue()


def waveform(samples: np.ndarray) -> bytes:
    """Draw samples in [-1, 1] as PNG: in each column from the lowest to the highest of its time."""
    width, height = min(WAVE[0], len(samples)), WAVE[1]
    parts = np.array_split(samples, width)
    ends = np.array([[part.min(), part.max()] for part in parts]).clip(-1, 1)
    top, bottom = ((1 - ends[:, ::-1].T) * (height - 1) / 2).round().astype(int)
    lines = np.arange(height)[:, None]
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[(lines >= top) & (lines <= bottom)] = (*WAVE_COLOUR, 255)
    file = io.BytesIO()
    imsave(file, pixels, format="png")
    return file.getvalue()


def score_map(scores: np.ndarray, winners: np.ndarray) -> bytes:
    """Draw scores in [0, 1] as PNG: a column per segment, a line per class, a dot on each winner.

    Parameters
    ----------
    scores : float (segments, classes)
    winners : int (segments,)
        Column of each segment's winner, -1 if that is not among the classes shown.
    """
    cells = np.repeat(np.repeat(scores.T, CELL, axis=0), CELL, axis=1)
    pixels = colormaps["viridis"](cells)[..., :3]
    for segment, line in enumerate(winners):
        if line >= 0:
            dark = scores[segment, line] < 0.5
            cell = pixels[line * CELL : (line + 1) * CELL, segment * CELL : (segment + 1) * CELL]
            cell[DOT, DOT] = float(dark)
    file = io.BytesIO()
    imsave(file, pixels, format="png")
    return file.getvalue()


def colour_scale() -> bytes:
    """Draw the colours of `score_map` from 0 to 1 as PNG."""
    file = io.BytesIO()
    imsave(file, np.linspace(0, 1, 128)[None], cmap="viridis", format="png")
    return file.getvalue()


def data_url(kind: str, content: bytes) -> str:
    """Put a file into an address, e.g. of kind ``image/png``."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
