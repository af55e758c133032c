"""The rows of Pons et al. (ISMIR 2018), of musicnn and of transfer with it, and their protocols."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mirkeras.system.backend import keras

from mirkeras.experiment import DrawnToTrain, Experiment, HalveOnCount, Protocol, Row
from reproductions.pons_ismir2018.models import NETWORKS
from reproductions.pons_ismir2018.musicnn import FRAMES, msd_vgg, musicnn, vgg
from reproductions.pons_ismir2018.variants import NETWORKS as TRAINING_TABLE

# Of the training configuration beside the released weights (config.json).
RATE, DECAY, BATCH, EPOCHS = 0.001, 1e-5, 32, 600
EPSILON = 1e-8  # of TensorFlow 1's Adam, which trained the released weights; Keras has 1e-7
# Of the transfer code: a segment every second, which its librosa call turns into 61 frames.
HOP = 61
SHORT_WAVEFORM = 48_000  # samples: 3 s


def _released(build: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Take the options that the networks at scale have, of which only the decay concerns others."""

    def network(outputs: int, activation: str, *, norm: str, penalty: float) -> keras.Model:
        return build(outputs, activation, penalty=penalty)

    return network


def _waveform_at_scale(outputs: int, activation: str, *, norm: str, penalty: float) -> keras.Model:
    """Choose between the released front-end of seven levels and that of nine in the text."""
    network = NETWORKS["wave-7" if norm == "code" else "wave-9"]
    return network.build(outputs, activation, norm=norm, penalty=penalty)


def _at_scale(id: str, model: str, network: str, frames: int | None = None) -> Row:
    chosen = NETWORKS[network]
    build = partial(chosen.build, frames=frames)
    return Row(id, model, build, frames or chosen.frames, chosen.recipe, standardise=False)


def _musicnn(id: str, model: str, build: Callable[..., keras.Model]) -> Row:
    return Row(id, model, _released(build), FRAMES, "musicnn", standardise=False)


TABLE_1 = (
    replace(_at_scale("table1/waveform", "Waveform", "wave-7"), build=_waveform_at_scale),
    _at_scale("table1/spectrogram", "Spectrogram", "spec-16"),
)
PUBLIC_SETS = (
    _at_scale("mtt/waveform-x4", "Waveform, widths × 4", "wave-7-x4"),
    _at_scale("mtt/waveform-x2", "Waveform, widths × 2", "wave-7-x2"),
    # ours: for clips shorter than 15 s
    _at_scale("mtt/waveform-3s", "Waveform, 3 s", "wave-7", SHORT_WAVEFORM),
    _at_scale("mtt/spectrogram-half", "Spectrogram, widths × 1/2", "spec-8", FRAMES),
    _at_scale("mtt/spectrogram-small", "Spectrogram, small back-end", "spec-8-small", FRAMES),
    _at_scale("msd/waveform", "Waveform", "wave-7"),
    _at_scale("msd/spectrogram", "Spectrogram", "spec-16", FRAMES),
)
RELEASED = (
    _musicnn("released/musicnn", "musicnn", musicnn),
    _musicnn("released/vgg", "vgg", vgg),
    _musicnn("released/vgg-msd", "vgg, pools of MSD_vgg", msd_vgg),
    _musicnn("released/musicnn-big", "musicnn big", partial(musicnn, filters=512, units=500)),
)
TRAINING = tuple(
    _musicnn(f"training/{id.replace('-', '')}", id, build) for id, build in TRAINING_TABLE.items()
)
#: Taggers of Won et al., for comparison.
WON = (
    *("mtat_fcn", "mtat_crnn", "mtat_musicnn", "msd_fcn", "msd_crnn"),
    *("jamendo_fcn", "jamendo_crnn", "jamendo_musicnn"),
)
#: Tagger → which of its features: what the transfer code reads, and the nearest to it.
FEATURES = {
    "MTT_musicnn": "max_pool",
    "MTT_vgg": "pool5",
    "MSD_musicnn": "max_pool",
    "MSD_vgg": "pool5",
} | dict.fromkeys(WON, "penultimate")
TRANSFER = tuple(
    Row(
        f"transfer/{name}",
        f"{name} → PCA → SVM",
        learner="pca-svm",
        pretrained=name,
        feature=feature,
        hop=HOP,
    )
    for name, feature in FEATURES.items()
)
ROWS = {row.id: row for row in (*TABLE_1, *PUBLIC_SETS, *RELEASED, *TRAINING, *TRANSFER)}

CODE = Protocol(
    name="code",
    summary="as released: a random segment per track and epoch, Adam at 0.001 halved after 75 bad "
    "epochs in all, weight decay 1e-5, best validation loss; one batch norm for all channels",
    normalise_on="training tracks",
    validate_by="track",
    keep_groups=False,
    drop_incomplete=False,
    rule=HalveOnCount(75),
    max_epochs=EPOCHS,
    optimizer=partial(keras.optimizers.Adam, RATE, epsilon=EPSILON),
    select_by="val_loss",
    network={"norm": "code", "penalty": DECAY},
    cut=DrawnToTrain(1),
    z_score="none",
)
PAPER = replace(
    CODE,
    name="paper",
    summary="the same with the networks of the text: batch norm of every channel, nine levels of "
    "the waveform front-end for the largest data",
    network={"norm": "paper", "penalty": DECAY},
)
CLEAN = replace(
    CODE,
    name="clean",
    summary="as code; where folds are drawn, groups (an artist, a recording) stay together",
    keep_groups=True,
)
TRANSFERRED = Protocol(
    name="transfer",
    summary="of transfer rows: features of trained taggers, whitened principal components, a "
    "support vector machine on segments, majority vote",
    normalise_on="training tracks",
    validate_by="test",  # nothing is chosen, so nothing is held out
    keep_groups=False,
    drop_incomplete=False,
    select_by="last",
    aggregate="majority",
)
PROTOCOLS = {protocol.name: protocol for protocol in (CODE, PAPER, CLEAN, TRANSFERRED)}

EXPERIMENT = Experiment(
    paper="pons_ismir2018",
    rows=ROWS,
    headline=("released/musicnn", "released/vgg"),
    protocols=PROTOCOLS,
    batch=BATCH,
)
