"""Keras, started without TensorFlow's greeting: `from mirkeras.system.backend import keras`.

TensorFlow 2.21 writes about CPU flags and absent GPUs straight to the process's standard error,
whatever TF_CPP_MIN_LOG_LEVEL says, in every process. `mirkeras doctor` tells what matters of it;
MIRKERAS_VERBOSE=1 shows all. Errors are Python exceptions and are never hidden.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keras", "silenced"]


@contextmanager
def silenced() -> Iterator[None]:
    """Send what native code writes to standard error nowhere for a while."""
    if os.environ.get("MIRKERAS_VERBOSE"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with silenced():
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # the first look at the devices complains where there is no GPU
        tensorflow.config.list_physical_devices("GPU")
