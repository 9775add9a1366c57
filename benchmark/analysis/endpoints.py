"""Which post-processing and threshold a run's tables are of, cohort by cohort."""

from collections.abc import Iterator
from dataclasses import replace

from benchmark.analysis.compare_methods import Comparable
from benchmark.statistics.panel import Choice
from benchmark.storage.run_record import kept_scoring
from benchmark.study.protocols import protocol_named

CHAINS = ("light", "paper")
"""What one would deploy, and what stands beside published numbers; of a run without either, its first."""
FIRST = ("lesion-val", "healthy-fpr-1")


def chains(comparable: Comparable) -> list[str]:
    kept = kept_scoring(comparable.run).postprocessing
    return [name for name in CHAINS if name in kept] or [kept[0]]


def deciding_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """The primary endpoint, or where a cohort has no number of it the next threshold and chain that it has.

    None where no method has a Dice under a threshold that could be deployed.
    """
    return next(overlap_choices(comparable, dataset), None)


def overlap_choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """Dice under the first threshold that each chain has numbers of, the deciding one first."""
    endpoint, names = comparable.endpoint, chains(comparable)
    ordered = sorted(names, key=lambda chain: chain != endpoint.postprocessing)
    for chain in ordered:
        for protocol in _deployable(comparable):
            choice = Choice(dataset, endpoint.metric, chain, protocol, comparable.split)
            if has_numbers(comparable, choice):
                yield choice
                break


def area_choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """AUPRC after each chain."""
    for chain in chains(comparable):
        choice = Choice(dataset, "auprc", chain, "", comparable.split)
        if has_numbers(comparable, choice):
            yield choice


def alarm_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """Alarms in healthy scans at a threshold taken from healthy scans; None where there is none."""
    kept = kept_scoring(comparable.run).protocols
    healthy = [name for name in kept if protocol_named(name).uses == "healthy-val"]
    for protocol in sorted(healthy, key=lambda name: name != FIRST[1]):
        choice = Choice(dataset, "alarm", chains(comparable)[0], protocol, comparable.split)
        if has_numbers(comparable, choice):
            return choice
    return None


def people_choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """What is given by groups of people and by doses: Dice and AUPRC of lesions, the alarmed share of healthy scans."""
    choice = deciding_choice(comparable, dataset)
    if choice is not None:
        yield choice
        yield of_metric(choice, "auprc", protocol="")
    alarms = alarm_choice(comparable, dataset)
    if alarms is not None:
        yield of_metric(alarms, "alarm_fraction")


def has_numbers(comparable: Comparable, choice: Choice) -> bool:
    """Whether any method has a defined number of it."""
    place = (choice.dataset, choice.metric, choice.postprocessing, choice.protocol)
    return choice.split == comparable.split and place in comparable.numbered


def of_metric(choice: Choice, metric: str, *, protocol: str | None = None) -> Choice:
    return replace(choice, metric=metric, protocol=choice.protocol if protocol is None else protocol)


def _deployable(comparable: Comparable) -> list[str]:
    kept = [name for name in kept_scoring(comparable.run).protocols if not protocol_named(name).sees_test_labels]
    wanted = [comparable.endpoint.protocol, *FIRST, *kept]
    return [name for name in dict.fromkeys(wanted) if name in kept]
