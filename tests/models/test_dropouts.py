"""Where the dropout of every paper's networks acts, and how much of what it drops.

Typed from the papers and the authors' code, not from the networks.
"""

from itertools import product
from math import prod

from mirkeras.system.backend import keras

import pytest

from mirkeras.experiment import find_experiment
from mirkeras.experiment.published import papers

# (share, dropped values, layer that gets them), in order
CBMI = {
    "table1/black-box-12x8": [(0.5, 32 * 7 * 73, "dense"), (0.5, 200, "scores")],
    "table1/black-box-12x200": [(0.5, 32 * 7 * 51, "dense"), (0.5, 200, "scores")],
    "table1/time-1x60": [(0.5, 32 * 21, "scores")],
    "table1/time-1x200": [(0.5, 32 * 51, "scores")],
    **{f"table1/frequency-{m}x1": [(0.5, 32 * (41 - m), "scores")] for m in range(30, 42, 2)},
    "table1/time-frequency": [(0.5, 32 * (21 + 9), "dense"), (0.5, 200, "scores")],
}
VGG = [
    (0.25, 92 * 48, "cnn2_conv"),
    (0.25, 46 * 24, "cnn3_conv"),
    (0.25, 23 * 12, "cnn4_conv"),
    (0.25, 11 * 6, "cnn5_conv"),
]  # values of one feature map
VGG_MSD = [(0.25, 46 * 96, "cnn2_conv"), *VGG[1:]]


def _vgg(filters: int, blocks: list = VGG) -> list:
    return [
        *((share, values * filters, layer) for share, values, layer in blocks),
        (0.5, 2 * filters, "scores"),
    ]


def _head(pooled: int, units: int) -> list:
    return [(0.5, pooled, "dense"), (0.5, units, "scores")]


# paper, how the protocol begins, a word of the row's id; the first that fits counts
EXPECTED = {
    **{("pons_cbmi2016", "", row): dropped for row, dropped in CBMI.items()},
    **{
        ("pons_icassp2017", "", f"table/{network}"): [(0.5, 10 * maps, "scores")]
        for network, maps in {
            "2o+2p": 150,
            "4o+4p": 300,
            "8o+8p": 600,
            "o+p": 75,
            "2o": 80,
            "2p": 70,
            "o": 40,
            "p": 35,
        }.items()
    },
    ("lee_samplecnn", "", ""): [(0.5, 512, "flatten")],
    ("lidy_mirex2016", "", ""): [(0.2, 200, "scores")],
    ("schindler_gtzan", "paper", "shallow"): [(0.1, 200, "scores")],
    ("schindler_gtzan", "paper", "deep"): [(0.25, 200, "scores")],
    ("schindler_gtzan", "student", "shallow"): [(0.1, 10_240, "dense")],
    ("schindler_gtzan", "student", "deep"): [(0.25, 5_120, "dense")],
    **{
        ("pons_eusipco2017", "", f"phonemes/proposed-{density}"): [
            (share, pooled * filters * density, f"f{bands}x{frames}")
            for bands, pooled in ((50, 15), (70, 5))  # pairs of bands where a filter fits
            for frames, filters in ((1, 32), (5, 16), (10, 8))
        ]
        for density, share in ((1, 0.3044), (3, 0.3044), (4, 0.32))
    },
    ("pons_eusipco2017", "", "phonemes/choi"): [],
    ("pons_eusipco2017", "", "phonemes/maas-511"): [(0.251, 511, "dense2"), (0.251, 511, "scores")],
    ("pons_eusipco2017", "", "phonemes/maas-475"): [(0.291, 475, "dense2"), (0.291, 475, "scores")],
    ("pons_ismir2018", "", "mtt/spectrogram-small"): _head(128, 200),
    ("pons_ismir2018", "", "table1"): _head(1024, 500),
    ("pons_ismir2018", "", "mtt"): _head(1024, 500),
    ("pons_ismir2018", "", "msd"): _head(1024, 500),
    ("pons_ismir2018", "", "released/musicnn-big"): _head(2 * 2097, 500),
    ("pons_ismir2018", "", "released/musicnn"): _head(2 * 753, 200),
    ("pons_ismir2018", "", "released/vgg-msd"): _vgg(128, VGG_MSD),
    ("pons_ismir2018", "", "released/vgg"): _vgg(128),
    ("pons_ismir2018", "", "training/vgg32"): _vgg(32),
    ("pons_ismir2018", "", "training/vgg128"): _vgg(128),
    ("pons_ismir2018", "", "training/dieleman"): [],
    ("pons_ismir2018", "", "training/timbre"): [],
    ("pons_ismir2018", "", "training/residual"): _head(128, 200),
    ("pons_ismir2018", "", "training/dense"): _head(1506, 200),
    ("pons_ismir2018", "", "training/attention"): _head(768, 200),
    ("pons_ismir2018", "", "training/autopool"): _head(768, 200),
    ("pons_ismir2018", "", "training/rnn"): _head(512, 200),
    **{
        ("pons_eusipco2017", "", f"tagging/proposed-{times}"): [
            (0.5, 9 * 32 * times, "dense"),
            (0.5, 100, "scores"),
        ]
        for times in (1, 2, 4)
    },
    ("pons_eusipco2017", "", "tagging/small-squared"): [
        (0.25, 187 * 128, "cnn1_conv"),
        (0.25, 46 * 126 * 32, "cnn2_conv"),
        (0.25, 44 * 31 * 32, "cnn3_conv"),
        (0.25, 21 * 14 * 64, "cnn4_conv"),
        (0.25, 9 * 6 * 32, "cnn5_conv"),
        (0.5, 7 * 4 * 16, "scores"),
    ],
    ("pons_eusipco2017", "", "instruments/single"): [(0.5, 4 * 448, "scores")],
    ("pons_eusipco2017", "", "instruments/multi"): [
        *((0.25, 4 * 4 * 448, "conv2"), (0.25, 2 * 2 * 128, "conv3")),
        *((0.5, 128, "dense"), (0.5, 256, "scores")),
    ],
    ("pons_icassp2019_fewdata", "", "curve/sb-cnn"): [(0.5, 2400, "dense"), (0.5, 64, "scores")],
    ("pons_icassp2019_fewdata", "", "curve/vgg-128"): [(0.5, 4 * 4 * 128, "scores")],
    ("pons_icassp2019_fewdata", "", "curve/vgg-n"): [(0.5, 4 * 4 * 32, "scores")],
    ("pons_icassp2019_fewdata", "", "curve/vgg-log"): [(0.5, 4 * 4 * 32, "scores")],
    ("pons_icassp2019_fewdata", "", "curve/timbre"): [],
    ("pons_icassp2019_fewdata", "", "curve/prototypical"): [(0.5, 4 * 4 * 128, "embedding")],
    ("pons_icassp2019_fewdata", "", "-softmax"): [],
    ("pons_icassp2019_fewdata", "", "-prototypes"): [],
}


def dropouts(network: keras.Model) -> list[tuple[float, int, str]]:
    """Share, number of dropped values and the layer behind, of each dropout in order."""
    found = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            behind = layer._outbound_nodes[0].operation.name
            found.append((layer.rate, prod(layer.input.shape[1:]), behind))
    return found


def cases() -> list:
    """One row of each kind and of each way to build it; no row may be of an unknown kind."""
    found = {}
    for paper in sorted({*papers()} - {"finetune"}):  # whose body does as when it tags
        experiment = find_experiment(paper)
        for row, protocol in product(experiment.rows.values(), experiment.protocols.values()):
            if not row.build or row.features_from or protocol.rule is None:
                continue  # no network, or one on features
            if row.variant and row.variant not in protocol.variants:
                continue
            protocol = experiment.protocol_of(protocol.name, row.id)
            kind = next(
                (of, under, word)
                for of, under, word in EXPECTED
                if of == paper and protocol.name.startswith(under) and word in row.id
            )
            found.setdefault((kind, str(protocol.network)), (row, protocol))
    return [
        pytest.param(row, protocol, EXPECTED[kind], id=f"{kind[0]}-{row.id}-{protocol.name}")
        for (kind, _), (row, protocol) in found.items()
    ]


@pytest.mark.parametrize(("row", "protocol", "expected"), cases())
def test_dropout_acts_where_the_authors_put_it(row, protocol, expected) -> None:
    network = row.build(8, "softmax", **row.options(protocol, 0))
    assert dropouts(network) == expected
