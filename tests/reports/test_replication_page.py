"""The page of a published study."""

from collections import Counter
from math import isnan
from pathlib import Path

import pytest
from published_studies import FACTS, tiny_study, write_study
from runs_by_hand import write_run
from scored_runs import make

from benchmark.analysis.compare_methods import Comparable
from benchmark.replication.comparison import TierResults
from benchmark.replication.measured import StatusLine, divergences, replication_of, status_lines, sweep_points
from benchmark.replication.published_study import read_study, study_from, study_names
from benchmark.statistics.primary_endpoint import read_endpoint
from datasets.shifts import Shift
from reports.api import draw_replication, write_replication
from reports.content.blocks import tables_of
from reports.content.table import Table
from reports.replication.page import page_blocks


def tables(results: TierResults) -> list[Table]:
    found = replication_of(results)
    return list(tables_of(page_blocks(found, list(status_lines(found, [])), {})[1]))


def written(
    results: TierResults, folder: Path, data: Path, pictures: list[str] | None = None
) -> tuple[list[StatusLine], str, str]:
    """The status table's lines, and the page as HTML and as Markdown."""
    found = replication_of(results)
    figures = draw_replication(found, folder, data, {}, pictures)
    lines = list(status_lines(found, [name for name, own in figures.items() if own]))
    html, plain = (path.read_text(encoding="utf-8") for path in write_replication(found, lines, figures, folder))
    return lines, html, plain


def nothing_run(name: str) -> TierResults:
    study = read_study(name)
    return TierResults(study, "paper", study.tiers["paper"], {}, {("", ""): "a GPU"}, read_endpoint())


@pytest.mark.parametrize("name", study_names())
def test_every_printed_value_is_shown_once_with_its_place(name: str) -> None:
    results = nothing_run(name)
    shown: Counter[tuple[str, str, str, str]] = Counter()
    for table in (one for one in tables(results) if one.name.startswith("published-")):
        headings = [column.title for column in table.columns]
        place, row = headings.index("Published"), headings.index("Printed row")
        for cells in table.rows:
            shown[table.name, str(table.caption), str(cells[row].text), str(cells[place].text)] += 1
    values = results.study.values
    assert len(shown) == shown.total() == len(values)
    for value in values:
        spread = "" if isnan(value.std) else f" ± {value.std:.{value.digits}f}"
        printed = f"{value.mean:.{value.digits}f}{spread}"
        (found,) = [
            one
            for one in shown
            if one[2:] == (value.row, printed)
            and one[0].startswith("-".join(filter(None, (f"published-{value.table}", value.metric, value.dataset))))
            and one[0].endswith(value.postprocessing)
        ]
        assert f"Table {value.table} of {value.version}" in found[1]


def test_printed_ratios_are_shown_once_with_their_place() -> None:
    results = nothing_run("cddpm2023")
    shown = [
        (str(table.caption).partition(":")[0], float(cells[place].value))
        for table in tables(results)
        if table.name.startswith("ratios-")
        for place in [[column.title for column in table.columns].index("Published")]
        for cells in table.rows
    ]
    assert sorted(shown) == [
        ("Figure 4 of arXiv v1", 2.3),
        ("Figure 4 of arXiv v1", 4.0),
        ("Figure 4 of arXiv v1", 17.0),
        ("Inference time of arXiv v1", 0.63),
        ("Inference time of arXiv v1", 1.02),
    ]


def test_models_of_two_sequences_stand_on_one_page(tmp_path: Path) -> None:
    facts = FACTS.replace(
        'patients = { sequences = ["t1"]',
        'inpatients = { sequences = ["t2"], patients = 4 }\npatients = { sequences = ["t1"]',
    )
    facts = facts.replace(
        'name = "default", sequence = "t1", sampling = "average", datasets = ["patients"]',
        'name = "other", sequence = "t2", sampling = "spline", datasets = ["inpatients"]',
    )
    paths = write_study(tmp_path, facts=facts)
    text = paths[1].read_text(encoding="utf-8")
    second = text.partition("\n")[2].replace("patients", "inpatients")
    paths[1].write_text(text + second, encoding="utf-8")
    study, means = study_from(*paths), {"thresh": 0.3, "ae": 0.45, "vae": 0.45}
    runs = {
        name: Comparable(write_run(tmp_path / name, means=means, sequence=sequence), read_endpoint())
        for name, sequence in (("published", "t1"), ("other", "t2"))
    }
    results = TierResults(study, "paper", study.tiers["paper"], runs, {}, read_endpoint())
    lines, _, plain = written(results, tmp_path, tmp_path)
    assert [(line.cohort, line.values) for line in lines] == [("patients T1", 3), ("inpatients T2", 3)]
    assert "Of 6 printed numbers" in plain
    assert "**Not run.**" not in plain
    assert {"table1-steps-patients-t1.svg", "table1-steps-inpatients-t2.svg"} <= {
        path.name for path in (tmp_path / "figures").iterdir()
    }


def test_names_of_a_study_are_text_and_no_markup(tmp_path: Path) -> None:
    facts = FACTS.replace('reference = "Nobody 2026"', 'reference = "<script>alert(1)</script> ![x](/etc/passwd)"')
    study = tiny_study(tmp_path, facts=facts.replace('"VAE, wide"', '"<b>VAE</b>"'))
    results = TierResults(study, "paper", study.tiers["paper"], {}, {("", ""): "a GPU"}, read_endpoint())
    _, html, plain = written(results, tmp_path, tmp_path)
    assert "<script>alert" not in html
    assert "<b>VAE" not in html
    assert "![x]" not in plain


@pytest.mark.parametrize("name", study_names())
def test_every_item_has_a_status_and_what_is_not_run_a_reason(name: str) -> None:
    results = nothing_run(name)
    lines = list(status_lines(replication_of(results), []))
    assert {line.item.name for line in lines} == {item.name for item in results.study.items}
    assert all(line.status == "not run" and line.why for line in lines)
    (status,) = [table for table in tables(results) if table.name == "status"]
    assert len(status.rows) == len(lines)


def test_both_files_are_written_and_draw_the_steps(tmp_path: Path) -> None:
    study, endpoint = tiny_study(tmp_path), read_endpoint()
    run = Comparable(write_run(tmp_path / "published", means={"thresh": 0.3, "ae": 0.45, "vae": 0.45}), endpoint)
    results = TierResults(study, "paper", study.tiers["paper"], {"published": run}, {}, endpoint)
    _, html, text = written(results, tmp_path, tmp_path)
    assert text.startswith("# Tiny: published beside ours")
    assert text.index("**within interval**") < text.index("## Table 1")
    assert "45.00 ± 1.00" in text
    assert "47.00" in text  # ours of AE under the printed threshold
    assert (tmp_path / "figures" / "table1-steps-patients-t1.svg").is_file()
    assert (tmp_path / "figures" / "table1-steps-published.svg").is_file()
    assert "<svg" in html


FIGURES = """
[[items]]
name = "histograms"
kind = "histogram"
title = "Histograms"
rows = ["AE"]
contrasts = [0.5, 1.0]
metric = "histogram_kl"
ratios = [{ of = "AE", to = "AE", published = 1.00, version = "v1" }]

[[items]]
name = "cases"
kind = "picture"
title = "Cases"
rows = ["AE"]

[[items]]
name = "sizes"
kind = "sweep"
title = "Dice against the size"
rows = ["Intensity"]
sweeps = ["ae[size=40:48:8]"]
field = "size"
"""


@pytest.mark.usefixtures("plugin")
def test_figures_are_drawn_of_rows_and_kept_reconstructions(tmp_path: Path, data: Path) -> None:
    facts = FACTS.replace("[[ambiguities]]", FIGURES + "\n[[ambiguities]]").replace('"light"', '"paper"')
    study = tiny_study(tmp_path, facts=facts)
    methods = ("thresh", "ae", "ae[size=40]", "ae[size=48]")
    made = make(tmp_path / "published", data, methods=methods, shifts=[Shift("gamma", 0.5)])
    runs, endpoint = {"published": Comparable(made.run, read_endpoint())}, read_endpoint()
    results = TierResults(study, "paper", study.tiers["paper"], runs, {}, endpoint)
    items = {item.name: item for item in study.items}
    contrasts = {
        (one.dataset, one.contrast): one.means["histogram_kl"] for one in divergences(results, items["histograms"])
    }
    assert contrasts["patients", 1.0] > 0
    assert {point.value for point in sweep_points(results, items["sizes"])} == {40, 48, None}
    found = replication_of(results)
    (ratio,) = found.ratios["histograms"]
    assert ratio.ours is not None
    assert (ratio.ours.mean, ratio.status) == (1, "one seed")
    lines, _, plain = written(results, tmp_path, data, pictures=["patients"])
    assert {line.item.name: line.status for line in lines}.items() >= {"cases": "drawn", "sizes": "drawn"}.items()
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"histograms-patients-t1.svg", "histograms-volunteers-t1.svg", "sizes.svg", "cases-patients-t1.png"} <= drawn
    assert "cases-volunteers-t1.png" not in drawn
    assert all(name in plain for name in drawn)
    lines, _, _ = written(results, tmp_path, data, pictures=[])
    (cases,) = [line for line in lines if line.item.name == "cases"]
    assert (cases.status, cases.why) == ("not run", "a cohort whose slices may be shown (--pictures)")
