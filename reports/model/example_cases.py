"""Example cases of a cohort: the best, median and worst by AUPRC, and the one that methods disagree on most."""

from collections.abc import Mapping

from reports.model.cohort_results import CohortResults
from reports.model.ranking import headline_pipelines, ranking_of
from reports.model.run_results import RunResults


def exemplars(cohort: CohortResults, pipeline: str) -> Mapping[str, str]:
    """Which case is the best, the median (of three at least), the worst, and the one that methods disagree on most.

    A case is as good as the mean of its AUPRC over methods, their seeds averaged first. Simple baselines and what uses
    lesion labels do not count, unless there is nothing else; a single method is held against the simple baselines. Ties
    go to the first case in alphabetical order. A case that is several of these is given once.

    Returns:
        Case ids by what they are, in the order above; empty where no case has an AUPRC.
    """
    rivals = [name for name in cohort.seeds if name not in cohort.simple_baselines and name not in cohort.aside]
    known = cohort.by_case("auprc", pipeline)
    scores = known[[name for name in rivals if name in known]].dropna(how="all")
    if scores.empty:
        scores = known
    if scores.empty:
        return {}
    mean = scores.mean(axis=1).sort_index()
    ordered = mean.sort_values(ascending=False, kind="stable").index
    chosen = {"best": ordered[0], "worst": ordered[-1]}
    if len(ordered) > 2:
        chosen = {"best": ordered[0], "median": ordered[len(ordered) // 2], "worst": ordered[-1]}
    if scores.shape[1] == 1:  # one method alone disagrees with the simple baselines, if with anything
        unlabelled = [name for name in cohort.seeds if name in known and name not in cohort.aside]
        scores = known[unlabelled].dropna(how="all")
    if scores.shape[1] > 1:
        chosen["most disagreed"] = scores.std(axis=1, ddof=0).sort_index().idxmax()
    named: dict[str, str] = {}
    for what, case_id in chosen.items():
        if case_id not in named.values():
            named[what] = str(case_id)
    return named


def named_cases(results: RunResults, name: str) -> dict[str, str]:
    """What the exemplars of a cohort are, by case id; empty without lesions."""
    cohort = results.lesion.get(name)
    if cohort is None:
        return {}
    return {case_id: what for what, case_id in exemplars(cohort, shown_pipeline(results, name)).items()}


def shown_pipeline(results: RunResults, cohort: str) -> str:
    """The pipeline that the cohort's methods are ranked under."""
    ranking = ranking_of(results, cohort)
    return str(ranking.first["postprocessing"]) if ranking is not None else headline_pipelines(results)[0]
