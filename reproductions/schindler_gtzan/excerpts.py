"""What a segment looks and sounds like, as parts of a page: PNG, WAV and the ticks of its axes."""

import io
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
import soundfile
from matplotlib import colormaps
from matplotlib.image import imsave

from mirkeras.features import Recipe, filterbanks
from mirkeras.features.augmented import Deformed
from mirkeras.features.constantq import ConstantQ
from mirkeras.features.logmel import LogMel
from mirkeras.features.waveform import Waveform
from mirkeras.system.errors import UsageError

HERTZ = (250, 500, 1000, 2000, 4000, 8000, 16000)  # where a mel axis has ticks
SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # distances of the ticks of a time axis
MOST_TICKS = 6
CELL, DOT = 10, slice(3, 7)  # pixels of a cell of `score_map`, and of the dot in it


@dataclass(frozen=True)
class Tick:
    """A label and its place on an axis, in per cent from the left or from below."""

    label: str
    place: float


def plain(recipe: Recipe) -> LogMel | ConstantQ:
    """Return the recipe a spectrogram is drawn by: that of the undeformed frames.

    Raises
    ------
    UsageError
        Its frames are no spectrogram.
    """
    base = recipe.base if isinstance(recipe, Deformed) else recipe
    if not isinstance(base, LogMel | ConstantQ):
        raise UsageError(f"{recipe.name} makes no spectrogram; give a run on mel or constant-Q")
    return base


def span(recipe: LogMel | ConstantQ, frame: int, frames: int, samples: int) -> tuple[int, int]:
    """Where a segment lies in its track, in samples at the recipe's rate: start and stop.

    Each frame stands for one hop around its centre, so a segment's sound is as long as its picture
    is wide. At the ends of a track half a hop may be missing.

    Parameters
    ----------
    frame, frames : int
        First frame and number of frames.
    samples : int
        Length of the track.
    """
    uncentred = isinstance(recipe, LogMel) and recipe.centred is False
    centre = frame * recipe.hop + (recipe.n_fft // 2 if uncentred else 0)
    start = centre - recipe.hop // 2
    return max(0, start), min(samples, start + frames * recipe.hop)


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Write mono samples as a WAV file of 16 bits."""
    file = io.BytesIO()
    soundfile.write(file, Waveform(rate).extract(samples), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def spectrogram(values: np.ndarray, low: float, high: float) -> bytes:
    """Draw frames (time, band) as PNG, a pixel each, time to the right, low bands below."""
    file = io.BytesIO()
    imsave(file, values.T, vmin=low, vmax=high, cmap="magma", origin="lower", format="png")
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


def time_ticks(recipe: Recipe, frames: int) -> list[Tick]:
    """Seconds from the start of a segment."""
    length = frames * recipe.hop / recipe.sample_rate
    step = next((step for step in SECONDS if length / step < MOST_TICKS), length)
    return [
        Tick(f"{number * step:g} s", 100 * number * step / length)
        for number in range(int(length / step) + 1)
    ]


def band_ticks(recipe: LogMel | ConstantQ) -> list[Tick]:
    """Hz of a mel axis, the notes C and their Hz of a constant-Q axis."""
    if isinstance(recipe, ConstantQ):
        lines = range(0, recipe.bands, recipe.per_octave)
        hertz = [recipe.lowest * 2 ** (line / recipe.per_octave) for line in lines]
        names = [f"{_note(value)}, {value:.0f} Hz" for value in hertz]
    else:
        centres = _centres(recipe)
        shown = [value for value in HERTZ if centres[0] <= value <= centres[-1]]
        lines = np.interp(shown, centres, np.arange(recipe.bands))
        names = [f"{value:,} Hz" for value in shown]
    return [
        Tick(name, 100 * (float(line) + 0.5) / recipe.bands)
        for name, line in zip(names, lines, strict=True)
    ]


def _note(hertz: float) -> str:
    import librosa  # costs seconds, and a page of mel spectrograms may not need it

    return librosa.hz_to_note(hertz)


def _centres(recipe: LogMel) -> np.ndarray:
    """Centre of each mel band in Hz, (bands,)."""
    if recipe.filterbank == "essentia":
        mel = np.linspace(0, filterbanks.hertz_to_mel(recipe.sample_rate / 2), recipe.bands + 2)
        return 700 * (10 ** (mel[1:-1] / 2595) - 1)
    import librosa  # as above

    highest = recipe.sample_rate / 2
    return librosa.mel_frequencies(n_mels=recipe.bands + 2, fmin=0, fmax=highest, htk=False)[1:-1]
