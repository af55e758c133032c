"""Tagging with MTT_musicnn against the way of the authors' own extractor, and its memory.

    python -m tests.benchmarks.tagging --weights DIR [--audio DIR] [--files 20] [--repeats 3]

DIR holds the wheel of musicnn 0.1.0; it is neither installed nor imported.

Speed, in seconds of audio per second, decoding included. The original's way is that of its
extractor.py with its defaults, written down anew: one file at a time; `librosa.load` and
`librosa.feature.melspectrogram`, float16 before the logarithm; a fresh TensorFlow 1 graph and
session for every file, restored from the authors' checkpoint; one segment per call; the taggram and
all hidden layers (``extract_features=True``), joined as they come. The graph is the authors',
imported from the ``.meta`` in the wheel: TensorFlow with Keras 3 cannot build it from their code
any more. Ours is `Tagger.tag_all` with the feature ``penultimate``. Each contender has a process of
its own and is warm; they work in turn, in an order that changes direction with every repeat. A
ratio is ours by the original's in the same repeat, the median of the ratios is the result. Files
are those of --audio (default: ten seconds of noisy chords, 30 s long), and the same repeated until
they last three minutes.

Memory: the peak of a process that tags a file of three hours by that of one that tags three
minutes, as FLAC and as MP3.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import soundfile

from mirkeras.system import processes
from tests.benchmarks import duel

MODEL, FRAMES = "MTT_musicnn", 187
WHEEL = "musicnn-0.1.0-py3-none-any.whl"
SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
TARGET_SPEED, TARGET_MEMORY = 3.0, 1.3
MINUTES_3, HOURS_3 = 180.0, 10_800.0

# Tensors of the authors' graph: what goes in, and what extractor.py takes out.
SEGMENTS, TRAINING, SCORES = "model/Placeholder:0", "model/Placeholder_2:0", "model/Sigmoid:0"
HIDDEN = (
    "model/Squeeze:0",
    "model/Squeeze_1:0",
    "model/concat:0",
    "model/concat_1:0",
    "model/concat_2:0",
    "model/moments/Squeeze:0",
    "model/dense/Relu:0",
)

Tag = Callable[[Sequence[Path]], list[np.ndarray]]  # files → their taggrams (segments, tags)


def ours(weights: Path) -> Tag:
    """Set up mirkeras as the command does."""
    from mirkeras.tagging import Tagger

    tagger = Tagger(MODEL, weights=weights, features="penultimate", offline=True)
    return lambda paths: [tagged.taggram for _, tagged in tagger.tag_all(paths)]


def original(weights: Path) -> Tag:
    """Set up the original's way; its checkpoint is unpacked, its graph read from its file, once."""
    import tensorflow as tf

    folder = tempfile.mkdtemp()
    with zipfile.ZipFile(weights / WHEEL) as wheel:
        for suffix in (".data-00000-of-00001", ".index", ".meta"):
            wheel.extract(f"musicnn/{MODEL}/{suffix}", folder)
    checkpoint = f"{folder}/musicnn/{MODEL}/"
    graph = tf.compat.v1.MetaGraphDef.FromString(Path(checkpoint, ".meta").read_bytes())
    for node in graph.graph_def.node:
        node.attr.pop("_output_shapes", None)  # TensorFlow 2 finds them contradictory
    return lambda paths: [_extract(path, graph, checkpoint) for path in paths]


def _extract(path: Path, definition: object, checkpoint: str) -> np.ndarray:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(definition)
        session.run(tf.compat.v1.global_variables_initializer())
        saver.restore(session, checkpoint)
        joined: list[np.ndarray] = []
        for patch in _patches(path):
            found = session.run((SCORES, *HIDDEN), {SEGMENTS: patch[None], TRAINING: False})
            pairs = zip(joined, found, strict=True) if joined else ()
            joined = [np.concatenate(pair) for pair in pairs] or list(found)
    return joined[0]


def _patches(path: Path) -> np.ndarray:
    """Make the extractor's input: float16 (segments, frames, bands), joined one by one."""
    import librosa

    samples, rate = librosa.load(path, sr=16_000)
    energies = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=512, hop_length=256, n_mels=96
    )
    with np.errstate(over="ignore"):
        frames = np.log10(10_000 * energies.T.astype(np.float16) + 1)
    patches = frames[None, :FRAMES]
    for start in range(FRAMES, len(frames) - FRAMES + 1, FRAMES):
        patches = np.concatenate([patches, frames[None, start : start + FRAMES]])
    return patches


CONTENDERS = {"mirkeras": ours, "original": original}


def serve(connection: Connection, name: str, weights: Path) -> None:
    """Be a contender: take files, send back seconds and taggrams, until told to end."""
    processes.begin()
    from mirkeras.system import backend  # noqa: F401 - no greeting, for neither

    tag = CONTENDERS[name](weights)
    while paths := connection.recv():
        begin = time.perf_counter()
        taggrams = tag(paths)
        connection.send((time.perf_counter() - begin, taggrams))


def speed(weights: Path, folders: dict[str, list[Path]], repeats: int) -> None:
    """Print the speeds of every repeat and the median ratio, for every kind of files."""
    with ExitStack() as stack:
        pipes = {
            name: stack.enter_context(duel.process(serve, name, weights)) for name in CONTENDERS
        }
        for kind, paths in folders.items():
            agree(pipes, paths[:2])  # that is also the warm-up
            audio = sum(soundfile.info(path).duration for path in paths)
            ratios = []
            for repeat in range(repeats):
                speeds = {}
                for name in list(pipes)[:: -1 if repeat % 2 else 1]:
                    pipes[name].send(paths)
                    speeds[name] = audio / pipes[name].recv()[0]
                ratios.append(speeds["mirkeras"] / speeds["original"])
                each = ", ".join(f"{name} {value:.1f} s/s" for name, value in speeds.items())
                print(f"{kind}: {each}, ratio {ratios[-1]:.2f}", flush=True)
            ratio = statistics.median(ratios)
            print(f"{len(paths)} files of {kind}, mirkeras / original: median ratio {ratio:.2f} "
                  f"(target {TARGET_SPEED:g})", flush=True)  # fmt: skip


def agree(pipes: dict[str, Connection], paths: Sequence[Path]) -> None:
    """Print how far the taggrams differ where the original's float16 does not overflow."""
    for pipe in pipes.values():
        pipe.send(paths)
    results = [pipe.recv()[1] for pipe in pipes.values()]
    mine, theirs = (np.concatenate(taggrams) for taggrams in results)
    if mine.shape != theirs.shape:
        sys.exit(f"taggrams of {mine.shape} and {theirs.shape}: not the same work")
    finite = np.isfinite(np.concatenate([_patches(path) for path in paths])).all(axis=(1, 2))
    difference = abs(mine - theirs)[finite].max(initial=0)
    print(f"largest difference of a score: {difference:.1e} in {finite.sum()} of {len(finite)} "
          "segments, in the others the original's float16 overflows", flush=True)  # fmt: skip


def make_chords(folder: Path, files: int) -> list[Path]:
    """Write noisy chords of 30 s, 22.05 kHz, as OGG."""
    random, time_axis = np.random.RandomState(0), np.arange(10 * 22_050) / 22_050
    paths = [folder / f"{number:03d}.ogg" for number in range(files)]
    for path in paths:
        chord = sum(np.sin(2 * np.pi * f * time_axis) for f in random.uniform(100, 2000, 3)) / 6
        lengthen([chord + random.uniform(-0.1, 0.1, chord.size)], 22_050, 30, path)
    return paths


def lengthen(pieces: Sequence[np.ndarray], rate: int, seconds: float, path: Path) -> Path:
    """Write pieces, (samples,) or (samples, channels), over and over until the file is full."""
    left, channels = int(seconds * rate), pieces[0].shape[1] if pieces[0].ndim > 1 else 1
    with soundfile.SoundFile(path, "w", rate, channels) as file:
        for piece in cycle(pieces):
            file.write(piece[:left])
            left -= min(left, len(piece))
            if not left:
                return path


def memory(weights: Path, source: Path, folder: Path, seconds: float) -> None:
    """Print the peaks of tagging a long and a short file, and their ratio."""
    samples, rate = soundfile.read(source, dtype="float32")
    for suffix in ("flac", "mp3"):
        peaks = []
        for length in (MINUTES_3, seconds):
            path = lengthen([samples], rate, length, folder / f"{length:g}.{suffix}")
            command = [sys.executable, "-m", "tests.benchmarks.tagging", "--peak", str(path)]
            command += ["--weights", str(weights)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            peaks.append(float(done.stdout.split()[-1]))
            print(f"{suffix}, {length / 60:g} minutes: peak {peaks[-1]:.0f} MiB", flush=True)
        print(f"{suffix}, peak of {seconds / 60:g} / {MINUTES_3 / 60:g} minutes: ratio "
              f"{peaks[1] / peaks[0]:.3f} (target {TARGET_MEMORY:g})", flush=True)  # fmt: skip


def peak(weights: Path, path: Path) -> None:
    """Tag a file and print this process's peak memory in MiB."""
    (taggram,) = ours(weights)([path])
    if not np.isfinite(taggram).all():
        sys.exit(f"{path}: scores that are no numbers")
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(kibibytes / (1024 if sys.platform != "darwin" else 1024**2))


def main() -> None:
    """Run the benchmark, or (with --peak) tag one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help=f"folder that holds {WHEEL}")
    parser.add_argument("--audio", type=Path, help="folder of files of about 30 s")
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", type=float, default=HOURS_3, help="seconds of the long file")
    parser.add_argument("--peak", type=Path, help="tag this file only (used by itself)")
    arguments = parser.parse_args()
    if arguments.peak:
        peak(arguments.weights, arguments.peak)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sorted(arguments.audio.rglob("*")) if arguments.audio else []
        paths = [path for path in found if path.suffix.lower() in SUFFIXES]
        # spread over the folder: its parts may be genres
        paths = paths[:: max(1, len(paths) // arguments.files)][: arguments.files]
        paths = paths or make_chords(folder, arguments.files)
        long = [
            lengthen([soundfile.read(path)[0]], soundfile.info(path).samplerate, MINUTES_3,
                     folder / f"long{number}{path.suffix}")
            for number, path in enumerate(islice(paths, max(2, arguments.files // 4)))
        ]  # fmt: skip
        speed(arguments.weights, {"30 s": paths, "3 minutes": long}, arguments.repeats)
        memory(arguments.weights, paths[0], folder, arguments.long)


if __name__ == "__main__":
    main()
