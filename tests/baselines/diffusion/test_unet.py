"""The U-Net's size, structure and steering; its numbers are held by tests/cddpm/test_fidelity.py."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from baselines.diffusion.unet import Attention, ResidualBlock, TimeEmbedding, UNet

CODE = 6


def tiny(code: int | None = None) -> UNet:
    """A narrow network whose zero-initialised layers hold random weights, so that every part counts."""
    torch.manual_seed(0)
    unet = UNet(width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4, code=code)
    return randomised(unet)


def randomised(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


class Kept(nn.Module):
    """A block that changes nothing."""

    def forward(self, x: Tensor, steering: Tensor) -> Tensor:
        return x


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("code", "count"), [(None, 37_513_857), (512, 44_068_481)])
def test_defaults_have_the_published_number_of_parameters(code: int | None, count: int) -> None:
    with torch.device("meta"):
        assert parameters(UNet(code=code)) == count


def test_all_27_published_residual_blocks_are_steered() -> None:
    with torch.device("meta"):
        blocks = [module for module in UNet().modules() if isinstance(module, ResidualBlock)]
    assert len(blocks) == 27


def test_a_new_network_predicts_zero_and_its_blocks_are_the_identity() -> None:
    x = torch.randn(2, 8, 4, 4)
    block = ResidualBlock(8, 8, steering=5, groups=4)
    attention = Attention(8, heads=2, groups=4)
    unet = UNet(width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4)
    assert torch.equal(block(x, torch.randn(2, 5)), x)
    assert torch.equal(attention(x), x)
    assert not unet(torch.randn(2, 1, 8, 8), torch.tensor([0, 999])).any()


def test_output_has_the_input_shape_at_every_multiple_of_the_coarsest_pixel() -> None:
    unet = tiny()
    for shape in [(8, 8), (8, 12), (16, 8)]:
        assert unet(torch.randn(2, 1, *shape), torch.tensor([3, 4])).shape == (2, 1, *shape)


def test_a_stem_that_halves_the_resolution_works_on_a_quarter_of_the_pixels_and_returns_them_all() -> None:
    torch.manual_seed(0)
    unet = randomised(UNet(width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4, stem_stride=2))
    seen = []
    unet.stem.register_forward_hook(lambda layer, inputs, output: seen.append(output.shape))
    output = unet(torch.randn(2, 1, 16, 24), torch.tensor([3, 4]))
    assert (seen, output.shape) == ([(2, 8, 8, 12)], (2, 1, 16, 24))
    squares = torch.nn.functional.pixel_unshuffle(output, 2)
    assert (squares.std(dim=1) > 0).all()


def test_a_stem_that_halves_the_resolution_sees_every_pixel_at_its_place() -> None:
    unet = UNet(width=8, multipliers=(1,), residual_blocks=1, heads=2, groups=4, stem_stride=2)
    unet.stem, unet.head = nn.Identity(), nn.Identity()
    unet.down, unet.up, unet.middle = nn.ModuleList(), nn.ModuleList(), nn.ModuleList([Kept(), nn.Identity(), Kept()])
    x = torch.randn(2, 1, 8, 12)
    assert torch.equal(unet(x, torch.tensor([3, 4])), x)


def test_time_step_and_code_steer_the_output() -> None:
    unet, x = tiny(CODE), torch.randn(1, 1, 8, 8)
    index, code = torch.tensor([10]), torch.randn(1, CODE)
    output = unet(x, index, code)
    assert not torch.allclose(output, unet(x, index + 500, code))
    assert not torch.allclose(output, unet(x, index, code + 1))


def test_a_code_is_asked_for_where_and_only_where_it_is_used() -> None:
    x, index, code = torch.randn(1, 1, 8, 8), torch.tensor([10]), torch.randn(1, CODE)
    with pytest.raises(ValueError, match="got no code, expected one"):
        tiny(CODE)(x, index)
    with pytest.raises(ValueError, match="got a code, expected none"):
        tiny()(x, index, code)


def test_heads_that_do_not_divide_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 heads, expected a divisor of the 8 channels"):
        Attention(8, heads=3, groups=4)


def test_every_parameter_receives_a_gradient() -> None:
    unet = tiny(CODE)
    unet(torch.randn(2, 1, 8, 8), torch.tensor([3, 700]), torch.randn(2, CODE)).square().sum().backward()
    idle = [name for name, weight in unet.named_parameters() if weight.grad is None or not weight.grad.any()]
    # Softmax is blind to what the keys have in common, so that a key's bias is the one exception.
    assert not [name for name in idle if name != "middle.1.qkv.bias"]


def test_slices_of_a_batch_do_not_mix() -> None:
    unet, x, index = tiny(CODE), torch.randn(3, 1, 8, 8), torch.tensor([0, 500, 999])
    code = torch.randn(3, CODE)
    together = unet(x, index, code)
    for i in range(3):
        alone = unet(x[i : i + 1], index[i : i + 1], code[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


def test_memory_format_changes_nothing_but_rounding() -> None:
    unet, x, index = tiny(), torch.randn(2, 1, 8, 8), torch.tensor([3, 700])
    expected = unet(x, index)
    unet.to(memory_format=torch.channels_last)
    torch.testing.assert_close(unet(x, index), expected, atol=1e-5, rtol=1e-5)


def test_attention_is_softmax_of_scaled_products_head_by_head() -> None:
    torch.manual_seed(1)
    attention, x = randomised(Attention(8, heads=2, groups=4)), torch.randn(1, 8, 2, 3)
    flat = attention.norm(x).flatten(2)[0]  # (C, X * Y)
    q, k, v = torch.split(attention.qkv.weight[:, :, 0] @ flat + attention.qkv.bias[:, None], 8)
    heads: list[Tensor] = []
    for head in (slice(0, 4), slice(4, 8)):
        weights = torch.softmax(q[head].T @ k[head] / math.sqrt(4), dim=-1)  # (query, key)
        heads.append(v[head] @ weights.T)
    out = attention.out.weight[:, :, 0] @ torch.cat(heads) + attention.out.bias[:, None]
    torch.testing.assert_close(attention(x), x + out.reshape(x.shape), atol=1e-5, rtol=1e-5)


def test_residual_block_scales_and_shifts_after_the_second_norm() -> None:
    torch.manual_seed(2)
    block, x, steering = (
        randomised(ResidualBlock(4, 8, steering=5, groups=2)),
        torch.randn(1, 4, 6, 6),
        torch.randn(1, 5),
    )
    scale, shift = block.scale_shift(steering)[0].split(8)
    h = block.norm2(block.conv1(nn.functional.silu(block.norm1(x))))
    h = h * (1 + scale[:, None, None]) + shift[:, None, None]
    expected = block.skip(x) + block.conv2(nn.functional.silu(h))
    torch.testing.assert_close(block(x, steering), expected)


@pytest.mark.parametrize(("resampling", "size"), [("down", 2), ("up", 8), ("none", 4)])
def test_residual_blocks_halve_and_double_the_resolution(resampling: str, size: int) -> None:
    block = ResidualBlock(4, 4, steering=5, groups=2, resampling=resampling)
    assert block(torch.randn(1, 4, 4, 4), torch.randn(1, 5)).shape == (1, 4, size, size)


def test_time_embedding_is_cosines_then_sines_of_falling_frequency() -> None:
    embedded = TimeEmbedding(4)(torch.tensor([0, 7]))
    assert embedded[0].tolist() == [1, 1, 0, 0]
    expected = [math.cos(7), math.cos(0.07), math.sin(7), math.sin(0.07)]
    assert embedded[1].tolist() == pytest.approx(expected, abs=1e-6)


def test_attention_off_the_cpu_is_given_what_its_fast_kernels_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would fall back to the kernel that holds the matrix of all pairs."""
    given: list[Tensor] = []

    def spy(*inputs: Tensor) -> Tensor:
        given.extend(inputs)
        return inputs[0]

    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", spy)
    with torch.device("meta"):
        Attention(8, heads=2, groups=4)(torch.empty(3, 8, 6, 6))
    assert [tuple(one.shape) for one in given] == [(3, 2, 36, 4)] * 3
    assert all(one.is_contiguous() for one in given)


def test_off_the_cpu_norms_leave_half_precision_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast would compute them, and all up to the next convolution, in float32."""
    computed: list[tuple[torch.dtype, bool]] = []
    group_norm = nn.functional.group_norm

    def spy(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        computed.append((weight.dtype, casting[-1]))
        return group_norm(x, groups, weight.to(x.dtype), bias.to(x.dtype), eps)

    casting = [True]

    @contextmanager
    def autocast(kind: str, *, enabled: bool) -> Iterator[None]:
        casting.append(enabled)
        yield
        casting.pop()

    monkeypatch.setattr(nn.functional, "group_norm", spy)
    monkeypatch.setattr(torch, "autocast", autocast)
    with torch.device("meta"):
        unet = UNet(width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4).bfloat16()
        for norm in [module for module in unet.modules() if isinstance(module, nn.GroupNorm)]:
            norm.float()  # as autocast finds it: only what it casts is narrow
        monkeypatch.setattr(unet, "_steering", lambda index, code: torch.empty(2, 32, dtype=torch.bfloat16))
        with torch.no_grad():
            unet(torch.empty(2, 1, 8, 8, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.int64))
    assert set(computed) == {(torch.bfloat16, False)}
