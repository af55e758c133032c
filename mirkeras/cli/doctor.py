"""`mirkeras doctor`: what was found on this machine, and what is chosen because of it."""

import os
from importlib.metadata import PackageNotFoundError, version

from mirkeras.experiment.records import PACKAGES
from mirkeras.storage.places import cache_home, data_home, weights_home
from mirkeras.system import device

OPTIONAL = {"jax": "jax"}  # package: its extra
# Time 1×60 of CBMI 2016 in batches of 10, two threads
SLOW = "; slower than TensorFlow on a CPU (144 against 696 steps/s for a small network)"
GPU_HELP = (
    "none found. With an NVIDIA card and driver: pip install -e '.[gpu]', then check that "
    "`nvidia-smi` answers; MIRKERAS_VERBOSE=1 lets TensorFlow say what it misses"
)


def report() -> str:
    """Describe versions, hardware and the choices made, for people."""
    found = device.find()
    budget = found.memory_budget / device.GIB
    place = "on the GPU" if found.gpus else "in main memory"
    half = device.half_precision()
    lines = [
        "Versions",
        *(f"  {name:14}{version(name)}" for name in PACKAGES),
        *(f"  {name:14}{_installed(name, extra)}" for name, extra in OPTIONAL.items()),
        "Hardware",
        f"  processor     {device.processor_name()}, {found.cores} usable cores",
        f"  memory        {found.free_memory / device.GIB:.1f} GiB free",
        f"  GPU           {', '.join(found.gpus) or GPU_HELP}",
        *(f"  {name} is {os.environ[name]!r}" for name in (device.VISIBLE,) if name in os.environ),
        "Places",
        f"  data sets     {data_home().absolute()} (--data-root, MIRKERAS_DATA)",
        f"  features      {cache_home().absolute()} (--cache-root, MIRKERAS_CACHE)",
        f"  weights       {weights_home().absolute()} (MIRKERAS_WEIGHTS)",
        "Chosen",
        f"  backend       {device.backend()}{SLOW if device.backend() == 'jax' else ''}",
        f"  features      up to {budget:.1f} GiB are held {place}, larger sets are read batch by "
        "batch (--memory-budget)",
        "  determinism   on: same seed, same numbers, on the same hardware and thread count",
        f"  GPU memory    {'grows as needed' if found.gpus else '–'}",
        f"  precision     float32, never TF32{f' (--mixed-precision: {half})' if half else ''}",
        f"  XLA           {_xla(found)}",
        f"  jobs          one run uses all {found.cores} cores; --jobs {found.cores} trains "
        f"{found.cores} runs at once on one core each, which is faster for small networks",
    ]
    return "\n".join(lines)


def _xla(found: device.Device) -> str:
    if device.backend() == "jax":
        return "on (JAX has nothing else)"
    return f"off{'' if found.gpus else ' (slower on CPUs for these networks)'}"


def _installed(name: str, extra: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return f"not installed (pip install -e '.[{extra}]')"
