"""The studies of the package, and what is refused of a study's files."""

import csv
import os
from collections import Counter
from math import isnan
from pathlib import Path

import pytest
from published_studies import FACTS, MEANS, tiny_study, write_study

from benchmark.methods.hyperparameters import parse_variants
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.replication.published_study import read_study, study_from, study_names
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, MissingData

REFERENCE = os.environ.get("UADBENCH_REFERENCE", "")


@pytest.mark.parametrize("name", study_names())
def test_all_that_a_study_names_is_there(name: str) -> None:
    study = read_study(name)
    for item in study.items:
        assert parse_variants(",".join([*study.methods_of(item), *item.sweeps]))
    assert all(METRICS[one.metric] for one in study.quantities.values() if one.metric)
    assert all(one.absent for one in study.quantities.values() if not one.metric)
    assert all(dataset(cohort) for cohort in study.cohorts)
    assert all(pipeline_named(pipeline) for pipeline in study.pipelines)
    for tier in study.tiers.values():
        assert len({run.name for run in tier.runs}) == len(tier.runs)
        assert all(dataset(cohort) for run in tier.runs for cohort in run.datasets)
        assert tier.says


def test_the_tables_of_cddpm_are_whole() -> None:
    """208 printed values; a reference file of them has a line more, its heading."""
    values = read_study("cddpm2023").values
    assert Counter(value.table for value in values) == {"2": 56, "3": 104, "4": 48}
    if not REFERENCE:
        pytest.skip("UADBENCH_REFERENCE names no folder")
    with (Path(REFERENCE) / "published.csv").open(newline="", encoding="utf-8") as stream:
        printed = [tuple(line.values()) for line in csv.DictReader(stream)]
    ours = [
        (
            value.table + value.postprocessing.replace("paper-no-", ":no_").replace("paper", ""),
            value.row,
            value.dataset,
            value.metric,
            value.unit,
            f"{value.mean:.{value.digits}f}",
            "" if isnan(value.std) else f"{value.std:.{value.digits}f}",
        )
        for value in values
    ]
    assert ours == printed


def test_the_row_called_cddpm_is_the_full_method() -> None:
    study = read_study("cddpm2023")
    (full,) = [row for row in study.rows if study.label(row) == "cDDPM"]
    assert study.rows[full].methods == ("cddpm[pretrain=true]",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("label =", "labels =", "labels"),
        ("trainings = 3", 'trainings = "many"', "trainings"),
        ("[rows]", "[rows", "not TOML"),
        ('table = "1"', 'table = "2"', "table 1"),
        ('pairs = [["AE", "VAE"]]', 'pairs = [["AE", "GAN"]]', "GAN"),
        ('steps = ["Intensity", "AE"]', 'steps = ["AE", "GAN"]', "GAN"),
        ('healthy = "volunteers"', 'healthy = "nobody"', "nobody"),
        ('metric = "dice"', 'metric = "dicee"', "Did you mean 'dice'"),
        ('name = "table1"', 'name = "../../table1"', "letters, digits"),
        ('name = "published"', 'name = "/tmp/published"', "letters, digits"),
        ('name = "default"', 'name = "published"', "several runs of tier paper"),
        ("[quantities]\ndice", "[quantities]\nauprc", "dice"),
    ],
)
def test_facts_that_cannot_be_are_refused_in_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in FACTS
    with pytest.raises(BadFile, match=told) as error:
        tiny_study(tmp_path, facts=FACTS.replace(old, new))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mean", ["", "nan", "inf", "thirty", "30,00", "30.00,1,2"])
def test_a_printed_value_that_is_no_number_is_refused_with_its_line(tmp_path: Path, mean: str) -> None:
    with pytest.raises(BadFile, match="line 3"):
        tiny_study(tmp_path, {**MEANS, "AE": mean})


def test_values_of_what_is_not_there_or_printed_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="GAN"):
        tiny_study(tmp_path, {**MEANS, "GAN": "1.00"})
    facts, table = write_study(tmp_path)
    text = table.read_text(encoding="utf-8")
    for changed, told in (
        (text + text.splitlines()[1] + "\n", "several values of 1, Intensity, light"),
        (text.replace("version,", "edition,"), "expected version,table"),
        (text.replace(",dice,", ",hausdorff,"), "hausdorff"),
        (text.replace(",patients,", ",elsewhere,"), "elsewhere"),
    ):
        table.write_text(changed, encoding="utf-8")
        with pytest.raises(BadFile, match=told):
            study_from(facts, table)
    table.unlink()
    with pytest.raises(MissingData, match=r"tiny\.csv"):
        study_from(facts, table)


def test_a_study_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    facts, _ = write_study(tmp_path)
    assert len(read_study(str(facts)).values) == len(MEANS)
    with pytest.raises(MissingData, match=r"nobody\.toml"):
        read_study(str(tmp_path / "nobody.toml"))
