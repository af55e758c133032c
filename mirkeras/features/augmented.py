"""The frames of a track, then those of deformed copies of it (augmentation).

`schindler2016-mel-augmented` does what Schindler, Lidy & Rauber (FMT 2016) describe: every track
stretched in time by ×0.2 and ×0.5 (slower), ×1.2 and ×1.5 (faster), each combined with a shift in
pitch by -5, -2, +2 and +5 semitones, and three random segments taken of each: 4 · 4 · 3 = 48
segments more per track, for training only.

Excerpts are deformed, not whole tracks: a track at ×0.2 is five times its length, of which three
segments would be used. Two things keep the start and the end of an excerpt out of the segments:

- The phase vocoder takes its first phases from the first spectrum and never lets go of them. If
  half of that is the zeros before the excerpt (librosa's `center=True`), a tone at ×0.2 comes out
  with a third of its amplitude; hence `center=False`, which starts from a full window.
- `margin` samples at either end of what a vocoder makes are not used.

It computes in double precision: phases grow to 10⁵ within an excerpt, where single precision has
steps of 0.01. In double precision librosa 0.11 and 1.0, which add them up differently, agree.
"""

import warnings
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from math import ceil

import numpy as np

from mirkeras.features.logmel import LogMel
from mirkeras.features.recipe import Recipe, mono

# Raise by one whenever a change of this module changes numbers: old caches are then refused.
IMPLEMENTATION = 1

# librosa's defaults. Its steps are a quarter of the window.
WINDOW = 2048  # samples


def _of_base(name: str) -> property:
    return property(lambda recipe: getattr(recipe.base, name), doc=f"The `{name}` of `base`.")


@dataclass(frozen=True)
class Deformed(Recipe):
    """Frames of a track followed by `deformed` frames of its deformed copies.

    The copies come in the order of `factors`, within these of `steps`, within these `segments` of
    each, `frames` of every segment. Their places in the track are drawn from `seed` and a checksum
    of its samples: they depend neither on the order of tracks nor on the number of processes.

    Attributes
    ----------
    base
        The recipe of all frames.
    factors
        Tempo of the copies relative to the track's: below 1 slower, above 1 faster.
    steps
        Shifts in pitch, in semitones.
    segments
        Number of segments per combination of a factor and a step.
    frames
        Length of a segment.
    margin
        Samples, at the recipe's rate, that are dropped at either end of what a vocoder makes; two
        windows are enough for shifts of up to eleven semitones.
    seed
        Seed of the places.
    """

    base: LogMel
    factors: tuple[float, ...] = (0.2, 0.5, 1.2, 1.5)
    steps: tuple[int, ...] = (-5, -2, 2, 5)
    segments: int = 3
    frames: int = 80
    margin: int = 2 * WINDOW
    seed: int = 0

    @property
    def name(self) -> str:
        """``<base>-augmented``."""
        return f"{self.base.name}-augmented"

    sample_rate, hop, bands, dtype = map(_of_base, ("sample_rate", "hop", "bands", "dtype"))

    @property
    def deformed(self) -> int:
        """Frames at the end of every track that come from deformed copies: 3840 in the paper."""
        return len(self.factors) * len(self.steps) * self.segments * self.frames

    @property
    def min_frames(self) -> int:
        """The least of `base` and the deformed ones."""
        return self.base.min_frames + self.deformed

    @property
    def shortest(self) -> int:
        """Least number of samples of a track: those of its longest excerpt (2.45 s)."""
        return max(map(self._excerpt, self.factors))

    def identity(self) -> dict[str, object]:
        """Return all that defines the numbers, as plain values in a fixed order."""
        return {
            "name": self.name,
            "base": self.base.identity(),
            "factors": list(self.factors),
            "steps": list(self.steps),
            "segments": self.segments,
            "frames": self.frames,
            "margin": self.margin,
            "seed": self.seed,
            "vocoder": f"librosa.effects, {WINDOW}/{WINDOW // 4}, not centred, float64",
            "implementation": IMPLEMENTATION,
        }

    def libraries(self) -> dict[str, str]:
        """Return the versions of the libraries that compute this recipe.

        numba computes the vocoder's phases and sums its windows, soxr shifts the pitch.
        """
        vocoder = ("numpy", "scipy", "librosa", "numba", "soxr")
        return self.base.libraries() | {name: version(name) for name in vocoder}

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """Compute the frames of the track and of its deformed copies, see `Recipe.extract`.

        A track below `shortest` has no frames at all, so that it is set aside as too short: a
        segment filled up with silence or repetitions would teach the network these.
        """
        samples = np.ascontiguousarray(mono(samples), np.float32)
        if samples.size < self.shortest:
            return np.zeros((0, self.bands), self.dtype)
        # Of this class the stream of numbers is fixed for all versions of NumPy.
        random = np.random.RandomState([self.seed, zlib.crc32(samples)])
        parts = [self.base.extract(samples)]
        for factor, steps, _ in product(self.factors, self.steps, range(self.segments)):
            length = self._excerpt(factor)
            start = random.randint(samples.size - length + 1)
            parts.append(self.deform(samples[start : start + length], factor, steps))
        return np.concatenate(parts)

    def deform(self, excerpt: np.ndarray, factor: float, steps: int) -> np.ndarray:
        """Deform an excerpt and return the middle `frames` of its frames (frames, band)."""
        import librosa  # costs seconds; workers on other recipes never need it

        with warnings.catch_warnings():
            # librosa 1.0's own call of its vocoder raises these.
            warnings.filterwarnings("ignore", "The `(hop_length|n_fft)` parameter", FutureWarning)
            stretched = librosa.effects.time_stretch(
                excerpt.astype(np.float64), rate=factor, n_fft=WINDOW, center=False
            )
            shifted = librosa.effects.pitch_shift(
                stretched[self.margin : self.margin + self._stretched],
                sr=self.sample_rate,
                n_steps=steps,
                bins_per_octave=12,
                res_type="soxr_hq",
                n_fft=WINDOW,
                center=False,
            )
        found = self.base.extract(shifted)
        first = (len(found) - self.frames) // 2
        return found[first : first + self.frames]

    @property
    def _stretched(self) -> int:
        """Samples whose pitch is shifted: those that the frames of a segment see, and margins."""
        return self.frames * self.hop + self.base.n_fft + 2 * self.margin

    def _excerpt(self, factor: float) -> int:
        """Samples of the track that a segment is made of.

        The last spectra of an excerpt end within a window of its end, whatever the factor; the rest
        scales with it.
        """
        return ceil((self.margin + self._stretched) * factor) + self.margin
