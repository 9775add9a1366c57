"""TF32 is off where float32 is promised, and as the caller had it before and after."""

from collections.abc import Iterator

import pytest
import torch

from benchmark.methods.exact_float32 import exact_float32


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    before = flags()
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def flags() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("callers", [(True, False), (False, True)])
def test_tf32_is_off_meanwhile_and_put_back_even_after_an_error(callers: tuple[bool, bool]) -> None:
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = callers
    seen = []

    @exact_float32()
    def fail() -> None:
        seen.append(flags())
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert seen == [(False, False)]
    assert flags() == callers


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_convolution_on_the_gpu_is_that_of_the_cpu() -> None:
    images, kernels = torch.rand(4, 64, 24, 24), torch.rand(64, 64, 3, 3)
    expected = torch.nn.functional.conv2d(images.double(), kernels.double())
    with exact_float32():
        made = torch.nn.functional.conv2d(images.cuda(), kernels.cuda()).cpu().double()
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=0)
