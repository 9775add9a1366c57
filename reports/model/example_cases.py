"""exemplars: the cases of a cohort that say most, by how well all methods together find their lesions."""

from collections.abc import Mapping, Sequence

import pandas as pd

from reports.model.cohort_results import CohortResults
from reports.model.numbers import select
from reports.model.ranking import headline_chains, ranking_of
from reports.model.run_results import RunResults


def exemplars(cohort: CohortResults, chain: str) -> Mapping[str, str]:
    """Which case is the best, the median, the worst, and the one that methods disagree on most.

    A case is as good as the mean of its AUPRC over methods, their seeds averaged first; floors and what uses lesion
    labels do not count, unless there is nothing else; one method alone disagrees with the floors. Ties go to the first
    case in alphabetical order. A case that is several of these is given once.

    Returns:
        Case ids by what they are, in the order above; empty where no case has an AUPRC.
    """
    rivals = [name for name in cohort.seeds if name not in cohort.floors and name not in cohort.labelled]
    scores = _scores(cohort, chain, rivals)
    if scores.empty:
        scores = _scores(cohort, chain, list(cohort.seeds))
    if scores.empty:
        return {}
    mean = scores.mean(axis=1).sort_index()
    ordered = mean.sort_values(ascending=False, kind="stable").index
    chosen = {"best": ordered[0], "median": ordered[len(ordered) // 2], "worst": ordered[-1]}
    if scores.shape[1] == 1:  # one method alone disagrees with the floors, if with anything
        scores = _scores(cohort, chain, [name for name in cohort.seeds if name not in cohort.labelled])
    if scores.shape[1] > 1:
        chosen["most disagreed"] = scores.std(axis=1, ddof=0).sort_index().idxmax()
    known: dict[str, str] = {}
    for what, case_id in chosen.items():
        if case_id not in known.values():
            known[what] = str(case_id)
    return known


def named_cases(results: RunResults, name: str) -> dict[str, str]:
    """What the exemplars of a cohort are, by case id; empty without lesions."""
    cohort = results.lesion.get(name)
    if cohort is None:
        return {}
    return {case_id: what for what, case_id in exemplars(cohort, shown_chain(results, name)).items()}


def case_scores(results: RunResults, name: str) -> dict[tuple[str, str], float]:
    """AUPRC by method and case, seeds averaged, by which cases are called best and worst."""
    cohort = results.lesion.get(name)
    if cohort is None:
        return {}
    rows = select(cohort.rows, "auprc", shown_chain(results, name))
    means = rows.groupby(["method", "case_id"], as_index=False)["value"].mean()
    return dict(zip(zip(means["method"], means["case_id"], strict=True), means["value"], strict=True))


def shown_chain(results: RunResults, cohort: str) -> str:
    """The chain that the cohort's methods are ranked under."""
    ranking = ranking_of(results, cohort)
    return str(ranking.first["postprocessing"]) if ranking is not None else headline_chains(results)[0]


def _scores(cohort: CohortResults, chain: str, methods: Sequence[str]) -> pd.DataFrame:
    """AUPRC, a line a case and a column a method."""
    rows = select(cohort.rows, "auprc", chain)
    rows = rows[rows["method"].isin(methods)]
    table = rows.pivot_table(index="case_id", columns="method", values="value", aggfunc="mean")
    return table.dropna(how="all")
