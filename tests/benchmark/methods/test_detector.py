"""What a detector has without doing anything for it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from detectors import MeanDistance
from torch import Tensor

from benchmark import methods
from benchmark.methods.detector import Detector, LabelledDetector
from datasets.case import Case


class Bright(Detector):
    """The image itself."""

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Nothing to learn."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return images


def batch() -> tuple[Tensor, Tensor, Tensor]:
    return torch.rand(2, 1, 3, 4, 5), torch.ones(2, 1, 3, 4, 5, dtype=torch.bool), torch.zeros(2, dtype=torch.int64)


def test_a_detector_needs_two_methods() -> None:
    assert Detector.__abstractmethods__ == {"fit", "anomaly_map"}
    with pytest.raises(TypeError, match="abstract"):
        Detector(Detector.Config())  # type: ignore[abstract]


def test_a_labelled_detector_has_to_take_in_locations() -> None:
    assert LabelledDetector.__abstractmethods__ == {"fit", "anomaly_map", "see_locations"}


def test_a_method_without_reconstruction_says_none() -> None:
    images, brain_masks, seeds = batch()
    maps, reconstructions = Bright(Bright.Config()).map_and_reconstruction(images, brain_masks, seeds=seeds)
    assert torch.equal(maps, images)
    assert reconstructions is None


def test_a_map_and_its_reconstruction_come_together_as_they_come_apart() -> None:
    images, brain_masks, seeds = batch()
    detector = MeanDistance(MeanDistance.Config())
    detector.mean = torch.rand(1, 3, 4, 5)
    maps, reconstructions = detector.map_and_reconstruction(images, brain_masks, seeds=seeds)
    assert torch.equal(maps, detector.anomaly_map(images, brain_masks, seeds=seeds))
    assert reconstructions is not None
    assert torch.equal(reconstructions, detector.mean.expand_as(images))


def test_a_detector_is_where_its_weights_or_buffers_are() -> None:
    assert Bright(Bright.Config()).device == torch.device("cpu")
    on_meta = MeanDistance(MeanDistance.Config()).to("meta")
    assert on_meta.device == torch.device("meta")
    on_meta.layer = torch.nn.Linear(1, 1)
    assert on_meta.device == torch.device("cpu")


def test_the_names_for_authors_are_the_objects_of_their_modules() -> None:
    assert methods.Detector is Detector
    assert all(getattr(methods, name).__name__ == name for name in methods.__all__)
    with pytest.raises(AttributeError, match=r"'benchmark\.methods' has no attribute 'Detectr'"):
        methods.Detectr  # noqa: B018


def test_importing_methods_by_name_does_not_import_torch() -> None:
    code = "import sys, benchmark.methods.hyperparameters, benchmark.methods.describe; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
