"""The verdict of any summary: it claims no more than the rank sets give, and forgets no method."""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import nan
from random import Random

import pandas as pd
import pytest

from benchmark.statistics.pairwise.paired_difference import ALONE
from benchmark.statistics.panel import TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.storage.fits import LABELS
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Ranking
from reports.model.verdict import MOST_NAMED, Verdict, verdict_of
from reports.sections.cohort_tables import standing_measure
from reports.sections.verdict import forest_lines

NAMES = ("alder", "birch", "cedar", "elm", "fir", "hazel", "juniper", "larch")
CHOICE = {"dataset": "lgg", "metric": "dice", "postprocessing": "light", "protocol": "healthy-fpr-1", "split": "test"}
SECOND = {**CHOICE, "protocol": "lesion-val"}


@dataclass(frozen=True)
class Summary:
    """A cohort whose pairs were told apart in a way that its means and ranks agree with."""

    cohort: CohortResults
    rankings: list[Ranking]
    ranks: dict[str, tuple[int, int]]
    better: set[tuple[str, str]]

    @cached_property
    def verdict(self) -> Verdict:
        return verdict_of(self.cohort, self.rankings)

    @cached_property
    def text(self) -> str:
        return str(self.verdict.sentences)


def lines_of(
    choice: dict[str, str], means: dict[str, float], ranks: dict[str, tuple[int, int]], seeds: dict[str, int]
) -> pd.DataFrame:
    lines = []
    for question in (TRAINED_MODEL, TRAINING_PROCEDURE):
        for method, mean in means.items():
            low, high = ranks.get(method, (nan, nan)) if question == TRAINING_PROCEDURE else (nan, nan)
            has_interval = mean == mean and (question == TRAINED_MODEL or seeds[method] >= 3)
            lines.append({
                **choice, "method": method, "question": question, "mean": mean, "rank_low": low, "rank_high": high,
                "low": mean - 0.05 if has_interval else nan, "high": mean + 0.05 if has_interval else nan,
                "coverage": 0.95, "level": 0.95, "seeds": seeds[method], "planned": seeds[method], "n": 30,
                "left_out": 0, "sd": 0.1, "lowest_seed": mean, "highest_seed": mean, "why_none": "", "unranked": "",
                "unavailable": "", "endpoint": "first", "order": 1 if choice is CHOICE else 2, "kind": "mean",
                "shift": "none",
            })  # fmt: skip
    return pd.DataFrame(lines)


def summary(seed: int) -> Summary:
    draw = Random(seed)
    names = draw.sample(NAMES, draw.randint(1, len(NAMES)))
    values = draw.sample(range(1, 900), len(names))
    kinds = {name: draw.choice(["ranked"] * 5 + ["single", "labels", "nothing"]) for name in names}
    means = {name: nan if kinds[name] == "nothing" else value / 1000 for name, value in zip(names, values, strict=True)}
    ranked = sorted((name for name in names if kinds[name] == "ranked"), key=lambda name: -means[name])
    ranked = ranked if len(ranked) > 1 else []
    share = draw.choice([0.1, 0.5, 0.9, 1.0])
    better = {pair for pair in combinations(ranked, 2) if draw.random() < share}
    both = {pair for pair in better if draw.random() < 0.9}  # the others hold under this endpoint alone
    ranks = {
        name: (1 + sum(b == name for _, b in better), len(ranked) - sum(a == name for a, _ in better))
        for name in ranked
    }
    seeds = {name: 1 if kinds[name] == "single" else 3 for name in names}
    pairs = [
        {
            **CHOICE, "question": TRAINING_PROCEDURE, "a": a, "b": b, "difference": means[a] - means[b],
            "better": a if (a, b) in better else "",
            "state": "better" if (a, b) in both else ALONE["better"] if (a, b) in better else "not separable",
        }
        for a, b in combinations(ranked, 2)
    ]  # fmt: skip
    columns = [*CHOICE, "question", "a", "b", "difference", "better", "state"]
    first = Ranking(lines_of(CHOICE, means, ranks, seeds), pd.DataFrame(pairs, columns=columns), TRAINING_PROCEDURE)
    rankings = [first]
    if draw.random() < 0.5:
        shuffled = dict(zip(means, draw.sample(list(means.values()), len(means)), strict=True))
        lines = lines_of(SECOND, shuffled, ranks, seeds)
        rankings.append(Ranking(lines, pd.DataFrame([], columns=columns), TRAINING_PROCEDURE))
    rows = pd.DataFrame({"case_id": [f"p{place}" for place in range(30)], "subject_id": range(30), "flags": "",
                         "method": names[0], "seed": 0})  # fmt: skip
    baselines = [name for name in names if draw.random() < 0.3]
    supervision = {name: LABELS for name in names if kinds[name] == "labels"}
    cohort = CohortResults(rows, first.lines, seeds, baselines, supervision)
    return Summary(cohort, rankings, ranks, both)


@pytest.fixture(scope="module")
def generated() -> list[Summary]:
    return [summary(seed) for seed in range(500)]


def test_the_sentence_claims_no_more_than_the_rank_sets_and_names_every_unranked_method(
    generated: list[Summary],
) -> None:
    for one in generated:
        _claims_no_more(one)
    assert sum(" leads, " in one.text for one in generated) > 20
    assert sum(bool(one.verdict.beating) for one in generated) > 20


def _claims_no_more(one: Summary) -> None:
    text, verdict = one.text, one.verdict
    for method in one.cohort.seeds:
        if method not in one.ranks:
            assert f"{method}" in text
            assert verdict.unranked[method] in text
        else:
            assert method not in verdict.unranked
    if " leads, " in text:
        leader = text.split(" leads, ")[0].split()[-1]
        assert all((leader, other) in one.better for other in one.ranks if other != leader)
        assert one.ranks[leader] == (1, 1)
        beaten = [name for name in one.ranks if name != leader]
        assert f"better than {beaten[0] if len(beaten) == 1 else f'each of the {len(beaten)} other'}" in text
    assert set(verdict.contenders) == {name for name, (low, _) in one.ranks.items() if low == 1}
    for phrase in (" may be first too", "The tests leave the first place to "):
        if phrase in text:
            named = {name for name in one.ranks if name in text.split("Not ranked")[0].split("Shown to beat")[0]}
            assert set(verdict.contenders[:MOST_NAMED]) <= named | {verdict.leader}
    baselines = [name for name in one.ranks if name in one.cohort.simple_baselines]
    beating = {
        name
        for name in one.ranks
        if baselines and name not in baselines and all((name, other) in one.better for other in baselines)
    }
    assert set(verdict.beating) == beating
    assert ("Shown to beat every simple baseline" in text) == bool(beating)
    if "shown to beat every simple baseline" in text:
        assert not beating


def test_the_sentence_contradicts_neither_the_figure_nor_the_table(generated: list[Summary]) -> None:
    for one in generated:
        _contradicts_nothing(one)


def _contradicts_nothing(one: Summary) -> None:
    first, verdict = one.rankings[0], one.verdict
    lines = forest_lines(one.cohort, first)
    unlabelled = [line for line in lines if line["method"] not in one.cohort.labelled]
    assert verdict.leader == (unlabelled[0]["method"] if unlabelled else "")
    drawn_first = {line["method"] for line in lines if line["rank"].split("-")[0] == "1"}
    assert drawn_first == set(verdict.contenders)
    assert {line["method"] for line in lines if not line["ranked"]} <= set(verdict.unranked)
    measure = standing_measure(one.cohort, first, "Dice")
    if verdict.leader:
        value = f"{measure.cells[verdict.leader].value:.3f}"
        assert f"Dice {value}" in one.text
        assert f"{unlabelled[0]['mean']:.3f}" == value
    marked = {name for name, cell in measure.cells.items() if "\N{DAGGER}" in cell.note.split()}
    assert marked <= set(verdict.contenders)
