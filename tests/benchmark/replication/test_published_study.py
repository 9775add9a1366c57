"""The studies of the package, and what is refused of a study's files."""

from collections import Counter
from pathlib import Path

import pytest
from published_studies import FACTS, MEANS, tiny_study

from benchmark.methods.hyperparameters import parse_variants
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.replication.published_study import read_study, study_names
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, BadValue, UnknownName


@pytest.mark.parametrize("name", study_names())
def test_all_that_a_study_names_is_there(name: str) -> None:
    study = read_study(name)
    for item in study.items:
        assert parse_variants(",".join(study.methods_of(item)))
    assert all(METRICS[one.metric] for one in study.quantities.values() if one.metric)
    assert all(one.absent for one in study.quantities.values() if not one.metric)
    assert all(dataset(cohort) for cohort in study.cohorts)
    assert all(pipeline_named(pipeline) for pipeline in study.pipelines)
    for tier in study.tiers.values():
        assert len({run.name for run in tier.runs}) == len(tier.runs)
        assert all(dataset(cohort) for run in tier.runs for cohort in run.datasets)
        assert tier.says


def test_the_tables_of_cddpm_are_whole() -> None:
    values = read_study("cddpm2023").values
    assert Counter(value.table for value in values) == {"2": 56, "3": 104, "4": 48}
    places = [(one.table, one.row, one.postprocessing, one.dataset, one.metric) for one in values]
    assert len(set(places)) == len(places)


def test_the_row_called_cddpm_is_the_full_method() -> None:
    study = read_study("cddpm2023")
    (full,) = [row for row in study.rows if study.label(row) == "cDDPM"]
    assert study.rows[full].methods == ("cddpm[pretrain=true]",)


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="labels"):
        tiny_study(tmp_path, facts=FACTS.replace("label =", "labels ="))


def test_a_row_that_no_method_stands_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="GAN"):
        tiny_study(tmp_path, {**MEANS, "GAN": "1.00"})


def test_a_table_of_no_item_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="expected each"):
        tiny_study(tmp_path, facts=FACTS.replace('table = "1"', 'table = "2"'))
