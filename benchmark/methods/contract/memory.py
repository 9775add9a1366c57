"""live_peak: the most memory that tensors of a computation hold at once."""

import os
from collections.abc import Callable

import torch


def live_peak(compute: Callable[[], object], device: torch.device) -> int:
    """Bytes of tensors on `device` that `compute` holds at once, beyond what was held before."""
    return _peak_on_gpu(compute, device) if device.type == "cuda" else _peak_on_cpu(compute)


def _peak_on_gpu(compute: Callable[[], object], device: torch.device) -> int:
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    compute()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _peak_on_cpu(compute: Callable[[], object]) -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler announces itself on stderr
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        compute()
    events = [one for one in profiler.profiler.kineto_results.events() if one.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()  # negative where memory is given back
        peak = max(peak, held)
    return peak
