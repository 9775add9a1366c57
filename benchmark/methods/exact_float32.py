"""exact_float32: float32 arithmetic without TF32 on GPUs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Disable TF32 inside the block; it would round convolution inputs to 10 mantissa bits.

    What the caller has set by `allow_tf32` or `fp32_precision` is restored. Both are written, so that torch finds
    them in agreement; only the latter is read, since torch refuses to read `allow_tf32` where they disagree.
    """
    backends: Any = torch.backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    operations = matmul, cudnn.conv, cudnn.rnn
    before = [operation.fp32_precision for operation in operations]
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    for operation in operations:
        operation.fp32_precision = "ieee"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = (precision == "tf32" for precision in before[:2])
        for operation, precision in zip(operations, before, strict=True):
            operation.fp32_precision = precision
