import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirkeras import audio, features
from mirkeras.features import extraction, waveform
from mirkeras.storage.files import sha256
from mirkeras.storage.memory import Memory
from tests.full_disk import room

RECIPE = features.RECIPES["cbmi2016"]
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.RandomState(0).uniform(-0.5, 0.5, 88200), 44100)
    return extraction.Task("a", path, tmp_path / "a.npz", RECIPE, "tag", 80)


def test_a_shard_holds_the_frames(task):
    (outcome,) = extraction.extract_track([task])
    frames = extraction.read_shard(task, outcome.digest)
    expected = RECIPE.extract(audio.load(task.path, sample_rate=44100))
    np.testing.assert_array_equal(frames, expected)
    assert (outcome.frames, outcome.reason) == (len(expected), "")
    assert outcome.digest == hashlib.sha256(task.path.read_bytes()).hexdigest()
    again = extraction.finished(task, outcome.digest)
    assert replace(again, seen=outcome.seen) == outcome


def test_unusable_tracks_leave_no_shard(task):
    (short,) = extraction.extract_track([replace(task, min_frames=89)])
    assert short.reason == "too short: 88 frames, at least 89 are needed"
    task.path.write_text("text")
    (unreadable,) = extraction.extract_track([task])
    assert unreadable.reason.startswith("unreadable: ")
    assert not task.shard.exists()


def test_what_one_rate_leaves_nothing_of_another_may_keep(task, tmp_path):
    soundfile.write(task.path, np.full(10, 0.5), 192_000)
    rates = (8000, 192_000, 1000)
    tasks = [
        replace(task, recipe=waveform.Waveform(rate), shard=tmp_path / f"{rate}.npz", min_frames=1)
        for rate in rates
    ]
    outcomes = {
        outcome.task.recipe.sample_rate: outcome for outcome in extraction.extract_track(tasks)
    }
    assert outcomes[1000].reason == "too short: no sample is left at 1000 Hz"
    assert outcomes[192_000].frames == 10
    shards = {path.name for path in tmp_path.glob("*.npz")}
    assert shards == {f"{rate}.npz" for rate in rates if not outcomes[rate].reason}


def test_any_damage_to_a_shard_is_noticed(task):
    digest = extraction.extract_track([task])[0].digest
    whole = task.shard.read_bytes()
    # every byte of the head, the tail (where the archive's directory is) and some of the frames
    places = [
        *range(0, 400),
        *range(400, len(whole) - 400, 97),
        *range(len(whole) - 400, len(whole)),
    ]
    original = extraction.read_shard(task, digest)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        task.shard.write_bytes(damaged)
        found = extraction.read_shard(task, digest)
        # some bytes of an archive (its dates, say) carry nothing; what is read must be right
        assert found is None or np.array_equal(found, original)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        task.shard.write_bytes(whole[:length])
        assert extraction.read_shard(task, digest) is None


def test_a_shard_of_something_else_is_not_used(task):
    digest = extraction.extract_track([task])[0].digest
    assert extraction.read_shard(replace(task, identity="other"), digest) is None
    assert extraction.read_shard(replace(task, track="b"), digest) is None
    assert extraction.read_shard(task, "other audio") is None
    os.utime(task.path, ns=(0, 0))  # touched, no more
    assert extraction.read_shard(task, digest) is not None


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_a_full_disk_leaves_no_part_of_a_shard(task, size):
    with room(size), pytest.raises(OSError, match="File too large") as caught:
        extraction.extract_track([task])
    assert str(task.path) in caught.value.__notes__[0]
    assert sorted(p.name for p in task.path.parent.iterdir()) == ["a.wav"]


def test_processes_return_every_outcome(task, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    tasks = [replace(task, track=str(i), shard=tmp_path / f"{i}.npz") for i in range(4)]
    tasks.append(replace(task, track="bad", path=tmp_path / "none.wav"))
    found = extraction.extract_all([[task] for task in tasks], 2)
    outcomes = {outcome.task.track: outcome for (outcome,) in found}
    assert set(outcomes) == {"0", "1", "2", "3", "bad"}
    assert outcomes["bad"].reason == "missing"
    assert outcomes["bad"].size == -1
    digest = outcomes["0"].digest
    assert all(extraction.finished(task, digest) for task in tasks[:4])
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ or os.environ["MKL_NUM_THREADS"] != "1"


def test_workers_import_nothing_heavy():
    program = "import sys, mirkeras.features.extraction; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" in loaded
    assert not {"tensorflow", "keras", "librosa", "h5py", "pandas"} & set(loaded)


PROGRAM = """
import sys
from pathlib import Path
from mirkeras import features
from mirkeras.features import extraction

print("started", flush=True)
recipe = features.RECIPES["cbmi2016"]
task = extraction.Task("a", Path("none.wav"), Path("a.npz"), recipe, "tag", 80)
for (outcome,) in extraction.extract_all([[task], [task]], 2):
    print(outcome.reason, flush=True)
    sys.stdin.read()
"""


def start_program(folder: Path) -> subprocess.Popen:
    (folder / "program.py").write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_program_needs_no_guard_and_is_not_imported_by_its_workers(tmp_path):
    program = start_program(tmp_path)
    output, _ = program.communicate(timeout=60)
    assert output.split() == ["started", "missing", "missing"]
    assert program.returncode == 0


def test_workers_end_when_their_parent_is_killed(tmp_path):
    parent = start_program(tmp_path)
    assert parent.stdout.readline() == "started\n"
    assert parent.stdout.readline() == "missing\n"
    parent.kill()
    # The workers hold the other end of this pipe: it ends only when the last of them has left.
    parent.communicate(timeout=20)


@pytest.mark.parametrize(("name", "decoder"), [("a.wav", ""), ("a.M4A", " not decoded")])
def test_a_digest_names_another_decoder_remembered_or_not(tmp_path, name, decoder):
    path = tmp_path / name
    path.write_bytes(b"sound")
    os.utime(path, (0, 0))
    known = Memory(tmp_path / "known.json")
    expected = sha256(path) + decoder
    assert [extraction.digest_of(path, known) for _ in range(2)] == [expected] * 2
    assert extraction.digest_of(path) == expected
    assert extraction.digest_of(tmp_path / "gone.m4a", known) == ""
