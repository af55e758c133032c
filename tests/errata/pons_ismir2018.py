"""Pons et al. (ISMIR 2018), musicnn, and transfer with it."""

import data_prep
from reproductions.pons_ismir2018.experiments import PROTOCOLS
from tests.errata import proves, published_values

VALUES = published_values("pons_ismir2018")


@proves("scale-100k-songs")
def waveforms_lead_with_few_songs() -> None:
    for metric in ("roc_auc", "pr_auc"):
        leads = {
            songs: VALUES[f"table1/waveform-{songs}-{metric}"]
            - VALUES[f"table1/spectrogram-{songs}-{metric}"]
            for songs in ("1m", "500k", "100k")
        }
        assert leads["1m"] > 0 > leads["500k"]  # as claimed
        assert leads["100k"] > 0


@proves("scale-samplecnn-rerun")
def another_set_gives_another_number() -> None:
    first = published_values("lee_samplecnn")["table6/samplecnn-3-9-magnatagatune"]
    assert first - VALUES["mtt/samplecnn-roc_auc"] > 0.01
    splits = data_prep.get("magnatagatune").splits
    cleaned, whole = (sum(splits[name].values()) for name in ("mtat-lee", "mtat-pons"))
    assert cleaned == 21_105
    assert round(whole, -3) == 26_000


@proves("musicnn-rate-counter")
def the_rate_falls_though_every_other_epoch_is_the_best() -> None:
    rule = PROTOCOLS["code"].rule
    memory, factors, best, longest, stretch = rule.start(), [], float("inf"), 0, 0
    losses = [loss for number in range(80) for loss in (1 - number / 100, 2.0)]
    for loss in losses:
        factors.append(rule.step(memory, {"val_loss": loss}).factor)
        stretch = 0 if loss < best else stretch + 1
        best, longest = min(best, loss), max(longest, stretch)
    assert longest == 1  # epoch without improvement, not 75
    assert [epoch for epoch, factor in enumerate(factors, 1) if factor == 0.5] == [151]


@proves("transfer-7724-twice")
def the_later_table_has_the_number_elsewhere() -> None:
    former = 77.24  # of VGGish
    songs = data_prep.get("gtzan").splits["fault-filtered"]["test"]
    assert VALUES["transfer/VGGish"] != former
    assert VALUES["transfer/MSD_musicnn"] == former
    right = [VALUES[f"transfer/{name}"] * songs / 100 for name in ("MSD_musicnn", "VGGish")]
    assert [round(number, 1) for number in right] == [224, 225]
