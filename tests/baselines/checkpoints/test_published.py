"""Published checkpoints become files of weights, and fits take them."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from baselines.checkpoints.published import (
    WithPublishedWeights,
    from_published,
    import_checkpoint,
    our_key,
    take_weights,
)
from benchmark.methods.card import Card
from benchmark.methods.contract.trial import simulated_case


class Method(WithPublishedWeights):
    """A network of one layer under one of the published names."""

    card = Card("healthy scans", "a network", "nothing")

    def __init__(self, config: WithPublishedWeights.Config) -> None:
        super().__init__(config)
        self.unet = nn.Module()
        self.unet.stem = nn.Conv2d(1, 1, 3)

    def loss(self, slices: Tensor) -> Tensor:
        raise NotImplementedError

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        raise NotImplementedError


PUBLISHED = {
    "diffusion.betas": torch.zeros(1000),
    "diffusion.model.input_blocks.0.0.weight": torch.full((1, 1, 3, 3), 2.0),
    "diffusion.model.input_blocks.0.0.bias": torch.full((1,), 3.0, dtype=torch.float16),
}


def checkpoint(folder: Path, **changes: Tensor | None) -> Path:
    """A Lightning file of the authors' program; a change of None leaves a tensor out."""
    state = {name: tensor for name, tensor in {**PUBLISHED, **changes}.items() if tensor is not None}
    torch.save({"state_dict": state, "epoch": 7, "pytorch-lightning_version": "1.7"}, folder / "last.ckpt")
    return folder / "last.ckpt"


def fitted(weights: Path, workdir: Path) -> Method:
    method, case = Method(Method.Config(weights=str(weights))), simulated_case(0, (16, 16, 4))
    method.fit([case], [case], seed=0, workdir=workdir)
    return method


def test_a_checkpoint_becomes_a_file_named_after_its_content(tmp_path: Path) -> None:
    path = Method.import_published(checkpoint(tmp_path), tmp_path / "weights")
    assert path.parent == tmp_path / "weights"
    assert path.name == f"method-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}.safetensors"
    tensors = load_file(path)
    assert {name: (tensor.dtype, float(tensor.mean())) for name, tensor in tensors.items()} == {
        "unet.stem.weight": (torch.float32, 2.0),
        "unet.stem.bias": (torch.float32, 3.0),
    }
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_importing_twice_gives_one_file(tmp_path: Path) -> None:
    first, second = (import_checkpoint(Method, Method.Config(), checkpoint(tmp_path), tmp_path / "w") for _ in "12")
    assert first == second


def test_a_fit_takes_the_weights_and_trains_nothing(tmp_path: Path) -> None:
    method = fitted(Method.import_published(checkpoint(tmp_path), tmp_path), tmp_path)  # `loss` would raise
    assert method.unet.get_parameter("stem.weight").unique().tolist() == [2]
    assert not method.training


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    path = Method.import_published(checkpoint(tmp_path), tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    digits = path.stem[-12:]
    with pytest.raises(
        ValueError, match=rf"got content of SHA-256 [0-9a-f]{{12}}\.\.\., expected {digits}\.\.\. as in"
    ):
        fitted(path, tmp_path)


def test_weights_that_are_not_there_are_missed_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"Weights .*method-0123456789ab\.safetensors: no file that can be read"
    ):
        fitted(tmp_path / "method-0123456789ab.safetensors", tmp_path)


@pytest.mark.parametrize("name", ["last.ckpt", "method.safetensors", "method-0123.safetensors"])
def test_a_name_without_digits_is_refused_before_anything_runs(name: str) -> None:
    with pytest.raises(ValueError, match=rf"Got weights '{name}', expected a file NAME-############\.safetensors"):
        Method.Config(weights=f"folder/{name}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"diffusion.model.input_blocks.0.0.bias": None},
            "got 1 missing tensors, first 'unet.stem.bias', expected those of Method",
        ),
        (
            {"diffusion.model.out.2.bias": torch.zeros(1)},
            "got 1 unexpected tensors, first 'unet.head.2.bias', expected those of Method",
        ),
        (
            {"diffusion.model.input_blocks.0.0.weight": torch.zeros(8, 1, 3, 3)},
            "'unet.stem.weight': got (8, 1, 3, 3), expected (1, 1, 3, 3) as in Method with this config",
        ),
        ({"decoder.fc.bias": torch.zeros(1)}, "got key 'decoder.fc.bias', expected diffusion.model"),
    ],
)
def test_another_network_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Tensor | None], message: str
) -> None:
    with pytest.raises(ValueError, match=r"last\.ckpt: ") as caught:
        Method.import_published(checkpoint(tmp_path, **changes), tmp_path / "weights")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "weights").exists()


def test_a_file_of_another_format_or_network_is_refused(tmp_path: Path) -> None:
    for content, message in (
        (b"not tensors", "got a file that is not safetensors"),
        (save({"other": torch.ones(1)}), "got 2 missing tensors, first 'unet.stem.bias'"),
    ):
        path = tmp_path / f"method-{hashlib.sha256(content).hexdigest()[:12]}.safetensors"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            take_weights(Method(Method.Config()), path)


def test_the_card_of_taken_weights_says_whose_they_are(tmp_path: Path) -> None:
    path = Method.import_published(checkpoint(tmp_path), tmp_path)
    taken, trained = Method(Method.Config(weights=str(path))), Method(Method.Config())
    assert f"those of {path.name}, trained by their authors on IXI" in taken.card.trained_on
    assert trained.card.trained_on == Method.card.trained_on == "a network"


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
    with pytest.raises(ValueError, match=r"got key 'decoder\.fc\.bias', expected diffusion\.model"):
        from_published({"decoder.fc.bias": torch.zeros(1)})
