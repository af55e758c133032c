"""The grid of front-ends; runs on every Keras backend (`make test-jax`)."""

import keras
import numpy as np
import pytest

from mirkeras.layers import count_trainable, image
from mirkeras.layers.spectrogram import Shape, many_shapes, one_shape, vgg_stage
from mirkeras.layers.style import Style
from mirkeras.layers.waveform import frame_level, many_frame_levels, sample_level, steps_left

PLAIN = Style(activation=None, batch_norm=False)


def random(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).standard_normal(shape).astype("float32")


def on_image(frames: int | None, bands: int, front) -> keras.Model:
    spectrogram, x = image(frames, bands)
    return keras.Model(spectrogram, front(x))


def run(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(batch))


@pytest.mark.parametrize(("kernel", "before"), [((4, 3), 1), ((6, 1), 0), ((1, 4), 1), ((2, 7), 3)])
def test_a_shape_keeps_each_frames_best_position_over_the_bands(kernel, before: int) -> None:
    bands, length = kernel
    network = on_image(9, 6, lambda x: one_shape(x, Shape("v", 2, kernel), PLAIN))
    filters = np.array(network.get_layer("v_conv").get_weights()[0])[:, :, 0]  # frames, bands, 2
    batch = random(1, 9, 6)
    padded = np.pad(batch[0], ((before, length - 1 - before), (0, 0)))
    expected = [
        [
            max(
                (padded[t : t + length, b : b + bands] * filters[..., one]).sum()
                for b in range(6 - bands + 1)
            )
            for one in range(2)
        ]
        for t in range(9)
    ]
    np.testing.assert_allclose(run(network, batch)[0], expected, atol=1e-5)


def test_without_padding_there_are_fewer_frames_and_any_length_is_taken() -> None:
    vertical = Shape("v", 2, (6, 8))
    network = on_image(20, 6, lambda x: one_shape(x, vertical, PLAIN, padded=False))
    assert network.output_shape == (None, 13, 2)
    network = on_image(None, 6, lambda x: one_shape(x, Shape("v", 2, (4, 7)), Style()))
    assert run(network, random(1, 11, 6)).shape == (1, 11, 2)


def test_filters_on_the_envelope_see_the_mean_of_the_bands() -> None:
    rhythm = Shape("r", 3, (1, 5), envelope=True)
    network = on_image(12, 6, lambda x: one_shape(x, rhythm, PLAIN))
    batch = random(1, 12, 6)
    shuffled = batch[:, :, ::-1]
    np.testing.assert_allclose(run(network, batch), run(network, shuffled), atol=1e-5)
    kernel = np.array(network.get_layer("r_conv").get_weights()[0])[:, 0, 0]
    expected = np.correlate(batch[0].mean(axis=1), kernel, "same")
    np.testing.assert_allclose(run(network, batch)[0, :, 0], expected, atol=1e-5)


def test_the_envelope_has_one_band() -> None:
    with pytest.raises(ValueError, match="r: a kernel on the envelope has 1 band, not 2"):
        on_image(12, 6, lambda x: one_shape(x, Shape("r", 3, (2, 5), envelope=True), PLAIN))


def test_many_shapes_stand_side_by_side_in_their_order() -> None:
    shapes = [Shape("tall", 3, (5, 1)), Shape("wide", 2, (1, 4)), Shape("e", 1, (1, 3), True)]
    network = on_image(10, 6, lambda x: many_shapes(x, shapes, Style(), "front"))
    assert network.get_layer("front").output.shape == (None, 10, 6)
    tall = keras.Model(network.input, network.get_layer("tall").output)
    batch = random(1, 10, 6)
    np.testing.assert_allclose(run(network, batch)[..., :3], run(tall, batch), atol=1e-6)
    # kernels and biases, two of batch norm for each filter
    assert count_trainable(network) == (5 * 3 + 3 + 6) + (4 * 2 + 2 + 4) + (3 + 1 + 2)


def test_vgg_stages_halve_and_drop_incomplete_edges() -> None:
    style = Style(activation="elu", batch_norm=False)

    def front(x):
        x = vgg_stage(x, 1, 2, (1, 4), style, stride=(2, 2))
        return vgg_stage(x, 2, 3, (2, 4), style)

    network = on_image(21, 8, front)
    assert network.get_layer("pool1").output.shape == (None, 9, 4, 2)
    assert network.output_shape == (None, 2, 2, 3)  # 9 frames by fours, 4 bands by twos
    assert (run(network, random(1, 21, 8)) > -1).all()  # an ELU's


@pytest.mark.parametrize(
    ("samples", "levels"), [(48_000, 7), (240_000, 9), (19_680, 7), (19_679, 7), (50, 2), (20, 4)]
)
def test_steps_left_of_a_waveform_are_those_of_the_network(samples: int, levels: int) -> None:
    steps = steps_left(samples, levels)
    waveform = keras.Input((samples, 1))
    if steps:
        assert sample_level(waveform, [2] * levels, Style()).shape == (None, steps, 2)
    else:
        with pytest.raises(ValueError, match=r"negative|Computed output|at least"):
            sample_level(waveform, [2] * levels, Style())


def test_padded_levels_divide_by_three() -> None:
    waveform = keras.Input((3**4, 1))
    assert sample_level(waveform, (4, 4, 8), PLAIN, padding="same").shape == (None, 3, 8)


def test_frames_of_a_waveform_in_one_and_in_many_lengths() -> None:
    waveform = keras.Input((4_800, 1))
    one = frame_level(waveform, "frame", 4, 512, 256, Style())
    assert one.shape == (None, (4_800 - 512) // 256 + 1, 4)
    many = many_frame_levels(waveform, 4, (512, 128, 32), 32, Style(), "frames")
    assert many.shape == (None, 150, 12)
    network = keras.Model(waveform, many)
    assert network.get_layer("frames_128_conv").kernel.shape == (128, 1, 4)
    assert run(network, random(1, 4_800, 1)).shape == (1, 150, 12)


def test_a_style_sets_start_and_decay_of_kernels_only() -> None:
    keras.utils.set_random_seed(0)
    shape = Shape("v", 64, (20, 5))
    network = on_image(9, 24, lambda x: one_shape(x, shape, Style(penalty=0.5)))
    kernel, bias = map(np.array, network.get_layer("v_conv").get_weights())
    assert kernel.std() == pytest.approx(np.sqrt(2 / 100), rel=0.05)  # He: 100 inputs
    network.get_layer("v_conv").set_weights([kernel, bias + 1])
    assert sum(map(float, network.losses)) == pytest.approx(0.25 * (kernel**2).sum(), rel=1e-4)
    assert not on_image(9, 24, lambda x: one_shape(x, shape, Style())).losses
