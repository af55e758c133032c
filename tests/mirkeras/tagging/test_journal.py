"""What `mirkeras tag --out` keeps of an interrupted job, and what it refuses to go on with."""

import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mirkeras.cli.app import main
from mirkeras.system.errors import UsageError
from mirkeras.tagging.job import journal as tagging_journal
from tests.mirkeras.tagging.fake_tagger import CARD, FakeTagger, guess, install

REPOSITORY = Path(__file__).parents[3]
SETTINGS = {"model": CARD.name, "weights": "f", "hop": None, "versions": {"keras": "3", "x": "1"}}


def make(root: Path, count: int) -> list[Path]:
    """Make files that the fake tagger takes for audio."""
    root.mkdir(exist_ok=True)
    files = [root / f"{i:05d}.wav" for i in range(count)]
    for i, path in enumerate(files):
        path.write_text(str(i))
    return files


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return make(tmp_path / "music", 4)


def opened(tmp_path: Path, files, **settings):
    return tagging_journal.opened(tmp_path / "x.job", files, CARD.tags, SETTINGS | settings)


def keep(tmp_path: Path, files, wanted) -> None:
    with opened(tmp_path, files) as job:
        for path in wanted:
            job.add(guess(path, "penultimate"))


def assert_finished(tmp_path: Path, files, wanted) -> None:
    with opened(tmp_path, files) as job:
        assert job.finished() == wanted
        for path in wanted:
            found, expected = job.read(path), guess(path, "penultimate")
            assert (found.path, found.seconds, found.tags) == (path, expected.seconds, CARD.tags)
            for name in ("starts", "taggram", "features"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_results_come_back_in_the_order_asked_for(tmp_path, files) -> None:
    keep(tmp_path, files, [files[2], files[0]])
    assert_finished(tmp_path, files[::-1], [files[2], files[0]])


def test_a_changed_or_vanished_file_is_not_finished(tmp_path, files) -> None:
    keep(tmp_path, files, files)
    files[1].write_text("changed")
    os.utime(files[2], ns=(0, 0))
    files[3].unlink()
    assert_finished(tmp_path, files, files[:1])


@pytest.mark.parametrize("name", ["journal.jsonl", "arrays"])
def test_a_torn_end_costs_its_file_only(tmp_path, files, name) -> None:
    keep(tmp_path, files, files[:3])
    torn = tmp_path / "x.job" / name
    os.truncate(torn, torn.stat().st_size - 3)
    assert_finished(tmp_path, files, files[:2])
    keep(tmp_path, files, files[2:])
    assert_finished(tmp_path, files, files)


def test_a_torn_first_line_is_a_new_job(tmp_path, files) -> None:
    keep(tmp_path, files, files)
    os.truncate(tmp_path / "x.job" / "journal.jsonl", 10)
    keep(tmp_path, files, files)
    assert_finished(tmp_path, files, files)


def test_a_full_disk_keeps_what_was_finished(tmp_path, files, monkeypatch) -> None:
    def write(file, array, **_) -> None:
        file.write(b"half")
        file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path, files) as job:
        job.add(guess(files[0], "penultimate"))
        with monkeypatch.context() as patch:
            patch.setattr(np.lib.format, "write_array", write)
            with pytest.raises(OSError, match=r"No space.*arrays"):
                job.add(guess(files[1], "penultimate"))
    assert_finished(tmp_path, files, files[:1])


def test_a_file_replaced_by_one_of_equal_size_and_time_is_not_finished(tmp_path, files) -> None:
    keep(tmp_path, files, files)
    before = files[1].stat()
    files[1].write_text("x")
    os.utime(files[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    shutil.copy2(files[2], tmp_path / "copy")
    os.replace(tmp_path / "copy", files[2])
    assert_finished(tmp_path, files, [files[0], files[3]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hop": 1.0}, "hop None, now 1.0. Delete that folder"),
        ({"versions": {"keras": "4", "x": "1"}}, "versions keras '3', now '4'. Delete that folder"),
        (
            {"hop": 1.0, "versions": {"keras": "3"}},
            "hop None, now 1.0; versions x '1', now None. Delete",
        ),
    ],
)
def test_other_settings_are_refused(tmp_path, files, changed, message) -> None:
    keep(tmp_path, files, files)
    with (
        pytest.raises(UsageError, match=rf"x\.job holds results with {re.escape(message)}"),
        opened(tmp_path, files, **changed),
    ):
        pass
    assert_finished(tmp_path, files, files)


def test_a_job_in_which_nothing_was_finished_leaves_nothing(tmp_path, files) -> None:
    with opened(tmp_path, files, hop=99.0):
        assert (tmp_path / "x.job").exists()
    assert not (tmp_path / "x.job").exists()


def test_a_job_of_another_form_is_refused(tmp_path, files, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tagging_journal, "FORM", 1)
        keep(tmp_path, files, files)
    message = "another version of mirkeras. Delete that folder"
    with pytest.raises(UsageError, match=message), opened(tmp_path, files):
        pass


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]


@pytest.mark.parametrize("name", ["journal.jsonl", "arrays"])
def test_no_flip_changes_a_result(tmp_path, files, name) -> None:
    keep(tmp_path, files, files[:2])
    damaged = tmp_path / "x.job" / name
    whole = {path: path.read_bytes() for path in damaged.parent.iterdir()}
    first_line, refused = whole[tmp_path / "x.job" / "journal.jsonl"].index(b"\n"), {}
    for place in range(0, len(whole[damaged]), 7):
        for path, content in whole.items():
            path.write_bytes(flipped(content, place) if path == damaged else content)
        try:
            with opened(tmp_path, files) as job:
                job.drop_damaged()
                found = {path: job.read(path) for path in job.finished()}
        except UsageError as error:
            refused[place] = str(error)
            continue
        assert len(found) >= (name == "arrays")
        for path, tagged in found.items():
            expected = guess(path, "penultimate")
            assert (tagged.seconds, tagged.repeated) == (expected.seconds, False)
            np.testing.assert_array_equal(tagged.taggram, expected.taggram)
            np.testing.assert_array_equal(tagged.features, expected.features)
    assert all("delete it and run again" in message for message in refused.values())
    assert max(refused, default=0) <= first_line
    assert len(refused) > first_line / 9 or name == "arrays"


def test_a_damaged_line_costs_its_file_and_is_said_once(tmp_path, files, capsys) -> None:
    keep(tmp_path, files, files)
    journal = tmp_path / "x.job" / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b"false", b"true ")
    journal.write_bytes(b"\n".join(lines) + b"\0\0\n[1]\n" + b"[" * 100_000 + b"\n")
    assert_finished(tmp_path, files, [files[0], *files[2:]])
    assert f"{journal}: 4 damaged line(s)" in capsys.readouterr().err
    keep(tmp_path, files, files[1:2])
    assert_finished(tmp_path, files, files)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["gone", "empty", "cut", "changed"])
def test_an_output_counts_while_it_is_whole(tmp_path, files, kind) -> None:
    keep(tmp_path, files, files)
    made = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in made:
        path.write_text("written")
    with opened(tmp_path, files) as job:
        job.note_written({"form": "csv"}, made)
    content = {"empty": "", "cut": "writ", "changed": "wrItten"}
    made[1].unlink() if kind == "gone" else made[1].write_text(content[kind])
    with opened(tmp_path, files) as job:
        assert job.wrote({"form": "csv"})
        assert not job.wrote({"form": "json"})
        assert job.changed(made) == made[1:]


def test_a_second_process_is_refused(tmp_path, files) -> None:
    message = "another process"
    with (
        opened(tmp_path, files),
        pytest.raises(UsageError, match=message),
        opened(tmp_path, files),
    ):
        pass


def finished_in(journal: Path) -> set[str]:
    """Read from a journal which files are finished, as its format says, not by our reader."""
    if not journal.exists():
        return set()
    lines = journal.read_bytes().split(b"\n")[:-1]  # what has no line end was torn
    return {line["file"][0] for line in map(json.loads, lines) if "file" in line}


def lines_in(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def kill_midway(words: list, journal: Path, log: Path, pause: float, more: int) -> None:
    """Start the command in a process of its own; end it by SIGKILL after `more` more files."""
    goal = lines_in(journal) + more
    command = [sys.executable, "-m", "tests.mirkeras.tagging.fake_tagger", log, pause, *words]
    child = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY, stderr=subprocess.PIPE)
    try:
        while lines_in(journal) < goal:
            assert child.poll() is None, child.stderr.read().decode()
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("count", "kills", "pause"),
    [(60, 1, 0.02), pytest.param(10_000, 4, 0.002, marks=pytest.mark.long)],
)
def test_a_killed_job_goes_on(tmp_path, monkeypatch, count, kills, pause) -> None:
    make(tmp_path / "music", count)
    out, journal = tmp_path / "tags.csv", tmp_path / "tags.csv.job" / "journal.jsonl"
    words = [tmp_path / "music", "--format", "csv", "--out", out, "--embed", tmp_path / "e.h5"]
    for kill in range(kills):
        finished, log = finished_in(journal), tmp_path / f"{kill}.log"
        more = random.Random(kill).randint(1, count // (2 * kills))
        kill_midway(words, journal, log, pause, more)
        assert not finished & set(log.read_text().splitlines())
        assert not out.exists()
    finished = finished_in(journal)
    install(monkeypatch.setattr)
    assert main(["tag", *map(str, words)]) == 0
    again = {str(path) for path in FakeTagger.last.asked}
    assert not finished & again
    assert len(finished | again) == count
    assert len(out.read_text().splitlines()) == 1 + count
    resumed = out.read_bytes(), (tmp_path / "e.h5").stat().st_size
    for path in (out, tmp_path / "e.h5"):
        path.unlink()
    monkeypatch.setattr(FakeTagger, "tag_all", None)  # what is finished needs no tagger
    assert main(["tag", *map(str, words)]) == 0
    assert (out.read_bytes(), (tmp_path / "e.h5").stat().st_size) == resumed
