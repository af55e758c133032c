"""What every division must hold, whatever the classes, groups, folds and seeds."""

import hashlib
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirkeras.cache import CacheError
from mirkeras.cache.rows import rows_as_cache
from mirkeras.experiment import Protocol, find_experiment
from mirkeras.experiment.division import Parts, divide, tracks_of
from mirkeras.pipeline.segments import consecutive

CBMI = find_experiment("pons_cbmi2016").protocols
PAPER, CODE, CLEAN = (CBMI[name] for name in ("paper", "code", "clean"))


def table(classes: list[str], groups: list | None = None) -> pd.DataFrame:
    """Index of tracks, all of them heard."""
    names = [f"{number:04d}" for number in range(len(classes))]
    groups = names if groups is None else [str(group) for group in groups]
    columns = {"label": classes, "group": groups, "heard": True, "stratum": classes}
    return pd.DataFrame(columns, index=names)


def parts_of(
    tracks: pd.DataFrame,
    protocol: Protocol = PAPER,
    *,
    split: str = "stratified",
    folds: int = 3,
    fold: int = 0,
    seed: int = 0,
    segments: int = 1,
) -> Parts:
    cut = consecutive(np.arange(tracks.heard.sum() + 1) * segments, 1)
    return divide(protocol, cut, tracks, split=split, folds=folds, fold=fold, seed=seed)


def names_of(tracks: pd.DataFrame, parts: Parts) -> list[set[str]]:
    """Tracks that train, validate and are tested; one segment each."""
    names = tracks.index[tracks.heard]
    return [set(names[part]) for part in (parts.train, parts.validation, parts.test)]


# ------------------------------------------------------- the papers' data stay as they were divided


@pytest.mark.parametrize(
    ("paper", "protocol", "split", "folds", "digest"),
    [
        ("pons_cbmi2016", "paper", "drawn", 10, "7f1af0a49b2f93dd"),
        ("pons_cbmi2016", "code", "drawn", 10, "acfd2dbed6075cec"),
        ("pons_cbmi2016", "clean", "drawn", 5, "b3b5978bd8cfafeb"),
        ("lee_samplecnn", "paper", "drawn", 10, "7f1af0a49b2f93dd"),
        ("lee_samplecnn", "clean", "drawn", 3, "71a1bf6061754650"),
        ("pons_ismir2018", "code", "drawn", 2, "4120cd0d93512216"),
        ("lidy_mirex2016", "paper", "drawn", 10, "92a25f958eb37a25"),
        ("schindler_gtzan", "paper", "stratified", 4, "33dc0f41965357db"),
        ("schindler_gtzan", "student", "stratified", 1, "78f5366465beaaf1"),
        ("pons_ismir2018", "transfer", "official", 5, "3694554b618a1711"),
        ("lee_samplecnn", "paper", "official", 5, "b2c881a4f52488d2"),
        # since then an incomplete batch takes no class more than another
        ("pons_cbmi2016", "code", "official", 5, "e0a94f23f92b5253"),
    ],
)
def test_papers_data_are_divided_as_by_earlier_versions(
    paper: str, protocol: str, split: str, folds: int, digest: str
) -> None:
    pairs = list(product([f"c{n}" for n in range(8)], [f"a{n:02d}" for n in range(32)]))
    tracks = table(*map(list, zip(*pairs, strict=True)))  # as of mini_ballroom
    tracks["official"] = np.resize(list("12345"), len(tracks))
    known, found = find_experiment(paper).protocols[protocol], hashlib.sha256()
    for fold, seed in product(range(folds), (0, 1)):
        parts = parts_of(tracks, known, split=split, folds=folds, fold=fold, seed=seed, segments=4)
        for part in (parts.train, parts.validation, parts.test, parts.normalise_on):
            found.update(np.asarray(part, "<i8").tobytes() + b"|")
    assert found.hexdigest()[:16] == digest


@pytest.mark.parametrize(
    ("paper", "split"),
    [("pons_icassp2017", "drawn"), ("pons_icassp2017", "official"), ("pons_cbmi2016", "official")],
)
def test_a_dropped_batch_takes_no_class_more_than_another(paper: str, split: str) -> None:
    tracks = table(["a"] * 200 + ["z"] * 200, [f"{n:03d}" for n in range(400)])
    tracks["official"] = np.resize(list("12345"), len(tracks))
    protocol = find_experiment(paper).protocols["code"]
    parts = parts_of(tracks, protocol, split=split, folds=5, fold=1, seed=0)
    last = tracks.label.to_numpy()[parts.validation[-30:]]
    assert set(last) == {"a", "z"}
    assert len(set(parts.validation)) == len(parts.validation) == 80


# --------------------------------------------------------------------- what holds for any division


@st.composite
def divisions(draw) -> tuple[pd.DataFrame, int, int, int]:
    """Draw an index whose groups lie in one class each, folds, a fold and a seed."""
    folds = draw(st.integers(2, 6))
    # room for a test fold, a validation track and one to train on
    sizes = draw(st.lists(st.integers(max(3, folds), 25), min_size=2, max_size=12))
    classes = np.repeat([f"c{number:02d}" for number in range(len(sizes))], sizes)
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.RandomState(seed)
    groups = [f"{label}{random.randint(1 + size // 2)}" for label, size in
              zip(classes, np.repeat(sizes, sizes), strict=True)]  # fmt: skip
    order = random.permutation(len(classes))
    tracks = table(classes[order].tolist(), np.array(groups)[order].tolist())
    return tracks, folds, draw(st.integers(0, folds - 1)), seed


@settings(max_examples=60, deadline=None)
@given(divisions())
def test_stratified_parts_keep_every_class(drawn) -> None:
    tracks, folds, fold, seed = drawn
    parts = parts_of(tracks, folds=folds, fold=fold, seed=seed)
    train, held, test = names_of(tracks, parts)
    assert train | held | test == set(tracks.index)
    assert len(train) + len(held) + len(test) == len(tracks)
    assert 1 <= len(held) <= max(1, len(tracks) // 10)
    everything = tracks.label.value_counts()
    tested = tracks.label[list(test)].value_counts().reindex(everything.index, fill_value=0)
    assert (abs(tested - everything / folds) < 1).all()
    validated = tracks.label[list(held)].value_counts().reindex(everything.index, fill_value=0)
    rest = everything - tested
    assert (abs(validated - rest * len(held) / rest.sum()) < 1).all()
    assert set(tracks.label[list(train)]) == set(everything.index)


@settings(max_examples=60, deadline=None)
@given(divisions(), st.sampled_from(["stratified", "drawn"]))
def test_groups_are_never_divided(drawn, split: str) -> None:
    tracks, folds, fold, seed = drawn
    try:
        parts = parts_of(tracks, CLEAN, split=split, folds=folds, fold=fold, seed=seed)
    except ValueError:  # too few groups for so many folds
        return
    train, held, test = (set(tracks.group[list(part)]) for part in names_of(tracks, parts))
    assert not (train | held) & test
    assert not train & held
    if split == "stratified":  # what is validated is trained on
        trained, validated, _ = (set(tracks.label[list(part)]) for part in names_of(tracks, parts))
        assert validated <= trained


@settings(max_examples=60, deadline=None)
@given(
    divisions(),
    st.sampled_from([("paper", "stratified"), ("paper", "drawn"), ("clean", "stratified"),
                     ("clean", "drawn"), ("paper", "official"), ("paper", "three")]),
    st.data(),
)  # fmt: skip
def test_a_track_that_cannot_be_read_moves_no_other(drawn, how, data) -> None:
    tracks, folds, fold, seed = drawn
    protocol, split = how
    tracks["official"] = np.resize(list("12345"), len(tracks))
    tracks["three"] = np.resize(list("123"), len(tracks))
    folds = {"official": 5, "three": 3}.get(split, folds)
    options = {"split": split, "folds": folds, "fold": fold % folds, "seed": seed}
    try:
        whole = names_of(tracks, parts_of(tracks, CBMI[protocol], **options))
    except ValueError:
        return
    lost = data.draw(st.sampled_from(list(tracks.index)))
    less = tracks.assign(heard=tracks.index != lost)
    parts = parts_of(less, CBMI[protocol], **options)
    assert names_of(less, parts) == [part - {lost} for part in whole]
    fitted = set(less.index[less.heard][parts.normalise_on])
    assert fitted == (whole[0] if protocol == "clean" else set(tracks.index)) - {lost}


def test_by_segment_a_lost_track_moves_no_test_track() -> None:
    tracks = table(["a", "b"] * 20)
    less = tracks.assign(heard=tracks.index != "0007")
    for split, fold in product(("drawn", "stratified"), range(4)):
        options = {"split": split, "folds": 4, "fold": fold, "segments": 3}
        whole, part = (parts_of(one, CODE, **options) for one in (tracks, less))
        tested = [one.index[one.heard][np.unique(found.test // 3)].tolist()
                  for one, found in ((tracks, whole), (less, part))]  # fmt: skip
        assert tested[1] == [name for name in tested[0] if name != "0007"]
        together = np.concatenate([part.train, part.validation, part.test])
        assert sorted(together) == list(range(39 * 3))


# ------------------------------------------------------------------------------ sizes that are told


@pytest.mark.parametrize("protocol", ["paper", "code", "clean"])
@pytest.mark.parametrize(("folds", "seed"), [*product((3, 5), (0, 1, 2))])
def test_eighteen_classes_of_six(protocol: str, folds: int, seed: int) -> None:
    tracks = table([f"c{number:02d}" for number in range(18) for _ in range(6)])
    for fold in range(folds):
        parts = parts_of(tracks, CBMI[protocol], folds=folds, fold=fold, seed=seed)
        train, held, test = names_of(tracks, parts)
        assert len(held) == 10
        assert tracks.label[list(train)].nunique() == 18
        assert abs(len(test) - 108 / folds) <= 1


@pytest.mark.parametrize(
    ("folds", "sizes"), [(2, (36, 9, 45)), (3, (51, 9, 30)), (10, (72, 9, 9)), (15, (78, 6, 6))]
)
def test_validation_is_a_tenth_and_no_larger_than_a_fold(folds: int, sizes: tuple) -> None:
    tracks = table(["a", "b", "c"] * 30)
    train, held, test = names_of(tracks, parts_of(tracks, folds=folds))
    assert (len(train), len(held), len(test)) == sizes


def test_where_a_class_would_lose_its_last_track_nothing_is_held() -> None:
    with pytest.raises(ValueError, match="no class has a track to spare"):
        parts_of(table(["a", "a", "b", "b"]), folds=2)
    train, held, _ = names_of(
        tracks := table(["a", "a"] * 10 + ["b", "b"]), parts_of(tracks, folds=2)
    )
    assert "b" in set(tracks.label[list(train)])
    assert set(tracks.label[list(held)]) == {"a"}


def test_a_large_class_does_not_stand_in_for_those_with_none_to_spare() -> None:
    tracks = table([*(f"c{number:02d}" for number in range(40) for _ in range(2)), *["large"] * 20])
    _, held, _ = names_of(tracks, parts_of(tracks, folds=2))
    assert tracks.label[list(held)].tolist() == ["large"] * 2  # a fifth of its ten


def test_a_group_larger_than_a_tenth_validates_whole_if_all_are() -> None:
    tracks = table(["a"] * 12 + ["b"] * 12, np.repeat(range(8), 3).tolist())
    train, held, _ = names_of(tracks, parts_of(tracks, CLEAN, folds=2))
    assert len(held) == 3
    assert tracks.label[list(train)].nunique() == 2


@pytest.mark.parametrize("folds", [2, 3])
@pytest.mark.parametrize("tags", [False, True])
def test_of_few_official_folds_none_is_given_away(folds: int, tags: bool) -> None:
    tracks = table(["a", "b"] * 45)
    tracks["official"] = [str(1 + number % folds) for number in range(90)]
    if tags:  # nothing to keep the shares of
        tracks["stratum"] = ""
    for fold in range(folds):
        parts = parts_of(tracks, split="official", folds=folds, fold=fold)
        train, held, test = names_of(tracks, parts)
        assert test == set(tracks.index[tracks.official == str(fold + 1)])
        assert (len(train), len(held)) == (90 - 90 // folds - 9, 9)


# -------------------------------------------------------------------------------- tracks and caches


def test_tracks_are_those_of_the_index_by_name(tmp_path: Path) -> None:
    index = tmp_path / "index.csv"
    rows = [f"{name},{name}.wav,{name[0]},{name},\n" for name in ("b/2", "a/1", "b/10")]
    index.write_text("track,path,label,group,tempo\n" + "".join(rows))
    none = pd.DataFrame(columns=["track", "path", "reason", "size"])

    def holding(*names: str):
        facts = {"bands": 1, "identity": {}, "fingerprint": "", "rejected": none}
        return rows_as_cache(Path("x.h5"), tracks=names, counts=[1] * len(names), **facts)

    tracks = tracks_of(holding("a/1", "b/2"), index)
    assert tracks.index.tolist() == ["a/1", "b/10", "b/2"]
    assert tracks.heard.tolist() == [True, False, True]
    assert tracks.stratum.tolist() == ["a", "b", "b"]
    assert set(tracks_of(holding("a/1"), index, ("a", "b")).stratum) == {""}
    with pytest.raises(CacheError, match=r"lacks the track 'c/9' of x\.h5; run again"):
        tracks_of(holding("a/1", "c/9"), index)
