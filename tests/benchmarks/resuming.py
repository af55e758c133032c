"""A job of 10,000 files killed midway and resumed, beside one of 1,000.

    python -m tests.benchmarks.resuming [--files 1000 10000] [--seconds 1]

`mirkeras tag --out` tags WAV files of noise with a small network: once without a break, once ended
by SIGKILL when half of the files are in its journal and then resumed, and once more when nothing is
left to do. Each is a process of its own, told with its user and system time (also by file tagged,
after what the third took, which is start-up, journal and looking at the files) and the peak of its
memory. The resumed output must equal the unbroken one.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

RATE = 16_000
MIB_OF_MAXRSS = 1024 if sys.platform != "darwin" else 1024**2


def tag(*words: str) -> int:
    """Be `mirkeras tag` with a network that needs no weights."""
    from mirkeras.cli.app import main
    from tests import fake_card

    fake_card.install(SimpleNamespace(setattr=setattr))
    return main(["tag", "--model", fake_card.NAME, *words])


def run(music: Path, out: Path, kill_at: int | None = None) -> tuple[float, float]:
    """Run a command to its end, or until so many files are kept: (seconds, peak in MiB)."""
    words = [str(music), "--out", str(out)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.resuming", "--tag", *words],
        stderr=subprocess.DEVNULL,
    )
    journal = Path(f"{out}.job", "journal.jsonl")
    while kill_at is not None and child.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > kill_at:
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.2)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # it is waited for already
    if child.returncode != (0 if kill_at is None else -signal.SIGKILL):
        sys.exit(f"the command ended with {child.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / MIB_OF_MAXRSS


def measure(folder: Path, files: int, seconds: float) -> None:
    """Make so many files; print what each of the commands took."""
    music, whole, broken = folder / "music", folder / "whole.csv", folder / "broken.csv"
    music.mkdir()
    random = np.random.default_rng(0)
    for number in range(files):
        noise = random.normal(0, 0.1, int(seconds * RATE))
        soundfile.write(music / f"{number:05d}.wav", noise, RATE)
    steps = {
        "unbroken": run(music, whole),
        "killed": run(music, broken, files // 2),
    }
    kept = Path(f"{broken}.job", "journal.jsonl").read_bytes().count(b"\n") - 1
    steps["resumed"], steps["nothing to do"] = run(music, broken), run(music, broken)
    tagged = {"unbroken": files, "killed": kept, "resumed": files - kept, "nothing to do": 0}
    for name, (spent, peak) in steps.items():
        count = tagged[name]
        each = (
            f", {1000 * (spent - steps['nothing to do'][0]) / count:.2f} ms each" if count else ""
        )
        print(f"{files} files, {name} ({count} tagged): {spent:.1f} s{each}, peak {peak:.0f} MiB")
    if whole.read_bytes() != broken.read_bytes():
        sys.exit("the resumed output is not that of the unbroken command")
    print(f"{files} files: outputs equal, byte for byte", flush=True)


def main() -> None:
    """Run the benchmark, or (with --tag) one of its commands."""
    if sys.argv[1:2] == ["--tag"]:
        sys.exit(tag(*sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--seconds", type=float, default=1, help="of audio per file")
    arguments = parser.parse_args()
    for files in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), files, arguments.seconds)


if __name__ == "__main__":
    main()
