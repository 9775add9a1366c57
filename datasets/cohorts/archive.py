"""The prepared archive of the reference study: `Train/<cohort>` and `Test/<cohort>` with `{t1,t2,flair,mask,seg}/`."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from datasets.cohorts.downloads import NIFTI, Layout, Scan, gather
from datasets.raw import RawCase, RawCohort

SEQUENCES = ("t1", "t1ce", "t2", "flair")
FOLDER = re.compile(rf"(^|/)(?P<role>t1ce|t1|t2|flair|mask|seg)/(?P<stem>[^/]+?){NIFTI}", re.IGNORECASE)
# What a file's name may add to the scan's, so that the files of one scan share the rest.
TAIL = re.compile(
    r"[-_](t1ce|t1wks|t1w?|t2w?|flair|seg|brain_?mask|mask|consensus_gt|wmh|label-l_desc-t1lesion_mask)$", re.IGNORECASE
)


def archived(
    root: Path, title: str, folders: Sequence[str], case: Callable[[str], tuple[str, str, str] | None]
) -> RawCohort | None:
    """The cohort as the archive holds it; None where there is none of its folders.

    These scans are stripped, in SRI24 space, cropped to the brain and corrected for the bias field.
    Their lesion masks were interpolated linearly, so that only what is above half counts.

    Args:
        folders: what the cohort's folder may be called, in lower case.
        case: a file's name without its ending to case, subject and site; None for one that is not the cohort's.
    """
    folder = _folder(root, folders)
    if folder is None:
        return None
    layout = Layout(title, FOLDER, lambda match: _name(match, case), "t1/, t2/ or flair/ beside mask/ (and seg/)")
    lesion = ["seg"] if folder.parent.name.casefold() == "test" else []
    gathered = gather(folder, layout).having("mask", *lesion, any_of=SEQUENCES)
    cases, strangers = [], []
    for scan in gathered.scans:
        found = case(scan.name)
        if found is None:
            strangers.append(f"passed over, not a name of {title}: {scan.name}")
        else:
            cases.append(_raw_case(scan, *found))
    return RawCohort(tuple(cases), (*gathered.problems, *strangers))


def _folder(root: Path, names: Sequence[str]) -> Path | None:
    """`Train/<name>` or `Test/<name>` at or below `root`, whichever case they are written in."""
    near = [root, *(path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth)))]
    for folder in near:
        if folder.name.casefold() in names and folder.parent.name.casefold() in ("train", "test") and folder.is_dir():
            return folder
    return None


def _name(match: re.Match[str], case: Callable[[str], tuple[str, str, str] | None]) -> str:
    """The case's, or what a file that is not the cohort's has beside its tail."""
    stem = _stem(match["stem"])
    found = case(stem)
    return found[0] if found else stem


def _stem(name: str) -> str:
    while (shorter := TAIL.sub("", name)) != name:
        name = shorter
    return name


def _raw_case(scan: Scan, case_id: str, subject_id: str, site: str) -> RawCase:
    images = {role: path for role, path in scan.files.items() if role in SEQUENCES}
    return RawCase(
        case_id=case_id,
        subject_id=subject_id,
        images=images,
        drawn_on=next(iter(images)),
        site=site,
        lesion_mask=scan.files.get("seg"),
        brain_mask=scan.files["mask"],
        space="sri24",
        stripped=True,
        corrected=True,
        aligned=True,
    )
