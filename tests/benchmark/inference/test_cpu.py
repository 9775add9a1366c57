"""The process's settings: by usable cores, the user's own first, and before torch is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datasets.cores import usable_cores

ROOT = Path(__file__).parents[3]


def threads(**environment: str) -> str:
    """What torch counts after the program's entry point has been through."""
    code = (
        "import benchmark.commands.main as cli, sys, os; cli.app = lambda: None; cli.main();"
        "assert 'torch' not in sys.modules;"
        "import torch; print(torch.get_num_threads(), os.environ['OMP_WAIT_POLICY'])"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=bare | environment, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_the_entry_point_sets_them_and_leaves_the_users_alone() -> None:
    assert threads() == f"{usable_cores()} PASSIVE"
    assert threads(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="ACTIVE") == "1 ACTIVE"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_freed_memory_is_kept() -> None:
    code = (
        "import sys; from benchmark.inference.cpu import prepare_cpu; 'kept' in sys.argv and prepare_cpu();"
        "import numpy as np, resource; faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt;"
        "np.ones(8_000_000); before = faults(); [np.ones(8_000_000).sum() for _ in range(5)]; print(faults() - before)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code, way], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for way in ("kept", "given back")
    ]
    kept, given_back = map(int, runs)
    assert kept < given_back / 10
