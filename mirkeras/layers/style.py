"""What the layers of a network have in common, and the layers made from it."""

from dataclasses import dataclass

from mirkeras.system.backend import keras

from keras import layers

#: Of batch normalisation: the defaults of TensorFlow 1 and of Keras, which Pons' networks keep.
MOMENTUM, EPSILON = 0.99, 1e-3


@dataclass(frozen=True)
class Style:
    """What is said once for all layers of a network.

    Attributes
    ----------
    activation : str or None
        Activation of every convolution; None: linear.
    batch_norm : bool
        Whether batch normalisation follows every activation (Pons puts it after, not before).
    initialiser : str
        Initial kernels. ``he_normal`` is what TensorFlow 1 called variance scaling: truncated
        normal, variance 2 / inputs of a unit.
    penalty : float
        Weight decay: penalty × Σ w² / 2 of every kernel, but of no bias or normalisation, is added
        to the loss (musicnn-training, ``train.py``: 1e-5).
    """

    activation: str | None = "relu"
    batch_norm: bool = True
    initialiser: str = "he_normal"
    penalty: float = 0.0

    @property
    def decay(self) -> keras.regularizers.Regularizer | None:
        """Penalty of one kernel."""
        return keras.regularizers.L2(self.penalty / 2) if self.penalty else None

    @property
    def weights(self) -> dict:
        """Arguments of a layer with a kernel."""
        return {"kernel_initializer": self.initialiser, "kernel_regularizer": self.decay}

    def convolve(
        self,
        x: keras.KerasTensor,
        name: str,
        filters: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: str = "valid",
    ) -> keras.KerasTensor:
        """Convolve, activate, normalise: layers NAME_conv and NAME_bn.

        Parameters
        ----------
        x : tensor
            (batch, time, band, channel), or (batch, time, channel) for a kernel of one dimension.
        kernel : int, or (int, int)
            Frames, or (bands, frames).
        stride : int
            Along all dimensions of the kernel.
        """
        kind = layers.Conv1D if isinstance(kernel, int) else layers.Conv2D
        shape = kernel if isinstance(kernel, int) else kernel[::-1]
        options = {"strides": stride, "padding": padding, "activation": self.activation}
        x = kind(filters, shape, name=f"{name}_conv", **options, **self.weights)(x)
        return normalise(x, f"{name}_bn") if self.batch_norm else x

    def dense(self, x: keras.KerasTensor, name: str, units: int) -> keras.KerasTensor:
        """Make a fully connected layer of rectified units, without batch normalisation."""
        return layers.Dense(units, activation="relu", name=name, **self.weights)(x)

    def scores(self, x: keras.KerasTensor, outputs: int, activation: str) -> keras.KerasTensor:
        """Make the output, layer ``scores``: as `mirkeras.layers.blocks.scores`, in this style."""
        options = {"activation": activation, "dtype": "float32", "name": "scores"}
        return layers.Dense(outputs, **options, **self.weights)(x)


def normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch-normalise the last axis."""
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)
