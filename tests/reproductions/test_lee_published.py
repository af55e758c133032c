"""The published numbers of SampleCNN (2018): all of them, and each with what is run for it."""

import pandas as pd
import pytest

import data_prep
from mirkeras.experiment.published import published_rows
from reproductions.lee_samplecnn.models import NETWORKS

TABLE = published_rows("lee_samplecnn").set_index("id")
# Rows that are no network from the waveform: features of trained networks and a classifier.
TABLE_4 = ["table4/3-9", "table4/3-8+3-9", "table4/2-13+2-14+3-8+3-9", "table4/all-eight"]
TABLE_6 = ["table6/layer-3", "table6/layer-2", "table6/layer-1", "table6/last-3"]


def of_table(number: int) -> pd.DataFrame:
    """Select the lines of a table."""
    return TABLE[TABLE.index.str.startswith(f"lee_samplecnn/table{number}/")]


@pytest.mark.parametrize(("number", "lines"), [(2, 13), (4, 4), (5, 14), (6, 35)])
def test_every_number_of_every_table_is_there_once(number: int, lines: int) -> None:
    assert len(of_table(number)) == lines
    assert of_table(number).source.str.startswith(f"Lee et al. 2018, Table {number}").all()
    assert TABLE.index.is_unique
    assert len(TABLE) == 66


def test_each_row_is_a_network_or_a_classifier_and_all_are_used() -> None:
    named = set(TABLE.row) - {""}
    # Table 4 alone uses the seven m^n networks besides 3^9, as extractors
    rows = {name for name in NETWORKS if not name.startswith("mn/")}
    assert named == rows | {*TABLE_4, *TABLE_6}


def test_previous_work_is_cited_and_never_run() -> None:
    cited = TABLE[TABLE.row == ""]
    assert len(cited) == 17
    assert cited.index.str.startswith("lee_samplecnn/table6/").all()
    assert (cited.split == "").all()  # the paper does not say which split each of them used
    assert cited.baseline.isna().all()


def test_data_sets_of_table_6() -> None:
    counts = of_table(6).dataset.value_counts().to_dict()
    assert counts == {"gtzan": 8, "magnatagatune": 14, "tagtraum": 5, "msd": 8}


def test_metrics_and_units() -> None:
    ranges = {"roc_auc": (0.85, 0.91), "accuracy": (60, 85), "time_ratio": (0.2, 1)}
    for metric, values in TABLE.groupby("metric").value:
        low, high = ranges[metric]
        assert values.between(low, high).all(), metric
    tags = TABLE.dataset.isin(["magnatagatune", "msd"])
    assert (tags == (TABLE.metric == "roc_auc")).all()
    assert ((TABLE.dataset == "timing") == (TABLE.metric == "time_ratio")).all()


def test_splits_are_those_of_our_data_sets() -> None:
    ours = TABLE[(TABLE.row != "") & (TABLE.dataset != "timing")]
    for dataset, splits in ours.groupby("dataset").split:
        assert splits.nunique() == 1
        assert splits.iloc[0] == next(iter(data_prep.get(dataset).splits))


@pytest.mark.parametrize(
    ("name", "row", "value"),
    [
        ("table2/mel-243-81", "table2/mel-243-81", 0.9059),
        ("table2/raw-729-729", "table2/raw-729-729", 0.8655),
        ("table2/sample-3-3", "table5/22050", 0.9055),
        ("table4/all-eight", "table4/all-eight", 0.9064),
        ("table5/8000-auc", "table5/8000", 0.9031),
        ("table5/8000-time-ratio", "table5/8000", 0.55),
        ("table6/samplecnn-3-9-msd", "table5/22050", 0.8812),
        ("table6/layer-1-gtzan", "table6/layer-1", 82.1),
        ("table6/last-3-msd", "table6/last-3", 0.8842),
        ("table6/layer-3-tagtraum", "table6/layer-3", 76.0),
    ],
)
def test_some_numbers_of_ours(name: str, row: str, value: float) -> None:
    line = TABLE.loc[f"lee_samplecnn/{name}"]
    assert (line.row, line.value) == (row, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dieleman-magnatagatune", 0.8815),
        ("artist-labels-gtzan", 78.21),
        ("multi-level-mel-msd", 0.8878),
        ("crnn-msd", 0.862),
    ],
)
def test_some_numbers_of_others(name: str, value: float) -> None:
    assert TABLE.value[f"lee_samplecnn/table6/{name}"] == value


def test_parameters_stand_where_the_paper_prints_them() -> None:
    printed = TABLE.params.dropna()
    table_5 = of_table(5)
    others = {"table2/sample-3-3", "table6/samplecnn-3-9-magnatagatune", "table6/samplecnn-3-9-msd"}
    assert set(printed.index) == {*table_5.index, *(f"lee_samplecnn/{name}" for name in others)}
    assert table_5.params.notna().all()
    assert TABLE.params["lee_samplecnn/table5/2000-auc"] == 1_800_000
    assert (printed[[f"lee_samplecnn/{name}" for name in others]] == 2_460_000).all()
