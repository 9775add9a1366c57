"""WMH challenge: white-matter hyperintensities of presumed vascular origin, three sites."""

import re
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import NIFTI, Layout, Scan, archived, few, gather
from datasets.spec import DatasetSpec
from datasets.splits.assignment import committed

# `training/Amsterdam/GE3T/100/pre/FLAIR.nii.gz`: a site, perhaps a scanner, the patient's number.
PATTERN = re.compile(
    r"(^|/)(?P<site>Utrecht|Singapore|Amsterdam)(/(?P<scanner>[^/]*[^/\d][^/]*))?/(?P<number>\d+)/"
    rf"(?P<role>pre/T1|pre/FLAIR|wmh){NIFTI}",
    re.IGNORECASE,
)
WMH_LABEL = (1,)  # 2 is other pathology: neither lesion nor healthy, and ignored
NOT_PUBLISHED = re.compile(r"^(.*/)?(test|additional_annotations)(/|$)", re.IGNORECASE)


def raw_cases(root: Path) -> RawCohort:
    """`{Utrecht,Singapore,Amsterdam/GE3T}/NN/{pre/T1,pre/FLAIR,wmh}.nii.gz` below `root`; or the prepared archive.

    `pre` is corrected for the bias field, its T1 registered to the FLAIR. The published cohort is the 60
    training scans: the challenge's test scans, in a folder `test`, are passed over.
    """
    found = archived(root, "the WMH challenge", ("wmh", "wmh_challenge", "wmh2017"), _archive_identity)
    if found is not None:
        return found
    wanted = "Utrecht/0/pre/{T1,FLAIR}.nii.gz with Utrecht/0/wmh.nii.gz and the like, or Test/WMH/{t1,mask,seg}"
    scans = gather(root, Layout("the WMH challenge", PATTERN, _case_id, wanted))
    scans = scans.having("wmh", any_of=("pre/t1", "pre/flair"))
    others = [one for one in scans.scans if NOT_PUBLISHED.match(one.folder.relative_to(root).as_posix())]
    note = [f"passed over, not among the published training scans: {few([one.name for one in others])}"]
    cases = tuple(_raw_case(one) for one in scans.scans if one not in others)
    problems = (*scans.problems, *scans.lacking(("pre/t1", "pre/flair")), *(note if others else ()))
    return RawCohort(cases, problems)


def _raw_case(scan: Scan) -> RawCase:
    images = {role.removeprefix("pre/"): path for role, path in scan.files.items() if role.startswith("pre/")}
    return RawCase(
        case_id=scan.name,
        subject_id=scan.name,
        images=images,
        drawn_on="flair" if "flair" in images else "t1",
        site=_site(scan.name),
        licence="CC BY-NC 4.0",
        lesion_mask=scan.files["wmh"],
        lesion_labels=WMH_LABEL,
        corrected=True,
        aligned=True,
    )


def _case_id(match: re.Match[str]) -> str:
    """Such as `Utrecht-0` and `Amsterdam-GE3T-100`."""
    place = [match["site"].capitalize(), *([match["scanner"]] if match["scanner"] else [])]
    return "-".join([*(re.sub(r"[^\w.]+", "_", part).strip("_.") for part in place), str(int(match["number"]))])


def _site(case_id: str) -> str:
    return case_id.rpartition("-")[0]


def _archive_identity(name: str) -> tuple[str, str, str] | None:
    """By the number that ends a file's name: it is the patient's, of whichever site."""
    match = re.search(r"(\d+)$", name)
    known = {one.subject.subject_id.rpartition("-")[2]: one.subject for one in committed("wmh")}
    subject = known.get(str(int(match[1]))) if match else None
    return (subject.subject_id, subject.subject_id, subject.site) if subject else (name, name, "")


WMH = DatasetSpec(
    name="wmh",
    title="WMH challenge",
    sequences=("t1", "flair"),
    healthy=False,
    licence="CC BY-NC 4.0, after registration",
    reference="Kuijf et al. 2019, doi:10.1109/TMI.2019.2905770",
    url="https://wmh.isi.uu.nl",
    how_to_get="Get it from dataverse.nl (doi:10.34894/AECRSD).",
    raw_cases=raw_cases,
)
