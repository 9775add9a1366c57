"""SplitPlan: how many subjects of a cohort go where, and by what they are stratified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from datasets.case import Split
from datasets.splits.subjects import Subject

Trait = Literal["site", "age_band"]


@dataclass(frozen=True)
class SplitPlan:
    """The sizes that a cohort's subjects are dealt to.

    Attributes:
        sizes: subjects of each split in the order in which they are dealt; for another number of
            subjects the same proportions.
        by: what makes a stratum.
        published: subjects whose split others have published; the rest is dealt.
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
    """The plan of a cohort; for one without its own that of healthy or of other subjects."""
    return PLANS.get(name, HEALTHY if healthy else LESION)
