"""Features of nine random networks beside plain PyTorch: seconds of audio per second.

`python -m tests.benchmarks.random_features [CLIPS]` computes the 3,500-value features of clips of
5 s, noise, one network after another, batch by batch, on both; PyTorch as its users write it, in
`inference_mode` with the layers of `reproductions.pons_icassp2019_random.models`. Prints the ratio
of each network and of all nine, in float32 and, where the processor multiplies it, in bfloat16.
"""

import sys
import time
from collections.abc import Callable
from itertools import pairwise

from mirkeras.system.backend import keras

import numpy as np
import torch
from torch import nn
from torch.nn.functional import elu, max_pool1d, max_pool2d, pad, relu

from mirkeras.system.machine import device
from mirkeras.system.processes import usable_cores
from reproductions.pons_icassp2019_random.models import FRONT_ENDS, MEL, SHORT_POOLS, WINDOWS

FRAMES, SAMPLES, BATCH, SECONDS = 235, 60_000, 4, 5


class Vgg(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        widths = [1, *[n] * 5]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x, found = x[:, None], []
        for conv, (bands, frames) in zip(self.convs, SHORT_POOLS, strict=True):
            x = max_pool2d(elu(conv(x)), (frames, bands))
            found.append(x.mean((2, 3)))
        return found


class Shapes(nn.Module):
    """Tall filters whose maximum over the bands is kept, and long ones on the bands' mean."""

    def __init__(self, tall: list, long: list, padded: bool = True) -> None:
        super().__init__()
        self.tall = nn.ModuleList(nn.Conv2d(1, n, (frames, bands)) for n, frames, bands in tall)
        self.long = nn.ModuleList(nn.Conv1d(1, n, frames, padding="same") for n, frames in long)
        self.padded = padded

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for conv in self.tall:
            frames = conv.kernel_size[0] - 1 if self.padded else 0
            y = relu(conv(pad(x[:, None], (0, 0, frames // 2, frames - frames // 2))))
            found.append(y.amax(3).mean(2))
        return found + [relu(conv(x.mean(2)[:, None])).mean(2) for conv in self.long]


class Samples(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, n, 3, stride=3)
        self.convs = nn.ModuleList(nn.Conv1d(n, n, 3, padding=1) for _ in range(6))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = relu(self.first(x[:, None]))
        found = [x.mean(2)]
        for conv in self.convs:
            x = max_pool1d(relu(conv(x)), 3)
            found.append(x.mean(2))
        return found


class Frames(nn.Module):
    def __init__(self, n: int, windows: tuple[int, ...]) -> None:
        super().__init__()
        self.front = nn.ModuleList(nn.Conv1d(1, n, window, stride=32) for window in windows)
        self.convs = nn.ModuleList(
            nn.Conv1d(n * len(windows) if place == 0 else n, n, 7, padding=3 * (place > 0))
            for place in range(3)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x, many = x[:, None], len(self.front) > 1
        found = [relu(c(pad(x, (0, c.kernel_size[0] - 32)) if many else x)) for c in self.front]
        x = torch.cat(found, 1)
        first = relu(self.convs[0](x))
        second = relu(self.convs[1](first)) + first
        pooled = max_pool1d(second, 2)
        third = relu(self.convs[2](pooled)) + pooled
        return [y.mean(2) for y in (x, first, second, third)]


def timbres(n: int) -> list:
    return [(t * n, f, b) for b in (86, 38) for f, t in ((7, 1), (3, 2), (1, 4))]


def rhythms(n: int, lengths: tuple[int, ...]) -> list:
    return [(t * n - n // 4, f) for f, t in zip(lengths, (1, 2, 4, 8), strict=True)]


PLAIN: dict[str, Callable[[int], nn.Module]] = {
    "vgg": Vgg,
    "7x96": lambda n: Shapes([(n, 7, 96)], [], padded=False),
    "7x86": lambda n: Shapes([(n, 7, 86)], [], padded=False),
    "timbral": lambda n: Shapes(timbres(n), []),
    "temporal": lambda n: Shapes([], rhythms(n, (165, 128, 64, 32))),
    "timbral-temporal": lambda n: Shapes(timbres(n), rhythms(n, (64, 32, 16, 8))),
    "sample-level": Samples,
    "frame-level": lambda n: Frames(n, (512,)),
    "frame-level-many": lambda n: Frames(n, WINDOWS),
}


def seconds(function: Callable[[np.ndarray], object], batches: list[np.ndarray]) -> float:
    """Time a pass after one that warms up."""
    function(batches[0])
    begun = time.perf_counter()
    for batch in batches:
        function(batch)
    return time.perf_counter() - begun


def main(argv: list[str]) -> None:
    """Print a line for each network, and one for all."""
    clips = int(argv[0]) if argv else 32
    half = device.half_precision()
    torch.set_num_threads(usable_cores())
    random, total = np.random.default_rng(0), {"plain": 0.0, "float32": 0.0, "half": 0.0}
    for name, front_end in FRONT_ENDS.items():
        mel, n = front_end.recipe == MEL, front_end.filters[0]
        shape = (BATCH, FRAMES, 96) if mel else (BATCH, SAMPLES, 1)
        batches = [random.normal(size=shape).astype(np.float32) for _ in range(clips // BATCH)]
        plain = PLAIN[name](n).eval()

        def forward(batch: np.ndarray, plain: nn.Module = plain, mel: bool = mel) -> np.ndarray:
            with torch.inference_mode():
                given = torch.from_numpy(batch if mel else batch[..., 0])
                return torch.cat(plain(given), 1).numpy()

        took = {"plain": seconds(forward, batches)}
        for kind, policy in (("float32", "float32"), ("half", half)):
            if policy:
                keras.config.set_dtype_policy(policy)
                network = front_end.build(shape[1], n)
                assert network.output_shape[1] == forward(batches[0]).shape[1]
                took[kind] = seconds(network.predict_on_batch, batches)
        total = {kind: total[kind] + took.get(kind, 0.0) for kind in total}
        print(_line(name, took, clips), flush=True)
    print(_line("all nine", {kind: s for kind, s in total.items() if s}, clips))


def _line(name: str, took: dict[str, float], clips: int) -> str:
    audio = clips * SECONDS
    words = [f"{name:17}", f"PyTorch {audio / took['plain']:7.1f} s/s"]
    for kind in ("float32", "half"):
        if kind in took:
            words.append(
                f"{kind} {audio / took[kind]:7.1f} s/s = {took['plain'] / took[kind]:.2f} ×"
            )
    return "   ".join(words)


if __name__ == "__main__":
    main(sys.argv[1:])
