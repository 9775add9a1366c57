"""Batches to a device and volumes back: nothing is changed on the way, and stages are timed."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmark.inference.device_transfer import PendingVolumes, to_device
from benchmark.inference.usage import STAGES, HostClock, StageTimer, clock
from benchmark.methods.brain_slices import holds_brain
from benchmark.methods.contract.trial import simulated_case

CASES = [simulated_case(index, (8, 8, 6)) for index in range(3)]
SEEDS = [5, 2**63 - 1, 0]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture(autouse=True)
def there(request: pytest.FixtureRequest) -> None:
    if "cuda" in request.node.name and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.parametrize("device", DEVICES)
def test_cases_arrive_as_they_are_and_come_back_as_they_were(device: str) -> None:
    stages = StageTimer()
    inputs = to_device(CASES, SEEDS, device, stages)
    assert {one.device.type for one in (inputs.images, inputs.brain_masks, inputs.seeds)} == {device}
    assert inputs.images.shape == inputs.brain_masks.shape == (3, 1, 8, 8, 6)
    assert inputs.seeds.tolist() == SEEDS
    assert stages.seconds["copy"] > 0
    back = PendingVolumes(inputs.images).volumes()
    for case, volume in zip(CASES, back, strict=True):
        np.testing.assert_array_equal(volume, case.image)
    masks = PendingVolumes(inputs.brain_masks).volumes()
    assert masks.dtype == np.float32
    np.testing.assert_array_equal(masks[1, 0] > 0, CASES[1].brain_mask)


@pytest.mark.parametrize("device", DEVICES)
def test_a_clock_times_what_lies_between(device: str) -> None:
    timer = clock(device)
    timer.start()
    torch.ones(200, 200, device=device) @ torch.ones(200, 200, device=device)
    timer.stop()
    assert 0 < timer.seconds() < 60
    assert isinstance(timer, HostClock) == (device == "cpu")


def test_stages_add_up_over_threads_and_name_all_five() -> None:
    stages = StageTimer()
    assert tuple(stages.seconds) == STAGES == ("read", "copy", "compute", "post", "write")
    stages.add("read", 1.5)
    stages.add("read", 0.5)
    with stages.timed("post"):
        pass
    assert stages.seconds["read"] == 2
    assert 0 < stages.seconds["post"] < 1


def test_what_the_host_knows_of_masks_goes_with_them_to_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a stream that stands in for the GPU's, and on tensors without memory for those on it."""
    monkeypatch.setattr("benchmark.inference.device_transfer.is_gpu", lambda device: True)
    monkeypatch.setattr("benchmark.inference.device_transfer._copy_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(wait_stream=lambda stream: None))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    inputs = to_device(CASES, SEEDS, "meta", StageTimer())
    expected = np.stack([case.brain_mask.any(axis=(0, 1)) for case in CASES])
    np.testing.assert_array_equal(holds_brain(inputs.brain_masks).numpy(), expected)
