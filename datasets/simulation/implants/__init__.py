"""Implants: lesions of known size, contrast and place in real healthy scans, `implant[COHORT]`."""

import re
from functools import partial
from pathlib import Path

from datasets.errors import BadValue
from datasets.spec import DatasetSpec

PATTERN = re.compile(r"implant\[(.+)\]")


def host_cohort(name: str) -> str:
    """The cohort from which the scans of `name` come: `ixi` for `implant[ixi]`, else the name itself."""
    match = PATTERN.fullmatch(name)
    return match[1] if match else name


def implant_spec(base: DatasetSpec) -> DatasetSpec:
    """The cohort of implants in `base`'s healthy test scans.

    Raises:
        BadValue: `base` is itself a cohort of implants, or has no healthy case.
    """
    if PATTERN.fullmatch(base.name):
        raise BadValue(f"implant[{base.name}]: got implants as hosts, expected a cohort of healthy scans.")
    if base.healthy is False:
        raise BadValue(f"implant[{base.name}]: got a cohort of lesions as hosts, expected one with healthy scans.")
    return DatasetSpec(
        name=f"implant[{base.name}]",
        title=f"Implants in {base.title}",
        sequences=base.sequences,
        healthy=None,
        licence=base.licence,
        reference=base.reference,
        url=base.url,
        how_to_get=f"Make it: python -m datasets implant {base.name} --data DIR [--out DIR2 where DIR is read-only].",
        fitted_on=base.fitted_on,
        simulate=partial(_simulate, base),
    )


def _simulate(base: DatasetSpec, data: Path) -> None:
    """Write the implants of the default design; if `base` is simulated and missing, simulate it first."""
    from datasets.simulation.implants.cohort import write_implants

    if base.simulate is not None and not base.folder(data).exists():
        base.simulate(data)
    write_implants(data, base, data)
