"""ContractTrial: a detector fitted on small simulated brains, on which the rules of the contract are checked."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from benchmark.methods.card import covariates_of
from benchmark.methods.contract.actions import Actions, watched
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.methods.exact_float32 import exact_float32
from benchmark.methods.weights import load_weights, save_weights
from datasets.case import Case, CaseFiles, Split
from datasets.io.nifti import Volume, write_volume

FIT_SEED = 3
LAST = 8  # of the simulated cases


class NotRun(Exception):
    """A rule that cannot be checked here; the message says why."""


class ContractTrial:
    """A detector fitted once on simulated cases, and three cases to map."""

    def __init__(self, make: Callable[[], Detector], shape: tuple[int, int, int], folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.shape = shape
        self.seeds = torch.tensor([11, 2**62 + 5, 13])
        self.actions = Actions()
        self._may_fit = True

    @cached_property
    def train(self) -> "HandedCases":
        return HandedCases([_watched(self.case(index)) for index in range(4)], self.folder / "cohort", "train")

    @cached_property
    def val(self) -> "HandedCases":
        return HandedCases([_watched(self.case(index)) for index in range(4, 6)], self.folder / "cohort", "val")

    @cached_property
    def test(self) -> list[Case]:
        return [self.case(index) for index in range(6, LAST + 1)]

    @cached_property
    def images(self) -> Tensor:
        """`(3, C, X, Y, Z)`."""
        return torch.from_numpy(np.stack([case.image for case in self.test]))

    @cached_property
    def brain_masks(self) -> Tensor:
        """`(3, 1, X, Y, Z)`."""
        return torch.from_numpy(np.stack([case.brain_mask[None] for case in self.test]))

    def case(self, index: int) -> Case:
        """A simulated case, of as many sequences as the detector takes, with the covariates that it declares.

        Those of the last case are unknown.
        """
        case = simulated_case(index, self.shape, channels=self._like.input_channels)
        known = {"age": (20.0 + 7 * index,), "sex": (float(index % 2),), "spacing": (1.0, 1.0, 1.0 + index / 10)}
        own = {name: known[name] for name in covariates_of(self._like) if name in known}
        unknown = {name: (nan,) * len(values) for name, values in own.items()}
        return replace(case, covariates=unknown if index == LAST else own)

    @cached_property
    def _like(self) -> Detector:
        """One that is never fitted, for what it says of itself."""
        return self.make()

    @cached_property
    def detector(self) -> Detector:
        return self.fit("first", self.make())

    def fit(self, name: str, detector: Detector) -> Detector:
        """Fit a detector; after a failure no further fit is tried, since a fit may take long.

        Raises:
            NotRun: an earlier one failed.
        """
        if not self._may_fit:
            raise NotRun("fit failed")
        workdir = self.folder / name
        workdir.mkdir(exist_ok=True)
        self._may_fit = False
        with watched(self.actions):
            detector.fit(self.train, self.val, seed=FIT_SEED, workdir=workdir)
        self._may_fit = True
        return self._with_locations(detector.eval())

    def fit_on_nothing(self) -> Detector:
        """A detector fitted on no case."""
        detector = self.make()
        detector.fit([], [], seed=FIT_SEED, workdir=self.folder)
        return self._with_locations(detector.eval())

    def restored(self, device: torch.device) -> Detector:
        """A new detector with the fitted one's weights, read back from a file."""
        folder = self.folder / "weights"
        folder.mkdir(exist_ok=True)
        save_weights(self.detector, folder)
        detector = self.make().to(device)
        load_weights(detector, folder)
        return self._with_locations(detector)

    def _with_locations(self, detector: Detector) -> Detector:
        """A labelled detector with random lesion locations; any other as it is."""
        if isinstance(detector, LabelledDetector):
            frequency = torch.rand(1, *self.shape, generator=torch.Generator().manual_seed(FIT_SEED))
            detector.see_locations(frequency.to(detector.device))
        return detector

    def map(self, detector: Detector, which: Sequence[int] = (0, 1, 2)) -> Tensor:
        """Maps of the cases `which`, made from copies of their images."""
        return self.call(detector, "anomaly_map", which)

    def call(self, detector: Detector, method: str, which: Sequence[int] = (0, 1, 2)) -> Any:
        """The result of one of a detector's methods for the cases `which`."""
        inputs = (self.images, self.brain_masks, self.seeds)
        images, brain_masks, seeds = (tensor[list(which)].to(detector.device) for tensor in inputs)
        detector.see_covariates([self.test[index] for index in which])
        with torch.inference_mode(), exact_float32(), watched(self.actions):
            return getattr(detector, method)(images, brain_masks, seeds=seeds)


def simulated_case(index: int, shape: tuple[int, int, int], *, channels: int = 1) -> Case:
    """A healthy ellipsoid with smooth texture and a dark centre; each index gives another brain.

    A second sequence shows it with a bright centre, a third as the first, all with textures of their own.

    Examples:
        >>> simulated_case(0, (12, 12, 8), channels=2).image.shape
        (2, 12, 12, 8)
    """
    rng = np.random.default_rng([7, index])
    axes = [np.linspace(-1, 1, length) for length in shape]
    radius = sum((axis / rng.uniform(0.7, 0.95)) ** 2 for axis in np.meshgrid(*axes, indexing="ij"))
    brain_mask = np.asarray(radius < 1)
    images = []
    for channel in range(channels):
        texture = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
        intensity = 0.5 + 0.15 * texture / texture.std() - (-1) ** channel * 0.3 * np.exp(-8 * radius)
        images.append(np.where(brain_mask, intensity.clip(0.02, 1), 0).astype(np.float32))
    return Case(f"simulated-{index}", np.stack(images), brain_mask, None, np.diag([2.0, 2.0, 2.0, 1.0]))


class WatchedCase(Case):
    """A healthy case that records whether its lesion mask, or what is ignored around it, was read."""

    mask_was_read = False

    def __getattribute__(self, name: str) -> object:
        if name in ("lesion_mask", "ignore_mask"):
            object.__setattr__(self, "mask_was_read", True)
        return super().__getattribute__(name)


class HandedCases(list[WatchedCase]):
    """Cases with the `files` that those of a run have: behind a healthy case lies a lesion mask on disk."""

    def __init__(self, cases: Sequence[WatchedCase], folder: Path, split: Split) -> None:
        super().__init__(cases)
        self.files = tuple(_files(case, folder, split) for case in cases)


def _files(case: Case, folder: Path, split: Split) -> CaseFiles:
    image, brain, lesion = (folder / kind / f"{case.case_id}.nii.gz" for kind in ("t1", "brain_mask", "lesion_mask"))
    lesion.parent.mkdir(parents=True, exist_ok=True)
    write_volume(lesion, Volume(np.zeros(case.brain_mask.shape, np.uint8), case.affine))
    return CaseFiles(case.case_id, image, brain, lesion, case.case_id, "", split)


def _watched(case: Case) -> WatchedCase:
    return WatchedCase(case.case_id, case.image, case.brain_mask, None, case.affine, covariates=case.covariates)


def live_peak(compute: Callable[[], object], device: torch.device) -> int:
    """Peak bytes of tensors on `device` during `compute`, beyond those held before."""
    return _peak_on_gpu(compute, device) if device.type == "cuda" else _peak_on_cpu(compute)


def _peak_on_gpu(compute: Callable[[], object], device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    compute()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _peak_on_cpu(compute: Callable[[], object]) -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler announces itself on stderr
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        compute()
    events = [one for one in profiler.profiler.kineto_results.events() if one.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()  # negative where memory is freed
        peak = max(peak, held)
    return peak
