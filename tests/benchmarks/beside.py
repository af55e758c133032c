"""Extraction beside librosa and Essentia: seconds of audio in a second of one core, by recipe.

    python -m venv essentia-env && essentia-env/bin/pip install essentia==2.1b6.dev1389 numpy
    python -m tests.benchmarks.beside --essentia essentia-env/bin/python [--record FILE.json]

One clip (see `tests.benchmarks.prices`), as FLAC, is decoded, brought to a recipe's rate and made
into mel frames in one thread, three ways:

- mirkeras: `audio.load` and the recipe;
- librosa: `librosa.load` and `feature.melspectrogram` with the recipe's numbers;
- Essentia, an algorithm a step as its users write them: MonoLoader, FrameGenerator, Windowing,
  Spectrum, MelBands, in an environment of its own, of which `tests.benchmarks.beside_essentia` is
  run. Its transforms have even lengths: 729 samples become 730. A recipe that it refuses (more
  bands than its transform has bins for) has no number.

The recipe's compression is left to NumPy in all three. Rates are of the least processor time of all
repeats. The numbers of the three differ where the recipe is not theirs (window, scale, area): this
compares prices. Without --essentia its column is empty.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tests.benchmarks.prices import cost, in_one_thread, make_clip, record

WAYS = ("mirkeras", "librosa", "essentia")
#: librosa's name of a window, where it is not ours.
WINDOWS = {"blackmanharris62": "blackmanharris", "hann-symmetric": "hann"}


def mel_recipes() -> dict[str, dict]:
    """The recipes that all three could compute, and the numbers that define them."""
    from mirkeras.features import RECIPES
    from mirkeras.features.logmel import LogMel

    return {
        name: recipe.identity() for name, recipe in RECIPES.items() if isinstance(recipe, LogMel)
    }


def by_mirkeras(clip: Path, name: str) -> np.ndarray:
    """Frames, (time, band)."""
    from mirkeras import audio
    from mirkeras.features import RECIPES

    return RECIPES[name].extract(audio.load(clip, sample_rate=RECIPES[name].sample_rate))


def by_librosa(clip: Path, name: str) -> np.ndarray:
    """The same as a user of librosa writes it, (band, time)."""
    import librosa

    from mirkeras.features import RECIPES
    from mirkeras.features.logmel import COMPRESSIONS

    recipe = RECIPES[name]
    samples, rate = librosa.load(clip, sr=recipe.sample_rate)
    energies = librosa.feature.melspectrogram(
        y=samples,
        sr=rate,
        n_fft=recipe.n_fft,
        win_length=recipe.window_length,
        window=WINDOWS.get(recipe.window, recipe.window),
        hop_length=recipe.hop,
        n_mels=recipe.bands,
        power=recipe.power or 2.0,
        center=recipe.centred is not False,
        fmax=recipe.highest,
        htk=recipe.filterbank in ("torchaudio", "audioset"),
    )
    return COMPRESSIONS[recipe.compression](energies)


def by_essentia(python: Path, clip: Path, repeats: int) -> dict:
    """Essentia's version, and seconds of every recipe; None where it refuses one."""
    script = Path(__file__).with_name("beside_essentia.py")
    asked = {"clip": str(clip), "repeats": repeats, "recipes": mel_recipes()}
    answer = subprocess.run(
        [python, script], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


def measure(clip: Path, foreign: dict, seconds: float, repeats: int) -> list[dict]:
    """Times real time of every recipe by every way; Essentia's seconds are given."""
    lines = []
    for name in mel_recipes():
        spent = {"essentia": foreign.get(name)}
        for way, extract in (("mirkeras", by_mirkeras), ("librosa", by_librosa)):
            spent[way] = cost(partial(extract, clip, name), repeats)
        rates = {way: spent[way] and round(seconds / spent[way]) for way in WAYS}
        lines.append({"recipe": name} | rates)
        print(name, file=sys.stderr, flush=True)
    return lines


def table(lines: list[dict]) -> str:
    """The rates as Markdown, with how many times each of the others' ours is."""
    rows = ["| recipe | mirkeras | librosa | Essentia | to librosa | to Essentia |"]
    rows.append("|---|---:|---:|---:|---:|---:|")
    for line in lines:
        ours, librosas, essentias = (line[way] for way in WAYS)
        cells = [
            line["recipe"],
            f"{ours:,}",
            f"{librosas:,}",
            f"{essentias:,}" if essentias else "",
        ]
        cells += [f"{ours / librosas:.1f} ×", f"{ours / essentias:.1f} ×" if essentias else ""]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Run the benchmark, in a process whose libraries have one thread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=30, help="length of the clip")
    parser.add_argument("--essentia", type=Path, metavar="PYTHON", help="one that has Essentia")
    parser.add_argument("--record", type=Path, metavar="FILE.json")
    options = parser.parse_args()
    in_one_thread("beside")
    with tempfile.TemporaryDirectory() as folder:
        make_clip(clip := Path(folder, "clip.flac"), options.seconds, "FLAC")
        foreign = {"version": "none", "seconds": {}}
        if options.essentia:
            foreign = by_essentia(options.essentia, clip, options.repeats)
        lines = measure(clip, foreign["seconds"], options.seconds, options.repeats)
    print(table(lines))
    if options.record:
        names = ("numpy", "scipy", "librosa", "soundfile", "soxr")
        versions = {name: version(name) for name in names} | {"essentia": foreign["version"]}
        figures = {"times_real_time": lines}
        options.record.write_text(record("beside --essentia PYTHON", options, versions, figures))


if __name__ == "__main__":
    main()
