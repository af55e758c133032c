"""`mirkeras doctor`: what was found on this machine, and what is chosen because of it."""

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from mirkeras.experiment.records import PACKAGES
from mirkeras.storage.places import cache_home, data_home, weights_home
from mirkeras.system.machine import cards, device

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
    half = device.half_precision()
    visible = cards.VISIBLE
    lines = [
        "Versions",
        *(f"  {name:14}{version(name)}" for name in PACKAGES),
        *(f"  {name:14}{_installed(name, extra)}" for name, extra in OPTIONAL.items()),
        "Hardware",
        f"  processor     {device.processor_name()}, {found.cores} usable cores",
        f"  memory        {found.free_memory / device.GIB:.1f} GiB free",
        *(_described(card) for card in found.gpus),
        *([] if found.gpus else [f"  GPU           {GPU_HELP}"]),
        *([f"  {visible} is {os.environ[visible]!r}"] if visible in os.environ else []),
        "Places",
        f"  data sets     {data_home().absolute()} (--data-root, MIRKERAS_DATA)",
        f"  features      {cache_home().absolute()} (--cache-root, MIRKERAS_CACHE)",
        f"  weights       {weights_home().absolute()} (MIRKERAS_WEIGHTS)",
        "Chosen",
        f"  backend       {device.backend()}{SLOW if device.backend() == 'jax' else ''}",
        f"  features      {_held(found)}, larger sets are read batch by batch (--memory-budget)",
        "  determinism   on: same seed, same numbers, on the same hardware and thread count",
        f"  GPU memory    {'grows as needed' if found.gpus else '–'}",
        f"  precision     float32, never TF32{f' (--mixed-precision: {half})' if half else ''}",
        f"  XLA           {_xla(found)}",
        *(_plan(found.gpus) if found.gpus else [_jobs(found.cores)]),
    ]
    return "\n".join(lines)


def _described(card: cards.Card) -> str:
    free = "free memory unknown" if card.free is None else f"{card.free / device.GIB:.1f} GiB free"
    return f"  GPU           {card.name}, {free} ({card.key})"


def _held(found: device.Device) -> str:
    """How much is held, and where."""
    if found.gpus:
        return f"up to {cards.SHARE:.0%} of what is free on a GPU are held there by the runs on it"
    return f"up to {found.memory_budget / device.GIB:.1f} GiB are held in main memory"


def _jobs(cores: int) -> str:
    return (
        f"  jobs          one run uses all {cores} cores; --jobs {cores} trains {cores} runs at "
        "once on one core each, which is faster for small networks"
    )


def _plan(found: Sequence[cards.Card]) -> list[str]:
    """How runs are spread over GPUs, a line for each of some --jobs."""
    lines = ["Runs on GPUs, and the features that each may hold there"]
    for jobs in sorted({1, 2, len(found), 2 * len(found)}):
        shares = [
            f"{share.runs} on {share.card.name} ({share.card.key[:12]}), "
            f"{share.budget / device.GIB:.1f} GiB"
            for share in cards.spread(found, jobs)
        ]
        lines.append(f"  --jobs {jobs:<7}{'; '.join(shares)}")
    return lines


def _xla(found: device.Device) -> str:
    if device.backend() == "jax":
        return "on (JAX has nothing else)"
    return f"off{'' if found.gpus else ' (slower on CPUs for these networks)'}"


def _installed(name: str, extra: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return f"not installed (pip install -e '.[{extra}]')"
