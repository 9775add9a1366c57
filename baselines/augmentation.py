"""Random blur, bias field, gamma and ghosting of a healthy volume, by torchio's defaults."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from baselines.seeding import seeded


def augmented(image: Tensor, brain_mask: Tensor, *, seed: int) -> Tensor:
    """A variant of `image` `(1, X, Y, Z)`, in [0, 1] and 0 outside `brain_mask`, decided by `seed`.

    Probabilities are the reference study's: blur and bias field 0.25, gamma and ghosting 0.5. A bias
    field can quadruple intensities; such an image is scaled back by its brain's 99th percentile, as
    the grid would scale a scan that came with the field.
    """
    with seeded(seed, image.device):
        changed = _transform()(image)
    high = torch.quantile(changed[brain_mask], 0.99).clamp(min=1)
    return torch.where(brain_mask, (changed / high).clamp(0, 1), 0.0)


@cache
def _transform() -> Any:
    # torchio takes more than a second to import, and only training with augmentation needs it.
    import torchio

    return torchio.Compose(
        [
            torchio.RandomBlur(p=0.25),
            torchio.RandomBiasField(p=0.25),
            torchio.RandomGamma(p=0.5),
            torchio.RandomGhosting(p=0.5),
        ]
    )
