"""Lee, Park, Kim & Nam (SampleCNN, 2018)."""

import data_prep
from mirkeras.experiment import Rule
from mirkeras.experiment.published import published_rows
from mirkeras.layers import count_trainable
from reproductions.lee_samplecnn.experiments import PROTOCOLS, ROWS, SAMPLE
from reproductions.lee_samplecnn.models import NETWORKS
from tests.errata import cut, proves, published_values, step_after

VALUES = published_values("lee_samplecnn")
#: Of Table 3, by row.
PARAMETERS = published_rows("lee_samplecnn").query("metric == 'time_ratio'").set_index("row").params


@proves("lee-table1-total")
def the_rows_of_table_1_are_not_its_total() -> None:
    network = NETWORKS[SAMPLE].build(50)
    norms = [layer for layer in network.layers if layer.name.startswith("bn")]
    hidden = sum(count_trainable(norm) for norm in norms)
    rows = count_trainable(network) - hidden
    assert (rows, hidden) == (2_454_066, 6_400)
    printed = PARAMETERS[SAMPLE] / 1e6
    assert printed not in (cut(rows / 1e6, 2), round(rows / 1e6, 2))
    assert printed == cut((rows + hidden) / 1e6, 2)


@proves("lee-two-modules-of-512")
def the_widths_of_the_code_give_other_counts() -> None:
    assert len(PARAMETERS) == 7
    for row, printed in PARAMETERS.items():
        paper, code = (
            count_trainable(NETWORKS[row].build(50, widths=widths)) for widths in ("paper", "code")
        )
        assert cut(paper / 1e6, 2) == printed / 1e6
        assert abs(code - printed) > 300_000


@proves("lee-fusion-stands-still")
def four_networks_are_as_good_as_two() -> None:
    two, four = "table4/3-8+3-9", "table4/2-13+2-14+3-8+3-9"
    assert [len(ROWS[row].features_from) for row in (two, four)] == [2, 4]
    assert VALUES[four] == VALUES[two]


@proves("lee-levels-gain-nothing")
def three_levels_are_below_the_network_itself() -> None:
    assert VALUES["table4/3-9"] < VALUES["table5/22050-auc"]


@proves("lee-best-but-for-msd")
def on_magnatagatune_others_are_better() -> None:
    table = VALUES[VALUES.index.str.fullmatch("table6/.*-magnatagatune")]
    bottom = table.index.str.contains("/(?:layer-[123]|last-3)-")
    assert bottom.sum() == 4
    best = table[bottom].max()
    for other in ("multi-level-mel", "samplecnn-3-9"):
        assert table[f"table6/{other}-magnatagatune"] > best


@proves("lee-aggregation-on-gtzan")
def single_layers_are_better_on_gtzan() -> None:
    for layer in ("layer-1", "layer-2"):
        assert VALUES[f"table6/{layer}-gtzan"] > VALUES["table6/last-3-gtzan"]


@proves("lee-hop-below-4ms")
def the_best_mel_network_has_the_shortest_hop() -> None:
    table = VALUES[VALUES.index.str.startswith("table2/mel-")]
    sizes = {row: tuple(map(int, row.split("-")[1:])) for row in table.index}
    window, hop = sizes[table.idxmax()]
    assert hop == min(hop for _, hop in sizes.values())
    assert 1000 * hop / 22_050 < 4
    (other,) = (row for row in sizes if sizes[row][1] == hop and row != table.idxmax())
    assert table[other] < table.max()
    assert sizes[other][0] < window


@proves("lee-tagtraum-80-per-cent")
def a_fifth_is_missing_only_with_the_validation_part() -> None:
    parts = data_prep.get("tagtraum").splits["tagtraum-lee"]
    songs = sum(parts.values())
    assert songs == 189_189
    assert round(100 * parts["train"] / songs, 1) == 74.7
    assert round(100 * (parts["train"] + parts["validation"]) / songs, 1) == 80.0


@proves("lee-table3-milliseconds")
def one_length_is_cut_and_one_rounded() -> None:
    printed = {2000: 2592, 4000: 2592, 8000: 2592, 12_000: 2592, 16_000: 2733, 20_000: 2624}
    printed |= {22_050: 2678}
    exact = {hertz: 1000 * NETWORKS[f"table5/{hertz}"].length / hertz for hertz in printed}
    assert [hertz for hertz in printed if round(exact[hertz]) != printed[hertz]] == [16_000]
    assert [hertz for hertz in printed if int(exact[hertz]) != printed[hertz]] == [22_050]


@proves("lee-hidden-decay")
def the_code_goes_slower_and_back() -> None:
    paper, code = PROTOCOLS["paper"], PROTOCOLS["code"]
    slower = step_after(code.optimizer(), 250_000) / step_after(paper.optimizer(), 250_000)
    assert abs(slower - 1 / 1.25) < 1e-4
    assert abs(step_after(paper.optimizer(), 250_000) / step_after(paper.optimizer(), 0) - 1) < 1e-6
    assert (restarts(paper.rule), restarts(code.rule)) == ([], [5])


def restarts(rule: Rule) -> list[int]:
    """Epochs, of a loss that does not fall, after which the best weights are loaded."""
    memory = rule.start()
    verdicts = [rule.step(memory, {"val_loss": 1.0}) for _ in range(5)]
    assert [verdict.factor for verdict in verdicts] == [1, 1, 1, 1, 1 / 5]
    return [epoch for epoch, verdict in enumerate(verdicts, 1) if verdict.restart]
