"""split_of: each subject's split, from the cohort's committed list or else by the rule, with the sizes it deals to."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

from datasets.case import Split
from datasets.errors import BadValue
from datasets.spec import DatasetSpec
from datasets.splits.hashing import deal, draw, scale_sizes
from datasets.splits.subjects import Subject

COLUMNS = ("subject_id", "split", "site", "age_band")
Trait = Literal["site", "age_band"]


@dataclass(frozen=True)
class SplitPlan:
    """How many subjects of a cohort go to each split, and by what they are stratified.

    Attributes:
        sizes: subjects of each split in dealing order; another number of subjects is dealt in the same proportions.
        by: traits that define a stratum.
        published: splits published by others; the remaining subjects are dealt.
    """

    sizes: Mapping[Split, int]
    by: tuple[Trait, ...] = ("site",)
    published: Mapping[str, Split] = field(default_factory=dict)

    def stratum(self, subject: Subject) -> str:
        return "\0".join(getattr(subject, trait) for trait in self.by)


MSL_VAL = ("01", "03", "05", "15", "17", "18", "20", "22", "28", "29")
MSL_PUBLISHED: dict[str, Split] = {
    f"patient{number:02}": "val" if f"{number:02}" in MSL_VAL else "test" for number in range(1, 31)
}
# Published sizes are those of the study that the benchmark follows; IXI has six subjects more than its 358 + 44 + 158.
PLANS: Mapping[str, SplitPlan] = {
    "ixi": SplitPlan({"test": 158, "val": 44, "train": 364}, by=("site", "age_band")),
    "brats": SplitPlan({"val": 100, "test": 1151}, by=()),
    "msl": SplitPlan({"val": 10, "test": 20}, by=(), published=MSL_PUBLISHED),
    "atlas": SplitPlan({"val": 175, "test": 480}),
    "wmh": SplitPlan({"val": 15, "test": 45}),
    "lgg": SplitPlan({"val": 30, "test": 80}),
    "oasis": SplitPlan({"test": 30}),
}
HEALTHY = SplitPlan({"test": 28, "val": 8, "train": 64})
LESION = SplitPlan({"val": 25, "test": 75})


def plan_for(name: str, *, healthy: bool) -> SplitPlan:
    """The plan of a cohort; without a plan of its own, that for healthy or for lesion subjects."""
    return PLANS.get(name, HEALTHY if healthy else LESION)


@dataclass(frozen=True)
class CommittedSplit:
    """A subject of a committed list and its split."""

    subject: Subject
    split: Split


def split_of(
    spec: DatasetSpec, subjects: Iterable[Subject], *, kept: Mapping[str, Split] | None = None
) -> dict[str, Split]:
    """The split of each subject, in the order given; no subject is in two.

    A subject on the cohort's committed list has the split of the list, another one that of `kept`. If any subject is
    known in this way, each newcomer is drawn by its own hash, so that it moves nobody else; else all are dealt by
    `split_by_rule`.

    Args:
        kept: splits of an earlier preparation, which stay.

    Raises:
        BadValue: a subject is given twice.
    """
    subjects = list(subjects)
    _check_once(subjects)
    known = {**(kept or {}), **{one.subject.subject_id: one.split for one in committed_splits(spec.name)}}
    known = {one.subject_id: known[one.subject_id] for one in subjects if one.subject_id in known}
    newcomers = [one for one in subjects if one.subject_id not in known]
    fresh = {one.subject_id: _drawn(spec, one) for one in newcomers} if known else split_by_rule(spec, newcomers)
    found = known | fresh
    return {one.subject_id: found[one.subject_id] for one in subjects}


def split_by_rule(spec: DatasetSpec, subjects: Iterable[Subject]) -> dict[str, Split]:
    """The split of each subject by the rule alone, without committed or kept splits; see `hashing.deal`.

    Subjects with a published split keep it. In a mixed cohort healthy subjects are dealt apart from the others.
    """
    subjects = list(subjects)
    found: dict[str, Split] = {}
    for healthy in (True, False):
        plan = plan_for(spec.name, healthy=healthy)
        group = [one for one in subjects if _healthy(spec, one) == healthy]
        found |= {one.subject_id: plan.published[one.subject_id] for one in group if one.subject_id in plan.published}
        strata = {one.subject_id: plan.stratum(one) for one in group if one.subject_id not in plan.published}
        found |= deal(strata, scale_sizes(plan.sizes, len(strata)), salt=salt(spec.name))
    return found


@cache
def committed_splits(name: str) -> Sequence[CommittedSplit]:
    """The committed list of a cohort; empty if there is none."""
    table = files("datasets.splits") / "tables" / f"{name}.csv"
    if not table.is_file():
        return ()
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return tuple(
        CommittedSplit(Subject(row["subject_id"], row["site"], row["age_band"]), row["split"])  # type: ignore[arg-type]
        for row in rows
    )


def salt(name: str) -> str:
    """The salt of a cohort's hashes, so that one name in two cohorts is two subjects."""
    return f"uadbench split of {name}"


def _drawn(spec: DatasetSpec, subject: Subject) -> Split:
    plan: SplitPlan = plan_for(spec.name, healthy=_healthy(spec, subject))
    return plan.published.get(subject.subject_id) or draw(subject.subject_id, plan.sizes, salt=salt(spec.name))


def _healthy(spec: DatasetSpec, subject: Subject) -> bool:
    return bool(subject.healthy) if spec.healthy is None else spec.healthy


def _check_once(subjects: Sequence[Subject]) -> None:
    seen: set[str] = set()
    for one in subjects:
        if one.subject_id in seen:
            raise BadValue(f"subjects: got '{one.subject_id}' twice, expected every subject once.")
        seen.add(one.subject_id)
