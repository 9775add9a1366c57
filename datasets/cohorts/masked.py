"""Whether a cohort is healthy, told by its lesion masks where no table says it."""

from collections.abc import Mapping
from pathlib import Path

from datasets.errors import BadFile


def healthy_by_masks(masked: Mapping[str, bool], home: Path) -> bool:
    """Whether a cohort is healthy, told by whether cases have lesion masks.

    Raises:
        BadFile: some have one and others not: a mask may as well be missing.
    """
    without = [case for case, has_mask in masked.items() if not has_mask]
    if without and len(without) < len(masked):
        raise BadFile(
            f"{home}: got a lesion mask for {len(masked) - len(without)} of {len(masked)} cases (none for "
            f"'{without[0]}'), wanted one for each or for none, or a column healthy (yes or no) in the table."
        )
    return bool(without) or not masked
