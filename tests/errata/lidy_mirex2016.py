"""Lidy & Schindler (MIREX 2016)."""

from mirkeras.layers import count_trainable
from reproductions.lidy_mirex2016.models import BANDS, FRAMES, model_1, model_2
from tests.errata import proves

#: Bands × frames, section 2.2.2.
PRINTED = {"frequency_conv": (67, 68), "frequency_pool": (67, 4), "time_pool": (5, 75)}


@proves("lidy-input-shape")
def the_printed_maps_are_of_another_input() -> None:
    assert shapes(80, 82) == PRINTED
    assert (BANDS, FRAMES) == (40, 80)
    stated = shapes(BANDS, FRAMES)
    assert [*stated.values()] == [(27, 66), (27, 3), (2, 73)]


def shapes(bands: int, frames: int) -> dict[str, tuple[int, int]]:
    """Shapes of model 2's maps on an input."""
    network = model_2(10, bands=bands, frames=frames)
    outputs = {name: network.get_layer(name).output.shape for name in PRINTED}
    return {name: (shape[2], shape[1]) for name, shape in outputs.items()}


@proves("lidy-32-or-30-filters")
def two_numbers_of_filters_are_two_networks() -> None:
    counts = [count_trainable(model_2(10, filters=filters)) for filters in (32, 30)]
    assert counts == [1_462_818, 1_371_530]


@proves("lidy-dense-of-model-1")
def the_text_and_the_figure_are_two_networks() -> None:
    text, figure = (model_1(10, hidden=hidden) for hidden in (False, True))
    assert [count_trainable(network) for network in (text, figure)] == [31_540, 563_840]
