"""The encoder's size, structure and drop path; its numbers are held by tests/cddpm/test_fidelity.py."""

import pytest
import torch

from baselines.encoders.resnet import Bottleneck, ResNet


def tiny(drop_path: float = 0.0) -> ResNet:
    torch.manual_seed(0)
    return ResNet(width=4, blocks=(1, 2, 1, 1), code=6, drop_path=drop_path)


def test_defaults_have_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in ResNet().parameters()) == 24_550_848


def test_every_stage_but_the_first_halves_the_resolution_and_doubles_the_channels() -> None:
    shapes = [tuple(x.shape[1:]) for x in tiny().features(torch.rand(2, 1, 64, 64))]
    assert shapes == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 2, 2)]
    assert tiny().channels == [16, 32, 64, 128]


def test_the_code_is_made_of_the_deepest_features() -> None:
    encoder, slices = tiny().eval(), torch.rand(2, 1, 32, 32)
    *_, deepest = encoder.features(slices)
    assert torch.equal(encoder(slices), encoder.head(deepest.mean(dim=(2, 3))))


def test_the_code_tells_slices_apart_from_the_start() -> None:
    codes = tiny().eval()(torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)]))
    assert codes.shape == (2, 6)
    assert not torch.allclose(codes[0], codes[1])


def test_every_branch_starts_at_zero() -> None:
    block = Bottleneck(16, 4, stride=1, drop_path=0)
    branches = [module.norm3.weight for module in tiny().modules() if isinstance(module, Bottleneck)]
    assert len(branches) == 5
    assert not any(weight.any() for weight in branches)
    assert block.norm3.weight.all()


def test_drop_path_grows_linearly_from_the_first_block_to_the_last() -> None:
    with torch.device("meta"):
        rates = [module.drop_path for module in ResNet().modules() if isinstance(module, Bottleneck)]
    assert rates == pytest.approx([0.05 * i / 15 for i in range(16)])


def test_drop_path_leaves_out_whole_branches_and_keeps_their_mean() -> None:
    torch.manual_seed(3)
    block = Bottleneck(16, 4, stride=1, drop_path=0.25).train()
    dropped = block._dropped(torch.ones(4000, 3, 2, 2)).flatten(1)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert {round(value, 5) for value in dropped[:, 0].tolist()} == {0.0, round(1 / 0.75, 5)}
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_evaluation_drops_nothing() -> None:
    encoder, slices = tiny(drop_path=0.5).eval(), torch.rand(3, 1, 32, 32)
    assert torch.equal(encoder(slices), encoder(slices))
    block = Bottleneck(16, 4, stride=1, drop_path=0.5).eval()
    assert torch.equal(block._dropped(torch.ones(8, 3, 2, 2)), torch.ones(8, 3, 2, 2))
