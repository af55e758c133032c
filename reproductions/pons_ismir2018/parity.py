"""Trained taggers beside their originals: do they give the same numbers?

musicnn and vgg run beside the authors' own TensorFlow graphs (`originals.py`), the networks of Won
et al. and the instrument recognition beside plain NumPy forwards of the published layers, from
samples. Taggrams stand there twice: of the network as it is and "as tagged", by the quicker order
of work in which `mirkeras tag` and the transfer rows run it. A second table measures what has
changed since 2019 around them: features, and MSD_vgg as the package runs it. Not measured: the
resampler (resampy then, soxr now).
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd

from mirkeras import audio
from mirkeras.cli.options import command_parser
from mirkeras.experiment import records
from mirkeras.features import find_recipe
from mirkeras.pretrained.cards import Card, all_cards
from mirkeras.pretrained.weight_files import locate, read_arrays
from mirkeras.pretrained.weights import feature_model, load
from mirkeras.storage.files import sha256, write_text
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import UsageError, WeightsError, as_command, say
from mirkeras.system.machine import device
from reproductions.pons_eusipco2017 import originals as pons2017
from reproductions.pons_ismir2018.changes import changes
from reproductions.pons_ismir2018.originals import Original
from reproductions.pons_ismir2018.rows import Comparison, compare, cut, run, run_fast
from reproductions.won_smc2020 import originals as won2020

TOLERANCE = 1e-4  # absolute
#: The taggram by `mirkeras.pretrained.inference.scorer`, in the table.
TAGGED = "taggram, as tagged"
#: Hidden features that must agree, beside the taggram. The pools in front of the last batch norm
#: are only measured: of values near 100, 1e-4 is the rounding of single precision.
PROVEN = ("penultimate", "pool5")
SEED, RANDOM_SEGMENTS = 0, 4
#: Recipe → range of random input, about that of its values on music.
RANGES = {"musicnn": (0, 4), "won2020": (-60, 40), "pons2017-irmas": (-60, 20)}


@dataclass(frozen=True)
class Sound:
    """What a tagger hears: a file, or a sine of full scale where `path` is None.

    The sine is what a 16-bit file would hold. Its noise fills bands that would else hold nothing
    but the rounding of single precision, in which the originals computed too.
    """

    name: str
    path: Path | None = None

    def at(self, rate: int) -> np.ndarray:
        """Give the samples, mono, at a rate in Hz."""
        if self.path is not None:
            try:
                return audio.load(self.path, sample_rate=rate)
            except audio.AudioError as error:
                raise UsageError(str(error)) from error
        sine = (2**15 - 2) * np.sin(2 * np.pi * 440 * np.arange(30 * rate) / rate)
        dither = np.random.RandomState(SEED).triangular(-1, 0, 1, len(sine))
        return (np.rint(sine + dither) / 2**15).astype(np.float32)


def proven_cards() -> list[Card]:
    """List the taggers that have an original to be compared with."""
    return [card for card in all_cards().values() if card.recipe in RANGES]


def proofs(card: Card, path: Path, sounds: Iterable[Sound]) -> Iterator[Comparison]:
    """Compare a tagger with its original on sounds and on random input.

    Parameters
    ----------
    sounds : iterable of Sound
        At least as long as a segment; shorter ones are left out, and said.
    """
    network = load(card, path)
    prove = _by_graph if card.recipe == "musicnn" else _by_numpy
    yield from prove(card, path, network, sounds)


def _by_graph(
    card: Card, path: Path, network: keras.Model, sounds: Iterable[Sound]
) -> Iterator[Comparison]:
    """Run the authors' graph on our features, and on random input."""
    recipe = find_recipe(card.recipe)
    with Original(card.source, path) as original:
        hidden = [what for what in original.outputs if what != "taggram"]
        models = {what: feature_model(network, what) for what in hidden}
        rate, length = recipe.sample_rate, card.frames
        inputs = [(sound.name, cut(recipe.extract(sound.at(rate)), length)) for sound in sounds]
        for name, segments in [*inputs, ("random", random_segments(card))]:
            if not len(segments):
                say(f"{name}: too short for {card.name}")
                continue
            theirs = original.run(segments)
            ours = {what: run(model, segments) for what, model in models.items()}
            scores = next(iter(ours.values()))[0]
            tagged = run_fast(network, segments)[0]
            yield compare(card.name, name, "taggram", scores, theirs["taggram"], TOLERANCE)
            yield compare(card.name, name, TAGGED, tagged, theirs["taggram"], TOLERANCE)
            for what, (_, features) in ours.items():
                options = {"tolerance": TOLERANCE} if what in PROVEN else _unbounded(features)
                yield compare(card.name, name, what, features, theirs[what], **options)


def _unbounded(features: np.ndarray) -> dict[str, str]:
    """Say how large values are of which no batch norm keeps the scale."""
    return {"note": f"values up to {features.max():.0f}"}


def random_segments(card: Card) -> np.ndarray:
    """Draw uniform values, the same every time: (segments, frames, bands)."""
    shape = (RANDOM_SEGMENTS, card.frames, find_recipe(card.recipe).bands)
    return np.random.RandomState(SEED).uniform(*RANGES[card.recipe], shape).astype(np.float32)


def _by_numpy(
    card: Card, path: Path, network: keras.Model, sounds: Iterable[Sound]
) -> Iterator[Comparison]:
    """Run the published layers in NumPy: from samples, on our features, and on random input."""
    arrays = read_arrays(card.source, path)
    hidden = card.embeddings[0]
    both = feature_model(network, hidden)
    inputs = []
    for sound in sounds:
        heard = _heard(card, arrays, sound)
        if heard is None:
            say(f"{sound.name}: too short for {card.name}")
            continue
        ours, theirs = heard
        inputs.append((sound.name, ours[None]))
        note = f"features differ by {np.abs(ours - theirs.T).max():.1e} dB at most"
        limit = TOLERANCE if sound.path else None  # beside a sine, bands hold only rounding
        scores = run(both, ours[None])[0][0], _forward(card, arrays, theirs)[0]
        yield compare(card.name, sound.name, "taggram from samples", *scores, limit, note)
    for name, segments in [*inputs, ("random", random_segments(card))]:
        scores, features = run(both, segments)
        tagged = run_fast(network, segments)[0]
        forwarded = [_forward(card, arrays, segment.T) for segment in segments]
        taggram, vectors = (np.array(values) for values in zip(*forwarded, strict=True))
        yield compare(card.name, name, "taggram", scores, taggram, TOLERANCE)
        yield compare(card.name, name, TAGGED, tagged, taggram, TOLERANCE)
        yield compare(card.name, name, hidden, features, vectors, TOLERANCE)


def _heard(
    card: Card, arrays: dict[str, np.ndarray], sound: Sound
) -> tuple[np.ndarray, np.ndarray] | None:
    """Compute one segment's features: ours (frames, bands), the original's (bands, frames)."""
    recipe = find_recipe(card.recipe)
    samples = sound.at(recipe.sample_rate)
    if card.recipe == "won2020":
        length = won2020.LENGTHS[card.name.rpartition("_")[2]]
        start = (len(samples) - length) // 2
        if start < 0:
            return None
        samples = samples[start : start + length]
        return recipe.extract(samples), won2020.decibels(arrays, samples)
    ours, theirs = recipe.extract(samples), pons2017.decibels(samples)
    start = (len(ours) - card.frames) // 2
    if start < 0:
        return None
    kept = slice(start, start + card.frames)
    return ours[kept], theirs[:, kept]


def _forward(
    card: Card, arrays: dict[str, np.ndarray], spectrogram: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Run the published layers on (bands, frames)."""
    if card.recipe == "won2020":
        return won2020.FORWARD[card.name.rpartition("_")[2]](arrays, spectrogram)
    return pons2017.single_layer(arrays, spectrogram)


def _at_hand(card: Card, places: list[Path]) -> Path | None:
    """Find the weights of a tagger in one of the places; None, and say why, if in none."""
    for place in places or [None]:
        try:
            return locate(card.source, place)
        except WeightsError as error:
            reason = error
    say(f"{card.name}: left out. {reason}")
    return None


def show(title: str, rows: list[Comparison]) -> None:
    """Print rows as a table."""
    table = pd.DataFrame([asdict(row) for row in rows])
    table["tolerance"] = table["tolerance"].map(lambda limit: f"{limit:.0e}" if limit else "")
    print(f"\n{title}\n")
    print(table.to_string(index=False, formatters={"max_abs_difference": "{:.1e}".format}))


@as_command
def main(argv: list[str] | None = None) -> int:
    """Print the tables; the exit status is 1 if a difference exceeds the tolerance."""
    arguments = _parser().parse_args(argv)
    device.configure()
    sounds = [Sound("sine 440 Hz"), *(Sound(path.name, path) for path in arguments.audio)]
    found = [(card, _at_hand(card, arguments.weights)) for card in proven_cards()]
    found = [(card, path) for card, path in found if path is not None]
    rows = [row for card, path in found for row in proofs(card, path, sounds)]
    proven = [row for row in rows if row.tolerance is not None]
    measured = [row for row in rows if row.tolerance is None]
    released = [(card, path) for card, path in found if card.recipe == "musicnn"]
    measured += changes(released, [(s.name, s.at(16_000)) for s in sounds])
    if proven:
        show("ours beside the originals", proven)
    if measured:
        show("around them, then and now (measured, no tolerance)", measured)
    if arguments.out:
        table = pd.DataFrame([asdict(row) for row in proven + measured])
        numbers = table.select_dtypes(float).map("{:.3g}".format, na_action="ignore")
        write_csv(table.assign(**numbers), arguments.out)
        write_text(arguments.out.with_suffix(".json"), json.dumps(_record(arguments), indent=1))
    failed = [row for row in proven if row.held != "yes"]
    print(f"\n{len(proven) - len(failed)} of {len(proven)} comparisons within {TOLERANCE:.0e}")
    return 1 if failed or not proven else 0


def _record(arguments: argparse.Namespace) -> dict:
    """Say where the numbers come from."""
    return records.environment() | {
        "hardware": device.find().hardware_class,
        "finished": records.now(),
        "seed": SEED,
        "weights": {card.name: card.source.sha256 for card in proven_cards()},
        "audio": {path.name: sha256(path) for path in arguments.audio},
    }


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "reproductions.pons_ismir2018.parity", __doc__.split("\n\n")[0], __doc__.split("\n\n", 1)[1]
    )
    add = parser.add_argument
    add("--weights", nargs="+", type=Path, default=[], metavar="DIR",
        help="folders (or files) to look for weights in; default: the weights folder")  # fmt: skip
    add("--audio", nargs="+", type=Path, default=[], metavar="FILE", help="real audio")
    add(
        "--out",
        type=Path,
        metavar="FILE.csv",
        help="write both tables as one CSV, and their record beside it (.json)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
