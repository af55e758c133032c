"""Cards of trained taggers, and the proof that they give the originals' numbers."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.sets.magnatagatune import TAGS as MTAT_TAGS
from data_prep.sets.magnatagatune import TAGS_OF_TAGGERS
from mirkeras.features import find_recipe
from mirkeras.layers import count_trainable
from mirkeras.pretrained import weight_files, weights
from mirkeras.pretrained.cards import Card, Source, all_cards, find_card
from mirkeras.storage.files import sha256
from mirkeras.system.errors import UsageError
from reproductions.pons_ismir2018 import originals, parity
from reproductions.pons_ismir2018.experiments import EXPERIMENT
from reproductions.pons_ismir2018.replay import PATIENCE, replay
from reproductions.pons_ismir2018.rows import compare
from reproductions.pons_ismir2018.trained import CARDS
from tests.models.synthetic import arrays_for

WEIGHTS = os.environ.get("MIRKERAS_WEIGHTS", "")


@pytest.mark.parametrize("name", all_cards())
def test_a_card_and_its_network_belong_together(name: str) -> None:
    card = find_card(name)
    network = card.build()
    assert {variable.path for variable in network.weights} == card.names.keys()
    recipe = find_recipe(card.recipe)
    assert network.input_shape == (None, card.frames, recipe.bands)
    if card.tags:
        assert network.output_shape == (None, len(card.tags))
    assert len(set(card.tags)) == len(card.tags)
    assert 20 < len(card.hears) <= 88 - 4
    assert {network.get_layer(layer).name for layer in card.embeddings}


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="MTT_musicnn"):
        find_card("MTT_musicn")


def test_tags_of_the_networks_are_those_of_the_data_in_another_order() -> None:
    assert sorted(TAGS_OF_TAGGERS) == sorted(MTAT_TAGS)
    assert TAGS_OF_TAGGERS[46:] == ("country", "metal", "female voice", "choral")


def checkpoint_wheel(card: Card, folder: Path) -> Path:
    """Write a wheel with a checkpoint of the card's true names and shapes, Adam's state beside."""
    import tensorflow as tf

    arrays = arrays_for(card, card.build())
    for origin in card.names.values():
        if origin.rearrange is not None:  # the mid-end: an axis of size 1 in the file
            arrays[origin.name] = arrays[origin.name][:, :, None]
    arrays |= {"beta1_power": np.float32(0.9), "dense/kernel/Adam_1": arrays["dense/kernel"]}
    prefix, names = str(folder / "checkpoint"), list(arrays)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=list(arrays.values()),
    )
    path = folder / card.source.filename
    with zipfile.ZipFile(path, "w") as wheel:
        for ending in (".index", ".data-00000-of-00001"):
            wheel.write(prefix + ending, f"{card.source.member}/{ending}")
        wheel.writestr(f"{card.source.member}/.meta", b"")
    return path


@pytest.mark.parametrize(
    ("name", "trainable", "all_numbers"),
    [("MTT_musicnn", 787_159, 792_079), ("MSD_vgg", 605_748, 607_030)],
)
def test_a_checkpoint_of_the_true_shapes(
    name: str, trainable: int, all_numbers: int, tmp_path: Path
) -> None:
    card = find_card(name)
    path = checkpoint_wheel(card, tmp_path)
    digest = sha256(path)
    network = weights.load(replace(card, source=replace(card.source, sha256=digest)), path)
    assert (count_trainable(network), network.count_params()) == (trainable, all_numbers)
    other = find_card("MTT_vgg" if "musicnn" in name else "MTT_musicnn")
    wrong = replace(other, source=replace(card.source, sha256=digest))
    with pytest.raises(weights.WeightsError, match="wrong model file"):
        weights.load(wrong, path)


def test_float16_overflows_where_it_did() -> None:
    loud = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype("float32")
    now, then = originals.features(loud), originals.features(loud, half=True)
    assert np.isfinite(now).all()
    assert np.isinf(then).any()
    assert np.abs(now - then)[np.isfinite(then)].max() < 0.01
    assert np.abs(find_recipe("musicnn").extract(loud) - now).max() < 1e-5


def log(losses: list[float]) -> str:
    """Write a log by the authors' rule, in its plainest form."""
    lines, best, bad, rate = (
        ["Epoch\ttrain_cost\tval_cost\tepoch_time\tlearing_rate"],
        None,
        0,
        1e-3,
    )
    for epoch, loss in enumerate(losses, start=1):
        lines.append(f"{epoch}\tnan\t{loss:.6g}\t1s\t{rate:.6g}")
        if bad >= PATIENCE:
            bad, rate = 0, rate / 2
        if best is None or loss < best:
            best = loss
        else:
            bad += 1
    return "\n".join(lines)


def test_logged_rates_are_replayed() -> None:
    found = replay(log([1 / (1 + n % 90) for n in range(400)]))
    assert (found.epochs, found.reproduced) == (400, 400)
    # the improvement in epoch 3 is lost in print: the tie explains what follows
    found = replay(log([1, 0.5, 0.5 - 1e-9, *[1] * 200]))
    assert found.reproduced < found.epochs == found.resolved
    assert found.ties == 1


def test_a_difference_is_held_or_not() -> None:
    ours, theirs = np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.1, 3.0])
    assert compare("m", "i", "w", ours[:2], theirs[:2], 0.2).held == "yes"
    assert compare("m", "i", "w", ours[:2], theirs[:2], 0.01).held == "no"
    assert compare("m", "i", "w", ours, theirs, 0.2).held == "no"
    measured = compare("m", "i", "w", ours, theirs)
    assert (measured.held, measured.values) == ("", 2)
    with pytest.raises(ValueError, match="shapes"):
        compare("m", "i", "w", ours, theirs[:2])


def test_parity_without_weights_fails_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parity, "all_cards", lambda: {card.name: card for card in CARDS[:1]})
    assert parity.main(["--weights", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "MTT_musicnn: left out" in said.err
    assert "0 of 0" in said.out


def at_hand(source: Source) -> bool:
    home = Path(WEIGHTS).expanduser()
    return bool(WEIGHTS) and any((home / name).is_file() for name in source.filenames)


@pytest.mark.long
@pytest.mark.parametrize("name", [card.name for card in parity.proven_cards()])
def test_the_originals_give_the_same(name: str) -> None:
    card = find_card(name)
    if not at_hand(card.source):
        pytest.skip(f"{card.source.filename} is not in the folder that MIRKERAS_WEIGHTS names")
    path = weight_files.locate(card.source)
    rows = list(parity.proofs(card, path, [parity.Sound("sine")]))
    assert len(rows) >= 6
    assert {row.input for row in rows if row.what == parity.TAGGED} == {"sine", "random"}
    assert [row for row in rows if row.held == "no"] == []


@pytest.mark.parametrize("name", ["code", "paper", "clean"])
def test_networks_are_trained_with_tensorflow_1s_adam(name: str) -> None:
    config = EXPERIMENT.protocols[name].optimizer().get_config()
    wanted = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    assert {key: config[key] for key in wanted} == pytest.approx(wanted, rel=1e-6)
