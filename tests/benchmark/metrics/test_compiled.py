"""Functions are compiled, with a place on disk for the machine code or without one."""

import pytest
from numba import njit
from numba.core.caching import CacheImpl

from benchmark.metrics.compiled import compiled


def twice(number: int) -> int:
    return 2 * number


def test_where_nothing_may_be_written_functions_are_compiled_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose code and home are read-only."""
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        njit(cache=True)(twice)
    assert compiled(twice)(21) == 42
