"""A want of memory is told with its remedies, on whatever it is noticed."""

from pathlib import Path

import pytest
from tensorflow import errors

from mirkeras.system.errors import explained, is_expected, unusable


class XlaRuntimeError(RuntimeError):
    """As XLA's."""


#: What is said where a GPU's memory is used up, wherever that is noticed.
FULL_CARDS = [
    errors.ResourceExhaustedError(
        None, None, "OOM when allocating tensor on /job:localhost/device:GPU:0 by GPU_0_bfc"
    ),
    errors.ResourceExhaustedError(None, None, "failed to allocate memory [Op:Mul]"),
    errors.InternalError(None, None, "Dst tensor is not initialized."),
    errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    errors.UnknownError(None, None, "CUDNN_STATUS_ALLOC_FAILED"),
    XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes."),
    RuntimeError("Exception encountered when calling L.call().\n\nOOM when allocating tensor"),
]


@pytest.mark.parametrize("error", FULL_CARDS, ids=str)
def test_a_full_gpu_is_told_with_its_remedies(error: Exception) -> None:
    assert is_expected(error)
    message = explained(error)
    assert message.startswith("out of memory, on the GPU where there is one; use fewer --jobs or a")
    for words in ("--memory-budget", "finished work is kept"):
        assert words in message
    assert "finished work" not in explained(error, kept=False)
    assert "\n" not in message
    assert explained(error) in unusable(Path("checkpoint.npz"), error, "delete it")
    assert "delete it" not in unusable(Path("checkpoint.npz"), error, "delete it")


@pytest.mark.parametrize(
    "error",
    [
        errors.InternalError(None, None, "something else"),
        errors.InvalidArgumentError(None, None, "shape"),
        RuntimeError("shape"),
        ValueError("OOM when allocating"),  # of no framework
    ],
)
def test_no_other_error_is_one_of_memory(error: Exception) -> None:
    assert not is_expected(error)


def test_main_memory_is_told_as_before() -> None:
    said = "OOM when allocating tensor on /job:localhost/device:CPU:0 by allocator cpu"
    error = errors.ResourceExhaustedError(None, None, said)
    assert explained(error).startswith("memory: Cannot allocate memory; close other programs")
