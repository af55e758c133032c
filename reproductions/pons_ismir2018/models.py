"""The networks of "End-to-end learning for music audio tagging at scale" (ISMIR 2018).

A front-end on the waveform (minimal filters, `mirkeras.layers.waveform.sample_level`) or on a
log-mel spectrogram (many shapes) is followed by one back-end:

- a convolution of 7 steps over all channels, valid: six steps fewer;
- two more of 7 steps, 'same', each added to what it gets, with a max-pool of 2 in between;
- maximum and mean over time, side by side for each channel; 50 % dropout; 500 rectified units,
  batch norm, 50 % dropout; scores.

Batch norm comes after the ReLU, kernels start He-normal, neither input is normalised. Shapes are
(bands, frames); the paper and its code write time × frequency.

Two readings of the second and third convolution's batch norm (`norm`):

`code`
    The released code transposes before it normalises, so that one mean, variance, scale and shift
    serve all 512 channels.
`paper`
    One of each per channel: 2,044 trainable parameters more.

The released waveform front-end has seven levels; the text of the paper's largest training has nine.
"""

from dataclasses import dataclass

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import image
from mirkeras.layers.spectrogram import Shape, many_shapes
from mirkeras.layers.style import Style, normalise
from mirkeras.layers.waveform import sample_level, steps_left
from reproductions.pons_ismir2018.musicnn import BANDS, CONTEXT, extremes, hidden

NORMS = ("code", "paper")
SHORTEST = CONTEXT + 1  # steps that a front-end must leave: the max-pool of 2 needs two of them
SECONDS_15 = 240_000, 937  # samples and frames (hop 256) of 15 s at 16 kHz


@dataclass(frozen=True)
class Network:
    """One network of the paper.

    Attributes
    ----------
    id, title : str
        Stable name; name for people.
    recipe : str
        Name of the feature recipe of its input.
    frames : int
        Cache frames per segment: samples of a waveform, frames of a spectrogram. 15 s.
    levels : tuple of int
        Filters of each level of a waveform front-end; empty: the front-end is on a spectrogram.
    n : int
        The number of filters that those of a spectrogram front-end are multiples of.
    filters, units : int
        Filters of each convolution of the back-end, and of its hidden layer.
    """

    id: str
    title: str
    recipe: str
    frames: int
    levels: tuple[int, ...] = ()
    n: int = 0
    filters: int = 512
    units: int = 500

    def build(
        self,
        outputs: int,
        activation: str = "sigmoid",
        *,
        frames: int | None = None,
        norm: str = "code",
        penalty: float = 0.0,
    ) -> keras.Model:
        """Build the network.

        Parameters
        ----------
        outputs : int
            Number of tags (50, or the 139 of the 1.2 million songs) or classes.
        activation : str
            ``sigmoid`` for tags, ``softmax`` for classes.
        frames : int or None
            Length of a segment; None: that of the network. 187 (spectrogram) and 48,000 (seven
            levels) are 3 s, as for MagnaTagATune; nine levels need 11.1 s or more.
        norm : str
            ``code`` or ``paper``, see the module's text.
        penalty : float
            Weight decay, see `mirkeras.layers.style.Style`; none is known of the paper's training.

        Returns
        -------
        keras.Model
            Takes (batch, frames, 1) of a waveform within [-1, 1] or (batch, frames, 96) of a
            spectrogram; gives (batch, outputs). The layer ``penultimate`` has the hidden units.

        Raises
        ------
        ValueError
            For an unknown norm, or a segment that leaves the back-end too few steps.
        """
        if norm not in NORMS:
            raise ValueError(f"unknown norm {norm!r}; known: {', '.join(NORMS)}")
        frames, style = frames or self.frames, Style(penalty=penalty)
        self._check_length(frames)
        front = waveform_frontend if self.levels else spectrogram_frontend
        segment, x = front(frames, self.levels or self.n, style)
        x = backend(x, self.filters, style, shared=norm == "code")
        x = hidden(extremes(x, style), style, self.units)
        return keras.Model(
            segment, style.scores(x, outputs, activation), name=self.id.replace("-", "_")
        )

    def _check_length(self, frames: int) -> None:
        steps = steps_left(frames, len(self.levels)) if self.levels else frames
        if steps < SHORTEST:
            raise ValueError(
                f"{self.id}: a segment of {frames} leaves {steps} steps after the front-end; "
                f"the back-end needs {SHORTEST}. Take longer segments"
            )


Opened = tuple[keras.KerasTensor, keras.KerasTensor]


def waveform_frontend(samples: int, levels: tuple[int, ...], style: Style) -> Opened:
    """Open a network on a waveform: its input, and (batch, steps, filters of the last level)."""
    waveform = keras.Input((samples, 1), name="waveform")
    return waveform, sample_level(waveform, levels, style)


def spectrogram_frontend(frames: int, n: int, style: Style) -> Opened:
    """Open a network on a spectrogram: its input, and (batch, frames, 29 n)."""
    spectrogram, x = image(frames, BANDS)
    return spectrogram, many_shapes(x, shapes(n), style, "frontend")


def shapes(n: int) -> list[Shape]:
    """List the filters: timbre of 86 and 38 bands (14 n), rhythm of the envelope (15 n)."""
    timbral = [
        Shape(f"f{bands}x{frames}", times * n, (bands, frames))
        for bands in (86, 38)  # 90 % and 40 % of 96
        for frames, times in ((7, 1), (3, 2), (1, 4))
    ]
    temporal = [
        Shape(f"t{frames}", times * n, (1, frames), envelope=True)
        for frames, times in ((165, 1), (128, 2), (64, 4), (32, 8))
    ]
    return timbral + temporal


def backend(x: keras.KerasTensor, filters: int, style: Style, *, shared: bool) -> keras.KerasTensor:
    """Convolve three times over time: (batch, steps, any) → (batch, (steps - 6) / 2, filters).

    Parameters
    ----------
    shared : bool
        Whether all channels share one normalisation after the second and third convolution.
    """
    x = style.convolve(x, "cnn1", filters, CONTEXT)
    x = _residual(x, "cnn2", filters, style, shared)
    x = layers.MaxPooling1D(2, name="pool")(x)
    return _residual(x, "cnn3", filters, style, shared)


def _residual(
    x: keras.KerasTensor, name: str, filters: int, style: Style, shared: bool
) -> keras.KerasTensor:
    """Convolve, rectify, normalise, and add to what came in."""
    plain = Style(batch_norm=False, penalty=style.penalty)
    y = plain.convolve(x, name, filters, CONTEXT, padding="same")
    if shared:
        y = layers.Reshape((-1, filters, 1), name=f"{name}_one_channel")(y)
    y = normalise(y, f"{name}_bn")
    if shared:
        y = layers.Reshape((-1, filters), name=f"{name}_channels")(y)
    return layers.Add(name=name)([y, x])


def _wave(id: str, title: str, levels: tuple[int, ...]) -> Network:
    return Network(id, title, "waveform-16000", SECONDS_15[0], levels)


def _spectrogram(n: int, **options) -> Network:
    small = "-small" if options else ""
    return Network(
        f"spec-{n}{small}", f"spectrogram N={n}", "musicnn", SECONDS_15[1], n=n, **options
    )


SEVEN = (64, 64, 64, 128, 128, 128, 256)
NINE = (64, 64, 64, 128, 128, 128, 128, 128, 256)

#: All networks by id; parameters of "code" for 50 and for 139 outputs.
NETWORKS = {
    network.id: network
    for network in (
        _wave("wave-7", "waveform", SEVEN),  # 5,377,082  5,421,671
        _wave("wave-9", "waveform, nine levels", NINE),  # 5,476,154  5,520,743
        _spectrogram(4),  # 4,639,386  4,683,975
        _spectrogram(8),  # 5,067,642  5,112,231
        _spectrogram(16),  # 5,924,154  5,968,743
        _spectrogram(32),  # 7,637,178  7,681,767
        # tried on MagnaTagATune alone
        _wave("wave-7-x2", "waveform x2", tuple(2 * filters for filters in SEVEN)),
        _wave("wave-7-x4", "waveform x4", tuple(4 * filters for filters in SEVEN)),
        _spectrogram(8, filters=64, units=200),
    )
}
