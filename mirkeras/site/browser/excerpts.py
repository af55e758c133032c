"""Where a segment lies in its track, what it sounds like, and the ticks of its picture's axes."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from mirkeras.features import Recipe, filterbanks
from mirkeras.features.augmented import Deformed
from mirkeras.features.constantq import ConstantQ
from mirkeras.features.logmel import LogMel
from mirkeras.features.waveform import Waveform

HERTZ = (250, 500, 1000, 2000, 4000, 8000, 16000)  # where a mel axis has ticks
SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)  # distances of the ticks of a time axis
MOST_TICKS = 6
LONGEST = 30  # seconds of a track that is decided as a whole


@dataclass(frozen=True)
class Tick:
    """A label and its place on an axis, in per cent from the left or from below."""

    label: str
    place: float


def plain(recipe: Recipe) -> Recipe:
    """Return the recipe of the undeformed frames."""
    return recipe.base if isinstance(recipe, Deformed) else recipe


def is_spectrogram(recipe: Recipe) -> bool:
    """Whether the frames of a plain recipe are a picture of themselves."""
    return isinstance(recipe, LogMel | ConstantQ)


def span(recipe: Recipe, frame: int, frames: int, samples: int) -> tuple[int, int]:
    """Where a segment lies in its track, in samples at the recipe's rate: start and stop.

    Each frame stands for one hop around its centre, so a segment's sound is as long as its picture
    is wide. At the ends of a track half a hop may be missing.

    Parameters
    ----------
    frame, frames : int
        First frame and number of frames; 0 frames stand for the whole track, cut at `LONGEST`.
    samples : int
        Length of the track.
    """
    if not frames:
        return 0, min(samples, LONGEST * recipe.sample_rate)
    uncentred = isinstance(recipe, LogMel) and recipe.centred is False
    centre = frame * recipe.hop + (recipe.n_fft // 2 if uncentred else 0)
    start = centre - recipe.hop // 2
    return max(0, start), min(samples, start + frames * recipe.hop)


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Write mono samples as a WAV file of 16 bits."""
    file = io.BytesIO()
    soundfile.write(file, Waveform(rate).extract(samples), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def time_ticks(length: float) -> list[Tick]:
    """Seconds from the start of a segment of so many."""
    step = next((step for step in SECONDS if length / step < MOST_TICKS), length)
    return [
        Tick(f"{number * step:g} s", 100 * number * step / length)
        for number in range(int(length / step) + 1)
    ]


def band_ticks(recipe: Recipe) -> list[Tick]:
    """Hz of a mel axis, the notes C and their Hz of a constant-Q axis; none of other recipes."""
    if not is_spectrogram(recipe):
        return []
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
