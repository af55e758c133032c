"""mini-tags: deterministic, split by recording, and its sounds are what the tags say."""

import hashlib
import os
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep.declare import DataError
from data_prep.index import COLUMNS
from data_prep.sets import mini_tags
from data_prep.synthesis import making, tag_music
from data_prep.synthesis.instruments import INSTRUMENTS, SAMPLE_RATE
from data_prep.synthesis.tag_music import LEVELS, PACES, STYLES, TAGS

# SHA-256 of the little-endian 16-bit samples. They change with the sound only, and then
# mini_tags.VERSION must change with them.
PINNED = {
    "recording-00/ambient": "f2f499e30875659d95f9dbbc76a8c47d91dd6bc202bde3e7a6c2b95f45a08d0c",
    "recording-00/techno": "543901e477e16f2b30b02cdd24293df421e365c7c8a26144fbfe0848409a0fd2",
    "recording-01/toms": "015a6e0aef224e38da775e84d622f22fb884b3398f8229de920d3a33121b98b3",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two recordings, made by two processes."""
    root = tmp_path_factory.mktemp("mini")
    mini_tags.make(root, recordings=2, processes=2)
    return root


def table(root):
    return making.read_table(root, "mini-tags").set_index("track")


def samples(root, track):
    return soundfile.read(root / f"{track}.flac", dtype="int16")[0]


def test_index_is_in_the_common_form(small):
    index = mini_tags.index(small)
    assert tuple(index.columns) == (*COLUMNS, "parts")
    assert index["track"].is_monotonic_increasing
    assert set(index["group"]) == {"recording-00", "recording-01"}
    for row in index.itertuples():
        tags = row.label.split("|")
        assert tags == [tag for tag in TAGS if tag in tags]  # known, and in order
        assert ("beat" in tags) == (not np.isnan(row.tempo))
        info = soundfile.info(small / row.path)
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")
        assert info.duration == mini_tags.SECONDS
        assert np.abs(samples(small, row.track).astype(int)).max() < 32767


def test_samples_are_the_pinned_ones(small):
    for track, checksum in PINNED.items():
        assert table(small).loc[track, "sha256"] == checksum
        digest = hashlib.sha256(samples(small, track).astype("<i2").tobytes()).hexdigest()
        assert digest == checksum


def test_interrupted_making_is_refused_then_completed(small, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(small, root)
    (root / making.TABLE).unlink()
    kept = root / "recording-00/free.flac"
    os.utime(kept, (1, 1))
    (root / "recording-00/kit.flac").unlink()
    (root / "recording-00/.kit.0123abcd.part.flac").write_bytes(b"fLaC")  # a kill leaves such
    # a file of the right name and length that this version did not make
    silence = np.zeros(int(mini_tags.SECONDS * SAMPLE_RATE), np.int16)
    soundfile.write(root / "recording-01/toms.flac", silence, SAMPLE_RATE)
    damaged = root / "recording-01/free.flac"
    damaged.write_bytes(damaged.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"tracks\.csv is missing.*[Rr]emove the folder"):
        mini_tags.index(root)
    mini_tags.make(root, recordings=2, processes=1)
    assert (root / making.TABLE).read_bytes() == (small / making.TABLE).read_bytes()
    for track in table(small).index:
        assert np.array_equal(samples(root, track), samples(small, track))
    assert kept.stat().st_mtime == 1
    assert not [path for path in root.rglob("*") if ".part" in path.name]


def test_lost_file_is_named(small, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(small, root)
    (root / "recording-01/pulse.flac").unlink()
    with pytest.raises(DataError, match=r"recording-01.pulse\.flac is missing"):
        mini_tags.index(root)


def test_split_is_by_recording_and_every_tag_has_both_sides_in_every_part():
    clips = mini_tags.clips()
    plan = pd.DataFrame(
        [{"group": c.group, "part": c.part} | dict.fromkeys(c.score.tags, 1) for c in clips]
    ).fillna(0)
    assert set(plan.columns) == {"group", "part", *TAGS}
    assert len({clip.name for clip in clips}) == len(clips) == mini_tags.DATASET.tracks
    assert plan.groupby("group")["part"].nunique().eq(1).all()
    declared = mini_tags.DATASET.splits[mini_tags.SPLIT]
    assert plan["part"].value_counts().to_dict() == declared
    positives = plan.groupby("part")[list(TAGS)].sum()
    assert positives.min(axis=None) >= 5
    assert positives.rsub(pd.Series(declared), axis=0).min(axis=None) >= 5


def score(**changes):
    """A medium, unaccompanied clip, changed."""
    plain = tag_music.Score("free", ("flute",), "medium", 100.0, "medium", -24.0, seed=7)
    return replace(plain, **changes)


def sound(seconds=3.0, **changes):
    """Play a changed clip in a dry, silent room, float64."""
    room = replace(tag_music.draw_recording(1, 1), noise_db=-90, reverb_db=-60)
    return tag_music.play(room, score(**changes), seconds) / 32768


def test_loud_is_louder_than_medium_is_louder_than_quiet():
    found = {}
    for level, (low, high) in LEVELS.items():
        for decibel in (low, high):
            mix = sound(style="kit", level=level, decibel=float(decibel))
            found[decibel] = 10 * np.log10(np.mean(mix**2))
    assert list(found) == sorted(found)
    assert list(found.values()) == pytest.approx(list(found), abs=2)  # the limiter takes a little


def test_fast_has_more_onsets_than_slow():
    counts = []
    for pace in ("slow", "medium", "fast"):
        mix = sound(6.0, instruments=("harpsichord",), pace=pace, bpm=float(np.mean(PACES[pace])))
        frames = np.sum(mix[: mix.size // 256 * 256].reshape(-1, 256) ** 2, axis=1)
        counts.append(np.sum(np.diff(np.log(frames + 1e-6)) > 0.5))
    assert counts[0] < 0.75 * counts[1] < 0.75**2 * counts[2]


def test_beat_is_periodic_and_toms_are_not():
    def periodicity(style):
        mix = sound(6.0, style=style, bpm=120.0, instruments=("strings",))
        low = np.abs(mix[: mix.size // 441 * 441].reshape(-1, 441)).sum(axis=1)
        rises = np.maximum(np.diff(low), 0)
        rises -= rises.mean()
        return np.sum(rises[50:] * rises[:-50]) / np.sum(rises**2)  # one second: two beats

    with_beat = [periodicity(style) for style in tag_music.WITH_BEAT]
    assert min(with_beat) > periodicity("toms") + 0.2


def test_same_note_differs_between_instruments_below_4_khz():
    spectra = {}
    for name, play in INSTRUMENTS.items():
        tone = play(262.0, 1.0)
        power = np.abs(np.fft.rfft(tone * np.hanning(tone.size))) ** 2
        hertz = np.fft.rfftfreq(tone.size, 1 / SAMPLE_RATE)
        assert power[hertz < 4000].sum() > 0.9 * power.sum(), name
        bands = [power[np.abs(hertz - 262 * n) < 60].sum() for n in range(1, 13)]
        spectra[name] = 10 * np.log10(np.array(bands) / max(bands) + 1e-4)
    for one, first in spectra.items():
        for other, second in spectra.items():
            assert one == other or np.abs(first - second).mean() > 2, (one, other)


def test_tags_follow_from_the_score():
    techno = score(style="techno", instruments=("synth",), pace="fast", level="loud")
    assert techno.tags == ("techno", "drums", "fast", "beat", "synth", "no vocals", "loud")
    assert score(style="toms", instruments=("vocal", "flute")).tags == ("drums", "vocal", "flute")
    assert score(style="pulse").tags == ("beat", "no vocals", "flute")
    styles = [clip.score.style for clip in mini_tags.clips(1)]
    assert styles == list(STYLES)


@pytest.mark.long
def test_every_tag_can_be_heard_at_8000_hz(tmp_path):
    import librosa
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mini_tags.make(tmp_path)
    index = mini_tags.index(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.flac")) < 60e6
    statistics = []
    for path in index["path"]:
        audio, rate = soundfile.read(tmp_path / path, dtype="float32")
        audio = librosa.resample(audio, orig_sr=rate, target_sr=8000)
        mel = librosa.feature.melspectrogram(y=audio, sr=8000, n_fft=512, hop_length=128, n_mels=40)
        log = np.log(mel.T + 1e-6)
        moves = np.abs(np.diff(log, axis=0)).mean(axis=0)
        statistics.append(np.concatenate([log.mean(0), log.std(0), log.max(0), moves]))
    features, test = np.array(statistics), (index["parts"] == "test").to_numpy()
    for tag in TAGS:
        true = np.array([tag in label.split("|") for label in index["label"]])
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=3000))
        scores = model.fit(features[~test], true[~test]).decision_function(features[test])
        assert roc_auc_score(true[test], scores) > 0.8, tag
