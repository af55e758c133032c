"""What the paper and musicnn claim, as data; answered by ``mirkeras claims pons_ismir2018``."""

from mirkeras.evaluation.claims import Claim

AREAS = ("roc_auc", "pr_auc")
WAVEFORM, SPECTROGRAM = ("table1/waveform",), ("table1/spectrogram",)

CLAIMS = (
    Claim(
        "waveforms-at-a-million",
        "With a million songs to train on, waveforms do better than spectrograms",
        "Table 1; slides, chapter V",
        (WAVEFORM, SPECTROGRAM),
        metrics=AREAS,
        on=("pandora-1m",),
    ),
    Claim(
        "spectrograms-below",
        "With fewer (500,000 and 100,000), spectrograms do better",
        "Table 1; slides, chapter V",
        (SPECTROGRAM, WAVEFORM),
        metrics=AREAS,
        on=("pandora-500k", "pandora-100k"),
    ),
    Claim(
        "spectrograms-on-msd",
        "So they do on the Million Song Dataset",
        "slides, chapter V",
        (("msd/spectrogram",), ("msd/waveform",)),
        metrics=AREAS,
        on=("msd",),
    ),
    Claim(
        "spectrograms-on-mtt",
        "… and on MagnaTagATune",
        "slides, chapter V",
        (
            ("mtt/spectrogram-half", "mtt/spectrogram-small"),
            ("mtt/waveform-x2", "mtt/waveform-x4"),
        ),
        metrics=AREAS,
    ),
    Claim(
        "spectrograms-on-few",
        "… so also on still fewer songs, of the networks for 3 s",
        "follows from the slides, chapter V",
        (("mtt/spectrogram-small",), ("mtt/waveform-3s",)),
        metrics=AREAS,
    ),
    Claim(
        "motivated-front-end",
        "musicnn, whose filters are motivated by music, tags better than VGG",
        "musicnn, table of its training",
        (("training/dense",), ("training/vgg128", "training/vgg32")),
        metrics=AREAS,
    ),
    Claim(
        "more-songs-transfer-better",
        "What learned from more songs (MSD) transfers better than what learned from fewer (MTT)",
        "sklearn-audio-transfer-learning, table of its README",
        (("transfer/MSD_musicnn",), ("transfer/MTT_musicnn",)),
    ),
)
