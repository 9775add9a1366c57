"""Protocol and PROTOCOLS: the named ways to choose a threshold, and what each may look at."""

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from benchmark.metrics.masks import Scores
from benchmark.metrics.ranking import Ranking
from benchmark.statistics.conformal import scan_threshold, scans_needed
from datasets.errors import BadValue
from datasets.registry import Registry, place_of

Uses = Literal["healthy-val", "lesion-val", "lesion-test", "hosts"]
Threshold = float | Mapping[str, float]
"""Of all cases, or of each by its `case_id`; NaN where there is nothing to choose it on."""

USES: Mapping[Uses, tuple[str, str]] = {
    "healthy-val": ("healthy validation scans, no label", "the healthy cohort has no validation scans"),
    "lesion-val": ("lesion labels of the validation cases", "the cohort has no lesion validation cases"),
    "lesion-test": (
        "lesion labels of the test cases: an upper bound, never ranked",
        "no lesion case of its test split was scored",
    ),
}
"""The cases that a protocol may use, in words, and why there is no threshold where there are none."""

TRANSFER = "transfer:"
SHIFTED = "@shifted"
FOLDS = 5  # of patients, for the cross-fitted oracle
CROSSED = "oracle-cross"


class Evidence(typing.Protocol):
    """What a protocol may look at, under one post-processing: cases of the kind that it `uses` and no others.

    Dice is exact, searched over all thresholds; of several thresholds of the best Dice the highest is taken. NaN, or
    no case, where there is no case of the kind.
    """

    @property
    def scans(self) -> Sequence[float]:
        """What the protocol's `of_scan` has made of each healthy validation scan."""

    def rankings(self) -> Iterator[Ranking]:
        """Each lesion case's voxels counted by score, before small components go."""

    def best_pooled(self) -> float:
        """The threshold of the best Dice over all voxels of the lesion cases together, before small components go."""

    def best_mean(self) -> float:
        """The threshold of the best mean of the lesion cases' Dice, each through the whole pipeline."""

    def best_of_each(self) -> Threshold:
        """By case the threshold of its own best Dice, through the whole pipeline."""

    def best_of_others(self) -> Threshold:
        """By case the threshold `best_pooled` of the other groups of patients, of a protocol of the rule `crossed`."""

    def transferred(self) -> float:
        """The threshold `best_pooled` of the validation cases of the protocol's `cohort`."""


@dataclass(frozen=True)
class Protocol:
    """A named way to choose a threshold. Scores above it are predicted; a score of 0 never is.

    Attributes:
        uses: the cases that it looks at; lesion cases are of the scored cohort, unless `cohort` names another.
            What uses `lesion-test` sees test labels: an upper bound, shown apart and never ranked.
        what: short definition.
        choose: the threshold from the evidence.
        rule: says `choose` and `of_scan` in keys; protocols of a rule differ in the fields that enter keys.
        of_scan: what is kept of a healthy validation scan, from the scores `(V,)` of its brain's voxels, the eroded
            rim's zeros included: before small components go, and through the whole pipeline.
        rate: aimed at: part of a healthy brain, or of healthy scans; None for the others.
        fewest_scans: healthy validation scans below which there is no threshold.
        cohort: whose validation cases it looks at; "" for the scored cohort's.
        shifted: whether the cases are shifted as the scored ones are: a ceiling of what tuning anew can do.
        undefined: why there may be no threshold; "" where there only has to be a case of the kind that it uses.
        revision: raised with every change of `choose` or `of_scan` that changes a threshold.
        origin: a plugin's distribution and version; "" for a built-in.

    Examples:
        >>> PROTOCOLS["healthy-fpr-1"].uses, PROTOCOLS["oracle"].sees_test_labels
        ('healthy-val', True)
    """

    name: str
    title: str
    uses: Uses
    what: str
    choose: Callable[[Evidence], Threshold] = field(repr=False)
    rule: str
    of_scan: Callable[[Scores, Scores], float] | None = field(default=None, repr=False)
    rate: float | None = None
    fewest_scans: int = 1
    cohort: str = ""
    shifted: bool = False
    undefined: str = ""
    revision: int = 1
    origin: str = ""

    @property
    def needs_healthy(self) -> bool:
        return self.uses == "healthy-val"

    @property
    def sees_test_labels(self) -> bool:
        return self.uses == "lesion-test"

    @property
    def in_key(self) -> dict[str, object]:
        """All of it that can change a threshold; a plugin's is also told by where its functions are."""
        names = ("uses", "rule", "rate", "fewest_scans", "cohort", "shifted", "revision", "origin")
        known: dict[str, object] = {name: getattr(self, name) for name in names}
        return known | {"functions": [place_of(self.choose), place_of(self.of_scan)]} if self.origin else known


def protocol_named(name: str) -> Protocol:
    """One of PROTOCOLS; `transfer:COHORT`, the first of them on another cohort; either with `@shifted`.

    Raises:
        UnknownName: there is none of that name.
        BadValue: it is a plugin's and cannot be used.
    """
    if name.endswith(SHIFTED):
        return replace(protocol_named(name.removesuffix(SHIFTED)), name=name, shifted=True)
    if name == ONE_ALARM.name:
        return ONE_ALARM
    cohort = name.removeprefix(TRANSFER)
    if name in PROTOCOLS or not cohort or cohort == name:
        return PROTOCOLS[name]
    return replace(
        _LESION_VAL,
        name=name,
        title=f"validation lesions of {cohort}",
        what=_BEST.format(split="validation").replace("cases", f"cases of {cohort}"),
        choose=lambda evidence: evidence.transferred(),
        cohort=cohort,
        undefined=f"this run has no lesion validation cases of {cohort}",
    )


def on_shifted(name: str) -> str:
    """The name of a protocol whose cases are shifted as the scored ones are: a ceiling of what tuning anew can do."""
    return f"{name}{SHIFTED}"


def _best_pooled(evidence: Evidence) -> Threshold:
    return evidence.best_pooled()


def _mean_of_scans(evidence: Evidence) -> Threshold:
    return float(np.mean(evidence.scans)) if evidence.scans else np.nan


def _conformal(evidence: Evidence, *, rate: float) -> Threshold:
    """The smallest threshold that keeps the rate for a further scan that is exchangeable with these.

    Scans that a checkpoint was chosen on are not quite that, so the rate is nominal.
    """
    enough = len(evidence.scans) >= scans_needed(rate)
    return scan_threshold(evidence.scans, rate).threshold if enough else np.nan


def _exceeded(filtered: Scores, finished: Scores, *, rate: float) -> float:
    """The score that this part of a brain's voxels exceeds, interpolated linearly."""
    return float(np.quantile(filtered.astype(np.float64), 1 - rate))


def _highest(filtered: Scores, finished: Scores) -> float:
    """The score below which a threshold has to lie for any false positive of the scan."""
    return float(finished.max())


def _healthy_fpr(percent: float) -> Protocol:
    return Protocol(
        f"healthy-fpr-{percent:g}",
        f"{percent:g} % false positives",
        "healthy-val",
        f"mean over healthy validation scans of the score that {percent:g} % of a brain's voxels exceed",
        _mean_of_scans,
        "rate",
        of_scan=partial(_exceeded, rate=percent / 100),
        rate=percent / 100,
    )


def _healthy_alarm(percent: float) -> Protocol:
    fewest = scans_needed(percent / 100)
    return Protocol(
        f"healthy-alarm-{percent:g}",
        f"{percent:g} % of scans flagged",
        "healthy-val",
        f"smallest threshold at which nominally at most {percent:g} % of healthy scans have any false positive, "
        "through the whole pipeline, by the validation scans, which may have chosen the checkpoint too",
        partial(_conformal, rate=percent / 100),
        "alarm",
        of_scan=_highest,
        rate=percent / 100,
        fewest_scans=fewest,
        undefined=f"the healthy cohort has fewer than {fewest} validation scans",
    )


_BEST = "threshold of the best Dice pooled over the lesion {split} cases, before small components go"
_LESION_VAL = Protocol(
    "lesion-val",
    "validation lesions",
    "lesion-val",
    _BEST.format(split="validation"),
    _best_pooled,
    "pooled",
)


def _check(protocol: Protocol) -> None:
    """Refuse a plugin's protocol that would see what it does not say, or that nothing can be made of.

    Raises:
        BadValue: it uses no known kind of cases, or healthy scans without `of_scan`.
    """
    if protocol.uses not in USES:
        raise BadValue(f"Protocol '{protocol.name}': got uses '{protocol.uses}', expected {', '.join(USES)}.")
    if protocol.needs_healthy != (protocol.of_scan is not None):
        got = "no" if protocol.of_scan is None else "an"
        raise BadValue(
            f"Protocol '{protocol.name}': got {got} of_scan for {protocol.uses}, expected one for healthy-val alone."
        )


ONE_ALARM = Protocol(
    "one-alarm",
    "one false positive a scan",
    "hosts",
    "threshold of one false positive a scan in the other subjects' scans without an implanted lesion",
    lambda _: np.nan,  # its thresholds are of single subjects, and scoring makes them wherever there are implants
    "one-alarm",
)
"""Protocol of lesions whose scan without them is known, their host; no run names it."""

PROTOCOLS = Registry(
    "protocol",
    "uadbench.protocols",
    Protocol,
    {
        protocol.name: protocol
        for protocol in (
            _LESION_VAL,
            Protocol(
                "lesion-val-mean",
                "validation lesions, mean Dice",
                "lesion-val",
                "threshold of the best mean Dice of the lesion validation cases, each through the whole pipeline",
                lambda evidence: evidence.best_mean(),
                "mean",
            ),
            _healthy_fpr(1),
            _healthy_fpr(0.1),
            _healthy_fpr(5),
            _healthy_alarm(10),
            Protocol(
                "oracle",
                "oracle",
                "lesion-test",
                _BEST.format(split="test"),
                _best_pooled,
                "pooled",
            ),
            Protocol(
                "oracle-case",
                "oracle of each case",
                "lesion-test",
                "each case's threshold of its own best Dice, through the whole pipeline",
                lambda evidence: evidence.best_of_each(),
                "case",
            ),
            Protocol(
                CROSSED,
                "cross-fitted oracle",
                "lesion-test",
                f"{_BEST.format(split='test')}, each of {FOLDS} groups of patients under the threshold of the others",
                lambda evidence: evidence.best_of_others(),
                "crossed",
                undefined="its test split has lesion cases of fewer than two patients",
            ),
        )
    },
    check=_check,
    understood=[f"{TRANSFER}COHORT"],
    reserved=ONE_ALARM.name,
)
STANDARD = ("lesion-val", "healthy-fpr-1", "oracle")
"""Under which a run is scored where no protocol is named."""
