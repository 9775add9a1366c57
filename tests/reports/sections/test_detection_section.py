"""Curves and strata as the evaluation leaves them, drawn and put into tables."""

from pathlib import Path

import pytest
from scored_runs import SCORING, Made, lines_of, make

from benchmark.analysis.summaries.make import summarise
from benchmark.storage.run_record import record_rows
from reports.content.blocks import tables_of
from reports.model.run_results import read_results
from reports.sections.detection import by_size, detection


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        return make(tmp_path_factory.mktemp("curves") / "run", data, seeds=(0, 1))


def write(made: Made, name: str, header: str, lines: dict[int, list[str]]) -> None:
    """The same lines in every cell of a seed."""
    for cell in made.study.cells:
        text = "\n".join([header, *lines[cell.fit.seed]]) + "\n"
        (made.run.cell(cell) / f"{name}.csv").write_text(text, encoding="utf-8")
        record_rows(made.run, cell, SCORING)
    summarise_anew(made)


def summarise_anew(made: Made) -> None:
    (made.run.root / "summary.json").unlink(missing_ok=True)
    summarise(made.run, None)


def summarised(made: Made) -> dict[str, dict[str, dict[str, str]]]:
    """The tables of both sections, with a summary of the cells as they are now."""
    (made.run.root / "summary.json").unlink(missing_ok=True)
    summarise(made.run, None)
    results = read_results(made.run)
    return {table.name: lines_of(table) for table in tables_of([*detection(results), *by_size(results)])}


FROC = "postprocessing,split,stratum,threshold,false_alarms_a_scan,lesion_recall,lesions,scans"
PR = "postprocessing,split,threshold,recall,precision,cases"
STRATA = "postprocessing,protocol,split,stratum,metric,mean,cases,patients,undefined"


def test_lesions_found_are_read_off_at_a_few_rates_and_averaged_over_seeds(two_seeds: Made, plugin: None) -> None:
    found = {0: ["paper,test,all,0.9,0.4,0.2,10,3", "paper,test,all,0.5,3.0,0.6,10,3",
                 "paper,test,all,0.1,0.3,1.0,10,3",  # all alarms have become one
                 "paper,val,all,0.5,0.1,1,9,3"],
             1: ["paper,test,all,0.9,0.5,0.4,10,3", "paper,test,all,0.5,2.0,0.8,10,3"]}  # fmt: skip
    write(two_seeds, "froc", FROC, found)
    write(two_seeds, "pr", PR, {seed: ["paper,test,0.5,0.5,0.25,3"] for seed in (0, 1)})
    line = summarised(two_seeds)["patients-froc"]["thresh (simple baseline)"]
    assert list(line.values())[1:] == ["10 in 3", "0.30", "0.30", "0.50", "0.90", "0.90"]


def test_lesions_found_by_size_are_averaged_over_seeds_and_stand_in_the_order_of_their_sizes(
    two_seeds: Made, plugin: None
) -> None:
    parts = (
        ("healthy-fpr-1", ">=10 ml", 0.5, 3),
        ("healthy-fpr-1", "1-10 ml", 0.3, 4),
        ("healthy-fpr-1", "all", 0.4, 7),
        ("oracle", "all", 0.8, 7),
    )
    found = {
        seed: [
            f"paper,{protocol},test,{stratum},lesion_recall,{mean + seed / 10},{n},2,0"
            for protocol, stratum, mean, n in parts
        ]
        for seed in (0, 1)
    }
    write(two_seeds, "strata", STRATA, found)
    lines = summarised(two_seeds)["patients-sizes-lesion_recall"]
    assert lines["thresh (simple baseline)"] == {
        "Method": "thresh (simple baseline)", "all [7]": "0.450", "1-10 ml [4]": "0.350", ">=10 ml [3]": "0.550",
    }  # fmt: skip


def test_dice_by_size_is_of_the_patients_with_so_much_lesion(two_seeds: Made, plugin: None) -> None:
    lines = summarised(two_seeds)["patients-sizes-dice"]
    assert list(lines["thresh (simple baseline)"])[:2] == ["Method", "all [2]"]


def test_without_curves_there_is_no_section(two_seeds: Made, plugin: None) -> None:
    for cell in two_seeds.study.cells:
        for name in ("pr", "froc", "strata"):
            (two_seeds.run.cell(cell) / f"{name}.csv").unlink(missing_ok=True)
        record_rows(two_seeds.run, cell, SCORING)
    assert "patients-froc" not in summarised(two_seeds)
    assert detection(read_results(two_seeds.run)) == []
    assert not list((two_seeds.run.root / "figures").glob("curves-*"))
