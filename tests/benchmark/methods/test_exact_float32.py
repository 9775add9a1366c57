"""TF32 is off where float32 is promised, and as the caller had it before and after."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from benchmark.methods.exact_float32 import exact_float32

BACKENDS = torch.backends
OPERATIONS = (BACKENDS.cuda.matmul, BACKENDS.cudnn.conv, BACKENDS.cudnn.rnn)


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    everywhere, before = BACKENDS.fp32_precision, precisions()
    yield
    BACKENDS.fp32_precision = everywhere
    BACKENDS.cudnn.allow_tf32, BACKENDS.cuda.matmul.allow_tf32 = True, False
    for operation, precision in zip(OPERATIONS, before, strict=True):
        operation.fp32_precision = precision


def precisions() -> list[str]:
    return [operation.fp32_precision for operation in OPERATIONS]


def flags() -> tuple[bool, bool]:
    return BACKENDS.cudnn.allow_tf32, BACKENDS.cuda.matmul.allow_tf32


@pytest.mark.parametrize("callers", [(True, False), (False, True)])
def test_tf32_is_off_meanwhile_and_put_back_even_after_an_error(callers: tuple[bool, bool]) -> None:
    BACKENDS.cudnn.allow_tf32, BACKENDS.cuda.matmul.allow_tf32 = callers
    before, seen = precisions(), []

    @exact_float32()
    def fail() -> None:
        seen.append((flags(), precisions()))
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert seen == [((False, False), ["ieee"] * 3)]
    assert (flags(), precisions()) == (callers, before)


@pytest.mark.parametrize("precision", ["tf32", "ieee", "none"])
@pytest.mark.parametrize("whole", [True, False], ids=["everything", "convolutions"])
def test_torchs_newer_name_of_the_setting_is_obeyed_and_put_back(precision: str, whole: bool) -> None:
    if whole:
        BACKENDS.fp32_precision = precision
    else:
        BACKENDS.cudnn.conv.fp32_precision = precision
    before = precisions()
    for _ in range(2):
        with exact_float32():
            assert precisions() == ["ieee"] * 3
            assert flags() == (False, False)
        assert precisions() == before
    with suppress(RuntimeError):  # torch refuses where convolutions and recurrences differ
        assert flags()[1] == (before[0] == "tf32")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_convolution_on_the_gpu_is_that_of_the_cpu() -> None:
    images, kernels = torch.rand(4, 64, 24, 24), torch.rand(64, 64, 3, 3)
    expected = torch.nn.functional.conv2d(images.double(), kernels.double())
    with exact_float32():
        made = torch.nn.functional.conv2d(images.cuda(), kernels.cuda()).cpu().double()
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=0)
