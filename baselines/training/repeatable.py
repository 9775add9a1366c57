"""repeatable: arithmetic that gives the same numbers every time, for training on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmark.methods.exact_float32 import exact_float32


@contextmanager
def repeatable() -> Iterator[None]:
    """Algorithms that add in one order: equal seeds are to give equal weights.

    The fast kernels of attention add gradients in no fixed order, and cuDNN's choice of convolutions may change
    from run to run. float32 is float32.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with exact_float32(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
