"""Figures 2 to 4: ``python -m reproductions.lee_samplecnn.filters RUN_OR_FILE … --out DIR``.

Draws what the filters of trained SampleCNNs answer to, as found by gradient ascent: waveforms
(Fig. 2), their spectra layer by layer, sorted by peak frequency, above those of the same network
untrained (Fig. 3: what both have is no training), and the first four layers of several networks
side by side (Fig. 4: one network per sampling rate). Prints the median peak frequency of each layer
and writes every filter's into a table.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mirkeras.system.backend import keras

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import signal

from mirkeras.cli.options import command_parser, words
from mirkeras.features import find_recipe
from mirkeras.report import figures
from mirkeras.storage.tables import write_csv
from mirkeras.system.errors import UsageError, as_command
from mirkeras.system.machine import device
from mirkeras.transfer.extractors import find_extractor
from reproductions.lee_samplecnn.ascent import SAMPLES, favourites, input_length, plain_network

LAYERS = (1, 2, 3, 4, 5, 6)  # Fig. 3
COMPARED = 4  # layers of Fig. 4
EXAMPLES = 5  # filters per layer of Fig. 2
LOWEST = 20  # Hz; where the axes of spectra begin, they are logarithmic
BINS = 256  # of such an axis
CUTOFF = 5000  # Hz; Fig. 2 shows what lies below, which the noise above it hides


@dataclass(frozen=True)
class Layer:
    """What the filters of one layer answer to.

    Attributes
    ----------
    number : int
        From 1, the strided convolution.
    rate : int
        Sample rate in Hz.
    waves : float (filters, samples)
    """

    number: int
    rate: int
    waves: np.ndarray

    @cached_property
    def spectra(self) -> np.ndarray:
        """log10(1 + 10 |X|²) of one Hann-windowed frame, (filters, bins).

        The authors' call to librosa centres its only frame on the first sample, so that it sees
        half of the wave, mirrored; here the frame holds the whole wave.
        """
        window = signal.get_window("hann", self.waves.shape[1])
        return np.log10(1 + 10 * np.abs(np.fft.rfft(self.waves * window, axis=1)) ** 2)

    @cached_property
    def peaks(self) -> np.ndarray:
        """Frequency of the largest value of each spectrum in Hz, (filters,)."""
        return self.spectra.argmax(axis=1) * self.rate / self.waves.shape[1]

    @property
    def order(self) -> np.ndarray:
        """Numbers of the filters, lowest peak first."""
        return np.argsort(self.peaks, kind="stable")


@dataclass(frozen=True)
class Network:
    """A trained network: `name` for files, `title` for people; `untrained`: as it began."""

    name: str
    title: str
    layers: list[Layer]
    untrained: list[Layer]


def look_into(path: Path, recipe: str | None, layers: Sequence[int], seed: int) -> Network:
    """Find what the filters of a run's network, or of a ``.keras`` file, answer to.

    Raises
    ------
    UsageError
        It is no SampleCNN on waveforms, or lacks one of the layers.
    """
    extractor = find_extractor(path, recipe)
    if not extractor.recipe.startswith("waveform-"):
        raise UsageError(f"{path} takes {extractor.recipe}; filters are drawn of waveform networks")
    network, rate = plain_network(extractor.path), find_recipe(extractor.recipe).sample_rate
    trained = f"{figures.label(extractor.row)}, {rate:,} Hz"
    title = f"{trained}, trained on {figures.label(extractor.dataset)}"
    lengths = {layer: input_length(network, layer) for layer in layers}
    keras.utils.set_random_seed(seed)
    untrained = keras.models.clone_model(network)  # weights are drawn anew
    found, drawn = [], []
    for number, length in lengths.items():
        print(f"{extractor.row}: layer {number}" + _remark(length), flush=True)
        found.append(Layer(number, rate, favourites(network, number, seed)))
        drawn.append(Layer(number, rate, favourites(untrained, number, seed)))
    return Network(re.sub(r"[^\w.]+", "-", extractor.row).strip("-"), title, found, drawn)


def _remark(length: int) -> str:
    if length == SAMPLES:
        return ""
    return f": {length} samples, the nearest to {SAMPLES} that its strides and poolings divide"


def low_passed(waves: np.ndarray, rate: int) -> np.ndarray:
    """Remove what lies above `CUTOFF` (Butterworth, order 6); (…, samples).

    Networks of 10 kHz and less know nothing above it: their waves stay as they are.
    """
    if rate <= 2 * CUTOFF:
        return waves
    return signal.sosfilt(signal.butter(6, CUTOFF, fs=rate, output="sos"), waves)


def draw_examples(network: Network, path: Path) -> None:
    """Draw Fig. 2: waves of some filters of each layer, from low to high, and their spectra."""
    shape = (2 * len(network.layers), EXAMPLES)
    figure = figures.canvas(figures.WIDEST, 0.5 + 2.4 * len(network.layers))
    axes = figure.subplots(*shape, squeeze=False)
    for line, layer in enumerate(network.layers):
        places = np.linspace(0, len(layer.waves) - 1, EXAMPLES + 2).round().astype(int)[1:-1]
        for column, number in enumerate(layer.order[places]):
            wave, spectrum = axes[2 * line : 2 * line + 2, column]
            _draw_wave(wave, layer, number)
            hertz = np.arange(layer.spectra.shape[1]) * layer.rate / layer.waves.shape[1]
            spectrum.plot(hertz, layer.spectra[number], color=figures.PUBLISHED, lw=0.8)
            spectrum.tick_params(labelsize="xx-small", labelleft=False)
            if line == len(network.layers) - 1:
                spectrum.set_xlabel("Hz", fontsize="x-small")
        axes[2 * line, 0].set_ylabel(f"layer {layer.number}\nwave", fontsize="small")
        axes[2 * line + 1, 0].set_ylabel("spectrum (log)", fontsize="small")
    figures.title(figure, network.title)
    figures.save(figure, path)


def _draw_wave(axes: Axes, layer: Layer, number: int) -> None:
    wave = low_passed(layer.waves[number], layer.rate)
    axes.plot(1000 * np.arange(wave.size) / layer.rate, wave, color=figures.MEASURED, lw=0.8)
    axes.set_title(f"filter {number}, {layer.peaks[number]:,.0f} Hz", fontsize="x-small", pad=2)
    axes.set_xlabel("ms", fontsize="xx-small", labelpad=0)
    axes.tick_params(labelsize="xx-small", labelleft=False)


def draw_spectra(network: Network, path: Path) -> None:
    """Draw Fig. 3: the spectra of all filters, a column per layer; untrained below trained."""
    kinds = {"trained": network.layers, "untrained": network.untrained}
    size = (max(5.0, 1 + 1.8 * len(network.layers)), 0.8 + 2.6 * len(kinds))
    figure = figures.canvas(*size)
    axes = figure.subplots(len(kinds), len(network.layers), squeeze=False, sharey=True)
    for line, (kind, layers) in zip(axes, kinds.items(), strict=True):
        for place, layer in zip(line, layers, strict=True):
            _draw_layer(place, layer)
        line[0].set_ylabel(f"{kind}\nfrequency (Hz)")
    figures.title(figure, network.title)
    figures.save(figure, path)


def draw_comparison(networks: Sequence[Network], path: Path) -> None:
    """Draw Fig. 4: the first layers, a line per network; each must have the same layers."""
    layers = [[layer for layer in n.layers if layer.number <= COMPARED] for n in networks]
    figure = figures.canvas(1 + 2.4 * len(layers[0]), 0.8 + 2.6 * len(networks))
    axes = figure.subplots(len(networks), len(layers[0]), squeeze=False)
    for line, network in enumerate(networks):
        for column, layer in enumerate(layers[line]):
            _draw_layer(axes[line, column], layer)
        axes[line, 0].set_ylabel(f"{network.layers[0].rate:,} Hz\nfrequency (Hz)")
    figures.title(figure, "\n".join(network.title for network in networks))
    figures.save(figure, path)


def _draw_layer(axes: Axes, layer: Layer) -> None:
    """Draw the spectra of a layer on a logarithmic axis, brighter where a filter answers more."""
    step, top = layer.rate / layer.waves.shape[1], layer.rate / 2
    wanted = np.geomspace(LOWEST, top, BINS)
    near = np.minimum((wanted / step).round().astype(int), layer.spectra.shape[1] - 1)
    extent = (0, len(layer.waves), np.log2(LOWEST), np.log2(top))
    image = layer.spectra[layer.order][:, near].T
    axes.imshow(image, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
    ticks = [hertz for hertz in (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if hertz <= top]
    axes.set_yticks(np.log2(ticks), [f"{hertz:,}" for hertz in ticks])
    axes.set_title(f"layer {layer.number}", fontsize="medium")
    axes.set_xlabel("filter, by peak", fontsize="small")
    axes.tick_params(labelsize="x-small")


def table(networks: Sequence[Network]) -> pd.DataFrame:
    """List the peak of every filter: network, weights, layer, filter (from 0), peak_hz."""
    parts = [
        pd.DataFrame(
            {"network": network.name, "weights": weights, "layer": layer.number,
             "peak_hz": layer.peaks}
        )
        for network in networks
        for weights, layers in (("trained", network.layers), ("untrained", network.untrained))
        for layer in layers
    ]  # fmt: skip
    peaks = pd.concat([part.rename_axis("filter").reset_index() for part in parts])
    columns = ["network", "weights", "layer", "filter", "peak_hz"]
    return peaks[columns].round({"peak_hz": 1})


def study(networks: Sequence[Network], out: Path) -> str:
    """Draw and tabulate everything below `out`; return the medians as text."""
    for network in networks:
        draw_examples(network, out / f"fig2-{network.name}.png")
        draw_spectra(network, out / f"fig3-{network.name}.png")
    if networks[0].layers[0].number <= COMPARED:
        draw_comparison(networks, out / "fig4.png")
    peaks = table(networks)
    write_csv(peaks, out / "filters.csv")
    medians = peaks.pivot_table("peak_hz", ["network", "weights"], "layer", "median", sort=False)
    return f"median peak frequency (Hz) per layer:\n{medians.round().astype(int)}\nfigures: {out}"


@as_command
def main(argv: list[str] | None = None) -> int:
    """Draw what the filters of trained networks learned; returns the exit status."""
    arguments = _parser().parse_args(argv)
    device.configure()
    if device.backend() != "tensorflow":
        raise UsageError(f"gradients need TensorFlow, KERAS_BACKEND is {device.backend()}")
    layers, recipe = sorted(set(arguments.layers)), arguments.extractor_recipe
    networks = [look_into(path, recipe, layers, arguments.seed) for path in arguments.networks]
    print(study(_apart(networks), arguments.out))
    return 0


def _apart(networks: list[Network]) -> list[Network]:
    """Number networks of one name (seeds of a row), so that no file replaces another."""
    names = [network.name for network in networks]
    return [
        replace(network, name=f"{name}-{place}") if names.count(name) > 1 else network
        for place, (name, network) in enumerate(zip(names, networks, strict=True), start=1)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("reproductions.lee_samplecnn.filters", __doc__.split("\n\n")[1])
    add = parser.add_argument
    add("networks", type=Path, nargs="+", metavar="RUN_OR_FILE",
        help="trained network: a run's directory or a .keras file")  # fmt: skip
    add("--out", type=Path, required=True, metavar="DIR", help="where figures and table go")
    add("--layers", type=lambda text: [int(word) for word in words(text)], default=LAYERS,
        metavar="N[,N…]", help="1 is the strided convolution (default: 1 to 6)")  # fmt: skip
    add("--seed", type=int, default=0, metavar="S", help="of the noise to start from (default: 0)")
    add("--extractor-recipe", metavar="RECIPE",
        help="what a bare .keras file takes as input, e.g. waveform-22050")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
