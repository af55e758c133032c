"""Training time by sampling rate (Table 5): ``python -m reproductions.lee_samplecnn.timing``.

The seven networks are trained on noise that lies in memory, so that the time is the networks' own.
A round times each of them once, in an order that rotates from round to round; a network's ratio is
its time per segment by that of the 22,050 Hz network in the same round. An epoch has the same
number of segments at every rate, so this is the paper's ratio of training times. Every network and
round leaves a run record, as trainings do; rounds that are there already are not timed again.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras.cli.options import command_parser, positive
from mirkeras.experiment import records
from mirkeras.experiment.published import published_rows
from mirkeras.experiment.runs import Run
from mirkeras.layers import count_trainable
from mirkeras.system import processes
from mirkeras.system.errors import UsageError, as_command
from mirkeras.system.machine import device
from reproductions.lee_samplecnn.models import NETWORKS

PAPER = "lee_samplecnn"
RATES = tuple(name for name in NETWORKS if name.startswith("table5/"))
REFERENCE = "table5/22050"
BATCH = 23  # section 5.2
TAGS = 50

Step = Callable[[int], float]  # number of batches → seconds they took


@dataclass(frozen=True)
class Setting:
    """How a round is timed; two rounds are comparable only where it is the same.

    Attributes
    ----------
    steps : int
        Batches timed at once.
    threads : int
        Processor threads TensorFlow uses.
    hardware : str
        See `mirkeras.system.machine.device.Device.hardware_class`.
    """

    steps: int
    threads: int
    hardware: str

    @property
    def recorded(self) -> dict:
        """What a run record says of it."""
        features = f"constant random batches of {BATCH}, {self.steps} at once"
        return {"features": features, "threads": self.threads, "hardware": self.hardware}


def trainer(name: str) -> Step:
    """Build and warm up a network; returns what times its training steps.

    Training is the paper's: binary cross-entropy of 50 tags, gradient descent with Nesterov
    momentum of 0.9, batches of 23.
    """
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    network = NETWORKS[name].build(TAGS)
    network.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "binary_crossentropy")
    random = np.random.RandomState(0)
    segments = tf.constant(random.uniform(-1, 1, (BATCH, *network.input_shape[1:])), tf.float32)
    tags = tf.constant(random.rand(BATCH, TAGS) < 0.1, tf.float32)

    def train(steps: int) -> float:
        begin = time.perf_counter()
        for _ in range(steps):
            network.train_on_batch(segments, tags)  # returns the loss, hence waits for the device
        return time.perf_counter() - begin

    train(2)  # the first traces and compiles
    return train


def time_round(trainers: dict[str, Step], number: int, steps: int) -> dict[str, float]:
    """Time every network once, beginning with another one each round: seconds per batch."""
    names = list(trainers)
    first = number % len(names)
    return {name: trainers[name](steps) / steps for name in names[first:] + names[:first]}


def run_of(name: str, number: int) -> Run:
    """Name the run of a network and a round; the round stands where trainings have the seed."""
    return Run(
        paper=PAPER,
        row=name,
        dataset="timing",
        protocol="paper",
        seed=number,
        fold=0,
        folds=1,
        max_epochs=1,
    )


def known_round(out: Path, number: int, setting: Setting) -> dict[str, float] | None:
    """Read the time ratios of a round that was recorded before; None if any is missing.

    Raises
    ------
    RunError
        If the round was timed in another setting.
    """
    ratios = {}
    for name in RATES:
        directory = run_of(name, number).directory(out)
        record = records.read_record(directory)
        if record is None:
            return None
        if differing := [key for key, now in setting.recorded.items() if record.get(key) != now]:
            key = differing[0]
            raise records.RunError(
                f"{directory} was timed with {key} {record.get(key)!r}, now it is "
                f"{setting.recorded[key]!r}; choose another --out or delete that folder"
            )
        ratios[name] = record["measurements"]["time_ratio"]
    return ratios


def record_round(
    out: Path, number: int, seconds: dict[str, float], setting: Setting, started: str
) -> dict[str, float]:
    """Write a run record per network, `seconds` per batch each; returns the time ratios."""
    ratios = {name: seconds[name] / seconds[REFERENCE] for name in RATES}
    common = (
        setting.recorded | records.environment() | {"started": started, "finished": records.now()}
    )
    for name in RATES:
        run = run_of(name, number)
        outcome = {
            "status": "finished",
            "measurements": {"time_ratio": ratios[name], "seconds_per_batch": seconds[name]},
            "parameters": count_trainable(NETWORKS[name].build(TAGS)),
            "sizes": {},
            "capped": False,
            "origin": "",
        }
        directory = run.directory(out)
        directory.mkdir(parents=True, exist_ok=True)
        records.write_record(directory, asdict(run) | common | outcome)
    return ratios


def measure(out: Path, repeats: int, setting: Setting) -> pd.DataFrame:
    """Time as many rounds as are missing: ratios, one line per round, one column per network."""
    trainers: dict[str, Step] = {}
    rounds = []
    for number in range(repeats):
        ratios = known_round(out, number, setting)
        if ratios is None:
            trainers = trainers or {name: trainer(name) for name in RATES}
            started = records.now()
            seconds = time_round(trainers, number, setting.steps)
            ratios = record_round(out, number, seconds, setting, started)
            print(f"round {number + 1} of {repeats}: {seconds[REFERENCE]:.3f} s per batch at "
                  "22,050 Hz", flush=True)  # fmt: skip
        rounds.append(ratios)
    if not trainers:
        print(f"{repeats} round(s) already recorded below {out}, none timed")
    return pd.DataFrame(rounds, columns=list(RATES))


def table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Lay the ratios out beside the published ones.

    Returns
    -------
    DataFrame
        Per network: ours (the median), published, difference, lowest, highest, rounds.
    """
    lines = published_rows(PAPER).set_index("id").value
    theirs = [lines[f"{PAPER}/{name}-time-ratio"] for name in rounds.columns]
    ours = rounds.median()
    return pd.DataFrame(
        {
            "ours": ours,
            "published": theirs,
            "difference": ours - theirs,
            "lowest": rounds.min(),
            "highest": rounds.max(),
            "rounds": len(rounds),
        }
    )


@as_command
def main(argv: list[str] | None = None) -> int:
    """Time the networks of Table 5 and print the comparison; returns the exit status."""
    arguments = _parser().parse_args(argv)
    if device.backend() != "tensorflow":
        raise UsageError(
            f"training runs on TensorFlow, KERAS_BACKEND is {device.backend()}: unset it"
        )
    device.configure(threads=arguments.threads)
    setting = Setting(arguments.steps, arguments.threads, device.find().hardware_class)
    rounds = measure(arguments.out, arguments.repeats, setting)
    print(f"\ntraining time per segment, ratio to 22,050 Hz; {setting.hardware}, "
          f"{setting.threads} thread(s)")  # fmt: skip
    print(table(rounds).to_string(float_format="{:.3f}".format))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        f"reproductions.{PAPER}.timing",
        "Training-time ratios of the seven networks of Table 5, on noise in memory.",
        __doc__.split("\n\n", 1)[1],
    )
    add = parser.add_argument
    add("--repeats", type=positive, default=10, metavar="N",
        help="rounds over the seven networks (default: %(default)s)")  # fmt: skip
    add("--steps", type=positive, default=2, metavar="N",
        help=f"batches of {BATCH} segments timed at once; more on a fast GPU (default: "
        "%(default)s)")  # fmt: skip
    add("--threads", type=positive, default=processes.usable_cores(), metavar="N",
        help="processor threads (default: one per core)")  # fmt: skip
    add("--out", type=Path, default=Path("runs"), metavar="DIR",
        help="where run records go (default: %(default)s)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
