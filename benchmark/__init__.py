"""What is measured, and how: studies, inference, scoring and statistics. Offers what `import uadbench` does."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__version__ = "0.1.0"
ALONE = "Install uadbench into an environment of its own."
DATASETS = "Brain MRI cohorts"  # how our package of that name begins


def __getattr__(name: str) -> Any:
    import uadbench

    if name in uadbench.__all__:
        return getattr(uadbench, name)
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'")


def other_datasets() -> tuple[str, bool]:
    """What to say of another package called `datasets` in this environment, and whether ours is lost; "" for none.

    pip installs both into one folder, where files of the second replace those of the first.
    """
    ours, spec = Path(__file__).resolve().parents[1] / "datasets", find_spec("datasets")
    found = [Path(place).resolve() for place in spec.submodule_search_locations or ()] if spec else []
    try:
        other = f"another package called datasets ({version('datasets')})"
    except PackageNotFoundError:
        other = "another package called datasets"
    if ours not in found:
        return f"got {other} at {found[0] if found else 'no place'}, expected uadbench's own. {ALONE}", True
    if DATASETS not in (ours / "__init__.py").read_text(encoding="utf-8"):
        return f"got {other}, installed over uadbench's own. {ALONE}", True
    if other.endswith(")"):
        return f"{other} is installed beside uadbench's own: each overwrites files of the other. {ALONE}", False
    return "", False
