"""A run's rankings under every choice of the fixed list: universes with the methods' scores in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.lines import single_line
from benchmark.metrics import METRICS
from benchmark.statistics.panel import LOGGED, Choice, Panel
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.statistics.rank_stability import Choices, Described, Universe, Values, by_axis, describe
from benchmark.storage.summary_tables import SummaryLine
from datasets.errors import BadValue, MissingData
from datasets.words import count_text


@dataclass(frozen=True)
class Multiverse:
    """All universes of one cohort.

    Attributes:
        reference: the first endpoint with seeds averaged, in the first run; None where there is none.
        left_out: universes of the list in which a method has no number at all.
        patients: of each universe, those of whom every method has every number.
    """

    dataset: str
    described: Described
    reference: Universe | None
    left_out: int
    patients: tuple[int, ...]


def multiverses(runs: Mapping[str, Comparable], choices: Choices) -> list[Multiverse]:
    """One a cohort in which at least two methods can be ranked.

    Args:
        runs: by normalisation, the first being that of the reference.

    Raises:
        BadValue: the runs have not the same methods in a cohort.
        MissingData: nothing can be ranked.
    """
    first = next(iter(runs.values()))
    found = [one for name in first.seeds if (one := _multiverse(runs, choices, name)) is not None]
    if not found:
        raise MissingData(f"{first.run.root}: no cohort in which two methods have a number of the list.")
    return found


def multiverse_text(one: Multiverse) -> Iterator[str]:
    """How far a cohort's rankings agree, what each axis does to them, and who leads how often."""
    described = one.described
    skipped = f", {one.left_out} left out in which a method has no number" if one.left_out else ""
    compared = f"{count_text(len(described.universes), 'universe')} of {count_text(len(described.methods), 'method')}"
    yield f"{one.dataset}: {compared}{skipped}."
    yield f"Mean Kendall's tau between two of them: {described.agreement:.2f}."
    if one.reference is not None:
        tau = np.delete(described.against(one.reference), described.universes.index(one.reference))
        yield f"Tau with the first endpoint: {_spread(tau)}."
        parts = [f"{axis} {_spread(taus)}" for axis, taus in by_axis(described, one.reference).items() if taus.size]
        yield f"Where one axis alone differs from it: {'; '.join(parts)}."
    else:
        yield "No first endpoint in this cohort."
    wins = ", ".join(f"{method} {share:.0%}" for method, share in described.wins.items())
    yield f"Share of universes that each method leads: {wins}."


def _spread(taus: Values) -> str:
    known = taus[~np.isnan(taus)]
    if not known.size:
        return "undefined"
    return f"median {np.median(known):.2f} ({known.min():.2f} to {known.max():.2f}, {known.size})"


def universe_lines(found: Sequence[Multiverse], runs: Mapping[str, Comparable]) -> Iterator[SummaryLine]:
    """Every method's mean in every universe, and below them the universe's tau with the reference."""
    for one in found:
        described = one.described
        taus = described.against(one.reference) if one.reference else np.full(len(described.universes), np.nan)
        for universe, scores, tau, n in zip(described.universes, described.scores, taus, one.patients, strict=True):
            run = runs[universe.normalisation]
            choice = Choice(one.dataset, universe.metric, universe.postprocessing, universe.protocol, run.split)
            shared: dict[str, Any] = {
                "kind": "universe",
                "group": "" if universe.seed is None else f"seed {universe.seed}",
                "n": n,
            }
            seeds = run.seeds[one.dataset]
            for method, score in zip(described.methods, scores, strict=True):
                count = len(seeds[method]) if universe.seed is None else 1
                yield single_line(run, choice, method, _sign(universe.metric) * float(score), **shared, seeds=count)
            yield single_line(run, choice, "", float(tau), **{**shared, "kind": "universe tau"})


def _multiverse(runs: Mapping[str, Comparable], choices: Choices, dataset: str) -> Multiverse | None:
    first = next(iter(runs.values()))
    methods = list(first.seeds[dataset])
    for name, run in runs.items():
        if set(run.seeds.get(dataset, {})) != set(methods):
            raise BadValue(
                f"{run.run.root} ({name}): got other methods on {dataset}, "
                f"expected {', '.join(methods)} as in the first."
            )
    universes, scores, patients, left_out = list[Universe](), list[list[float]](), list[int](), 0
    for name, run in runs.items():
        for choice in _choices(run, choices, dataset):
            for seed, panels in _worlds(run.grouped.panels(choice, run.seeds[dataset])):
                means = [panel.mean for panel in panels]
                if any(not mean.n for mean in means):
                    left_out += 1
                    continue
                universes.append(Universe(dataset, choice.metric, choice.postprocessing, choice.protocol, name, seed))
                scores.append([_sign(choice.metric) * mean.value for mean in means])
                patients.append(means[0].n)
    if len(methods) < 2 or not universes:
        return None
    described = describe(universes, methods, np.array(scores))
    return Multiverse(dataset, described, _reference(universes, first.endpoint), left_out, tuple(patients))


def _choices(run: Comparable, choices: Choices, dataset: str) -> Iterator[Choice]:
    """What the list and the run's rows have in common."""
    known = set(run.grouped.choices)
    for metric in choices.metrics:
        for pipeline in ("", *choices.postprocessing):
            for protocol in ("", *choices.protocols):
                choice = Choice(dataset, metric, pipeline, protocol, run.split)
                if choice in known:
                    yield choice


def _worlds(made: Mapping[str, Panel]) -> Iterator[tuple[int | None, list[Panel]]]:
    """All seeds together (None), and each seed that all methods have, with the methods' panels.

    Over the patients of whom every method has every number, so that all are judged by the same ones.
    """
    shared = set.intersection(*(set(panel.seeds) for panel in made.values()))
    for seed in (None, *sorted(shared)):
        panels = [panel if seed is None else panel.under(seed) for panel in made.values()]
        whole = ~np.stack([np.isnan(panel.values).any(axis=1) for panel in panels]).any(axis=0)
        yield seed, [panel.of(np.asarray(whole)) for panel in panels]


def _reference(universes: Sequence[Universe], endpoint: Endpoint) -> Universe | None:
    """The first run's, since its universes come first."""
    wanted = (endpoint.metric, endpoint.postprocessing, endpoint.protocol, None)
    return next((one for one in universes if (one.metric, one.postprocessing, one.protocol, one.seed) == wanted), None)


def _sign(metric: str) -> int:
    higher = True if metric in LOGGED else METRICS[metric].higher_is_better
    return -1 if higher is False else 1
