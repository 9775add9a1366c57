"""holds_brain: which slices hold brain, told without waiting for a GPU where the host has seen the masks."""

from collections.abc import MutableMapping

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_seen: MutableMapping[Tensor, Tensor] = WeakTensorKeyDictionary()  # by the masks on the device


def holds_brain(brain_masks: Tensor) -> Tensor:
    """`(N, Z)` bool on the CPU, of `(N, 1, X, Y, Z)` masks.

    How much is to be computed depends on it, so the host has to know. Read off a GPU it would wait until all that is
    queued there has been computed.
    """
    seen = _seen.get(brain_masks)
    return _any_brain(brain_masks).cpu() if seen is None else seen


def keep_on_host(brain_masks: Tensor, on_host: Tensor) -> None:
    """Remember what masks on a device hold, as long as these live, from the same masks on the CPU."""
    _seen[brain_masks] = _any_brain(on_host)


def _any_brain(brain_masks: Tensor) -> Tensor:
    return brain_masks.any(dim=1).any(dim=1).any(dim=1)
