"""What is measured, and how: studies, inference, scoring and statistics. Offers what `import uadbench` does."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
ALONE = "Install uadbench into an environment of its own."


def __getattr__(name: str) -> Any:
    import uadbench

    if name in uadbench.__all__:
        return getattr(uadbench, name)
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'")


def other_datasets() -> tuple[str, bool]:
    """What to say of another package called `datasets` in this environment, and whether it hides ours; "" for none."""
    spec = find_spec("datasets")
    found = [Path(place).resolve() for place in spec.submodule_search_locations or ()] if spec else []
    if Path(__file__).resolve().parents[1] / "datasets" not in found:
        where = found[0] if found else "nowhere"
        return f"got another package called datasets ({where}), expected uadbench's own, which it hides. {ALONE}", True
    try:
        other = version("datasets")
    except PackageNotFoundError:
        return "", False
    return (
        f"another package called datasets ({other}) is installed beside uadbench's own: one breaks the other. {ALONE}",
        False,
    )
