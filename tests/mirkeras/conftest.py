"""TensorFlow is set up as the commands set it up, once, before anything uses it."""

import pytest

from mirkeras.system.machine import device


@pytest.fixture(scope="session", autouse=True)
def _configured() -> None:
    device.configure()
