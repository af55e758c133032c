"""Trained networks from files, of whatever origin: loaded with care, and opened at their layers."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mirkeras.system.backend import keras

import h5py

from mirkeras.layers.blocks import hidden_stages
from mirkeras.system.errors import ExpectedError, UsageError

#: Hidden layers that are computed and kept together, counted from the back (fewer if there are).
LAST = (-3, -2, -1)

_MOST_WORDS = 200  # characters of what Keras says


def load_network(path: Path) -> keras.Model:
    """Load a network that Keras saved; nothing in the file is executed.

    Raises
    ------
    UsageError
        The file is none, is damaged, or has layers that Keras does not know.
    OSError
        It cannot be read.
    """
    with open(path, "rb"):  # who must not read it is told so
        pass
    if not (zipfile.is_zipfile(path) or h5py.is_hdf5(path)):
        what = "no file of a Keras network: damaged, or another kind"
        raise UsageError(f"{path} is {what}. {_advice(path)}")
    with _told(path, "cannot be read as a network of Keras"):
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    if not isinstance(network, keras.Model):
        raise UsageError(f"{path} holds a layer, not a network. {_advice(path)}")
    return network


def feature_network(path: Path, layers: Sequence[int] = LAST) -> keras.Model:
    """Load a network and give it the strongest activation per channel of hidden layers as outputs.

    Parameters
    ----------
    path : Path
        See `load_network`.
    layers : sequence of int
        Hidden stages counted from the back: -1 is the last.

    Returns
    -------
    keras.Model
        Segments → one (batch, channels) per layer.

    Raises
    ------
    UsageError
        As of `load_network`; or the network has fewer hidden layers, or branches.
    """
    model, front, network = _opened(path)
    stages = hidden_stages(network)
    if len(stages) < -min(layers):
        raise UsageError(f"{path} has {len(stages)} hidden layers, {-min(layers)} are asked for")
    with _told(path, "is put together in a way that is not known here"):
        pooled = []
        for layer in layers:
            activation = stages[layer].output
            places = tuple(range(1, len(activation.shape) - 1))  # none behind a dense layer
            pooled.append(keras.ops.max(activation, axis=places) if places else activation)
        x = start = keras.Input(model.input_shape[1:])
        for layer in front:
            x = layer(x)
        return keras.Model(start, keras.Model(network.inputs, pooled)(x), name="features")


def count_hidden(path: Path) -> int:
    """Count the hidden layers of a network; errors as of `feature_network`."""
    return len(hidden_stages(_opened(path)[2]))


def _opened(path: Path) -> tuple[keras.Model, list[keras.layers.Layer], keras.Model]:
    """Load a network: the whole, what stands in front of it (its z-score), and its layers."""
    model = load_network(path)
    with _told(path, "has no fixed input"):
        inputs = model.inputs
    if len(inputs or ()) != 1:
        raise UsageError(f"{path} has {len(inputs or ())} inputs; one is given, of segments")
    inner = model.layers[-1]
    front, network = (model.layers[:-1], inner) if isinstance(inner, keras.Model) else ([], model)
    front = [layer for layer in front if not isinstance(layer, keras.layers.InputLayer)]
    with _told(path, "is put together in a way that is not known here"):
        joined = [layer for layer in network.layers if isinstance(layer.input, list)]
        if any(len(layer.input) > 1 for layer in joined):
            why = "branches that meet: which hidden layer is its last is open"
            raise UsageError(f"{path} has {why}")
    return model, front, network


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Say in a line what Keras says of a file of strangers: it may raise anything."""
    try:
        yield
    except Exception as error:
        # what the system refuses (a lock, room, memory) is not the file's fault
        if isinstance(error, ExpectedError) or getattr(error, "errno", None):
            raise
        words = " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
        raise UsageError(f"{path} {what} ({words}). {_advice(path)}") from error


def _advice(path: Path) -> str:
    if path.with_name("run.json").is_file():
        return "Delete its folder and train again."
    return "Give the directory of a finished run, or a .keras file of Keras' own layers."
