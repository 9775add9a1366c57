"""The published checkpoints' names."""

import pytest
import torch

from baselines.checkpoints.key_names import from_published, our_key


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("diffusion.model.time_embed.2.bias", "unet.time.3.bias"),
        ("diffusion.model.input_blocks.0.0.weight", "unet.stem.weight"),
        ("diffusion.model.input_blocks.11.0.emb_layers.1.bias", "unet.down.10.scale_shift.bias"),
        ("diffusion.model.middle_block.1.proj_out.weight", "unet.middle.1.out.weight"),
        ("diffusion.model.output_blocks.3.0.skip_connection.bias", "unet.up.3.skip.bias"),
        ("diffusion.model.output_blocks.3.1.in_layers.2.bias", "unet.up.4.conv1.bias"),
        ("diffusion.model.output_blocks.7.1.out_layers.3.bias", "unet.up.9.conv2.bias"),
        ("diffusion.model.output_blocks.11.0.out_layers.0.bias", "unet.up.13.norm2.bias"),
        ("diffusion.model.out.2.weight", "unet.head.2.weight"),
        ("encoder.encoder.bn1.running_mean", "encoder.stem.1.running_mean"),
        ("encoder.encoder.layer4.0.downsample.1.bias", "encoder.stages.3.0.skip.1.bias"),
        ("encoder.encoder.layer2.3.bn3.running_var", "encoder.stages.1.3.norm3.running_var"),
        ("encoder.encoder.fc.bias", "encoder.head.bias"),
    ],
)
def test_published_names_become_ours(published: str, ours: str) -> None:
    assert our_key(published) == ours


def test_buffers_of_the_schedule_are_left_out() -> None:
    state = {"diffusion.betas": torch.zeros(1000), "diffusion.model.out.2.bias": torch.ones(1)}
    assert from_published(state) == {"unet.head.2.bias": torch.ones(1)}


def test_a_foreign_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"got key 'decoder\.fc\.bias', wanted diffusion\.model"):
        from_published({"decoder.fc.bias": torch.zeros(1)})
