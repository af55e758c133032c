"""From a run to a plan: augmented rows, and what a run's origin is made of."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep.prepare import prepare
from mirkeras import cache, features
from mirkeras.cache import FeatureCache
from mirkeras.experiment import find_experiment, records
from mirkeras.experiment.division import tracks_of
from mirkeras.experiment.runs import Run
from mirkeras.experiment.setting import Setting
from mirkeras.features.augmented import Deformed
from mirkeras.pipeline.segments import TRAINING
from mirkeras.system.machine import device
from mirkeras.training import one_run
from mirkeras.training.origin import inputs_of, nameless, network_of, origin_of
from mirkeras.training.plan import plan_run

PAPER = "schindler_gtzan"
ROW = "table2/shallow-augmented-100"
# one deformed segment of 80 frames instead of 48
RECIPE = Deformed(features.RECIPES["schindler2016-mel"], (1.2,), (2,), segments=1)
RUN = Run(PAPER, ROW, "tempi", "paper", 0, 0, 2, 1, "stratified")


@pytest.fixture(scope="module")
def setting(audio_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    root = tmp_path_factory.mktemp("augmented")
    prepared = prepare(f"folder:{audio_folder}", data_root=root / "data", cache_root=root)
    path = prepared.home / f"{RECIPE.name}.h5"
    cache.build_cache(prepared.index, prepared.root, RECIPE, path, jobs=1)
    return Setting(
        root, prepared.home / "index.csv", {RECIPE.name: path}, (), (), "", "", 1, 0, False
    )


@pytest.fixture
def opened(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> FeatureCache:
    monkeypatch.setitem(features.RECIPES, RECIPE.name, RECIPE)
    return cache.open_cache(setting.caches[RECIPE.name], RECIPE)


def test_deformed_copies_are_trained_on_and_never_tested(
    setting: Setting, opened: FeatureCache
) -> None:
    tracks = tracks_of(opened, setting.index)
    assert tracks.heard.all()
    plan, parts, _ = plan_run(RUN, find_experiment(PAPER), setting, opened, tracks)
    segments = plan.feed.segments
    own = opened.offsets[1:] - 80  # where each track's deformed frames begin
    ends = segments.first + 80
    assert (ends[parts.test] <= own[segments.track[parts.test]]).all()
    deformed = parts.train[segments.first[parts.train] == own[segments.track[parts.train]]]
    assert (segments.use[deformed] == TRAINING).all()
    # 9 of 18 tracks train: 15 random segments and a deformed one of each
    assert (len(parts.train), len(deformed), len(parts.test)) == (9 * 16, 9, 9 * 15)
    assert not set(segments.track[parts.train]) & set(segments.track[parts.test])


def test_lists_of_other_splits_make_no_other_run(
    setting: Setting, opened: FeatureCache, tmp_path: Path
) -> None:
    experiment = find_experiment(PAPER)
    header, *lines = setting.index.read_text().splitlines()
    other = tmp_path / "index.csv"
    other.write_text("\n".join([f"{header},official", *(f"{line},1" for line in lines)]) + "\n")
    expected = inputs_of(RUN, experiment, setting)
    assert inputs_of(RUN, experiment, replace(setting, index=other)) == expected
    named = replace(RUN, split="official")
    assert inputs_of(named, experiment, replace(setting, index=other)) != expected


def test_a_track_set_aside_decides_where_folds_are_drawn(
    setting: Setting, opened: FeatureCache, tmp_path: Path
) -> None:
    experiment, named = find_experiment(PAPER), replace(RUN, split="official")
    header, *lines = setting.index.read_text().splitlines()
    indices = []
    for number in (len(lines), len(lines) + 1):
        more = "fast/zz,fast/zz.wav,fast,fast/zz,"  # not in the cache
        indices.append(tmp_path / f"{number}.csv")
        text = [f"{header},official", *(f"{line},1" for line in [*lines, more][:number])]
        indices[-1].write_text("\n".join(text) + "\n")
    whole, less = (replace(setting, index=index) for index in indices)
    assert inputs_of(named, experiment, whole) == inputs_of(named, experiment, less)
    assert inputs_of(RUN, experiment, whole) != inputs_of(RUN, experiment, less)


def test_only_fields_that_are_not_as_by_default_decide_an_origin() -> None:
    paper = find_experiment(PAPER).protocols["paper"]
    chosen = paper.chosen()
    assert "select_by" in chosen
    assert not {"overlapping", "summary"} & set(chosen)
    assert replace(paper, summary="").chosen() == chosen
    assert replace(paper, overlapping=True).chosen() != chosen
    assert np.all([isinstance(value, str) for value in chosen.values()])


def networks(features: int = 4, rate: float = 0.5, name: str = "x", **conv) -> keras.Model:
    """Make a network of two branches, with options that decide and names that do not."""
    start = keras.Input((80, features), name=f"{name}_input")
    layer = keras.layers.Conv1D(conv.pop("filters", 2), 3, name=name, **conv)
    left, right = layer(start), keras.layers.Conv1D(2, 3, use_bias=False)(start)
    both = keras.layers.Concatenate()([left, right][:: -1 if name == "swapped" else 1])
    inner = keras.Model(start, keras.layers.Dropout(rate)(both), name=f"{name}_inner")
    return keras.Model(again := keras.Input((80, features)), inner(again))


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({}, True),
        ({"name": "y"}, True),
        ({"name": "swapped"}, False),
        ({"rate": 0.1}, False),
        ({"filters": 3}, False),
        ({"features": 5}, False),
        ({"activation": "relu"}, False),
        ({"use_bias": False}, False),
        ({"kernel_constraint": "non_neg"}, False),
        ({"kernel_initializer": "he_uniform"}, False),
        ({"kernel_regularizer": "l1"}, False),
    ],
)
def test_a_network_is_what_it_computes_not_its_names(changes: dict, same: bool) -> None:
    one, other = (nameless(networks(**given).get_config()) for given in ({}, changes))
    assert (one == other) is same
    assert "_inner" not in json.dumps(one)


@pytest.mark.parametrize(
    "optimizer",
    [partial(keras.optimizers.SGD, 0.1), partial(keras.optimizers.Adam, 0.001, epsilon=1e-8)],
)
def test_an_origin_sees_network_and_optimiser(
    setting: Setting, opened: FeatureCache, optimizer: partial
) -> None:
    experiment = find_experiment(PAPER)
    origin = origin_of(RUN, experiment, setting)
    assert origin == f"{inputs_of(RUN, experiment, setting)}-{network_of(RUN, experiment, setting)}"
    paper = replace(experiment.protocols["paper"], optimizer=optimizer)
    other = replace(experiment, protocols={"paper": paper})
    assert network_of(RUN, other, setting) != network_of(RUN, experiment, setting)
    rows = {ROW: replace(experiment.rows[ROW], build=experiment.rows["table2/shallow-100"].build)}
    same = replace(experiment, rows=rows)
    assert network_of(RUN, same, setting) == network_of(RUN, experiment, setting)


@pytest.mark.parametrize("begun", [None, "mixed_float16", "mixed_bfloat16"])
def test_a_run_keeps_the_half_precision_it_began_with(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: str | None
) -> None:
    """Begun on a GPU and resumed on a processor, or the other way round."""
    monkeypatch.setattr(device, "half_precision", lambda: "mixed_bfloat16")
    monkeypatch.setattr(
        records, "read_record", lambda directory: begun and {"threads": 1, "precision": begun}
    )
    try:
        one_run._as_begun(tmp_path, replace(setting, mixed_precision=True))
        assert device.precision() == (begun or "mixed_bfloat16")
    finally:
        device.compute_in("float32")
    one_run._as_begun(tmp_path, setting)
    assert device.precision() == "float32"
