"""A mirror with a miniature of MagnaTagATune in the exact form of the published files.

Three parts of one zip of MP3 files, both tables, the lists of both splits, and vouchers, so that
`prepare("magnatagatune", mirror=...)` takes it for the stand-in it is.
"""

import hashlib
import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from data_prep.fetch.download import STAND_IN
from data_prep.sets.magnatagatune import TAGS

#: Copies of published split lists beside or above the checkout, None where there are none.
LISTS = next(
    (
        p / "shared/splits"
        for p in Path(__file__).resolve().parents
        if (p / "shared/splits").is_dir()
    ),
    None,
)

SAMPLE_RATE = 16_000  # Hz, as the published clips
# One folder a piece of two clips: half for training, a sixth for validation, a third for testing.
_FOLDERS = "0146bccdef9d"
_OTHER_TAGS = ("not english", "airy")  # the published table has 138 further columns


def make_mirror(folder: Path, clips: int = 24, seconds: float = 3.0) -> Path:
    """Write the miniature and return `folder`.

    Every eighth clip has none of the 50 tags and so is in `mtat-pons` only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.RandomState(0)
    paths = [_path(number) for number in range(clips)]
    has = rng.uniform(size=(clips, len(TAGS))) < 0.4
    has[7::8] = False
    _write_zip(folder, paths, has, seconds, rng)
    _write_tables(folder, paths, has)
    tagged = [path for path, row in zip(paths, has, strict=True) if row.any()]
    _write_lee(folder, tagged)
    _write_pons(folder, paths)
    splits = {"mtat-lee": _counts(tagged), "mtat-pons": _counts(paths)}
    (folder / STAND_IN).write_text(json.dumps({"tracks": clips, "splits": splits}))
    for file in [file for file in folder.iterdir() if file.name != STAND_IN]:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        (folder / f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n")
    return folder


def pickled(strings: list[str]) -> bytes:
    """A list of strings as Python 2 pickled it in protocol 0."""
    items = "".join(f"S'{text}'\np{number}\na" for number, text in enumerate(strings, 2))
    return f"(lp1\n{items}.".encode()


def _path(number: int) -> str:
    piece, second = number // 2, number % 2 * 29
    title = f"some_band-an_album-{piece:02d}-piece_{piece}"
    return f"{_FOLDERS[piece % len(_FOLDERS)]}/{title}-{second}-{second + 29}.mp3"


def _part(path: str) -> str:
    return {"c": "validation", "d": "test", "e": "test", "f": "test"}.get(path[0], "train")


def _counts(paths: list[str]) -> dict[str, int]:
    return dict(Counter(_part(path) for path in paths))


def _write_zip(
    folder: Path, paths: list[str], has: np.ndarray, seconds: float, rng: np.random.RandomState
) -> None:
    """Noise and a tone per tag, so that there is something to learn; cut into three parts."""
    packed = io.BytesIO()
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = np.sin(2 * np.pi * np.geomspace(100, 4000, len(TAGS))[:, None] * time)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, row in zip(paths, has, strict=True):
            sound = 0.02 * rng.standard_normal(time.size) + 0.02 * tones[row].sum(axis=0)
            mp3 = io.BytesIO()
            soundfile.write(mp3, sound, SAMPLE_RATE, format="MP3")
            archive.writestr(path, mp3.getvalue())
    content = packed.getvalue()
    cut = len(content) * 2 // 5
    for number in range(3):
        part = content[number * cut : (number + 1) * cut]
        (folder / f"mp3.zip.{number + 1:03d}").write_bytes(part)


def _write_tables(folder: Path, paths: list[str], has: np.ndarray) -> None:
    columns = sorted((*TAGS, *_OTHER_TAGS))  # another order than the vocabulary's
    rows = [["clip_id", *columns, "mp3_path"]]
    for number, (path, row) in enumerate(zip(paths, has, strict=True)):
        value = dict.fromkeys(_OTHER_TAGS, 1) | dict(zip(TAGS, row.astype(int), strict=True))
        rows.append([str(number + 2), *(str(value[column]) for column in columns), path])
    _write_table(folder / "annotations_final.csv", rows)
    _write_table(
        folder / "clip_info_final.csv",
        [["clip_id", "title", "mp3_path"], *([row[0], "a piece", row[-1]] for row in rows[1:])],
    )


def _write_table(path: Path, rows: list[list[str]]) -> None:
    lines = ("\t".join(f'"{cell}"' for cell in row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_lee(folder: Path, paths: list[str]) -> None:
    for part, name in (("train", "train"), ("validation", "valid"), ("test", "test")):
        mine = [path.replace(".mp3", ".npy") for path in paths if _part(path) == part]
        (folder / f"{name}_list_pub.cP").write_bytes(pickled(mine))


def _write_pons(folder: Path, paths: list[str]) -> None:
    lines = {"index_mtt.tsv": [], "val_gt_mtt.tsv": [], "test_gt_mtt.tsv": []}
    for number, path in enumerate(paths):
        lines["index_mtt.tsv"].append(f"{number + 2}\t{path}\n")
        part = {"validation": "val", "test": "test"}.get(_part(path))
        if part:
            lines[f"{part}_gt_mtt.tsv"].append(f"{number + 2}\t{[0.0] * len(TAGS)}\n")
    for name, text in lines.items():
        (folder / name).write_text("".join(text), encoding="utf-8")
