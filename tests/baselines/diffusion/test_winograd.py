"""Winograd's convolution says what a direct one says, slice by slice, and is used where it may be."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.diffusion import winograd as module
from baselines.diffusion.unet import UNet
from baselines.diffusion.winograd import Conv3x3, winograd


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("size", [(4, 4), (12, 8), (24, 24), (96, 96)])
@pytest.mark.parametrize(("channels", "outputs", "batch"), [(3, 5, 1), (64, 96, 6)])
def test_it_is_the_direct_convolution_up_to_rounding(
    size: tuple[int, int], channels: int, outputs: int, batch: int
) -> None:
    x, weight, bias = drawn(batch, channels, *size), drawn(outputs, channels, 3, 3), drawn(outputs)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    torch.testing.assert_close(winograd(x, weight, bias).double(), expected, rtol=0, atol=1e-4 * float(expected.std()))
    unbiased = F.conv2d(x.double(), weight.double(), padding=1)
    torch.testing.assert_close(winograd(x, weight, None).double(), unbiased, rtol=0, atol=1e-4 * float(expected.std()))


@pytest.mark.parametrize("size", [24, 48, 96])
def test_a_slice_is_the_same_bit_for_bit_wherever_it_stands_in_a_batch(size: int) -> None:
    x, weight, bias = drawn(16, 64, size, size), drawn(64, 64, 3, 3), drawn(64)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    others = drawn(16, 64, size, size).roll(1, 0)
    others[5] = x[11]
    assert torch.equal(winograd(x, weight, bias)[order], winograd(x[order], weight, bias))
    assert torch.equal(winograd(others, weight, bias)[5], winograd(x, weight, bias)[11])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    seen: list[Tensor] = []

    def watched(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.append(x)
        return winograd(x, weight, bias)

    monkeypatch.setattr(module, "winograd", watched)
    return seen


def test_it_is_used_in_inference_alone(calls: list[Tensor]) -> None:
    convolution, x = Conv3x3(64, 64), drawn(2, 64, 8, 8)
    direct = convolution(x)
    with torch.no_grad():
        assert torch.equal(convolution(x), direct)
    assert not calls
    with torch.inference_mode():
        torch.testing.assert_close(convolution(x), direct.detach(), rtol=0, atol=5e-5)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("channels", "shape", "dtype"),
    [(32, (8, 8), torch.float32), (64, (8, 6), torch.float32), (64, (8, 8), torch.float64)],
    ids=["narrow", "odd size", "float64"],
)
@torch.inference_mode()
def test_what_it_cannot_do_faster_is_done_directly(
    calls: list[Tensor], channels: int, shape: tuple[int, int], dtype: torch.dtype
) -> None:
    convolution, x = Conv3x3(channels, channels).to(dtype), drawn(2, channels, *shape).to(dtype)
    assert torch.equal(convolution(x), F.conv2d(x, convolution.weight, convolution.bias, padding=1))
    assert not calls


@torch.inference_mode()
def test_autocast_goes_before(calls: list[Tensor]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert Conv3x3(64, 64)(drawn(1, 64, 4, 4)).dtype == torch.bfloat16
    assert not calls


def test_a_whole_network_agrees_with_itself_computed_directly(calls: list[Tensor]) -> None:
    torch.manual_seed(0)
    network = UNet(width=64, multipliers=(1, 2), residual_blocks=1).eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)  # layers that start at 0 would hide what comes before them
    x, index = drawn(4, 1, 16, 16), torch.tensor([0, 10, 500, 999])
    with torch.no_grad():
        direct = network(x, index)
    with torch.inference_mode():
        fast = network(x, index)
    assert len(calls) > 10
    assert direct.std() > 0.1
    torch.testing.assert_close(fast, direct, rtol=0, atol=1e-4)
