"""Which healthy cases a training seed learns from and validates on."""

import random
from collections.abc import Sequence
from dataclasses import replace

from datasets.case import CaseFiles, Split


def redraw(files: Sequence[CaseFiles], seed: int) -> list[CaseFiles]:
    """Redraw train and val among the healthy subjects of both, so that a seed varies the data too.

    Seed 0 keeps the split of `cases.csv`. Subjects stay whole, the number of validation cases is
    kept (or passed by the last subject's further scans), and test cases never move.
    """
    pool = [case for case in files if case.healthy and case.split != "test"]
    if seed == 0 or not pool:
        return list(files)
    wanted = sum(case.split == "val" for case in pool)
    subjects = sorted({case.subject_id for case in pool})
    random.Random(seed).shuffle(subjects)
    val: set[str] = set()
    for subject in subjects:
        if sum(case.subject_id in val for case in pool) >= wanted:
            break
        val.add(subject)
    moved: dict[str, Split] = {case.case_id: "val" if case.subject_id in val else "train" for case in pool}
    return [replace(case, split=moved.get(case.case_id, case.split)) for case in files]
