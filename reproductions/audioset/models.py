"""VGGish and YAMNet, as their weights need them.

Fact by fact from tensorflow/models, research/audioset (`vggish_slim.py`, `yamnet.py`). Both see
patches of 96 frames × 64 bands, 0.96 s, of the recipe of their name. Kernels are 3×3, 'same'.

VGGish (Hershey et al. 2017): 72,141,184 parameters; its embedding is the last layer, after the
ReLU, without the principal components and the eight bits of the released AudioSet features.
YAMNet: a MobileNet (Howard et al. 2017); 3,729,481 parameters with batch norm folded into the
convolutions before it. Its embedding is the mean over time and bands of the last maps.
"""

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import image, scores
from reproductions.audioset.classes import CLASSES

FRAMES, BANDS = 96, 64
#: Filters of the convolutions between two pools.
STAGES = ((64,), (128,), (256, 256), (512, 512))
#: Filters and stride of each separable convolution.
SEPARABLE = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def vggish() -> keras.Model:
    """Build VGGish: (batch, 96, 64) → (batch, 128)."""
    spectrogram, x = image(FRAMES, BANDS)
    for number, filters in enumerate(STAGES, 1):
        for place, count in enumerate(filters, 1):
            name = f"conv{number}" + f"_{place}" * (len(filters) > 1)
            x = layers.Conv2D(count, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)  # 6 × 4 × 512, the channels running fastest
    x = layers.Dense(4096, activation="relu", name="fc1_1")(x)
    x = layers.Dense(4096, activation="relu", name="fc1_2")(x)
    x = layers.Dense(128, activation="relu", dtype="float32", name="embedding")(x)
    return keras.Model(spectrogram, x, name="vggish")


def yamnet() -> keras.Model:
    """Build YAMNet: (batch, 96, 64) → (batch, 521) in [0, 1]; the layer ``embedding`` has 1024."""
    spectrogram, x = image(FRAMES, BANDS)
    x = layers.Conv2D(32, 3, 2, padding="same", activation="relu", name="layer1_conv")(x)
    for number, (filters, stride) in enumerate(SEPARABLE, 2):
        x = layers.DepthwiseConv2D(
            3, stride, padding="same", activation="relu", name=f"layer{number}_depthwise"
        )(x)
        x = layers.Conv2D(filters, 1, activation="relu", name=f"layer{number}_pointwise")(x)
    x = layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(x)
    return keras.Model(spectrogram, scores(len(CLASSES), "sigmoid")(x), name="yamnet")
