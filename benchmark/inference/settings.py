"""What is done to a detector's networks before they map: layout, and compiling where that is asked for."""

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from benchmark.methods.detector import Detector
from benchmark.study.cells import Precision

log = logging.getLogger(__name__)


def prepare(detector: Detector, inference: "Inference") -> None:
    """Evaluation mode; on a GPU under autocast channels last, which tensor cores want; compiled where asked for."""
    detector.eval()
    if torch.device(inference.device).type == "cuda" and inference.precision != "fp32":
        detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if inference.compiled and not getattr(detector, "_networks_are_compiled", False):
        detector.compile_networks()
        detector._networks_are_compiled = True  # type: ignore[assignment]


@lru_cache(maxsize=4)
def can_compile(device: str) -> bool:
    """Whether torch can compile for the device here, tried on two operations; where it cannot, a line says why.

    On a CPU it takes a C++ compiler, on a GPU Triton and a C compiler.
    """
    try:
        torch.compile(_tiny)(torch.ones(8, device=device))
    except Exception as error:  # torch's back ends share no class of errors
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        log.warning("Networks are not compiled: no working compiler for %s (%s).", device, reason)
        return False
    return True


def _tiny(x: Any) -> Any:
    return x.sin() + 1


@dataclass(frozen=True)
class Inference:
    """How maps are computed; only `precision` changes them by more than rounding.

    Attributes:
        slice_batch: slices that a slice-wise method processes at once.
        volumes: cases handed to the detector at once; None for as many as the detector asks for.
        compiled: whether networks are compiled, see `benchmark.inference.settings`.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    slice_batch: int = 32
    volumes: int | None = None
    compiled: bool = False
