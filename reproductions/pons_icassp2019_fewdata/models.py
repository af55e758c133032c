"""The networks for few data.

Layer by layer from jordipons/neural-classifiers-with-few-audio (`src/models_sl.py`,
`models_proto.py`). They see patches of 128 frames × 128 bands (2.97 s). Kernel and pool shapes are
frames × bands here, as the authors have them. Weights start Glorot-uniform; kernels carry an L2
penalty of 0.001 × Σ w² / 2, those of prototypical networks and heads none.

| network | parameters for 10 and 15 classes |
|---|---|
| SB-CNN (Salamon & Bello 2017), with batch norm of its input | 241,436; 241,761 |
| VGG, 32 filters | 42,764; 45,329 |
| VGG, 128 filters | 613,388; 623,633 |
| TIMBRE: one tall convolution, a filter for each class | 7,572; 11,357 |
| prototypical network: VGG of 128 filters with an embedding of 10 | 613,642 |
| linear head on VGGish (128 values) | 1,290; 1,935 |
"""

from mirkeras.system.backend import keras

from keras import layers, ops

from mirkeras.layers import image, scores

FRAMES, BANDS = 128, 128
PENALTY = 0.001
STAGES = 5
EMBEDDING = 10
#: Momentum of batch norm: the authors', under which up to 25 clips per class, one update an epoch,
#: leave 13.5 % of the start values after 199 epochs; and one that leaves nothing of them.
LAGGING, PROMPT = 0.99, 0.9


@keras.saving.register_keras_serializable("mirkeras")
class LearnableLog(layers.Layer):
    """ln(exp(a) x + softplus(b)) of all values, a and b trained: two parameters."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make a and b, 7 and 1 at first."""
        self.a = self.add_weight(shape=(), initializer=keras.initializers.Constant(7.0), name="a")
        self.b = self.add_weight(shape=(), initializer=keras.initializers.Constant(1.0), name="b")

    def call(self, energies: keras.KerasTensor) -> keras.KerasTensor:
        """Compress mel energies."""
        return ops.log(ops.exp(self.a) * energies + ops.softplus(self.b))


def sb_cnn(
    classes: int,
    activation: str = "softmax",
    *,
    momentum: float = LAGGING,
    norm: bool = True,
    log: bool = False,
) -> keras.Model:
    """Build SB-CNN; without `norm` its input is not normalised."""
    patch, x = _opened(momentum, norm=norm, log=log)
    x = layers.MaxPooling2D((4, 2), name="pool1")(_conv(24, (5, 5), "conv1", "relu")(x))
    x = layers.MaxPooling2D((4, 2), name="pool2")(_conv(48, (5, 5), "conv2", "relu")(x))
    x = layers.Flatten(name="flatten")(_conv(48, (5, 5), "conv3", "relu")(x))  # 2400
    x = layers.Dropout(0.5, name="dropout1")(x)
    x = _dense(64, "dense", "relu")(x)
    x = layers.Dropout(0.5, name="dropout2")(x)
    return keras.Model(patch, _dense(classes, "scores", activation)(x), name="sb_cnn")


def vgg(
    classes: int,
    activation: str = "softmax",
    *,
    momentum: float = LAGGING,
    filters: int = 32,
    log: bool = False,
) -> keras.Model:
    """Build VGG: five stages, batch norm behind the ELU."""
    patch, x = _opened(momentum, log=log)
    x = _stages(x, filters, momentum, _penalty())
    return keras.Model(patch, _dense(classes, "scores", activation)(x), name="vgg")


def timbre(
    classes: int, activation: str = "softmax", *, momentum: float = LAGGING, log: bool = False
) -> keras.Model:
    """Build TIMBRE: linear filters of 7 frames × 108 bands, the maximum of each is a class's."""
    patch, x = _opened(momentum, log=log)
    x = layers.GlobalMaxPooling2D(name="pool")(_conv(classes, (7, 108), "conv")(x))
    x = layers.Activation(activation, dtype="float32", name="scores")(x)
    return keras.Model(patch, x, name="timbre")


def head(classes: int, activation: str = "softmax", *, features: int) -> keras.Model:
    """Build a linear classifier of one embedding."""
    embedding = keras.Input((1, features), name="embedding")
    x = layers.Flatten(name="flatten")(embedding)
    return keras.Model(embedding, scores(classes, activation)(x), name="head")


def prototypical(
    classes: int = 0, activation: str = "", *, momentum: float = LAGGING, log: bool = False
) -> keras.Model:
    """Build the embedding of a prototypical network: (batch, 128, 128) → (batch, 10).

    Its input is normalised frame by frame: the authors' batch norm acts on the time axis. It has as
    many outputs whatever the classes.
    """
    patch, x = _opened(momentum, axis=1, log=log)
    x = _stages(x, 128, momentum, None)
    x = layers.Dense(EMBEDDING, dtype="float32", name="embedding")(x)
    return keras.Model(patch, x, name="prototypical")


def linear_embedding(classes: int = 0, activation: str = "", *, features: int) -> keras.Model:
    """Build the embedding of a prototypical network on another embedding: ten linear units."""
    embedding = keras.Input((1, features), name="features")
    x = layers.Flatten(name="flatten")(embedding)
    x = layers.Dense(EMBEDDING, dtype="float32", name="embedding")(x)
    return keras.Model(embedding, x, name="linear_embedding")


def _opened(
    momentum: float, *, norm: bool = True, axis: int = -1, log: bool
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    patch, x = image(FRAMES, BANDS)
    if log:
        x = LearnableLog(name="log")(x)
    return patch, _norm("input_bn", momentum, axis)(x) if norm else x


def _stages(
    x: keras.KerasTensor,
    filters: int,
    momentum: float,
    penalty: keras.regularizers.Regularizer | None,
) -> keras.KerasTensor:
    for number in range(1, STAGES + 1):
        x = layers.Conv2D(filters, 3, padding="same", activation="elu",
                          kernel_regularizer=penalty, name=f"conv{number}")(x)  # fmt: skip
        x = layers.MaxPooling2D(2, name=f"pool{number}")(_norm(f"bn{number}", momentum)(x))
    return layers.Dropout(0.5, name="dropout")(layers.Flatten(name="flatten")(x))


def _norm(name: str, momentum: float, axis: int = -1) -> layers.Layer:
    return layers.BatchNormalization(axis=axis, momentum=momentum, epsilon=1e-3, name=name)


def _conv(
    filters: int, kernel: tuple[int, int], name: str, activation: str | None = None
) -> layers.Layer:
    return layers.Conv2D(
        filters, kernel, activation=activation, kernel_regularizer=_penalty(), name=name
    )


def _dense(units: int, name: str, activation: str) -> layers.Layer:
    kind = "float32" if name == "scores" else None
    return layers.Dense(
        units, activation=activation, kernel_regularizer=_penalty(), dtype=kind, name=name
    )


def _penalty() -> keras.regularizers.Regularizer:
    return keras.regularizers.L2(PENALTY / 2)
