"""Healthy volumes held in memory, and the axial slices drawn from them for training and validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import Dataset

from baselines.augmentation import augmented
from baselines.seeding import mix_seed
from datasets.case import Case


@dataclass(frozen=True)
class Volumes:
    """Cases held at once, each read once.

    Attributes:
        images: `(N, 1, X, Y, Z)` float16, half the memory; in [0, 1] it errs by at most 2.5e-4.
        brain_masks: `(N, 1, X, Y, Z)` bool.
    """

    images: Tensor
    brain_masks: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def holds_brain(self) -> Tensor:
        """`(N, Z)` bool."""
        return self.brain_masks.flatten(1, 3).any(dim=1)

    def slices_with_brain(self, case: int) -> Tensor:
        """Their indices along Z, ascending."""
        return self.holds_brain[case].nonzero()[:, 0]


def hold_volumes(cases: Sequence[Case], role: str) -> Volumes:
    """Read every case once; `role` names the cohort in errors.

    Raises:
        ValueError: no case, cases of different shapes, or a case without any brain.
    """
    if len(cases) == 0:
        raise ValueError(f"Got no healthy {role} case, wanted at least one.")
    shape = cases[0].image.shape
    images = torch.empty((len(cases), *shape), dtype=torch.float16)
    brain_masks = torch.empty((len(cases), *shape), dtype=torch.bool)
    for index in range(len(cases)):
        case = cases[index]
        if case.image.shape != shape:
            raise ValueError(f"Case '{case.case_id}': got shape {case.image.shape}, wanted {shape} as in the first.")
        if not case.brain_mask.any():
            raise ValueError(f"Case '{case.case_id}': got an empty brain mask, wanted a brain.")
        images[index] = torch.from_numpy(case.image)
        brain_masks[index] = torch.from_numpy(case.brain_mask)
    return Volumes(images, brain_masks)


class RandomSlices(Dataset[Tensor]):
    """Endless epochs, cut off at `count`: one uniformly random axial slice a volume and epoch.

    Slices without any brain are not drawn: a loss over the foreground would divide by nothing.
    Item k is a function of `(seed, k)` alone, so that worker processes change nothing.
    """

    def __init__(self, volumes: Volumes, count: int, *, seed: int, augment: bool) -> None:
        self.volumes = volumes
        self.count = count
        self.augment = augment
        self.order_seed = mix_seed(seed, 0)
        self.slice_seed = mix_seed(seed, 1)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        """`(1, X, Y)` float32 in [0, 1]."""
        epoch, position = divmod(index, len(self.volumes))
        order = torch.randperm(len(self.volumes), generator=_generator(mix_seed(self.order_seed, epoch)))
        case = int(order[position])
        seed = mix_seed(self.slice_seed, index)
        z = self._random_slice(case, seed)
        if not self.augment:
            return self.volumes.images[case, ..., z].float()
        image, brain_mask = self.volumes.images[case].float(), self.volumes.brain_masks[case]
        return augmented(image, brain_mask, seed=seed)[..., z]

    def _random_slice(self, case: int, seed: int) -> int:
        candidates = self.volumes.slices_with_brain(case)
        return int(candidates[torch.randint(len(candidates), (1,), generator=_generator(seed))])


def evenly_spaced_slices(volumes: Volumes, per_case: int) -> Tensor:
    """`(M, 1, X, Y)` float32: at most `per_case` slices of each volume, from its first with brain to its last."""
    chosen = []
    for case in range(len(volumes)):
        candidates = volumes.slices_with_brain(case)
        positions = torch.linspace(0, len(candidates) - 1, min(per_case, len(candidates))).round().long()
        chosen.append(volumes.images[case].movedim(-1, 0)[candidates[positions]])  # (<= per_case, 1, X, Y)
    return torch.cat(chosen).float()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
