"""What a method is (Detector, Card), how it is named, found, configured, described and held to its contract.

What the author of a method needs is here: `from benchmark.methods import Card, Detector, at_test, check_detector`.
These names are imported when they are first used, so that importing this package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.methods.card import Card
    from benchmark.methods.contract.check import check_detector, detector_checks
    from benchmark.methods.contract.trial import simulated_case
    from benchmark.methods.detector import Detector, LabelledDetector, at_test

__all__ = ["Card", "Detector", "LabelledDetector", "at_test", "check_detector", "detector_checks", "simulated_case"]

_MODULES = {
    "Card": "benchmark.methods.card",
    "Detector": "benchmark.methods.detector",
    "LabelledDetector": "benchmark.methods.detector",
    "at_test": "benchmark.methods.detector",
    "check_detector": "benchmark.methods.contract.check",
    "detector_checks": "benchmark.methods.contract.check",
    "simulated_case": "benchmark.methods.contract.trial",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)
