"""Pons, Lidy & Serra (CBMI 2016)."""

import numpy as np
from keras import layers

from mirkeras.experiment import Rule
from mirkeras.experiment.published import published_rows
from mirkeras.features import find_recipe
from mirkeras.features.logmel import COMPRESSIONS
from mirkeras.layers import count_trainable
from reproductions.pons_cbmi2016.experiments import PROTOCOLS, RECIPE, ROWS
from tests.errata import divided, proves

COUNTS = published_rows("pons_cbmi2016").set_index("row").params


@proves("cbmi-lr-rule")
def the_rate_falls_at_other_epochs() -> None:
    text, code = PROTOCOLS["paper"].rule, PROTOCOLS["code"].rule
    stuck = [1.0, *[1.1] * 40, 0.9]
    assert halved_after(text, stuck) == [41]  # the 40th epoch without a gain
    assert halved_after(code, stuck) == [42]  # the gain that follows
    # a gain every other epoch
    uneven = [loss for number in range(22) for loss in (1 - number / 100, 2.0)]
    assert halved_after(text, uneven) == []
    assert halved_after(code, uneven) == [43]


def halved_after(rule: Rule, losses: list[float]) -> list[int]:
    """Epochs, from 1, after which a rule halves the rate."""
    memory = rule.start()
    factors = [rule.step(memory, {"loss": loss}).factor for loss in losses]
    return [epoch for epoch, factor in enumerate(factors, 1) if factor == 0.5]


@proves("cbmi-validation-by-segment")
def validated_songs_are_trained_on() -> None:
    validated, trained, tested = songs_of("code")
    assert len(validated & trained) > 0.9 * len(validated)
    assert not tested & (validated | trained)
    validated, trained, _ = songs_of("paper")
    assert not validated & trained


def songs_of(protocol: str) -> list[set[int]]:
    """Songs that validate, train and are tested."""
    parts, segments, _ = divided(PROTOCOLS[protocol], "drawn", 10)
    return [{*segments.track[part]} for part in (parts.validation, parts.train, parts.test)]


@proves("cbmi-dropout-without-dense")
def half_of_what_enters_the_softmax_is_dropped_where_no_dense_layer_is() -> None:
    for row in ("table1/time-1x60", "table1/frequency-32x1"):
        network = ROWS[row].build(8)
        assert count_trainable(network) == COUNTS[row]
        # so there is no room for feed-forward layers
        assert [type(layer) for layer in network.layers if layer.weights] == [
            layers.Conv2D,
            layers.Dense,
        ]
        *_, dropout, scores = network.layers
        assert isinstance(dropout, layers.Dropout)
        assert dropout.rate == 0.5
        dropped = np.asarray(dropout(np.ones((1, 10_000), np.float32), training=True)) == 0
        assert 0.45 < dropped.mean() < 0.55
        assert scores.units == 8


@proves("cbmi-normalised-on-test")
def statistics_are_of_the_tested_songs_too() -> None:
    for name, protocol in PROTOCOLS.items():
        parts, segments, _ = divided(protocol, "drawn", 10)
        tested = {*segments.track[parts.test]}
        seen = tested & {*parts.normalise_on}
        assert seen == (tested if name in ("paper", "code") else set())


@proves("cbmi-log10")
def the_bases_differ_and_the_z_scores_do_not() -> None:
    energies = np.random.RandomState(0).exponential(1e-3, (100, 40))
    code, text = COMPRESSIONS[find_recipe(RECIPE).compression](energies), np.log1p(1e4 * energies)
    assert not np.allclose(code, text)
    np.testing.assert_allclose(z_score(code), z_score(text), atol=1e-9)


def z_score(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


@proves("cbmi-sixteen-times")
def seventeen_is_nearer() -> None:
    times = COUNTS["table1/black-box-12x8"] / COUNTS["table1/time-frequency"]
    assert (int(times), round(times)) == (16, 17)
