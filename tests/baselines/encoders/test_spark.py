"""SparK: nothing of a removed patch gets out, kept patches stay where they are, and the encoder learns."""

from copy import deepcopy
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from baselines.encoders.resnet import Bottleneck, ResNet
from baselines.encoders.spark import SparK, patch_normalised, patch_size, visible
from baselines.encoders.sparse import SparseBatchNorm2d, SparseConv2d, SparseMaxPool2d, resized, sparse
from baselines.training.stage import Stage
from benchmark.methods.contract.trial import simulated_case
from cddpm.detector import CDDPM

TINY = CDDPM.Config(
    size=24,
    steps=2,
    batch_size=4,
    augment=False,
    width=8,
    multipliers=(1, 2),
    residual_blocks=1,
    heads=2,
    groups=4,
    code=6,
    encoder_width=8,
    encoder_blocks=(1, 1),
    pretrain=True,
    pretrain_steps=4,
    pretrain_width=16,
)
DENSE: dict[type[nn.Module], type[nn.Module]] = {
    SparseConv2d: nn.Conv2d,
    SparseMaxPool2d: nn.MaxPool2d,
    SparseBatchNorm2d: nn.BatchNorm2d,
}


def spark(**settings: object) -> SparK:
    """One whose branches and norms are not at their plain beginnings, as if trained; 3 x 3 patches of 8 pixels."""
    torch.manual_seed(0)
    encoder = ResNet(width=4, blocks=(2, 1), code=3, drop_path=0.5)
    network = SparK(encoder, size=24, width=16, **settings)  # type: ignore[arg-type]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0.3, 0.2)
            nn.init.normal_(module.state_dict()["running_mean"], 0, 0.2)
    return network


def three_patches(count: int) -> Tensor:
    """Three kept patches a slice, `(count, 3, 3)` bool."""
    return spark().draw(torch.empty(count, 1, 24, 24))


def elsewhere(slices: Tensor, kept: Tensor) -> Tensor:
    """`slices` with other pixels in the removed patches."""
    return torch.where(resized(kept, 24)[:, None], slices, 100 * torch.randn_like(slices))


def dirty_layers(network: SparK, slices: Tensor, kept: Tensor) -> list[str]:
    """Layers of the encoder and of the densifying norms that write outside the kept patches."""
    dirty: list[str] = []

    def note(name: str, output: Tensor) -> None:
        if output[~resized(kept, output.shape[-1])[:, None].expand_as(output)].any():
            dirty.append(name)

    dense = tuple(DENSE.values())
    layers = [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, dense) and not name.startswith("decoder") and "project" not in name
    ]
    handles = [
        layer.register_forward_hook(lambda _, __, output, name=name: note(name, output)) for name, layer in layers
    ]
    network(slices, kept)
    for handle in handles:
        handle.remove()
    return dirty


def brains(size: int) -> Tensor:
    """Slices of simulated healthy brains, `(8, 1, size, size)` in [0, 1]."""
    images = [simulated_case(index, (size, size, 5)).image[..., 2] for index in range(8)]
    return torch.from_numpy(np.stack(images))


@pytest.mark.parametrize("training", [True, False])
def test_removed_pixels_change_neither_features_nor_what_is_filled_in(training: bool) -> None:
    network, slices, kept = spark().train(training), torch.rand(4, 1, 24, 24), three_patches(4)
    others = elsewhere(slices, kept)
    with sparse(kept):
        for a, b in zip(*(network.encoder.features(visible(x, kept)) for x in (slices, others)), strict=True):
            assert torch.equal(a, b)
    assert torch.equal(network(slices, kept), network(others, kept))
    assert not torch.equal(network(slices, kept), network(slices.flip(0), kept))


@pytest.mark.parametrize("training", [True, False])
def test_every_layer_leaves_removed_patches_empty(training: bool) -> None:
    assert not dirty_layers(spark().train(training), torch.rand(4, 1, 24, 24), three_patches(4))


def test_a_layer_without_its_mask_is_found_out() -> None:
    """The check above sees each layer that could write elsewhere; 1 x 1 convolutions of zeros are zeros anyway."""
    layers = [(name, layer) for name, layer in spark().named_modules() if type(layer) in DENSE]
    names = [name for name, layer in layers if getattr(layer, "kernel_size", None) != (1, 1)]
    assert len(names) == 2 + 1 + 3 * (1 + 3) + 2 + 2  # stem, pool, three blocks, two skips, two densifying norms
    for name in names:
        network = spark()
        layer = network.get_submodule(name)
        layer.__class__ = DENSE[type(layer)]
        assert dirty_layers(network, torch.rand(4, 1, 24, 24), three_patches(4)) == [name]


@pytest.mark.parametrize("training", [True, False])
def test_kept_positions_see_what_a_sparse_convolution_gathers(training: bool) -> None:
    """An independent definition, position by position: only kept neighbours are summed."""
    conv, kept, x = (
        SparseConv2d(2, 3, 3, padding=1, bias=False).train(training),
        three_patches(1),
        torch.randn(1, 2, 6, 6),
    )
    there = resized(kept, 6)[0]
    with sparse(kept):
        got = conv(torch.where(there, x, 0))[0]
    for i, j in there.nonzero().tolist():
        expected = torch.zeros(3)
        for k, m in there.nonzero().tolist():
            if abs(i - k) <= 1 and abs(j - m) <= 1:
                expected += conv.weight[:, :, k - i + 1, m - j + 1] @ x[0, :, k, m]
        torch.testing.assert_close(got[:, i, j], expected)
    assert not got[:, ~there].any()


def test_batch_statistics_are_those_of_kept_positions() -> None:
    norm, kept, x = SparseBatchNorm2d(2, momentum=1.0), three_patches(3), 3 + 2 * torch.randn(3, 2, 6, 6)
    with sparse(kept):
        normed = norm(x)
    values = x.movedim(1, -1)[resized(kept, 6)]
    torch.testing.assert_close(norm.running_mean, values.mean(dim=0))
    torch.testing.assert_close(norm.running_var, values.var(dim=0))
    inside = normed.movedim(1, -1)[resized(kept, 6)]
    torch.testing.assert_close(inside, (values - values.mean(0)) / (values.var(0, correction=0) + norm.eps).sqrt())


@pytest.mark.parametrize("training", [True, False])
def test_with_nothing_removed_the_encoder_is_the_dense_one(training: bool) -> None:
    encoder, slices = spark().encoder.train(training), torch.rand(3, 1, 24, 24)
    for block in encoder.modules():
        if isinstance(block, Bottleneck):
            block.drop_path = 0.0
    dense = list(encoder.features(slices))
    with sparse(torch.ones(3, 3, 3, dtype=torch.bool)):
        features = list(encoder.features(slices))
    torch.testing.assert_close(features, dense)


def test_outside_of_pretraining_layers_are_dense_again() -> None:
    encoder, slices, kept = spark().encoder.eval(), torch.rand(2, 1, 24, 24), three_patches(2)
    before = encoder(slices)
    with pytest.raises(RuntimeError), sparse(kept):
        raise RuntimeError
    assert torch.equal(encoder(slices), before)


def test_pretraining_drops_no_branch() -> None:
    network, slices, kept = spark().train(), torch.rand(4, 1, 24, 24), three_patches(4)
    assert torch.equal(network(slices, kept), network(slices, kept))


def test_equally_many_patches_of_each_slice_are_kept_anywhere() -> None:
    torch.manual_seed(2)
    kept = spark().draw(torch.empty(2000, 1, 24, 24))
    assert kept.sum(dim=(1, 2)).unique().tolist() == [3]
    assert kept.float().mean(dim=0).sub(1 / 3).abs().max() < 0.05


@pytest.mark.parametrize("normalised", [False, True])
def test_the_loss_is_the_mean_squared_error_of_removed_patches(normalised: bool) -> None:
    network, slices = spark(normalised=normalised).eval(), torch.rand(3, 1, 24, 24)
    torch.manual_seed(5)
    loss = network.loss(slices)
    torch.manual_seed(5)
    kept = network.draw(slices)
    filled, errors = network(slices, kept), []
    for case, i, j in (~kept).nonzero().tolist():
        place = (case, 0, slice(8 * i, 8 * i + 8), slice(8 * j, 8 * j + 8))
        target = slices[place]
        if normalised:
            target = (target - target.mean()) / (target.var() + 1e-6).sqrt()
        errors.append((filled[place] - target).square().mean())
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_a_patch_without_contrast_is_normalised_to_zero() -> None:
    assert not patch_normalised(torch.full((1, 1, 16, 16), 0.4), 8).isnan().any()
    torch.testing.assert_close(patch_normalised(torch.full((1, 1, 16, 16), 0.5), 8), torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize(
    ("size", "stages", "patch"), [(96, 4, 32), (48, 4, 16), (192, 4, 32), (64, 4, 16), (24, 2, 8), (12, 4, 4)]
)
def test_a_patch_is_the_largest_stride_that_leaves_three_an_edge(size: int, stages: int, patch: int) -> None:
    assert patch_size(size, stages) == patch


def test_the_published_network_has_nine_patches_of_32_pixels_four_levels_and_five_steps_up() -> None:
    config = CDDPM.Config()
    with torch.device("meta"):
        network = SparK(CDDPM(config).encoder, size=config.size, width=config.pretrain_width)
    assert (network.patches**2, network.patch, network.kept) == (9, 32, 3)
    assert (len(network.densify), len(network.decoder.ups)) == (4, 5)
    assert [up.get_submodule("0").in_channels for up in network.decoder.ups] == [512, 256, 128, 64, 32]


def test_stages_deeper_than_a_patch_stay_as_drawn() -> None:
    torch.manual_seed(0)
    encoder = ResNet(width=4, blocks=(1, 1, 1, 1), code=3)
    network = SparK(encoder, size=48, width=16)
    network.loss(torch.rand(2, 1, 48, 48)).backward()
    learns = [any(weight.grad is not None for weight in stage.parameters()) for stage in encoder.stages]
    assert learns == [True, True, True, False]


def test_pretraining_lowers_its_loss() -> None:
    torch.manual_seed(3)
    slices = brains(24)
    network = SparK(ResNet(width=8, blocks=(1, 1), code=3), size=24, width=16)
    optimizer, losses = network.optimizer(3e-3), []
    for _ in range(80):
        loss = network.loss(slices)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    variance = slices.var().item()
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])
    assert sum(losses[-10:]) / 10 < 0.5 * variance  # better than the mean intensity everywhere


def trained(stage: Stage) -> str:
    """The name of a stage, gone through in a plain loop."""
    (player,) = stage.players
    for step in range(stage.steps):
        torch.manual_seed(step)
        player.optimizer.zero_grad()
        player.loss(brains(24)[:4]).backward()
        player.optimizer.step()
    return stage.name


def test_training_starts_from_the_pretrained_encoder() -> None:
    torch.manual_seed(0)
    cddpm = CDDPM(TINY)
    drawn = deepcopy(cddpm.encoder.state_dict())
    running = cddpm.stages()
    assert trained(next(running)) == "pretrain"
    pretrained = deepcopy(cddpm.encoder.state_dict())
    changed = {name for name, value in drawn.items() if not torch.equal(value, pretrained[name])}
    assert changed == {name for name in drawn if not name.startswith("head.")}
    train = next(running)
    assert train.name == "train"
    assert all(torch.equal(value, pretrained[name]) for name, value in cddpm.encoder.state_dict().items())
    moved = {id(weight) for group in train.players[0].optimizer.param_groups for weight in group["params"]}
    assert moved.issuperset(id(weight) for weight in cddpm.encoder.parameters())


def test_pretraining_is_the_first_stage_where_asked_for_only() -> None:
    first = next(CDDPM(TINY).stages())
    assert (first.name, first.steps, first.augment) == ("pretrain", 4, False)
    assert [stage.name for stage in CDDPM(replace(TINY, pretrain=False)).stages()] == ["train"]


def test_pretraining_leaves_the_names_of_weights_alone() -> None:
    plain, pretrained = CDDPM(replace(TINY, pretrain=False)), CDDPM(TINY)
    list(islice(pretrained.stages(), 1))
    assert plain.state_dict().keys() == pretrained.state_dict().keys()


def test_the_stage_moves_with_adamw_as_published() -> None:
    first = next(CDDPM(TINY).stages())
    (group,) = first.players[0].optimizer.param_groups
    assert isinstance(first.players[0].optimizer, torch.optim.AdamW)
    assert (group["lr"], group["weight_decay"], group["betas"]) == (1e-4, 0.05, (0.9, 0.95))


def test_a_fit_pretrains_the_encoder(tmp_path: Path) -> None:
    train, val = [simulated_case(i, (24, 24, 5)) for i in range(3)], [simulated_case(9, (24, 24, 5))]
    weights = []
    for name, config in (("first", TINY), ("second", TINY), ("plain", replace(TINY, pretrain=False))):
        (tmp_path / name).mkdir()
        cddpm = CDDPM(config)
        cddpm.fit(train, val, seed=1, workdir=tmp_path / name)
        weights.append(cddpm.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert not torch.equal(weights[0]["encoder.stem.0.weight"], weights[2]["encoder.stem.0.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 10}, r"Got pretrain true and size 10, expected a multiple of 4 from 12 on"),
        ({"pretrain_width": 12}, r"Got pretrain_width 12, expected a multiple of 8"),
        ({"pretrain_removed": 1.0}, r"Got pretrain_removed 1, expected a share between 0 and 1"),
        ({"pretrain_steps": 0}, r"Got pretrain_steps 0, expected 1 or more"),
        ({"pretrain_learning_rate": 0.0}, r"Got pretrain_learning_rate 0, expected more than 0"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_a_map_that_patches_do_not_tile_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Got a map of 7 x 7, expected a multiple of the 3 patches an edge"):
        resized(three_patches(1), 7)
