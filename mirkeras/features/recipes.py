"""All recipes by name: what each is, and where its numbers come from.

A recipe is data: everything that defines the numbers. There are four kinds, and `Deformed` copies.

`LogMel`, compressed mel frames, float32, see `mirkeras.features.logmel`. Those in `RECIPES`:

`cbmi2016`
    The authors' front-end of Pons, Lidy & Serra (CBMI 2016), rebuilt from Essentia 2.1-beta6
    (`load_datasets.py` of their code): window of area 2, triangles that sum to 1, so a full-scale
    sine gives a mel energy below 1.
`cbmi2016-librosa`
    The same analysis as a librosa user would write it: window of peak 1, Slaney's mel scale and
    area normalisation. Its energies are thousands of times larger, so the same compression
    acts further up the logarithm.
`lee2018-mel-<window>-<hop>`
    The mel input of Lee, Park, Kim & Nam (Applied Sciences 2018, Table 2), window and hop in
    samples at 22,050 Hz; a window shorter than the transform is padded with zeros.

`schindler2016-mel`, `schindler2016-mel-augmented`
    The log-mel input of Schindler, Lidy & Rauber (FMT 2016): 80 bands, 512/256 at 22,050 Hz, as
    their reproduction computed it (lun3x/DeepLearningReimplement, gztan_utils.py); then the same
    followed by deformed copies of the track, see `mirkeras.features.augmented`.
`lidy2016-<Hz>`
    The mel input of Lidy & Schindler (MIREX 2016): 3072/1536 at 44,100 Hz and proportionally at
    22,050 and 11,025 Hz, first frame from sample 0, so that 124,416 samples (at 44,100 Hz) are
    80 frames exactly. `lidy2016-22050-80` has the 80 bands that the shapes printed there imply.

`musicnn`
    The input of the released musicnn and vgg taggers and of their training (Pons & Serra, LBD
    ISMIR 2019; jordipons/musicnn, configuration.py and extractor.py), and of the spectrogram model
    of Pons et al. (ISMIR 2018): 96 bands, 512/256 at 16 kHz. librosa mirrored the samples at both
    ends then.
`won2020`
    The input of Won et al. (SMC 2020; minzwon/sota-music-tagging-models, model.py): the same
    transform with HTK's mel scale, bands of height 1, in decibels.

`pons2017-mtt`
    The input of the tagging of Pons et al. (EUSIPCO 2017; jordipons/EUSIPCO2017, `spectrograms.py`,
    `patches.py`): that of musicnn with 128 bands.
`pons2017-irmas`
    The input of the instrument recognition of Pons et al. (EUSIPCO 2017; Veleslavia/EUSIPCO2017,
    `singlelayer.py`): 96 bands, 512/256 at 12 kHz, the mel energies squared once more, in decibels,
    at most 80 below the track's loudest value: it needs whole tracks.

`jingju2017`
    The input of the phoneme classification of the same paper (ronggong/EUSIPCO2017, parameters.py
    and phonemeSampleCollection.py): the 80 bands up to 11 kHz of Essentia's MFCC, windows of 25 ms
    every 10 ms, padded with as many zeros; of the two logarithms there that of the training
    features. Ten frames are repeated at both ends, for the context of the outermost ones.

`ConstantQ`, constant-Q frames, see `mirkeras.features.constantq`: `schindler2016-cqt-80` and `-84`.

`elmarc-mel`
    The spectrograms of Pons & Serra (ICASSP 2019, randomly weighted networks; jordipons/elmarc,
    `config_file.py` and `main.py`): 96 bands, 512/256 at 12 kHz, in decibels, at most 80 below the
    track's loudest value.

`yamnet`, `vggish`
    The inputs of two networks trained on AudioSet (tensorflow/models, research/audioset,
    `mel_features.py`): 64 bands, windows of 25 ms every 10 at 16 kHz, within the track.
`pons2019-few`, `pons2019-few-linear`
    The input of Pons, Serrà & Serra (ICASSP 2019, few data; jordipons/neural-classifiers-with-few-
    audio, `config_file.py` and `preprocess.py`): 128 bands, 1024/1024 at 44,100 Hz; the second for
    networks that learn their logarithm.

`MfccStatistics`, one row of numbers for a track, see `mirkeras.features.mfcc`: `pons2019-mfcc`, the
baseline of both papers of ICASSP 2019.

`Waveform`, the samples themselves at a rate, int16: ``waveform-22050`` and so on for any rate;
``waveform-12000-short`` sets no track aside for its length.
"""

import re

from mirkeras.features.augmented import Deformed
from mirkeras.features.constantq import ConstantQ
from mirkeras.features.logmel import LogMel
from mirkeras.features.mfcc import MfccStatistics
from mirkeras.features.recipe import Recipe
from mirkeras.features.waveform import Waveform


def find_recipe(name: str) -> Recipe:
    """Return a recipe of `RECIPES`, or ``waveform-<Hz>``, also ``-short``, for any rate.

    Raises
    ------
    ValueError
        Unknown name; the message lists the known ones.
    """
    if waveform := re.fullmatch(r"waveform-([1-9][0-9]*)(-short)?", name):
        return Waveform(int(waveform[1]), short=bool(waveform[2]))
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}, waveform-<Hz>")
    return RECIPES[name]


def _cbmi2016(name: str, filterbank: str) -> LogMel:
    # The paper says "Blackman Harris window, 2048, 50 % overlap"; which of the family, the 62 dB
    # one, is in the authors' code.
    return LogMel(
        name=name,
        sample_rate=44100,
        window="blackmanharris62",
        n_fft=2048,
        hop=1024,
        bands=40,
        filterbank=filterbank,
        compression="log10(10000x+1)",
    )


def _lee2018(window: int, hop: int) -> LogMel:
    # The paper gives the transform, the lengths, the magnitudes, the bands and the compression. It
    # does not give the shape of the window and the mel scale: these are librosa's defaults.
    return LogMel(
        name=f"lee2018-mel-{window}-{hop}",
        sample_rate=22050,
        window="hann",
        n_fft=729,
        hop=hop,
        bands=128,
        filterbank="librosa",
        compression="ln(10x+1)",
        window_length=window,
        power=1.0,
        min_frames=59_049 // hop,  # a segment
    )


def _schindler2016() -> LogMel:
    # Fact by fact from the reproduction's code; the paper says 80 log-mel bands of about 0.93 s.
    return LogMel(
        name="schindler2016-mel",
        sample_rate=22050,
        window="hann",
        n_fft=512,
        hop=256,
        bands=80,
        filterbank="librosa",
        compression="ln(x+1e-6)",
        power=1.0,
    )


def _lidy2016(sample_rate: int, bands: int = 40) -> LogMel:
    # "All sample indications are given for 44 kHz and will be automatically adapted proportionally"
    # (footnote 1). Scale, area and power of the mel bands are not given: librosa's defaults.
    n_fft = 3072 * sample_rate // 44100
    return LogMel(
        name=f"lidy2016-{sample_rate}" + (f"-{bands}" if bands != 40 else ""),
        sample_rate=sample_rate,
        window="hann",
        n_fft=n_fft,
        hop=n_fft // 2,
        bands=bands,
        filterbank="librosa",
        compression="log10(x)",
        centred=False,
    )


def _at_16_khz(
    name: str, filterbank: str, compression: str, min_frames: int, bands: int = 96
) -> LogMel:
    return LogMel(
        name=name,
        sample_rate=16000,
        window="hann",
        n_fft=512,
        hop=256,
        bands=bands,
        filterbank=filterbank,
        compression=compression,
        min_frames=min_frames,
        edges="reflect",
    )


def _irmas() -> LogMel:
    return LogMel(
        name="pons2017-irmas",
        sample_rate=12000,
        window="hann",
        n_fft=512,
        hop=256,
        bands=96,
        filterbank="librosa",
        compression="10log10(x^2)",
        min_frames=128,
        edges="reflect",
        depth=80.0,
    )


def _elmarc() -> LogMel:
    return LogMel(
        name="elmarc-mel",
        sample_rate=12000,
        window="hann",
        n_fft=512,
        hop=256,
        bands=96,
        filterbank="librosa",
        compression="10log10(x)",
        min_frames=1,  # short tracks are repeated
        edges="reflect",
        depth=80.0,
    )


def _audioset(name: str, compression: str) -> LogMel:
    return LogMel(
        name=name,
        sample_rate=16000,
        window="hann",
        n_fft=512,
        hop=160,
        bands=64,
        filterbank="audioset",
        compression=compression,
        window_length=400,
        power=1.0,
        min_frames=1,  # short tracks are repeated
        centred=False,
    )


def _few(name: str, compression: str) -> LogMel:
    return LogMel(
        name=name,
        sample_rate=44100,
        window="hann",
        n_fft=1024,
        hop=1024,
        bands=128,
        filterbank="librosa",
        compression=compression,
        min_frames=128,
        edges="reflect",
        filled=128,
    )


def _jingju() -> LogMel:
    return LogMel(
        name="jingju2017",
        sample_rate=44100,
        window="hann-symmetric",
        n_fft=2204,
        hop=441,
        bands=80,
        filterbank="essentia",
        compression="ln(100000x+1)",
        window_length=1102,  # round(0.025 * 44100)
        min_frames=21,
        highest=11_000.0,
        context=10,
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _cbmi2016("cbmi2016", "essentia"),
        _cbmi2016("cbmi2016-librosa", "librosa"),
        *(_lee2018(*sizes) for sizes in ((729, 729), (729, 243), (243, 243), (243, 81), (81, 81))),
        _schindler2016(),
        Deformed(_schindler2016()),
        *(ConstantQ(f"schindler2016-cqt-{bands}", bands) for bands in (80, 84)),
        *(_lidy2016(rate) for rate in (44100, 22050, 11025)),
        _lidy2016(22050, bands=80),
        _at_16_khz("musicnn", "librosa", "log10(10000x+1)", 187),
        _at_16_khz("won2020", "torchaudio", "10log10(x)", 188),
        _at_16_khz("pons2017-mtt", "librosa", "log10(10000x+1)", 187, bands=128),
        _irmas(),
        _jingju(),
        _elmarc(),
        _audioset("yamnet", "ln(x+0.001)"),
        _audioset("vggish", "ln(x+0.01)"),
        _few("pons2019-few", "log10(x+2.2e-16)"),
        _few("pons2019-few-linear", "x"),
        MfccStatistics(),
    )
}
