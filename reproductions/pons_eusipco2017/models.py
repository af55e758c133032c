"""The single-layer network of Pons et al. (EUSIPCO 2017) that recognises instruments, as released.

Fact by fact from the network's own description inside the released file (Veleslavia/EUSIPCO2017,
`weights/singlelayer`): its filters are 5 and 80 bands high, where the code of the repository says
50 and 70. Kernel shapes are frequency × time.
"""

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import conv, max_pool, scores

FRAMES, BANDS = 128, 96
HEIGHTS = (5, 80)  # bands
#: Frames → filters.
WIDTHS = {1: 128, 3: 64, 5: 32}
DROPOUT = 0.5


@keras.saving.register_keras_serializable("mirkeras")
class Centred(layers.Layer):
    """Subtract the mean spectrogram of the training data, a variable that is not trained."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the variable: (frames, bands)."""
        self.mean = self.add_weight(
            shape=shape[1:], initializer="zeros", trainable=False, name="mean"
        )

    def call(self, segments: keras.KerasTensor) -> keras.KerasTensor:
        """Subtract the mean from each segment."""
        return segments - self.mean


def single_layer(classes: int = 11, activation: str = "softmax") -> keras.Model:
    """Build the network: 61,867 trainable parameters for 11 instruments.

    Takes (batch, 128, 96) values of the recipe ``pons2017-irmas``, gives (batch, classes). Batch
    norm stands before the ELU. Four maxima over a quarter of the segment each come of every filter;
    ``penultimate`` (1792) holds them filter by filter, as the authors' channels-first layers did.
    """
    spectrogram = keras.Input((FRAMES, BANDS), name="spectrogram")
    x = layers.Reshape((FRAMES, BANDS, 1), name="channel")(Centred(name="centred")(spectrogram))
    found = [
        _filtered(x, (height, width), filters)
        for height in HEIGHTS
        for width, filters in WIDTHS.items()
    ]
    x = layers.Concatenate(name="penultimate")(found)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    return keras.Model(spectrogram, scores(classes, activation)(x), name="single_layer")


def _filtered(x: keras.KerasTensor, kernel: tuple[int, int], filters: int) -> keras.KerasTensor:
    """Convolve, normalise, keep the largest of each quarter: (batch, filters × 4)."""
    height, width = kernel
    name = f"f{height}x{width}"
    # Theano's "same": of an even number of zeros fewer one, the larger half stands in front
    padding = ((width // 2, width // 2), (height // 2, (height - 1) // 2))
    x = layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    x = conv(filters, kernel, f"{name}_conv", activation=None)(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    x = layers.ELU(name=f"{name}_elu")(x)
    x = max_pool((BANDS, FRAMES // 4), f"{name}_pool")(x)
    x = layers.Reshape((4, filters), name=f"{name}_quarters")(x)
    return layers.Flatten(name=name)(layers.Permute((2, 1), name=f"{name}_turned")(x))
