"""Healthy volumes held on a device, and the axial slices drawn from them for training and validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import torch
from torch import Tensor

from baselines.slices.augmentation import augmented_slices
from baselines.slices.seeding import mix_seed, mix_seeds
from datasets.case import Case
from datasets.progress import watched

SEED_BYTES = 6  # of a stage's name


@dataclass(frozen=True)
class Volumes:
    """Cases held on one device; 0.5 GB for 358 on the paper's grid.

    Attributes:
        images: `(N, C, X, Y, Z)` float16, which halves the memory; in [0, 1] its error is at most 2.5e-4.
        brain_masks: `(N, 1, X, Y, Z)` bool.
        spacing: voxel edge in mm, that of the first case.
    """

    images: Tensor
    brain_masks: Tensor
    spacing: float = 1.0

    def __len__(self) -> int:
        return len(self.images)

    @property
    def device(self) -> torch.device:
        return self.images.device

    @cached_property
    def holds_brain(self) -> Tensor:
        """`(N, Z)` bool, on the CPU."""
        return self.brain_masks.flatten(1, 3).any(dim=1).cpu()


def hold_volumes(cases: Sequence[Case], role: str, device: torch.device) -> Volumes:
    """Read every case once and hold it on `device`; `role` names the cohort in errors.

    Raises:
        ValueError: no case, cases of different shapes, or a case without any brain.
    """
    if len(cases) == 0:
        raise ValueError(f"Got no healthy {role} case, expected at least one.")
    shape = cases[0].image.shape
    images = torch.empty((len(cases), *shape), dtype=torch.float16, device=device)
    brain_masks = torch.empty((len(cases), 1, *shape[1:]), dtype=torch.bool, device=device)
    for index in watched(range(len(cases)), f"  loading {role} cases"):
        case = cases[index]
        if case.image.shape != shape:
            raise ValueError(f"Case '{case.case_id}': got shape {case.image.shape}, expected {shape} as in the first.")
        if not case.brain_mask.any():
            raise ValueError(f"Case '{case.case_id}': got an empty brain mask, expected a brain.")
        images[index] = torch.from_numpy(case.image).half()
        brain_masks[index] = torch.from_numpy(case.brain_mask)
    return Volumes(images, brain_masks, cases[0].spacing[0])


class Batches:
    """The slices of each step of a stage, and the step's randomness: functions of (seed, stage, step) alone.

    So a fit that resumes at step k continues with what it would have drawn. Each of several ranks takes its share of
    the step's slices and has randomness of its own.
    """

    def __init__(
        self,
        volumes: Volumes,
        *,
        steps: int,
        size: int,
        stack: int,
        augment: bool,
        seed: int,
        stage: str,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Each step takes `size` inputs of `stack` neighbouring slices, over all ranks together."""
        self.volumes, self.stack, self.augment = volumes, stack, augment
        self.size, self.share, self.rank = size, size // ranks, rank
        own = mix_seed(seed, int.from_bytes(blake2b(stage.encode(), digest_size=SEED_BYTES).digest(), "big"))
        self.step_seed = mix_seed(own, 1)
        self.plans = random_plans(volumes, steps * size, stack=stack, seed=mix_seed(own, 0))

    def slices(self, step: int) -> Tensor:
        """This rank's share `(B, stack C, X, Y)` of a step, on the volumes' device."""
        first = step * self.size + self.rank * self.share
        plan = self.plans[first : first + self.share]  # (B, 3)
        return draw_slices(self.volumes, plan, stack=self.stack, augment=self.augment)

    def seed(self, step: int) -> int:
        """Seed of torch's generators at a step."""
        return mix_seed(mix_seed(self.step_seed, step), self.rank)


def random_plans(volumes: Volumes, count: int, *, seed: int, stack: int = 1) -> Tensor:
    """Plans of which slices to draw, `(count, 3)` int64: case, first slice along Z, seed of the augmentation.

    Epochs without end, cut off at `count`: each takes every volume once, in another order, at one random place. Places
    are uniform over the windows of `first_slices`.

    Plan k is a function of `(seed, k)` alone, so neither worker processes nor an interruption change it. All plans
    are made at once, 24 bytes each; `draw_slices` carries them out.
    """
    items = torch.arange(count)
    cases = _shuffled(count, len(volumes), mix_seed(seed, 0))
    allowed = first_slices(volumes, stack)
    # Sorting brings each case's allowed places to the front, in their order.
    places = allowed.byte().argsort(dim=1, descending=True, stable=True)
    choices = allowed.sum(dim=1)[cases]
    words, seeds = (mix_seeds(torch.tensor(mix_seed(seed, purpose)), items) for purpose in (1, 2))
    return torch.stack([cases, places[cases, _below(choices, words)], seeds], dim=1)


def first_slices(volumes: Volumes, stack: int) -> Tensor:
    """Where a window of `stack` neighbouring slices may begin, `(N, Z - stack + 1)` bool on the CPU.

    A window lies between a volume's first slice with brain and its last and holds brain itself: a loss
    over the foreground would divide by nothing. Where the brain spans fewer slices than a window, the only
    window is the one that begins with the brain, or the volume's last one if that would reach beyond it.

    Raises:
        ValueError: a volume has fewer than `stack` slices.
    """
    holds_brain = volumes.holds_brain
    depth = holds_brain.shape[1]
    if not 1 <= stack <= depth:
        raise ValueError(f"Got a stack of {stack} slices, expected 1..{depth}, the slices of a volume.")
    begun = holds_brain.cummax(dim=1).values
    goes_on = holds_brain.flip(1).cummax(dim=1).values.flip(1)
    inside = (begun & goes_on).unfold(1, stack, 1).all(dim=2)
    allowed = inside & holds_brain.unfold(1, stack, 1).any(dim=2)
    alone = (~begun).sum(dim=1).clamp(max=depth - stack)
    return torch.where(allowed.any(dim=1, keepdim=True), allowed, torch.arange(depth - stack + 1) == alone[:, None])


def draw_slices(volumes: Volumes, plan: Tensor, *, stack: int = 1, augment: bool = False) -> Tensor:
    """Carry out plans: `(B, stack C, X, Y)` float32 on the volumes' device, in [0, 1] and 0 outside the brain.

    The sequences of a slice follow each other.

    Args:
        volumes: those that the plans were made for.
        plan: `(B, 3)` int64, on the CPU, where augmentation reads it without waiting for a GPU.
        stack: neighbouring slices.
        augment: draw from volumes augmented by the plans' seeds, each sequence by random numbers of its own.
    """
    cases, first = plan.to(volumes.device, non_blocking=True)[:, :2].unbind(dim=1)
    if augment:
        channels = [
            augmented_slices(
                volumes.images[:, channel : channel + 1],
                volumes.brain_masks,
                plan[:, 2] if channel == 0 else mix_seeds(plan[:, 2], torch.tensor(channel)),
                cases=cases,
                first=first,
                stack=stack,
                spacing=volumes.spacing,
            )
            for channel in range(volumes.images.shape[1])
        ]
        return torch.stack(channels, dim=2).flatten(1, 2)
    z = first[:, None] + torch.arange(stack, device=volumes.device)
    return volumes.images[cases[:, None], :, :, :, z].flatten(1, 2).float()


def evenly_spaced_slices(volumes: Volumes, per_case: int, *, stack: int = 1) -> Tensor:
    """`(M, stack C, X, Y)` float32: at most `per_case` windows of a volume, from its first with brain to its last."""
    plans = []
    for case, allowed in enumerate(first_slices(volumes, stack)):
        places = allowed.nonzero()[:, 0]
        positions = torch.linspace(0, len(places) - 1, min(per_case, len(places))).round().long()
        chosen = places[positions]  # (<= per_case,)
        plans.append(torch.stack([torch.full_like(chosen, case), chosen, torch.zeros_like(chosen)], dim=1))
    return draw_slices(volumes, torch.cat(plans), stack=stack)


def _shuffled(count: int, volumes: int, seed: int) -> Tensor:
    """The volumes `(count,)` in random order, each once in every epoch."""
    epochs = torch.arange(count // volumes + 1)
    keys = mix_seeds(mix_seeds(torch.tensor(seed), epochs)[:, None], torch.arange(volumes))
    return keys.argsort(dim=1).flatten()[:count]


def _below(limits: Tensor, words: Tensor) -> Tensor:
    """Uniform over 0..limit - 1, from the upper 31 bits of random int64 words."""
    return (((words >> 33) & (2**31 - 1)) * limits) >> 31
