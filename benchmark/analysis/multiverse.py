"""A run's rankings under every choice of the fixed list: universes with the methods' scores in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.metrics import METRICS
from benchmark.statistics.panel import LOGGED, Choice, Panel, panels
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.statistics.rank_stability import Choices, Described, Universe, Values, by_axis, describe
from datasets.errors import BadValue, MissingData
from datasets.io.tables import write_table


@dataclass(frozen=True)
class Multiverse:
    """All universes of one cohort.

    Attributes:
        reference: the primary endpoint with seeds averaged, in the first run; None where there is none.
        left_out: universes of the list in which a method has no number at all.
    """

    dataset: str
    described: Described
    reference: Universe | None
    left_out: int


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
    yield f"{one.dataset}: {len(described.universes)} universes of {len(described.methods)} methods{skipped}."
    yield f"Mean Kendall's tau between two of them: {described.agreement:.2f}."
    if one.reference is not None:
        tau = np.delete(described.against(one.reference), described.universes.index(one.reference))
        yield f"Tau with the primary endpoint: {_spread(tau)}."
        parts = [f"{axis} {_spread(taus)}" for axis, taus in by_axis(described, one.reference).items() if taus.size]
        yield f"Where one axis alone differs from it: {'; '.join(parts)}."
    else:
        yield "No primary endpoint in this cohort."
    wins = ", ".join(f"{method} {share:.0%}" for method, share in described.wins.items())
    yield f"Share of universes that each method leads: {wins}."


def _spread(taus: Values) -> str:
    known = taus[~np.isnan(taus)]
    if not known.size:
        return "undefined"
    return f"median {np.median(known):.2f} ({known.min():.2f} to {known.max():.2f}, {known.size})"


def write_universes(path: Path, found: Sequence[Multiverse]) -> None:
    """A line a universe: its choice, tau with the reference, and every method's score."""
    methods = list(dict.fromkeys(method for one in found for method in one.described.methods))
    columns = ["dataset", "metric", "postprocessing", "protocol", "normalisation", "seed", "tau", "first", *methods]
    write_table(path, columns, (line for one in found for line in _lines(one, methods)))


def _lines(one: Multiverse, methods: Sequence[str]) -> Iterator[list[object]]:
    described = one.described
    taus = described.against(one.reference) if one.reference else np.full(len(described.universes), np.nan)
    for universe, scores, tau in zip(described.universes, described.scores, taus, strict=True):
        sign = _sign(universe.metric)
        values = dict(zip(described.methods, scores, strict=True))
        leading = [method for method, value in values.items() if value == scores.max()]
        seed = "mean" if universe.seed is None else universe.seed
        yield [
            universe.dataset, universe.metric, universe.postprocessing, universe.protocol, universe.normalisation, seed,
            "" if isnan(tau) else f"{tau:.4f}", " ".join(leading),
            *(sign * values[method] if method in values else None for method in methods),
        ]  # fmt: skip


def _multiverse(runs: Mapping[str, Comparable], choices: Choices, dataset: str) -> Multiverse | None:
    first = next(iter(runs.values()))
    methods = list(first.seeds[dataset])
    for name, run in runs.items():
        if set(run.seeds.get(dataset, {})) != set(methods):
            raise BadValue(
                f"{run.run.root} ({name}): got other methods on {dataset}, wanted {', '.join(methods)} as in the first."
            )
    universes, scores, left_out = list[Universe](), list[list[float]](), 0
    for name, run in runs.items():
        for choice in _choices(run, choices, dataset):
            made = panels(run.rows, choice, run.seeds[dataset])
            for seed, means in _means(made):
                if any(isnan(mean) for mean in means):
                    left_out += 1
                    continue
                parts = (choice.metric, choice.postprocessing, choice.protocol)
                universes.append(Universe(dataset, *parts, name, seed))
                scores.append([_sign(choice.metric) * mean for mean in means])
    if len(methods) < 2 or not universes:
        return None
    described = describe(universes, methods, np.array(scores))
    return Multiverse(dataset, described, _reference(universes, first.endpoint), left_out)


def _choices(run: Comparable, choices: Choices, dataset: str) -> Iterator[Choice]:
    """What the list and the run's rows have in common."""
    rows = run.rows
    mine = rows[(rows["dataset"] == dataset) & (rows["split"] == run.split) & (rows["shift"] == "none")]
    mine = mine[(mine["case_id"] != "") & mine["seed"].notna() & mine["metric"].isin(choices.metrics)]
    known = mine[["metric", "postprocessing", "protocol"]].drop_duplicates().itertuples(index=False, name=None)
    there = set(known)
    for metric in choices.metrics:
        for chain in ("", *choices.postprocessing):
            for protocol in ("", *choices.protocols):
                if (metric, chain, protocol) in there:
                    yield Choice(dataset, metric, chain, protocol, run.split)


def _means(made: Mapping[str, Panel]) -> Iterator[tuple[int | None, list[float]]]:
    """Each seed that all methods have, and all of them averaged, with the methods' means.

    Over the patients of whom every method has every number, so that all are judged by the same ones.
    """
    stacked = np.stack([panel.values.mean(axis=1) for panel in made.values()])
    whole = ~np.isnan(stacked).any(axis=0)
    yield None, [float(one[whole].mean()) if whole.any() else np.nan for one in stacked]
    seeds = set.intersection(*(set(panel.seeds) for panel in made.values()))
    for seed in sorted(seeds):
        columns = np.stack([panel.values[:, panel.seeds.index(seed)] for panel in made.values()])
        kept = ~np.isnan(columns).any(axis=0)
        yield seed, [float(one[kept].mean()) if kept.any() else np.nan for one in columns]


def _reference(universes: Sequence[Universe], endpoint: Endpoint) -> Universe | None:
    """The first run's, since its universes come first."""
    wanted = (endpoint.metric, endpoint.postprocessing, endpoint.protocol, None)
    return next((one for one in universes if (one.metric, one.postprocessing, one.protocol, one.seed) == wanted), None)


def _sign(metric: str) -> int:
    higher = True if metric in LOGGED else METRICS[metric].higher_is_better
    return -1 if higher is False else 1
