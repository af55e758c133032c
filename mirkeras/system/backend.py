"""Keras, started quietly and always the same: `from mirkeras.system.backend import keras`.

Numbers must not depend on what some other project once wrote into ``~/.keras/keras.json``, so that
file is neither read nor written, and what it would set is set here. Only KERAS_BACKEND chooses.

TensorFlow 2.21 writes about CPU flags and absent GPUs straight to the process's standard error,
whatever TF_CPP_MIN_LOG_LEVEL says, in every process. `mirkeras doctor` tells what matters of it;
MIRKERAS_VERBOSE=1 shows all. Errors are Python exceptions and are never hidden.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mirkeras.system import interrupts
from mirkeras.system.machine import cards, limits
from mirkeras.system.quiet import silenced

__all__ = ["keras"]


BACKENDS = ("tensorflow", "jax", "torch")
# What Keras would take from the environment; each changes numbers, or fails.
IGNORED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
# What Keras imports where it is installed, for notebooks, images and tables given to it: two fifths
# of its start, and no command of the suite gives it any.
_FOR_OTHERS = ("IPython", "PIL", "matplotlib", "pandas", "sklearn")


def _check_backend(name: str) -> None:
    """End the program in one line if KERAS_BACKEND cannot be had."""
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        sys.exit(f"error: KERAS_BACKEND is {name!r}, known are {known}; correct or unset it")
    if importlib.util.find_spec(name) is None:
        sys.exit(f"error: KERAS_BACKEND is {name}, which is not installed; install or unset it")


@contextmanager
def _own_settings() -> Iterator[None]:
    """Keep Keras from the user's file while it is imported: nothing lies below a device."""
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if home is not None:
            os.environ["KERAS_HOME"] = home


@contextmanager
def _lean() -> Iterator[None]:
    """Let Keras begin as if `_FOR_OTHERS` were not installed, in commands; programs keep them."""
    left_out = set(_FOR_OTHERS) - sys.modules.keys() if interrupts.is_command() else ()
    sys.modules.update(dict.fromkeys(left_out))  # None: importing it fails
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]


os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
_check_backend(os.environ["KERAS_BACKEND"])
limits.require_address_space(limits.WITH_TENSORFLOW)
# CUDA numbers the fastest card 0; `nvidia-smi`, which people read numbers from, goes by the bus
os.environ.setdefault(cards.ORDER, cards.BY_BUS)
for _name in IGNORED:
    os.environ.pop(_name, None)

with silenced(), _own_settings(), _lean():
    import keras

    # a program may have imported Keras, with its user's settings, before mirkeras
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)
    import tensorflow  # feeds every backend

    # the first look at the devices complains where there is no GPU
    tensorflow.config.list_physical_devices("GPU")
