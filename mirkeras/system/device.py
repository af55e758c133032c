"""What this machine has, and how Keras' backend is told to use it."""

import os
import platform
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from mirkeras.system.backend import keras

import tensorflow as tf
from threadpoolctl import threadpool_limits

from mirkeras.system import limits, processes
from mirkeras.system.errors import UsageError

GIB = 2**30
VISIBLE = "CUDA_VISIBLE_DEVICES"
RAM_SHARE = 0.25  # of the free memory, for resident features; the rest is the network's and yours
GPU_SHARE = 0.25  # while the frames are copied to the card they lie there twice

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
    gpus : tuple of str
        Names of the GPUs TensorFlow sees.
    free_gpu_memory : int
        Bytes free on the first GPU (0 without one, or where `nvidia-smi` does not say).
    """

    cores: int
    free_memory: int
    gpus: tuple[str, ...]
    free_gpu_memory: int

    @property
    def hardware_class(self) -> str:
        """Hardware in words, without host names; written into every run record."""
        gpu = ", ".join(self.gpus) or "no GPU"
        return f"{platform.machine()} {processor_name()}, {self.cores} cores, {gpu}"

    @property
    def memory_budget(self) -> int:
        """Bytes of features that may be held in memory: on the GPU if there is one."""
        if self.gpus:
            return int(GPU_SHARE * self.free_gpu_memory)
        return int(RAM_SHARE * self.free_memory)


def backend() -> str:
    """Name of the Keras backend in use."""
    return keras.backend.backend()


def find() -> Device:
    """Look at the machine."""
    gpus = tf.config.list_physical_devices("GPU")
    names = tuple(
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus
    )
    return Device(processes.usable_cores(), free_memory(), names, free_gpu_memory() if gpus else 0)


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
    keras.config.set_dtype_policy(policy)


def prepare() -> None:
    """Set up what may be set in anybody's process: a GPU is shared, and float32 is float32.

    GPU memory grows as needed (two runs can share a GPU), and no product is rounded to the ten bits
    of TF32. TensorFlow, where it only feeds another backend, leaves the GPU alone.
    """
    for gpu in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):  # in use already: whoever uses it has decided
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
    if tf.config.list_physical_devices("GPU"):
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


def free_gpu_memory() -> int:
    """Bytes free on the first GPU this process may see, 0 if `nvidia-smi` is not there to say."""
    if not shutil.which("nvidia-smi"):
        return 0
    card = os.environ.get(VISIBLE, "0").partition(",")[0].strip()  # a number or an identity
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    query.append(f"--id={card}")
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    first = answer.stdout.strip().partition("\n")[0]
    return int(first) * 2**20 if first.isdigit() else 0  # some cards answer "[N/A]"


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
