"""Headline: the post-processing chains and the threshold that stand first, and why these."""

from dataclasses import dataclass

from benchmark.study.protocols import protocol_named
from datasets.simulation.implants import host_cohort
from reports.model.cohort_results import Board
from reports.model.numbers import select
from reports.model.run_results import Findings

ABSENT = {
    "healthy-val": "the healthy cohort has no validation scans",
    "lesion-val": "the cohort has no lesion validation cases",
    "lesion-test": "no lesion case of its test split was scored",
}
"""Why a threshold is undefined, by the cases that it uses."""


@dataclass(frozen=True)
class Headline:
    """Of one of a cohort's first tables.

    Attributes:
        protocol: "" where no threshold that could be deployed was asked for.
        why: the choice and its reason, as Markdown.
    """

    chain: str
    protocol: str
    why: str


def headlines(findings: Findings, board: Board) -> list[Headline]:
    """One a chain of `headline_chains`."""
    return [_headline(findings, board, chain) for chain in headline_chains(findings)]


def headline_chains(findings: Findings) -> list[str]:
    """`paper`, to stand beside published numbers, and `light`, what one would deploy; else the first there is."""
    chains = findings.scoring.postprocessing
    return [chain for chain in ("paper", "light") if chain in chains] or [chains[0]]


def _headline(findings: Findings, board: Board, chain: str) -> Headline:
    """The published threshold where it is there, else the next best."""
    deployable = [name for name in findings.scoring.protocols if not sees_test(name)]
    wanted = [name for name in ("lesion-val", "healthy-fpr-1", *deployable) if name in deployable]
    defined = [name for name in wanted if select(board.rows, "threshold", chain, name)["value"].notna().any()]
    protocol = next(iter([*defined, *wanted]), "")
    if not protocol:
        return Headline(chain, "", f"Post-processing `{chain}`; no threshold that could be deployed was asked for.")
    why = f"Post-processing `{chain}`, threshold `{protocol}`: {protocol_named(protocol).what}."
    if protocol != "lesion-val" and "lesion-val" in deployable:
        missing = select(board.rows, "threshold", chain, "lesion-val").empty
        reason = "not computed yet" if missing else f"undefined here: {ABSENT['lesion-val']}"
        why += f" The first choice, `lesion-val`, is {reason}."
    return Headline(chain, protocol, why)


def healthy_protocol(findings: Findings) -> str:
    """The threshold at which healthy scans are looked at; "" where none that needs no lesions was asked for."""
    chosen = [name for name in findings.scoring.protocols if protocol_named(name).uses == "healthy-val"]
    return "healthy-fpr-1" if "healthy-fpr-1" in chosen else next(iter(chosen), "")


def domain(findings: Findings, cohort: str) -> str:
    """Whether a healthy cohort is the one that the methods know."""
    return "in-domain" if host_cohort(cohort) == findings.fits[0].healthy.dataset else "out-of-domain"


def sees_test(protocol: str) -> bool:
    return protocol_named(protocol).sees_test_labels
