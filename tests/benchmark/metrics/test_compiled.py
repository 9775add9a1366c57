"""Functions are compiled, with a place on disk for the machine code or without one."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numba import config, njit
from numba.core.caching import CacheImpl, IndexDataCacheFile

from benchmark.metrics.compiled import compiled


def twice(number: int) -> int:
    return 2 * number


def test_where_nothing_may_be_written_functions_are_compiled_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose code and home are read-only."""
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        njit(cache=True)(twice)
    assert compiled(twice)(21) == 42


def halved(numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return numbers / 2


def test_processes_that_compile_at_one_moment_keep_each_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finds nothing on disk, writes its index, then its code; the first to come is the last to write it."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    late: list[tuple[IndexDataCacheFile, str, Any]] = []
    with monkeypatch.context() as patch:
        patch.setattr(IndexDataCacheFile, "_load_index", lambda self: {})
        patch.setattr(IndexDataCacheFile, "_save_data", lambda *given: late.append(given))
        compiled(halved)(np.arange(4))
        compiled(halved)(np.arange(4.0))
    for files, name, code in reversed(late):
        files._save_data(name, code)
    for numbers in (np.arange(4), np.arange(4.0)):
        assert compiled(halved)(numbers).tolist() == [0.0, 0.5, 1.0, 1.5]
