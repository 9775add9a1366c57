"""Weights come back as they were saved, and what is no safetensors file is refused by name."""

import pickle
from pathlib import Path

import pytest
import torch
from detectors import MeanDistance
from safetensors.torch import load_file
from torch import nn

from benchmark.methods.weights import NAME, load_weights, round_to_half, save_weights
from datasets.errors import BadFile


class Network(MeanDistance):
    """With weights, a shared weight, an integer buffer and one that fitting sizes."""

    def __init__(self, width: int = 3) -> None:
        super().__init__(MeanDistance.Config())
        self.layers = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))
        self.again = self.layers[0]


def learnt() -> Network:
    network = Network()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor))
    network.mean = torch.rand(4, 5).T
    network.get_buffer("layers.1.num_batches_tracked").fill_(7)
    return network


def test_every_weight_and_buffer_comes_back(tmp_path: Path) -> None:
    expected, got = learnt(), Network()
    save_weights(expected, tmp_path)
    load_weights(got, tmp_path)
    assert got.mean.shape == (5, 4)
    assert expected.state_dict().keys() == got.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(tensor, got.state_dict()[name]), name
        assert tensor.dtype == got.state_dict()[name].dtype
    assert got.again is got.layers[0]


def test_weights_rounded_to_float16_are_kept_exactly_in_half_the_space(tmp_path: Path) -> None:
    exact, rounded, got = learnt(), learnt(), Network()
    round_to_half(rounded)
    sizes = []
    for network in (exact, rounded):
        save_weights(network, tmp_path)
        sizes.append(sum(tensor.nbytes for tensor in load_file(tmp_path / NAME).values() if tensor.is_floating_point()))
    assert sizes[0] == 2 * sizes[1]
    load_weights(got, tmp_path)
    for name, tensor in rounded.state_dict().items():
        assert torch.equal(tensor, got.state_dict()[name]), name
        assert tensor.dtype == got.state_dict()[name].dtype == exact.state_dict()[name].dtype
        if tensor.is_floating_point():
            assert torch.equal(tensor, tensor.half().float())


def test_a_weight_beyond_float16_is_named_instead_of_becoming_infinite() -> None:
    network = learnt()
    with torch.no_grad():
        network.layers[0].bias[1] = -1e5
    with pytest.raises(FloatingPointError, match=r"Weight 'layers\.0\.bias': got 100000, expected at most 65504"):
        round_to_half(network)


def test_what_is_loaded_is_ready_for_inference(tmp_path: Path) -> None:
    save_weights(learnt(), tmp_path)
    network = Network().train()
    load_weights(network, tmp_path)
    assert not any(module.training for module in network.modules())


def test_a_buffer_that_was_sized_by_another_fit_takes_the_stored_size(tmp_path: Path) -> None:
    save_weights(learnt(), tmp_path)
    network = Network()
    network.mean = torch.zeros(2, 9, 9)
    load_weights(network, tmp_path)
    assert network.mean.shape == (5, 4)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_torn_file_is_named(tmp_path: Path, kept: int) -> None:
    save_weights(learnt(), tmp_path)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadFile, match=f"{NAME}: got weights that cannot be loaded"):
        load_weights(Network(), tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=NAME):
        load_weights(Network(), tmp_path)


class Armed:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_a_pickle_is_refused_and_not_executed(tmp_path: Path, writer: str) -> None:
    content = {"mean": torch.zeros(1), "armed": Armed(tmp_path / "executed")}
    with (tmp_path / NAME).open("wb") as stream:
        pickle.dump(content, stream) if writer == "pickle" else torch.save(content, stream)
    with pytest.raises(BadFile, match=NAME):
        load_weights(Network(), tmp_path)
    assert not (tmp_path / "executed").exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(learnt(), tmp_path)
    with pytest.raises(BadFile, match=NAME):
        load_weights(Network(width=4), tmp_path)
    with pytest.raises(BadFile, match=NAME):
        load_weights(MeanDistance(MeanDistance.Config()), tmp_path)
