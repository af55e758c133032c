"""What is set up before a device is used, and what is left to whoever uses it already."""

import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from mirkeras.cli import doctor
from mirkeras.system.machine import cards, device
from mirkeras.tagging import command, models, tagger
from reproductions.pons_ismir2018 import parity
from tests.fake_gpus import A, B, C, machine


def test_float32_is_never_rounded_to_tf32() -> None:
    tf.config.experimental.enable_tensor_float_32_execution(True)
    device.prepare()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    assert not device.has_tf32()


@pytest.mark.parametrize("used", [None, RuntimeError, ValueError])
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_gpu_is_shared_or_left_as_it_is(monkeypatch, used: type | None, backend: str) -> None:
    asked = []

    def note(*given) -> None:
        asked.append(given)
        # ValueError: a program has divided it into logical devices
        if used is RuntimeError or (used and given[1] is True):
            raise used("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["card 0", "card 1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", note)
    monkeypatch.setattr(tf.config, "set_visible_devices", note)
    monkeypatch.setattr(device, "backend", lambda: backend)
    device.prepare()
    hidden = [] if backend == "tensorflow" else [([], "GPU")]
    assert asked == [("card 0", True), ("card 1", True), *hidden]


def test_a_process_computes_on_one_card_and_opens_no_other(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["card 0", "card 1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *given: None)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *given: asked.append(given))
    device.configure()
    assert asked == [(["card 0"], "GPU")]
    machine = device.Device(2, 1, [cards.Card("0", "This"), cards.Card("1", "That")])
    assert machine.hardware_class.endswith("2 cores, This")


def test_looking_at_the_machine_initialises_nothing() -> None:
    code = (
        "from mirkeras.system.machine import device; import tensorflow as tf;"
        "device.find(); device.half_precision(); device.prepare();"
        # refused once anything computes
        "tf.config.set_logical_device_configuration("
        "tf.config.list_physical_devices('CPU')[0], [tf.config.LogicalDeviceConfiguration()] * 2);"
        "print(len(tf.config.list_logical_devices('CPU')))"
    )
    assert subprocess.check_output([sys.executable, "-c", code]).split() == [b"2"]


class Reached(Exception):
    """The device was set up before anything else was done."""


def reach(**options) -> None:
    raise Reached


@pytest.mark.parametrize(
    "start",
    [
        lambda: parity.main([]),
        lambda: tagger.Tagger(),
        lambda: next(command._outcomes(command.Request(None, None, [], None), [])),
    ],
    ids=["parity", "Tagger", "tag"],
)
def test_tagging_and_parity_set_it_up_first(monkeypatch, start) -> None:
    for name in ("configure", "prepare"):
        monkeypatch.setattr(device, name, reach)
    for module, name in ((models.trained, "load"), (parity, "all_cards")):
        monkeypatch.setattr(module, name, lambda *given, **options: pytest.fail("too early"))
    with pytest.raises(Reached):
        start()


@pytest.mark.parametrize(("backend", "slow"), [("tensorflow", False), ("jax", True)])
def test_doctor_says_what_computes_and_what_it_may_use(monkeypatch, backend, slow) -> None:
    monkeypatch.setattr(device, "backend", lambda: backend)
    monkeypatch.setenv(cards.VISIBLE, "1")
    text = doctor.report()
    assert f"  backend       {backend}" in text
    assert ("144 against 696 steps/s" in text) is slow
    assert "CUDA_VISIBLE_DEVICES is '1'" in text


@pytest.mark.parametrize(
    ("gpus", "backend", "flags", "expected"),
    [
        ([cards.Card("0", "T")], "tensorflow", "fpu", "mixed_float16"),
        ([cards.Card("0", "T")], "jax", "fpu", "mixed_float16"),
        ([], "tensorflow", "fpu avx512_bf16 avx2", "mixed_bfloat16"),
        ([], "tensorflow", "amx_bf16", "mixed_bfloat16"),
        ([], "tensorflow", "fpu avx2", None),
        ([], "tensorflow", "", None),  # the system does not say
        ([], "jax", "amx_bf16", None),
    ],
)
def test_half_precision_is_what_the_machine_is_fast_at(
    monkeypatch, gpus, backend, flags, expected
) -> None:
    monkeypatch.setattr(device, "cards_seen", lambda: gpus)
    monkeypatch.setattr(device, "backend", lambda: backend)
    monkeypatch.setattr(device, "_of_processor", {"flags": flags}.get)
    assert device.half_precision() == expected


@pytest.mark.parametrize("plugin", [False, True])
def test_jax_is_not_asked_which_gpus_it_sees(monkeypatch, tmp_path: Path, plugin: bool) -> None:
    """It would open them; what it needs to see any is installed or not."""
    machine(tmp_path, monkeypatch, {A: 8, B: 8})
    monkeypatch.setattr(device, "backend", lambda: "jax")
    monkeypatch.setattr(device, "entry_points", lambda group: ["cuda"] * plugin)
    assert [card.key for card in device.cards_seen()] == ([A, B] if plugin else [])


@pytest.mark.parametrize(
    ("gib", "expected"),
    [
        ({A: 8}, ["1 1 on NVIDIA T (GPU-aaaa-1), 2.0 GiB",
                  "2 2 on NVIDIA T (GPU-aaaa-1), 1.0 GiB"]),
        ({A: 8, B: 16, C: 4}, [
            "1 1 on NVIDIA T (GPU-abbb-2), 4.0 GiB",
            "2 1 on NVIDIA T (GPU-abbb-2), 4.0 GiB; 1 on NVIDIA T (GPU-aaaa-1), 2.0 GiB",
            "3 1 on NVIDIA T (GPU-abbb-2), 4.0 GiB; 1 on NVIDIA T (GPU-aaaa-1), 2.0 GiB; "
            "1 on NVIDIA T (GPU-cccc-3), 1.0 GiB",
            "6 2 on NVIDIA T (GPU-abbb-2), 2.0 GiB; 2 on NVIDIA T (GPU-aaaa-1), 1.0 GiB; "
            "2 on NVIDIA T (GPU-cccc-3), 0.5 GiB",
        ]),
    ],
)  # fmt: skip
def test_doctor_prints_how_runs_are_spread(monkeypatch, tmp_path: Path, gib, expected) -> None:
    machine(tmp_path, monkeypatch, gib)
    lines = doctor.report().splitlines()
    found = [" ".join(line.split()[1:]) for line in lines if line.startswith("  --jobs ")]
    assert found == expected
    assert f"  GPU           NVIDIA T, 8.0 GiB free ({A})" in lines
    assert not any("one run uses all" in line for line in lines)


def test_doctor_says_where_free_memory_is_unknown(monkeypatch, tmp_path: Path) -> None:
    machine(tmp_path, monkeypatch, {A: "[N/A]"})
    assert f"NVIDIA T, free memory unknown ({A})" in doctor.report()
