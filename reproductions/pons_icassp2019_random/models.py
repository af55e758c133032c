"""The nine front-ends with random weights, as feature extractors.

Layer by layer from jordipons/elmarc (`src/dl_models.py`, `config_file.py`). A network takes a
segment, frames × 96 of the recipe ``elmarc-mel`` or samples × 1 of ``waveform-12000-short``, and
gives one vector: for each of the layers listed, the mean of every feature map over all its
positions, layer by layer. Nothing is normalised, nothing is trained. Kernel and pool shapes are
bands × frames here, as everywhere in `mirkeras.layers`; the authors write time × frequency, and so
do the names "7×96" and "7×86".

| | layers | parameters of N filters | features |
|---|---|---|---|
| VGG | 5 × (3×3 ELU, max-pool) | 10 N + 4 (9 N² + N) | 5 N |
| 7×96, 7×86 | one, then the maximum over the bands | 673 N, 603 N | N |
| Timbral | 86 and 38 bands by 7, 3, 1 frames, the maximum over the bands | | 14 N |
| Temporal | 165, 128, 64, 32 frames of the bands' mean | | 14 N |
| Sample-level | 3 samples, then 6 × (3, max-pool 3) | 4 N + 6 (3 N² + N) | 7 N |
| Frame-level | 512 samples every 32, three convolutions by 7 | 513 N + 3 (7 N² + N) | 4 N |
| Frame-level many | 512 to 32 samples, the same | 997 N + 35 N² + N + 2 (7 N² + N) | 8 N |
"""

from collections.abc import Callable
from dataclasses import dataclass

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import image
from mirkeras.layers.spectrogram import Shape, many_shapes, one_shape, vgg_stage
from mirkeras.layers.style import Style
from mirkeras.layers.waveform import SMALLEST, frame_level, many_frame_levels

MEL, WAVEFORM = "elmarc-mel", "waveform-12000-short"
BANDS = 96
STYLE = Style(batch_norm=False)
#: Of VGG, bands × frames: the authors', which need 1,280 frames, and ours for shorter segments (the
#: pools for the 188 frames of UrbanSound8K are not in the repository).
POOLS = ((2, 4), (3, 4), (2, 5), (2, 4), (4, 4))
SHORT_POOLS = ((2, 2), (3, 2), (2, 2), (2, 2), (4, 2))
LONG = 1280  # frames
LEVELS = 7  # of the sample-level network
STRIDE, CONTEXT = 32, 7  # samples; steps of a kernel of the back-end
WINDOW, WINDOWS = 512, (512, 256, 128, 64, 32)  # samples

#: By the dimensions of the maps.
_MEAN = {3: layers.GlobalAveragePooling1D, 4: layers.GlobalAveragePooling2D}

Maps = list[keras.KerasTensor]
Opened = tuple[keras.KerasTensor, Maps]


def vgg(frames: int, filters: int) -> Opened:
    """Small filters; what counts is behind each pool."""
    spectrogram, x = image(frames, BANDS)
    found = []
    for number, pool in enumerate(POOLS if frames >= LONG else SHORT_POOLS, 1):
        x = vgg_stage(x, number, filters, pool, Style("elu", batch_norm=False))
        found.append(x)
    return spectrogram, found


def all_bands(frames: int, filters: int) -> Opened:
    """7×96: filters as tall as the spectrogram."""
    return _tall(frames, filters, BANDS)


def most_bands(frames: int, filters: int) -> Opened:
    """7×86: filters that move over the bands, of which the maximum stays."""
    return _tall(frames, filters, 86)


def _tall(frames: int, filters: int, bands: int) -> Opened:
    spectrogram, x = image(frames, BANDS)
    return spectrogram, [one_shape(x, Shape("tall", filters, (bands, 7)), STYLE, padded=False)]


def timbral(frames: int, filters: int) -> Opened:
    """Tall filters of six shapes."""
    spectrogram, x = image(frames, BANDS)
    return spectrogram, [many_shapes(x, _timbres(filters), STYLE, "timbral")]


def temporal(frames: int, filters: int) -> Opened:
    """Long filters of four lengths on the bands' mean."""
    spectrogram, x = image(frames, BANDS)
    return spectrogram, [many_shapes(x, _rhythms(filters, (165, 128, 64, 32)), STYLE, "temporal")]


def timbral_temporal(frames: int, filters: int) -> Opened:
    """Both; for sounds, which are short, the long filters are of 64 to 8 frames (`cnn_audio`)."""
    spectrogram, x = image(frames, BANDS)
    lengths = (165, 128, 64, 32) if frames >= LONG else (64, 32, 16, 8)
    found = [
        many_shapes(x, _timbres(filters), STYLE, "timbral"),
        many_shapes(x, _rhythms(filters, lengths), STYLE, "temporal"),
    ]
    return spectrogram, found


def _timbres(filters: int) -> list[Shape]:
    return [
        Shape(f"f{bands}x{frames}", times * filters, (bands, frames))
        for bands in (86, 38)
        for frames, times in ((7, 1), (3, 2), (1, 4))
    ]


def _rhythms(filters: int, lengths: tuple[int, ...]) -> list[Shape]:
    """List 1, 2, 4 and 8 times as many filters, a quarter less each: as many as of timbre."""
    return [
        Shape(f"t{frames}", times * filters - filters // 4, (1, frames), envelope=True)
        for frames, times in zip(lengths, (1, 2, 4, 8), strict=True)
    ]


def sample_levels(length: int, filters: int) -> Opened:
    """Sample-level: seven levels of three samples; the first, then what is behind each pool."""
    waveform = keras.Input((length, 1), name="waveform")
    x = STYLE.convolve(waveform, "wave0", filters, SMALLEST, stride=SMALLEST)
    found = [x]
    for level in range(1, LEVELS):
        x = STYLE.convolve(x, f"wave{level}", filters, SMALLEST, padding="same")
        x = layers.MaxPooling1D(SMALLEST, name=f"wave{level}_pool")(x)
        found.append(x)
    return waveform, found


def frame_levels(length: int, filters: int) -> Opened:
    """Frame-level: filters as long as the window of a transform."""
    waveform = keras.Input((length, 1), name="waveform")
    x = frame_level(waveform, "frames", filters, WINDOW, STRIDE, STYLE)
    return waveform, [x, *_back_end(x, filters)]


def many_lengths(length: int, filters: int) -> Opened:
    """Frame-level many: filters of five lengths."""
    waveform = keras.Input((length, 1), name="waveform")
    x = many_frame_levels(waveform, filters, WINDOWS, STRIDE, STYLE, "frames")
    return waveform, [x, *_back_end(x, filters)]


def _back_end(x: keras.KerasTensor, filters: int) -> Maps:
    """Convolve three times over the steps, twice around a residual connection."""
    first = STYLE.convolve(x, "cnn1", filters, CONTEXT)
    second = STYLE.convolve(first, "cnn2", filters, CONTEXT, padding="same")
    second = layers.Add(name="cnn2")([second, first])
    pooled = layers.MaxPooling1D(2, name="pool")(second)
    third = STYLE.convolve(pooled, "cnn3", filters, CONTEXT, padding="same")
    return [first, second, layers.Add(name="cnn3")([third, pooled])]


@dataclass(frozen=True)
class FrontEnd:
    """A network with random weights.

    Attributes
    ----------
    title : str
        Its name in the paper.
    open : callable
        (length of a segment, filters) → input, and the layers whose maps are averaged.
    filters : (int, int)
        N of its two sizes: some 3,500 features, and 112 to 161.
    recipe : str
        What it sees.
    shortest : int
        Frames or samples that it needs.
    front : int
        Maps before the back-end, as multiples of N; 0: it has no back-end.
    """

    title: str
    open: Callable[[int, int], Opened]
    filters: tuple[int, int]
    recipe: str = MEL
    shortest: int = 7
    front: int = 0

    def build(self, length: int, filters: int) -> keras.Model:
        """Build the network: (batch, length, bands or 1) → float32 (batch, features)."""
        segment, found = self.open(length, filters)
        means = [
            # in float32 also where the maps are not
            _MEAN[maps.ndim](dtype="float32", name=f"mean{number}")(maps)
            for number, maps in enumerate(found)
        ]
        vector = means[0] if len(means) == 1 else layers.Concatenate(dtype="float32")(means)
        return keras.Model(segment, vector)


#: By the names of the rows.
FRONT_ENDS = {
    "vgg": FrontEnd("VGG", vgg, (717, 32), shortest=32),
    "7x96": FrontEnd("7×96", all_bands, (3585, 160)),
    "7x86": FrontEnd("7×86", most_bands, (3585, 160)),
    "timbral": FrontEnd("Timbral", timbral, (256, 8), shortest=1),
    "temporal": FrontEnd("Temporal", temporal, (256, 8), shortest=1),
    "timbral-temporal": FrontEnd("Timbral+temporal", timbral_temporal, (128, 4), shortest=1),
    "sample-level": FrontEnd("Sample-level", sample_levels, (512, 23), WAVEFORM, SMALLEST**LEVELS),
    "frame-level": FrontEnd(
        "Frame-level", frame_levels, (896, 40), WAVEFORM, WINDOW + STRIDE * CONTEXT, front=1
    ),
    "frame-level-many": FrontEnd(
        "Frame-level many", many_lengths, (448, 20), WAVEFORM, STRIDE * CONTEXT + 1, front=5
    ),
}
