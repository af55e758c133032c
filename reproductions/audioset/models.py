"""VGGish and YAMNet, as their weights need them.

Fact by fact from `vggish/vggish_slim.py` and `yamnet/yamnet.py` of tensorflow/models
(research/audioset). Both take patches of 96 frames (0.96 s) of 64 log-mel bands, see
`mirkeras.features.audioset`.
"""

from collections.abc import Callable

from mirkeras.system.backend import keras

from keras import layers

from mirkeras.layers import conv, dense, image, scores

FRAMES, BANDS = 96, 64

#: Convolutions of each stage of VGGish, name and filters; a max-pool of 2 × 2 follows each stage.
VGGISH = (
    (("conv1", 64),),
    (("conv2", 128),),
    (("conv3_1", 256), ("conv3_2", 256)),
    (("conv4_1", 512), ("conv4_2", 512)),
)
VGGISH_HIDDEN = 4096  # units of each of its two hidden layers
#: Stride and filters of the layers 2 to 14 of YAMNet.
YAMNET = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024)),
)


def vggish() -> keras.Model:
    """Build VGGish up to its embedding (128, after ReLU, no PCA): 72,141,184 parameters."""
    spectrogram, x = image(FRAMES, BANDS)
    for number, stage in enumerate(VGGISH, start=1):
        for name, filters in stage:
            x = conv(filters, (3, 3), name, padding="same")(x)
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flat")(x)
    for name in ("fc1_1", "fc1_2"):
        x = dense(VGGISH_HIDDEN, name, activation="relu")(x)
    return keras.Model(spectrogram, dense(128, "embedding", activation="relu")(x), name="vggish")


def yamnet(tags: int) -> keras.Model:
    """Build YAMNet with batch norm folded into its convolutions: 3,729,481 parameters for 521 tags.

    The embedding (1024) is the mean of the last layer over the patch.
    """
    spectrogram, x = image(FRAMES, BANDS)
    x = layers.Conv2D(32, 3, 2, padding="same", activation="relu", name="layer1_conv")(x)
    for number, (stride, filters) in enumerate(YAMNET, start=2):
        x = separable(stride, filters, f"layer{number}")(x)
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(spectrogram, scores(tags, "sigmoid")(x), name="yamnet")


def separable(stride: int, filters: int, name: str) -> Callable:
    """Make a function: 3 × 3 for each channel by itself, then 1 × 1 over channels, ReLU after each.

    At a stride of 2 and an even size zeros stand behind only, as "SAME" has it in TensorFlow.
    """
    options = {"padding": "same", "activation": "relu"}
    depthwise = layers.DepthwiseConv2D(3, stride, name=f"{name}_depthwise", **options)
    pointwise = layers.Conv2D(filters, 1, name=f"{name}_pointwise", **options)
    return lambda x: pointwise(depthwise(x))
