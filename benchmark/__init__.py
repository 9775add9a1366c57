"""What is measured, and how: studies, inference, scoring and statistics. Offers what `import uadbench` does."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    import uadbench

    if name in uadbench.__all__:
        return getattr(uadbench, name)
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'")
