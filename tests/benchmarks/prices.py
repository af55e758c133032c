"""What the Million Song Dataset costs: decoding and frames by each recipe, and musicnn's tags.

    python -m tests.benchmarks.prices [--repeats 5] [--seconds 30] [--record FILE.json]

One clip of noisy chords is written as MP3 (44.1 kHz, stereo), as long as the previews that the
set's songs are known by. Every step is done by one thread; its price is the least processor time
of all repeats, which other programs on the machine disturb less than the clock. A track by a recipe
is decoded and resampled to its rate, then made into frames; musicnn's network, whose weights decide
nothing here and are random, scores its segments by twos, as `mirkeras tag` lets it. Reading and
writing disks is left out. A core-hour is an hour of one such core.

The table is Markdown; the record holds the same with what it was measured by.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

TRACKS = 242_842  # the split of `data_prep.sets.msd` has 241,889, 0.4 % fewer
RATE = 44_100
#: Read when NumPy is loaded.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def make_clip(path: Path, seconds: float, format: str = "MP3") -> None:
    """Write a clip: chords that change every second, with noise."""
    random, within = np.random.default_rng(0), np.arange(RATE) / RATE
    chords = [
        sum(np.sin(2 * np.pi * pitch * within) for pitch in random.uniform(80, 4000, 5)) / 10
        for _ in range(int(seconds))
    ]
    stereo = np.concatenate(chords)[:, None] + random.normal(0, 0.03, (int(seconds) * RATE, 2))
    soundfile.write(path, stereo, RATE, format=format)


def cost(step: Callable[[], object], repeats: int) -> float:
    """Seconds of processor time of a step that is warm: the least of all repeats."""
    step()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        step()
        times.append(time.process_time() - begin)
    return min(times)


def prices(clip: Path, repeats: int) -> list[dict]:
    """Measure every recipe, then the tags: seconds of a track, in parts."""
    from mirkeras import audio
    from mirkeras.features import RECIPES, find_recipe

    names = [*RECIPES, "waveform-22050"]
    rates = sorted({find_recipe(name).sample_rate for name in names})
    decoded = {rate: cost(partial(audio.load, clip, sample_rate=rate), repeats) for rate in rates}
    lines = []
    for name in names:
        recipe = find_recipe(name)
        samples = audio.load(clip, sample_rate=recipe.sample_rate)
        frames = cost(partial(recipe.extract, samples), repeats)
        lines.append({"what": name, "decode": decoded[recipe.sample_rate], "frames": frames})
        print(name, file=sys.stderr, flush=True)
    mel = next(line for line in lines if line["what"] == "musicnn")
    lines.append({**mel, "what": "musicnn's tags", "network": network_cost(clip, repeats)})
    for line in lines:
        line["seconds"] = sum(line.get(part, 0) for part in ("decode", "frames", "network"))
        line["core_hours"] = line["seconds"] * TRACKS / 3600
    return lines


def network_cost(clip: Path, repeats: int) -> float:
    """Seconds of the network for a track."""
    import mirkeras
    from mirkeras import audio
    from mirkeras.features import find_recipe
    from mirkeras.pretrained.inference import scorer
    from mirkeras.system.machine import device

    device.configure(threads=1)
    recipe = find_recipe("musicnn")
    network = mirkeras.build("pons_ismir2018/released/musicnn", 50, tags=True)
    length = network.input_shape[1]
    frames = recipe.extract(audio.load(clip, sample_rate=recipe.sample_rate))
    segments = frames[: len(frames) // length * length].reshape(-1, length, recipe.bands)
    score = scorer(network, length, recipe.bands)
    return cost(lambda: [score(segments[i : i + 2]) for i in range(0, len(segments), 2)], repeats)


def record(module: str, options: argparse.Namespace, versions: dict, figures: dict) -> str:
    """What was measured, as JSON, with what it was measured by."""
    from mirkeras.experiment.records import commit, now
    from mirkeras.system.machine import device

    command = f"python -m tests.benchmarks.{module} --repeats {options.repeats}"
    facts = {
        "command": f"{command} --seconds {options.seconds:g} --record {options.record.name}",
        "commit": commit(),
        "versions": versions,
        "hardware": device.find().hardware_class,
        "threads": 1,
        "seconds_of_audio": options.seconds,
        "repeats": options.repeats,
        "finished": now(),
    }
    return json.dumps(facts | figures, indent=1) + "\n"


def in_one_thread(module: str) -> None:
    """Begin the program anew if its libraries would take more threads than one."""
    if ONE_THREAD.items() - os.environ.items():
        words = [sys.executable, "-m", f"tests.benchmarks.{module}", *sys.argv[1:]]
        os.execve(sys.executable, words, os.environ | ONE_THREAD)


def table(lines: list[dict]) -> str:
    """The prices as Markdown."""
    rows = [f"| what | decode, s | frames, s | network, s | a track, s | {TRACKS:,}, core-hours |"]
    rows.append("|---|---:|---:|---:|---:|---:|")
    for line in lines:
        network = f"{line['network']:.3f}" if "network" in line else ""
        parts = f"{line['decode']:.3f} | {line['frames']:.3f} | {network} | {line['seconds']:.3f}"
        rows.append(f"| {line['what']} | {parts} | {line['core_hours']:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Run the benchmark, in a process whose libraries have one thread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--record", type=Path, metavar="FILE.json")
    options = parser.parse_args()
    in_one_thread("prices")
    with tempfile.TemporaryDirectory() as folder:
        make_clip(clip := Path(folder, "clip.mp3"), options.seconds)
        lines = prices(clip, options.repeats)
    print(table(lines))
    if options.record:
        from mirkeras.tagging.job.output import versions

        used = versions("musicnn") | {"numpy": np.__version__}
        rounded = [
            {key: value if key == "what" else round(value, 4) for key, value in line.items()}
            for line in lines
        ]
        figures = {"tracks": TRACKS, "prices": rounded}
        options.record.write_text(record("prices", options, used, figures))


if __name__ == "__main__":
    main()
