"""GPUs where there are none: an `nvidia-smi` that answers what it is told to."""

import os
from pathlib import Path

import pytest
import tensorflow as tf

from mirkeras.system.machine import cards

A, B, C = "GPU-aaaa-1", "GPU-abbb-2", "GPU-cccc-3"
GIB = 2**30


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, listed: str, free: str = "", code: str = ""
) -> None:
    """Put an `nvidia-smi` first on the PATH; `code` is run before it answers."""
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    (tool.parent / "listed").write_text(listed)
    (tool.parent / "free").write_text(free)
    here = tool.parent
    tool.write_text(f'#!/bin/sh\n{code}\ncase "$1" in -L) cat {here}/listed;; *) cat {here}/free;; esac\n')  # fmt: skip # noqa: E501
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(cards.VISIBLE, raising=False)
    monkeypatch.delenv(cards.ORDER, raising=False)


def machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, gib: dict[str, object], kind: str = "NVIDIA T"
) -> None:
    """Let a machine have GPUs of one kind, by key with the GiB free; TensorFlow sees them all."""
    lines = [f"GPU {number}: {kind} (UUID: {key})" for number, key in enumerate(gib)]
    free = [f"{key}, {size * 1024 if isinstance(size, int) else size}" for key, size in gib.items()]
    install(folder, monkeypatch, "\n".join(lines) + "\n", "\n".join(free) + "\n")
    seen_by_tensorflow(monkeypatch, kind)


def seen_by_tensorflow(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    """Let TensorFlow see GPUs of these kinds; of one kind, as many as there are visible."""

    def listed(device_type: str) -> list:
        names = kinds if len(kinds) != 1 else [kinds[0]] * len(cards.found())
        return [
            tf.config.PhysicalDevice(f"/physical_device:GPU:{number} {name}", "GPU")
            for number, name in enumerate(names)
        ]

    def details(gpu: tf.config.PhysicalDevice) -> dict:
        return {"device_name": gpu.name.partition(" ")[2]}

    monkeypatch.setattr(tf.config, "list_physical_devices", listed)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
