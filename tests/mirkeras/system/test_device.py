"""What is set up before a device is used, and what is left to whoever uses it already."""

import pytest
import tensorflow as tf

from mirkeras.cli import doctor
from mirkeras.system import device
from mirkeras.tagging import command, models, tagger
from reproductions.pons_ismir2018 import parity


def test_float32_is_never_rounded_to_tf32() -> None:
    tf.config.experimental.enable_tensor_float_32_execution(True)
    device.prepare()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
    assert not device.has_tf32()


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_gpu_is_shared_or_left_as_it_is(monkeypatch, used: bool, backend: str) -> None:
    asked = []

    def note(*given) -> None:
        asked.append(given)
        if used:
            raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["card 0", "card 1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", note)
    monkeypatch.setattr(tf.config, "set_visible_devices", note)
    monkeypatch.setattr(device, "backend", lambda: backend)
    device.prepare()
    hidden = [] if backend == "tensorflow" else [([], "GPU")]
    assert asked == [("card 0", True), ("card 1", True), *hidden]


class Reached(Exception):
    """The device was set up before anything else was done."""


def reach(**options) -> None:
    raise Reached


@pytest.mark.parametrize(
    "start",
    [
        lambda: parity.main([]),
        lambda: tagger.Tagger(),
        lambda: command.run(None),
    ],
    ids=["parity", "Tagger", "tag"],
)
def test_tagging_and_parity_set_it_up_first(monkeypatch, start) -> None:
    for name in ("configure", "prepare"):
        monkeypatch.setattr(device, name, reach)
    for module, name in ((models.trained, "load"), (parity, "all_cards")):
        monkeypatch.setattr(module, name, lambda *given, **options: pytest.fail("too early"))
    monkeypatch.setattr(command, "_request", lambda options: None)
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
        (["card 0"], "jax", "fpu", "mixed_float16"),
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
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(device, "backend", lambda: backend)
    monkeypatch.setattr(device, "_of_processor", {"flags": flags}.get)
    assert device.half_precision() == expected
