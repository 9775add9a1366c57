"""How maps are computed: device, precision, batches, and the preparation of a detector's networks for them."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from benchmark.methods.detector import Detector
from benchmark.methods.exact_float32 import exact_float32
from benchmark.study.cells import Precision
from datasets.errors import BadValue

log = logging.getLogger(__name__)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Inference:
    """Settings of inference; only `precision` changes maps by more than rounding.

    Attributes:
        slice_batch: slices that a slice-wise method processes at once.
        volumes: cases handed to the detector at once; None for as many as the detector asks for.
        compiled: whether networks are compiled.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    slice_batch: int = 32
    volumes: int | None = None
    compiled: bool = False


def pick_device(name: str) -> str:
    """The device of `--device`; `auto` is the GPU where there is one.

    Raises:
        BadValue: there is no such device here.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadValue(f"--device: got '{name}' ({reason}), expected auto, cpu, cuda or cuda:N.") from error
    return name


def prepare(detector: Detector, inference: Inference) -> None:
    """Put a detector into evaluation mode, and compile its networks where that is set.

    On a GPU under autocast they are in channels-last layout, which tensor cores need, and else in torch's own.
    """
    detector.eval()
    if torch.device(inference.device).type == "cuda":
        layout = torch.contiguous_format if inference.precision == "fp32" else torch.channels_last
        detector.to(memory_format=layout)  # type: ignore[call-overload]
    if inference.compiled and not getattr(detector, "_networks_are_compiled", False):
        torch.compiler.reset()  # what other detectors have left would count towards torch's limit of variants
        detector.compile_networks()
        detector._networks_are_compiled = True  # type: ignore[assignment]


@contextmanager
def computing(inference: Inference) -> Iterator[None]:
    """Within the block networks compute as these settings say, without gradients and without TF32.

    What is compiled also has cuDNN's fastest convolutions, chosen by timing them: so maps may differ by rounding from
    one process to the next, as they do between compiled and eager networks. Beyond its limit of compiled variants
    torch would go on eagerly; here it raises.
    """
    with ExitStack() as block:
        block.enter_context(torch.inference_mode())
        block.enter_context(exact_float32())
        if inference.precision != "fp32":
            kind = torch.device(inference.device).type
            block.enter_context(torch.autocast(kind, DTYPES[inference.precision]))
        if inference.compiled:
            block.enter_context(torch._dynamo.config.patch(fail_on_recompile_limit_hit=True))
            before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
            block.callback(setattr, torch.backends.cudnn, "benchmark", before)
        yield


@lru_cache(maxsize=4)
def can_compile(device: str) -> bool:
    """Whether torch can compile for the device here, tried on two operations; logs a warning where it cannot.

    A CPU needs a C++ compiler, a GPU Triton and a C compiler.
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
