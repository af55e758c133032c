"""mini-ballroom: deterministic, counter-balanced, and not solvable by tempo or spectrum alone."""

import hashlib
import os
import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from data_prep.declare import DataError
from data_prep.index import COLUMNS
from data_prep.sets import mini_ballroom
from data_prep.synthesis import dance_music, making
from data_prep.synthesis.dances import DANCES, VOICES, Dance

DANCE = {dance.name: dance for dance in DANCES}

# SHA-256 of the little-endian 16-bit samples. They change with the sound only, and then
# mini_ballroom.VERSION must change with them.
PINNED = {
    "ChaChaCha/arrangement-00": "fec5ee2c197d2f1ceaf4f5088e4a6ed09167f80d1e7812518cef7490675a5644",
    "Jive/arrangement-01": "3294d6f851d92545a9350cab9f2a81824a620401daae853c07253e8bf655936a",
    "Waltz/arrangement-00": "2daef5b90506b838abf01824c79d1956ed5f85b636db3cb7610cd03b14cbf065",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two arrangements in all dances, made by two processes."""
    root = tmp_path_factory.mktemp("mini")
    mini_ballroom.make(root, tracks_per_class=2, processes=2)
    return root


def table(root):
    return pd.read_csv(root / making.TABLE).set_index("track")


def samples(root, track):
    return soundfile.read(root / f"{track}.flac", dtype="int16")[0]


def test_index_is_in_the_common_form(small):
    index = mini_ballroom.index(small)
    assert tuple(index.columns) == COLUMNS
    assert index["track"].is_monotonic_increasing
    assert index["label"].value_counts().to_dict() == dict.fromkeys(DANCE, 2)
    assert set(index["group"]) == {"arrangement-00", "arrangement-01"}
    assert index.groupby("group")["label"].nunique().eq(8).all()
    for row in index.itertuples():
        low, high = DANCE[row.label].tempo
        assert low <= row.tempo <= high
        info = soundfile.info(small / row.path)
        assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
        assert info.duration == mini_ballroom.SECONDS


def test_samples_are_the_pinned_ones(small):
    for track, checksum in PINNED.items():
        assert table(small).loc[track, "sha256"] == checksum
        digest = hashlib.sha256(samples(small, track).astype("<i2").tobytes()).hexdigest()
        assert digest == checksum


def test_number_of_processes_does_not_matter(small, tmp_path):
    mini_ballroom.make(tmp_path, tracks_per_class=1, processes=1)
    alone = table(tmp_path)
    assert len(alone) == 8
    assert alone.equals(table(small).loc[alone.index])


def test_interrupted_making_is_refused_then_completed(small, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(small, root)
    (root / making.TABLE).unlink()
    kept = root / "Jive/arrangement-00.flac"
    os.utime(kept, (1, 1))
    (root / "Jive/arrangement-01.flac").unlink()
    (root / "Jive/.arrangement-01.0123abcd.part.flac").write_bytes(b"fLaC")  # a kill leaves such
    # a file of the right name that this version did not make
    soundfile.write(root / "Tango/arrangement-01.flac", np.zeros(330_750, np.int16), 44100)
    damaged = root / "Samba/arrangement-00.flac"
    damaged.write_bytes(damaged.read_bytes()[:40_000])
    with pytest.raises(DataError, match=r"tracks\.csv is missing.*[Rr]emove the folder"):
        mini_ballroom.index(root)
    mini_ballroom.make(root, tracks_per_class=2, processes=1)
    assert (root / making.TABLE).read_bytes() == (small / making.TABLE).read_bytes()
    for track in table(small).index:
        assert np.array_equal(samples(root, track), samples(small, track))
    assert kept.stat().st_mtime == 1
    assert not [path for path in root.rglob("*") if ".part" in path.name]


def test_lost_file_is_named(small, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(small, root)
    (root / "Waltz/arrangement-01.flac").unlink()
    with pytest.raises(DataError, match=r"Waltz.arrangement-01\.flac is missing"):
        mini_ballroom.index(root)


def test_every_arrangement_is_played_in_every_dance():
    tracks = mini_ballroom.tracks()
    assert len(tracks) == 8 * mini_ballroom.TRACKS_PER_CLASS
    played = {(track.number, track.dance.name) for track in tracks}
    assert played == {(n, name) for n in range(mini_ballroom.TRACKS_PER_CLASS) for name in DANCE}


def test_all_but_the_strokes_is_the_same_in_every_dance():
    arrangement = dance_music.draw_arrangement(mini_ballroom.SEED, 3)
    backgrounds = []
    for dance in DANCES:
        mute = replace(dance, patterns=("." * dance.metre,) * len(VOICES))
        backgrounds.append(dance_music.play(arrangement, mute, dance.tempo[0], 1.0))
    assert np.abs(backgrounds[0]).max() > 0
    for other in backgrounds[1:]:
        assert np.array_equal(backgrounds[0], other)


def test_a_stroke_sounds_the_same_in_every_dance():
    # same instrument, same place, same accent: the first stroke of an otherwise silent bar
    arrangement = replace(dance_music.draw_arrangement(mini_ballroom.SEED, 3), phase=0.0)
    sounds = []
    for dance in DANCES:
        one = replace(dance, patterns=("9" + "." * (dance.metre - 1),) * len(VOICES))
        sounds.append(dance_music.play(arrangement, one, 60.0 * dance.metre / 3, 0.5))
    for other in sounds[1:]:
        assert np.array_equal(sounds[0], other)


def test_arrangements_differ():
    drawn = [dance_music.draw_arrangement(mini_ballroom.SEED, n) for n in range(12)]
    assert len({arrangement.phase for arrangement in drawn}) == 12
    loudest = [max(VOICES, key=lambda v: a.voices[v].frequency) for a in drawn]
    assert len(set(loudest)) == len(VOICES)  # any voice may be the highest
    assert dance_music.draw_arrangement(mini_ballroom.SEED, 0) == drawn[0]
    assert dance_music.draw_arrangement(mini_ballroom.SEED + 1, 0) != drawn[0]


def test_nothing_clips_and_nothing_is_silent(small):
    for track in table(small).index:
        peak = np.abs(samples(small, track).astype(int)).max()
        assert 3000 < peak < 32767 - dance_music.GRID


def test_neighbouring_dances_share_tempi():
    ranges = sorted(dance.tempo for dance in DANCES)
    for (_, high), (low, _) in pairwise(ranges):
        assert low < high


def test_strict_tempi_lie_within_the_drawn_ones():
    for dance in DANCES:
        low, high = (bars * dance.metre for bars in dance.strict)
        assert dance.tempo[0] < low < high < dance.tempo[1], dance.name


@pytest.mark.parametrize("neighbours", [1, 5, 11])
def test_tempo_alone_does_not_decide(neighbours):
    tracks = mini_ballroom.tracks()
    tempo = np.array([[track.tempo] for track in tracks])
    label = np.array([track.dance.name for track in tracks])
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    accuracy = cross_val_score(KNeighborsClassifier(neighbours), tempo, label, cv=folds).mean()
    assert 0.125 < accuracy < 0.65


def test_metres_and_accents_are_the_dances_own():
    assert {dance.name: dance.metre for dance in DANCES} == {
        "ChaChaCha": 4,
        "Jive": 4,
        "Quickstep": 4,
        "Rumba": 4,
        "Samba": 2,
        "Tango": 4,
        "VienneseWaltz": 3,
        "Waltz": 3,
    }
    assert all(stroke.beat < d.metre for d in DANCES for v in VOICES for stroke in d.strokes(v))
    assert beats("Waltz", "bass") == beats("VienneseWaltz", "bass") == [0]
    assert beats("Waltz", "comp") == beats("VienneseWaltz", "comp") == [1, 2]
    assert beats("Quickstep", "bass") == [0, 2]
    assert beats("Jive", "beat") == [1, 3]
    assert beats("Jive", "ride") == pytest.approx([0, 2 / 3, 1, 5 / 3, 2, 8 / 3, 3, 11 / 3])
    assert beats("Samba", "beat") == [0, 0.75, 1]
    assert beats("ChaChaCha", "beat")[-2:] == [3, 3.5]
    assert 3.5 in beats("Tango", "ride")
    loudest = max(DANCE["Rumba"].strokes("ride"), key=lambda stroke: stroke.gain)
    assert loudest.beat == 3


def beats(name, voice):
    return [stroke.beat for stroke in DANCE[name].strokes(voice)]


def test_pattern_that_does_not_fill_the_bar_is_refused():
    wrong = Dance("Hop", 3, (1, 2), (60, 70), ("9999", "9..", "9..", "9.."))
    with pytest.raises(ValueError, match="Hop, bass: 4 steps do not fill 3 beats"):
        wrong.strokes("bass")


@pytest.mark.parametrize("dance", DANCES, ids=lambda dance: dance.name)
@pytest.mark.parametrize("voice", VOICES)
def test_strokes_sound_where_and_as_loud_as_declared(dance, voice):
    drawn = dance_music.draw_arrangement(mini_ballroom.SEED, 0)
    dry = {v: replace(t, decay=0.02, tones=0, level=1.0) for v, t in drawn.voices.items()}
    arrangement = replace(
        drawn, voices=dry, phase=0, jitter=0, drone_db=-200, noise_db=-200, reverb_db=-200
    )
    silent = "." * dance.metre
    patterns = tuple(
        p if v == voice else silent for v, p in zip(VOICES, dance.patterns, strict=True)
    )
    tempo = float(dance.tempo[0])
    bar = 60 / tempo * dance.metre
    sound = dance_music.play(arrangement, replace(dance, patterns=patterns), tempo, bar)
    after = [loudness(sound, s.beat * 60 / tempo) for s in dance.strokes(voice)]
    before = [loudness(sound, s.beat * 60 / tempo - 0.02) for s in dance.strokes(voice)]
    declared = np.array([stroke.gain for stroke in dance.strokes(voice)])
    assert np.allclose(after / max(after), declared / max(declared), rtol=0.05)
    assert np.max(before) < 0.1 * np.min(after)


def loudness(sound, second):
    """RMS of the 15 ms from `second` on; none before the start of the track."""
    start = round(second * dance_music.SAMPLE_RATE)
    piece = sound[max(start, 0) : max(start + 660, 0)].astype(float)
    return np.sqrt(np.mean(piece**2)) if piece.size else 0.0


@pytest.mark.long
def test_whole_set_is_small_balanced_and_not_solvable_from_spectra(tmp_path):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GroupKFold

    from mirkeras.features import RECIPES

    mini_ballroom.make(tmp_path)
    index = mini_ballroom.index(tmp_path)
    assert index["label"].value_counts().to_dict() == dict(mini_ballroom.DATASET.counts)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.flac")) < 60e6
    spectra = []
    for path in index["path"]:
        sound, _ = soundfile.read(tmp_path / path, dtype="float32")
        assert np.abs(sound).max() < 0.999
        mel = RECIPES["cbmi2016"].extract(sound)
        spectra.append(np.concatenate([mel.mean(0), mel.max(0)]))
    forest = RandomForestClassifier(300, random_state=0)
    folds = GroupKFold(8).split(spectra, groups=index["group"])
    accuracy = cross_val_score(forest, spectra, index["label"], cv=folds).mean()
    assert accuracy < 0.4
