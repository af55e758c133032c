"""What this machine has, and how Keras' backend is told to use it."""

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points

from mirkeras.system.backend import keras

import tensorflow as tf
from threadpoolctl import threadpool_limits

from mirkeras.system import processes
from mirkeras.system.errors import UsageError
from mirkeras.system.machine import cards, limits
from mirkeras.system.machine.cards import Card

GIB = 2**30
RAM_SHARE = 0.25  # of the free memory, for resident features; the rest is the network's and yours

#: Units of a processor that multiply bfloat16, as Linux names them.
_BFLOAT16 = {"amx_bf16", "avx512_bf16"}


@dataclass(frozen=True)
class Device:
    """The hardware found.

    Attributes
    ----------
    cores : int
        Processor cores this process may use.
    free_memory : int
        Bytes of main memory available without swapping.
    gpus : sequence of Card
        What Keras' backend can compute on; a process uses the first.
    """

    cores: int
    free_memory: int
    gpus: Sequence[Card] = ()

    @property
    def hardware_class(self) -> str:
        """What a process computes on, in words, without host names; in every run's record."""
        gpu = self.gpus[0].name if self.gpus else "no GPU"
        return f"{platform.machine()} {processor_name()}, {self.cores} cores, {gpu}"

    @property
    def memory_budget(self) -> int:
        """Bytes of features that may be held in memory: on the GPU if there is one."""
        return self.gpus[0].budget if self.gpus else int(RAM_SHARE * self.free_memory)


def backend() -> str:
    """Name of the Keras backend in use."""
    return keras.backend.backend()


def find() -> Device:
    """Look at the machine; no GPU is opened."""
    return Device(processes.usable_cores(), free_memory(), cards_seen())


def cards_seen() -> list[Card]:
    """List the GPUs that Keras' backend can compute on, of those this process may use."""
    if backend() == "jax":  # it opens them to tell which there are
        return cards.found() if entry_points(group="jax_plugins") else []
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details
    return cards.as_seen([details(gpu).get("device_name", gpu.name) for gpu in gpus])


def configure(*, threads: int | None = None, mixed_precision: bool = False) -> None:
    """Set up Keras' backend for this process; call it before any tensor is made.

    As `prepare`; besides, operations are deterministic, and `mixed_precision` computes in half
    precision, see `half_precision`. JAX chooses its number of threads itself.

    Raises
    ------
    UsageError
        Half precision is wanted and not to be had.
    """
    prepare()
    if backend() == "tensorflow":
        with suppress(RuntimeError):  # it computes already
            # it would take memory of every card it sees, and compute on the first
            tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # a process trains many networks; retracing is expected
    if threads:
        # processes that each let BLAS use all cores wait for each other
        threadpool_limits(threads)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    policy = half_precision() if mixed_precision else "float32"
    if policy is None:
        raise UsageError("--mixed-precision: this worker has no fast units for it, leave it out")
    compute_in(policy)


def compute_in(policy: str) -> None:
    """Let networks that are built from now on compute in a policy of Keras, as `half_precision`."""
    keras.config.set_dtype_policy(policy)


def precision() -> str:
    """Name the policy that networks compute in: ``float32``, or one of half precision."""
    return keras.config.dtype_policy().name


def prepare() -> None:
    """Set up what may be set in anybody's process: a GPU is shared, and float32 is float32.

    GPU memory grows as needed (two runs can share a GPU), and no product is rounded to the ten bits
    of TF32. TensorFlow, where it only feeds another backend, leaves the GPU alone.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        # in use already, or divided into logical devices: whoever did that has decided
        with suppress(RuntimeError, ValueError):
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if backend() != "tensorflow":
        leave_gpus()
    if backend() == "jax":
        _prepare_jax()


def half_precision() -> str | None:
    """Keras' policy of half precision that this machine has fast units for; None: it has none.

    float16 on a GPU; bfloat16 on a processor with such units, which TensorFlow uses: wide
    convolutions are faster, narrow ones need not be (`tests.benchmarks.random_features`).
    """
    if cards_seen():
        return "mixed_float16"
    fast = backend() == "tensorflow" and _BFLOAT16 & {*_of_processor("flags").split()}
    return "mixed_bfloat16" if fast else None


def leave_gpus() -> None:
    """Let TensorFlow compute on the processor: the GPUs are other processes'."""
    with suppress(RuntimeError):  # it computes already
        tf.config.set_visible_devices([], "GPU")


def has_tf32() -> bool:
    """Whether this process lets a GPU round float32 to TF32; `prepare` forbids it."""
    return backend() == "tensorflow" and tf.config.experimental.tensor_float_32_execution_enabled()


def _prepare_jax() -> None:
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()


def free_memory() -> int:
    """Bytes of main memory available without swapping, within a container's limit."""
    here, allowed = _machine_memory(), limits.memory_left()
    return here if allowed is None else min(here, allowed)


def _machine_memory() -> int:
    try:
        with open("/proc/meminfo") as meminfo:
            fields = dict(line.split(":", 1) for line in meminfo)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux: half of what is installed is a careful guess
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def processor_name() -> str:
    """The processor's name, as far as the system tells."""
    return _of_processor("model name") or platform.processor() or "unknown processor"


def _of_processor(fact: str) -> str:
    """What Linux says of the first processor; empty where it says nothing."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            found = [line.split(":", 1)[1].strip() for line in cpuinfo if line.startswith(fact)]
    except OSError:
        return ""
    return next(iter(found), "")
