"""Compute `essentia.npz` and `essentia-mfcc.npz`: what Essentia makes of the test signals.

Essentia is no dependency of this project. To make the file again, in an environment of its own:

    python -m venv essentia-env
    essentia-env/bin/pip install essentia==2.1b6.dev1389 numpy
    essentia-env/bin/python tests/mirkeras/features/reference/make_essentia_reference.py

The front-end is the one in the authors' `load_datasets.py` (jordipons/CBMI2016): FrameGenerator
(2048, 1024), Windowing("blackmanharris62"), Spectrum, MelBands(40), all else by default; and of
MFCC the 80 bands of `phonemeSampleCollection.py` (ronggong/EUSIPCO2017).
"""

from pathlib import Path

import essentia
import essentia.standard as es
import numpy as np
import signals


def mel_energies(audio: np.ndarray) -> np.ndarray:
    """Mel energies of one signal, float32 (time, band), before compression."""
    window, spectrum = es.Windowing(type="blackmanharris62"), es.Spectrum()
    bands = es.MelBands(numberBands=40)
    frames = es.FrameGenerator(audio, frameSize=2048, hopSize=1024)
    return np.stack([bands(spectrum(window(frame))) for frame in frames])


def frame_counts(lengths: list[int]) -> list[int]:
    """How many frames Essentia cuts from signals of these lengths (in samples)."""
    return [
        sum(1 for _ in es.FrameGenerator(np.ones(n, np.float32), frameSize=2048, hopSize=1024))
        for n in lengths
    ]


def filterbank() -> np.ndarray:
    """The weights of MelBands, (40, 1025): its answers to spectra with a single bin set."""
    bands = es.MelBands(numberBands=40)
    return np.stack([bands(row) for row in np.eye(1025, dtype=np.float32)], axis=1)


def window() -> np.ndarray:
    """The normalised window, (2048,), without zero-phase rotation."""
    return es.Windowing(type="blackmanharris62", zeroPhase=False)(np.ones(2048, np.float32))


def mfcc_bands(audio: np.ndarray) -> np.ndarray:
    """The 80 bands up to 11 kHz of MFCC, float32 (time, band), from padded windows of 25 ms."""
    window, spectrum = es.Windowing(type="hann", zeroPadding=1102), es.Spectrum(size=2204)
    mfcc = es.MFCC(sampleRate=44100, highFrequencyBound=11000, inputSize=1103, numberBands=80)
    frames = es.FrameGenerator(audio, frameSize=1102, hopSize=441)
    return np.stack([mfcc(spectrum(window(frame)))[0] for frame in frames])


def main() -> None:
    """Write the references next to this script."""
    essentia.log.infoActive = False
    lengths = [1, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 3073, 22050, 44100, 1323000]
    mel = {f"mel_{name}": mel_energies(audio) for name, audio in signals.all_signals().items()}
    np.savez_compressed(
        Path(__file__).with_name("essentia.npz"),
        essentia_version=np.array(essentia.__version__),
        window=window(),
        filterbank=filterbank(),
        lengths=np.array(lengths),
        frame_counts=np.array(frame_counts(lengths)),
        **mel,
    )
    bands = {
        name: mfcc_bands(signals.all_signals()[name][:8000])
        for name in ("noise", "clicks", "chord")
    }
    np.savez_compressed(Path(__file__).with_name("essentia-mfcc.npz"), **bands)


if __name__ == "__main__":
    main()
