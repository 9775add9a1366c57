"""choose: the thresholds that a cell's protocols choose after its first pass."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.scoring.healthy_scans import healthy_threshold
from benchmark.scoring.pooled_search import best_mean_threshold
from benchmark.scoring.ranking_pass import FirstPass
from benchmark.study.protocols import Protocol, on_shifted, protocol_named
from datasets.case import Split

Chosen = float | Mapping[str, float]
"""A threshold of all cases, or one of each by its `case_id`; NaN where there is nothing to choose it on."""


def choose(first: FirstPass) -> dict[tuple[str, str], Chosen]:
    """By chain and protocol, after a cell's first pass.

    Under a shift each protocol that could be deployed is given twice: under its own name with the threshold of the
    unshifted cell, and as `NAME@shifted` with one chosen on the shifted cases.
    """
    found: dict[tuple[str, str], Chosen] = {}
    frozen = first.choices.frozen
    for chain in first.choices.healthy:
        for name in first.choices.protocols:
            protocol = protocol_named(name)
            chosen = _chosen(first, chain, protocol)
            if frozen is None or protocol.sees_test_labels:
                found[chain, name] = chosen
            else:
                found[chain, name] = frozen[chain, name]
                found[chain, on_shifted(name)] = chosen
    return found


def _chosen(first: FirstPass, chain: str, protocol: Protocol) -> Chosen:
    if protocol.uses == "healthy-val":
        return healthy_threshold(first.choices.healthy[chain], protocol)
    if protocol.cohort:
        source = first.choices.sources.get(protocol.cohort)
        return source.thresholds[chain] if source else np.nan
    split: Split = "test" if protocol.sees_test_labels else "val"
    cases = first.lesion_cases(split)
    if not cases:
        return np.nan
    if protocol.rule == "case":
        names = {first.shelf.cases[number].files.case_id for number in cases}
        return {name: threshold for name, threshold in first.own[chain].items() if name in names}
    if protocol.rule == "mean":
        return best_mean_threshold(first.shelf.pool(cases, chain, whole_chain=True))
    if protocol.rule == "crossed":
        return _crossed(first, chain, cases)
    return first.known[chain, split].threshold


def _crossed(first: FirstPass, chain: str, cases: Sequence[int]) -> Chosen:
    """Each case's threshold from the other groups of patients; NaN for a single patient."""
    groups = first.groups(cases)
    if len(groups) < 2:
        return np.nan
    of_group = np.array(first.known[chain, "test"].others)[np.argmax(groups, axis=0)]
    names = [first.shelf.cases[number].files.case_id for number in cases]
    return dict(zip(names, of_group.tolist(), strict=True))
