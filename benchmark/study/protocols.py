"""Protocol and PROTOCOLS: the named ways to choose a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from datasets.errors import UnknownName

Rule = Literal["rate", "alarm", "pooled", "mean", "case", "crossed"]

TRANSFER = "transfer:"

ROUNDING = 1e-9  # of rates that have no exact float

FOLDS = 5  # of patients, for the cross-fitted oracle

CROSSED = "oracle-cross"


@dataclass(frozen=True)
class Protocol:
    """A named way to choose a threshold.

    Attributes:
        uses: the cases it looks at; `lesion` cases are of the cohort that is scored, unless `cohort` names another.
        what: short definition.
        rule: `rate`, a quantile; `alarm`, a conformal rank of scans; `pooled`, `mean` and `case`, the best Dice over
            all voxels, the best mean of the cases' Dice, the best of each case; `crossed`, `pooled` over others.
        rate: alarmed fraction of a healthy brain that is aimed at, or of healthy scans; None for the others.
        sees_test_labels: such numbers are upper bounds: shown apart, never ranked.
        cohort: whose validation cases it looks at; "" for the scored cohort's.
    """

    name: str
    title: str
    uses: Literal["healthy-val", "lesion-val", "lesion-test"]
    what: str
    rule: Rule = "pooled"
    rate: float | None = None
    sees_test_labels: bool = False
    cohort: str = ""


def _healthy_fpr(percent: float) -> Protocol:
    return Protocol(
        name=f"healthy-fpr-{percent:g}",
        title=f"{percent:g} % false alarms",
        uses="healthy-val",
        what=f"mean over healthy validation scans of the score that {percent:g} % of a brain's voxels exceed",
        rule="rate",
        rate=percent / 100,
    )


_BEST = "threshold of the best Dice pooled over the lesion {split} cases, before components"

_ALARM = "smallest threshold at which at most 10 % of healthy scans raise any alarm, through the whole chain"

_MEAN = "threshold of the best mean Dice of the lesion validation cases, each through the whole chain"

_CASE = "each case's threshold of its own best Dice, through the whole chain"

_CROSSED = f"{_BEST.format(split='test')}, each of {FOLDS} groups of patients under the threshold of the others"

_LESION_VAL = Protocol("lesion-val", "validation lesions", "lesion-val", _BEST.format(split="validation"))

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        _LESION_VAL,
        Protocol("lesion-val-mean", "validation lesions, mean Dice", "lesion-val", _MEAN, "mean"),
        _healthy_fpr(1),
        _healthy_fpr(0.1),
        _healthy_fpr(5),
        Protocol("healthy-alarm-10", "10 % of scans alarmed", "healthy-val", _ALARM, "alarm", 0.1),
        Protocol("oracle", "oracle", "lesion-test", _BEST.format(split="test"), sees_test_labels=True),
        Protocol("oracle-case", "oracle of each case", "lesion-test", _CASE, "case", sees_test_labels=True),
        Protocol(CROSSED, "cross-fitted oracle", "lesion-test", _CROSSED, "crossed", sees_test_labels=True),
    )
}

RATES = tuple(protocol.rate for protocol in PROTOCOLS.values() if protocol.rule == "rate" and protocol.rate)


def protocol_named(name: str) -> Protocol:
    """One of PROTOCOLS, or `transfer:COHORT`, the `lesion-val` of another cohort.

    Raises:
        UnknownName: there is none of that name.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    cohort = name.removeprefix(TRANSFER)
    if not cohort or cohort == name:
        raise UnknownName("protocol", name, [*PROTOCOLS, f"{TRANSFER}COHORT"])
    what = f"threshold of the best Dice pooled over the lesion validation cases of {cohort}, before components"
    return replace(_LESION_VAL, name=name, title=f"validation lesions of {cohort}", what=what, cohort=cohort)


SHIFTED = "@shifted"


def on_shifted(protocol: str) -> str:
    """The name of a protocol whose cases are shifted as the scored ones are: a ceiling of what re-tuning can do."""
    return f"{protocol}{SHIFTED}"


def in_key(protocol: str, digests: Mapping[str, str]) -> str:
    """A protocol as keys name it: one that transfers from a cohort with what stands for that cohort's cases.

    Args:
        digests: of cohorts, by name.
    """
    prefix, _, cohort = protocol.removesuffix(SHIFTED).partition(":")
    return f"{protocol}@{digests[cohort]}" if f"{prefix}:" == TRANSFER and cohort in digests else protocol


def scans_needed(rate: float) -> int:
    """The fewest healthy scans from which `healthy_alarm_threshold` can promise a rate: 9 for 10 %, 19 for 5 %.

    Raises:
        ValueError: a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ValueError(f"Got rate {rate}, wanted a fraction between 0 and 1.")
    return ceil(1 / rate - 1 - ROUNDING)
