"""FCN, CRNN and Musicnn of Won, Ferraro, Bogdanov & Serra (SMC 2020), as their weights need them.

Fact by fact from minzwon/sota-music-tagging-models, `training/model.py` and `modules.py`. Networks
take (frames, 96) values in decibels of the recipe ``won2020`` and normalise them by a batch norm of
one channel; convolutions keep the size and are followed by batch norm, ReLU, and a max-pool that
drops an incomplete edge. Shapes are frequency × time. Batch norm is PyTorch's: epsilon 1e-5, and
its momentum of 0.1 is 0.9 in Keras.
"""

from mirkeras.system.backend import keras

from keras import layers, ops

from mirkeras.layers import conv, dense, image, max_pool, scores

BANDS = 96
LONG = 1813  # frames of 29 s, the segment of FCN and CRNN: 464,000 samples, hop 256
SHORT = 188  # frames of 3 s, the segment of Musicnn
DROPOUT = 0.5

#: Filters and pool of each stage.
FCN = ((64, (2, 4)), (128, (2, 4)), (128, (2, 4)), (128, (3, 5)), (64, (4, 4)))
CRNN = ((64, (2, 2)), (128, (3, 3)), (128, (4, 4)), (128, (4, 4)))

#: Front-end of Musicnn: filters and (bands, frames) of those that see timbre …
VERTICAL = ((204, (67, 7)), (204, (38, 7)))
#: … and filters and frames of those that see the loudness of all bands over time.
HORIZONTAL = ((51, 129), (51, 65), (51, 33))


def fcn(tags: int, activation: str = "sigmoid") -> keras.Model:
    """Build FCN (after Choi et al. 2016): 447,732 trainable parameters for 50 tags."""
    spectrogram, x = _opened(LONG)
    x = layers.Flatten(name="penultimate")(_stages(x, FCN))
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    return keras.Model(spectrogram, scores(tags, activation)(x), name="fcn")


def crnn(tags: int, activation: str = "sigmoid") -> keras.Model:
    """Build CRNN (after Choi et al. 2017): 394,100 trainable parameters for 50 tags.

    The second recurrent layer is called ``penultimate``; its last step is what the scores see.
    """
    spectrogram, x = _opened(LONG)
    x = _stages(x, CRNN)  # 18 steps of one band
    x = layers.Reshape((x.shape[1], x.shape[3]), name="steps")(x)
    x = layers.GRU(32, return_sequences=True, name="gru")(x)
    x = layers.GRU(32, name="penultimate")(x)
    x = layers.Dropout(DROPOUT, name="dropout")(x)
    return keras.Model(spectrogram, scores(tags, activation)(x), name="crnn")


def musicnn(tags: int, activation: str = "sigmoid") -> keras.Model:
    """Build Musicnn: 784,300 trainable parameters for 50 tags.

    Other than in the authors' musicnn, horizontal filters see the mean of the bands, batch norm
    stands before the ReLU, and all maxima come before all means.
    """
    spectrogram, x = _opened(SHORT)
    front = layers.Concatenate(name="front")(
        [_vertical(x, *shape, number) for number, shape in enumerate(VERTICAL)]
        + [_horizontal(x, *shape, number) for number, shape in enumerate(HORIZONTAL, len(VERTICAL))]
    )
    cnn1 = _along_time(front, 64, 7, "cnn1")
    cnn2 = layers.Add(name="residual2")([_along_time(cnn1, 64, 7, "cnn2"), cnn1])
    cnn3 = layers.Add(name="residual3")([_along_time(cnn2, 64, 7, "cnn3"), cnn2])
    x = layers.Concatenate(name="all")([front, cnn1, cnn2, cnn3])
    highest, mean = layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)
    x = layers.Concatenate(name="pooled")([highest, mean])
    x = _norm("hidden_bn")(dense(200, "hidden")(x))
    x = layers.Dropout(DROPOUT, name="dropout")(layers.ReLU(name="penultimate")(x))
    return keras.Model(spectrogram, scores(tags, activation)(x), name="won_musicnn")


def _norm(name: str) -> keras.layers.Layer:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _opened(frames: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    spectrogram, x = image(frames, BANDS)
    return spectrogram, _norm("input_bn")(x)


def _stages(x: keras.KerasTensor, stages: tuple) -> keras.KerasTensor:
    """Convolve by 3 × 3 and pool, stage by stage."""
    for number, (filters, pool) in enumerate(stages, start=1):
        options = {"padding": "same", "activation": None}
        x = conv(filters, (3, 3), f"conv{number}", **options)(x)
        x = layers.ReLU(name=f"relu{number}")(_norm(f"bn{number}")(x))
        x = max_pool(pool, f"pool{number}")(x)
    return x


def _vertical(
    x: keras.KerasTensor, filters: int, kernel: tuple[int, int], number: int
) -> keras.KerasTensor:
    """Slide over all bands and keep the largest: (batch, frames, filters)."""
    x = layers.ZeroPadding2D((kernel[1] // 2, 0), name=f"front{number}_pad")(x)
    x = conv(filters, kernel, f"front{number}", activation=None)(x)
    x = layers.ReLU(name=f"front{number}_relu")(_norm(f"front{number}_bn")(x))
    return ops.max(x, axis=2)


def _horizontal(x: keras.KerasTensor, filters: int, frames: int, number: int) -> keras.KerasTensor:
    """Follow the mean of the bands over time: (batch, frames, filters)."""
    return _along_time(ops.mean(x, axis=2), filters, frames, f"front{number}")


def _along_time(x: keras.KerasTensor, filters: int, frames: int, name: str) -> keras.KerasTensor:
    x = layers.Conv1D(filters, frames, padding="same", name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(_norm(f"{name}_bn")(x))
