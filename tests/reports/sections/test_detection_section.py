"""Curves and strata as the evaluation leaves them, drawn and put into tables."""

from pathlib import Path

import pytest
from scored_runs import Made, make

from benchmark.analysis.summaries.make import summarise
from reports.model.run_results import read_results
from reports.sections.detection import detection


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
    summarise_anew(made)


def summarise_anew(made: Made) -> None:
    (made.run.root / "summary.json").unlink(missing_ok=True)
    summarise(made.run, None)


FROC = "postprocessing,split,stratum,threshold,false_alarms_a_scan,lesion_recall,lesions,scans"
PR = "postprocessing,split,threshold,recall,precision,cases"
STRATA = "postprocessing,protocol,split,stratum,metric,of,mean,cases,patients,undefined"


def test_lesions_found_are_read_off_at_a_few_rates_and_averaged_over_seeds(two_seeds: Made, plugin: None) -> None:
    found = {0: ["paper,test,all,0.9,0.4,0.2,10,3", "paper,test,all,0.5,3.0,0.6,10,3",
                 "paper,test,all,0.1,0.3,1.0,10,3",  # all alarms have become one
                 "paper,val,all,0.5,0.1,1,9,3"],
             1: ["paper,test,all,0.9,0.5,0.4,10,3", "paper,test,all,0.5,2.0,0.8,10,3"]}  # fmt: skip
    write(two_seeds, "froc", FROC, found)
    write(two_seeds, "pr", PR, {seed: ["paper,test,0.5,0.5,0.25,3"] for seed in (0, 1)})
    text = detection(read_results(two_seeds.run))
    line = next(line for line in text.splitlines() if line.startswith("| thresh") and "10 in 3" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:] == ["10 in 3", "0.30", "0.30", "0.50", "0.90", "0.90"]


def test_strata_stand_in_the_order_of_their_sizes_with_n(two_seeds: Made, plugin: None) -> None:
    lines = [f"paper,{protocol},test,{stratum},lesion_recall,lesion,{mean},{n},2,0"
             for protocol, stratum, mean, n in (("lesion-val", ">=10 ml", 0.5, 1), ("lesion-val", "1-10 ml", 0.3, 2),
                                                ("lesion-val", "all", 0.4, 3), ("oracle", "all", 0.9, 3))]  # fmt: skip
    write(two_seeds, "strata", STRATA, {0: lines, 1: lines})
    text = detection(read_results(two_seeds.run))
    part = text[text.index("by the volume of each lesion") :]
    header = next(line for line in part.splitlines() if line.startswith("| Method"))
    cells = [cell.strip() for cell in header.strip("|").split("|")]
    assert cells == ["Method", "all [3]", "1-10 ml [2]", "\\>=10 ml [1]"]
    assert "0.900" not in part.split("\n\n")[1]
    assert "**Dice** by the case's whole lesion volume; in brackets n of patients" in text


def test_without_curves_there_is_no_section(two_seeds: Made, plugin: None) -> None:
    for cell in two_seeds.study.cells:
        for name in ("pr", "froc", "strata"):
            (two_seeds.run.cell(cell) / f"{name}.csv").unlink(missing_ok=True)
    summarise_anew(two_seeds)
    text = detection(read_results(two_seeds.run))
    assert "Lesions found at" not in text
    assert "curves-" not in text
