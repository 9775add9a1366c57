"""Batches: the slices of each step of a stage, and where the step's randomness starts."""

from hashlib import blake2b

from torch import Tensor

from baselines.slices.sampling import RandomSlices, Volumes, drawn
from baselines.slices.seeding import mix_seed

SEED_BYTES = 6


class Batches:
    """A function of (seed, stage, step): a fit that goes on from step k draws what it would have drawn.

    Each of several ranks takes its share of the step's slices and has randomness of its own.
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
        """`size` inputs of `stack` neighbouring slices each a step, over all ranks together."""
        self.volumes, self.stack, self.augment = volumes, stack, augment
        self.size, self.share, self.rank = size, size // ranks, rank
        own = mix_seed(seed, int.from_bytes(blake2b(stage.encode(), digest_size=SEED_BYTES).digest(), "big"))
        self.step_seed = mix_seed(own, 1)
        self.plans = RandomSlices(volumes, steps * size, stack=stack, seed=mix_seed(own, 0))

    def slices(self, step: int) -> Tensor:
        """This rank's share `(B, stack, X, Y)` of a step, on the volumes' device."""
        first = step * self.size + self.rank * self.share
        plan = self.plans.plans[first : first + self.share]  # (B, 3)
        return drawn(self.volumes, plan, stack=self.stack, augment=self.augment)

    def seed(self, step: int) -> int:
        """Where torch's generators start at a step."""
        return mix_seed(mix_seed(self.step_seed, step), self.rank)
