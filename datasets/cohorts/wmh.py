"""WMH challenge: white-matter hyperintensities of presumed vascular origin, three sites."""

import re

from datasets.case import Labels
from datasets.cohorts.downloads import Facts, Identity, Layout
from datasets.spec import DatasetSpec
from datasets.splits.assignment import committed_splits

WMH_LABELS = Labels(lesion=(1,), ignored=(2,))  # 2 is other pathology, which the challenge leaves out of its scores


def _identity(match: re.Match[str]) -> Identity:
    """Such as `Utrecht-0` and `Amsterdam-GE3T-100`."""
    place = [match["site"].capitalize(), *([match["scanner"]] if match["scanner"] else [])]
    site = "-".join(re.sub(r"[^\w.]+", "_", part).strip("_.") for part in place)
    case_id = f"{site}-{int(match['number'])}"
    return Identity(case_id, case_id, site)


def _archive_identity(name: str) -> Identity:
    """By the number at the end of a file's name: patients of all sites share one numbering."""
    match = re.search(r"(\d+)$", name)
    known = {one.subject.subject_id.rpartition("-")[2]: one.subject for one in committed_splits("wmh")}
    subject = known.get(str(int(match[1]))) if match else None
    return Identity(subject.subject_id, subject.subject_id, subject.site) if subject else Identity(name, name)


# `training/Amsterdam/GE3T/100/pre/FLAIR.nii.gz`: a site, perhaps a scanner, the patient's number. `pre` is corrected
# for the bias field, its T1 registered to the FLAIR. The published cohort is the 60 training scans.
LAYOUT = Layout(
    title="the WMH challenge",
    name=r"(?P<site>Utrecht|Singapore|Amsterdam)(/(?P<scanner>[^/]*[^/\d][^/]*))?/(?P<number>\d+)",
    after="/",
    identity=_identity,
    roles={"pre/t1": "t1", "pre/flair": "flair", "wmh": "lesion_mask"},
    looked_for="Utrecht/0/pre/{T1,FLAIR}.nii.gz with Utrecht/0/wmh.nii.gz and the like, or Test/WMH/{t1,mask,seg}",
    facts=Facts(licence="CC BY-NC 4.0", labels=WMH_LABELS, corrected=True, aligned=True),
    archive=("wmh", "wmh_challenge", "wmh2017"),
    archive_identity=_archive_identity,
    unpublished="(.*/)?(test|additional_annotations)(/|$)",
)

WMH = DatasetSpec(
    name="wmh",
    title="WMH challenge",
    sequences=("t1", "flair"),
    healthy=False,
    licence="CC BY-NC 4.0, after registration",
    reference="Kuijf et al. 2019, doi:10.1109/TMI.2019.2905770",
    url="https://wmh.isi.uu.nl",
    how_to_get="Get it from dataverse.nl (doi:10.34894/AECRSD).",
    raw_cases=LAYOUT.read,
)
