"""What a report opens with, and the sections that are drawn from summaries, of a run written by hand."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from runs_by_hand import MEANS, write_people, write_run
from scored_runs import section, tables, text_of

from benchmark.analysis.changes import changes_since
from benchmark.analysis.summaries.make import summarise
from benchmark.storage.folder import RunFolder
from datasets.io.atomic import write_json
from reports.document import Document, compose
from reports.figures.charts import BASELINE
from reports.formats.registry import write_document


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Document:
    folder = tmp_path_factory.mktemp("byhand")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        write_people(folder / "data")
        run = write_run(folder / "run")
        summarise(run, folder / "data")
        earlier = write_run(folder / "earlier", means={"good": 0.4, "bad": 0.3})
        return compose(run, None, pictures=[], since=changes_since(run, earlier))


@pytest.fixture(scope="module")
def text(document: Document) -> str:
    return text_of(document.blocks)


def verdict(document: Document) -> str:
    (blocks,) = (blocks for part, blocks in document.sections if part == "verdict")
    return text_of(blocks)


def test_the_answer_stands_before_everything_else(document: Document) -> None:
    assert [part for part, _ in document.sections][:2] == ["verdict", "explore"]
    told = verdict(document)
    assert re.match(r"\*\*Patients\*\* \(`patients`\)\. \*\*\w+\*\* has the best mean, Dice 0\.4\d\d \(95 % ", told)
    assert "may be first too." in told
    assert "ranks of *this training procedure*" in told
    assert "Patients: patients 30, inpatients 4. Training seeds: 3." in told


def test_the_endpoint_table_gives_rank_sets_intervals_and_marks(document: Document) -> None:
    lines = tables(document)["patients-endpoint"]
    assert list(lines)[2:] == ["bad", "perfect map"]
    assert {name: line["Rank"] for name, line in lines.items()} == {
        "good": "1-2", "equal": "1-2", "bad": "3", "perfect map": "",
    }  # fmt: skip
    first, second, *_ = lines
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) ‡", lines[first]["Dice"])  # at n 30 they cover too little
    assert "†" in lines[second]["Dice"]
    assert "†" not in lines["bad"]["Dice"]
    assert float(lines["bad"]["Dice, lesion-val"][:5]) == pytest.approx(
        float(lines["bad"]["Dice"][:5]) + 0.02, abs=0.002
    )
    assert lines["bad"]["Rank, lesion-val"] == "3"


def test_cohorts_of_too_few_patients_come_last_without_ranks(document: Document) -> None:
    told = verdict(document)
    assert told.index("**Patients**") < told.index("**Inpatients**")
    assert "4 patients: examples, not testable" in told
    assert "inpatients-endpoint" not in tables(document)  # the appendix has their numbers
    assert "inpatients-light-healthy-fpr-1" in tables(document)


def test_the_matrix_of_pairs_says_the_three_states_by_sign(document: Document) -> None:
    lines = tables(document)["patients-pairs-healthy-fpr-1-this-training-procedure"]
    assert lines["good"]["bad"] == "▲ +0.150"
    assert lines["bad"]["good"] == "▼ −0.150"
    assert lines["good"]["equal"].startswith("? ")  # 30 patients are no evidence of equivalence
    assert lines["good"]["good"] == ""


def test_where_the_leader_differs_the_verdict_says_so(tmp_path: Path, plugin: None) -> None:
    first, second = {"good": 0.45, "other": 0.42, "bad": 0.3}, {"good": 0.42, "other": 0.5, "bad": 0.3}
    run = write_run(tmp_path / "run", means=first, second=second)
    summarise(run, None)
    document = compose(run, None, pictures=[])
    assert "Under `lesion-val` the best mean is **other**'s." in verdict(document)
    found = tables(document)
    assert list(found["patients-endpoint"])[:3] == ["good", "other", "bad"]
    lines = found["patients-pairs-healthy-fpr-1-this-training-procedure"]
    assert lines["good"]["bad"].startswith("▲")
    assert lines["good"]["other"].startswith("(▲)")
    assert "Under `lesion-val` only: other better than good." in text_of(document.blocks)


def test_an_unranked_cohort_says_why_and_marks_nothing(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", perfect=0.2)
    summarise(run, None)
    document = compose(run, None, pictures=[])
    assert "Unranked: on this grid a perfect map has a mean Dice of 0.20 after light, below 0.5" in verdict(document)
    found = tables(document)
    assert list(found["patients-endpoint"])[:3] == list(MEANS)
    (blocks,) = (blocks for part, blocks in document.sections if part == "explore")
    assert not any(line.startswith("|") and "**" in line for line in text_of(blocks).splitlines())
    assert not any("-pairs-" in name for name in found)


def test_from_twelve_methods_on_the_pairs_are_a_heat_map_with_numbers_for_names(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", means={f"method{place}": 0.6 - place / 40 for place in range(12)}, seeds=(0,))
    summarise(run, None)
    document = compose(run, None, pictures=[])
    lines = next(lines for name, lines in tables(document).items() if name.startswith("patients-pairs-"))
    assert next(iter(lines)) == "1 method0"
    assert lines["1 method0"]["12"] == "▲"
    page = write_document(replace(document, volumes=False), "html").read_text(encoding="utf-8")
    assert 'class="sortable heat"' in page
    assert "shadep3" in page
    assert "shadem3" in page


def test_charts_of_many_methods_say_how_many_they_show(
    tmp_path: Path, plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.sections.verdict.FOREST_LINES", 10)
    run = write_run(tmp_path / "run", means={f"method{place}": 0.6 - place / 40 for place in range(12)}, seeds=(0,))
    summarise(run, None)
    page = compose(run, None, pictures=[])
    said = " ".join(text_of(blocks) for _, blocks in page.sections)
    assert said.count("The first 10 of 12 methods; the table has all.") == 1
    assert said.count("The first 8 of 12 methods in colour.") == 2  # a cohort each
    assert "stratum's patients. The first 8 of 12 methods." in said
    drawn = (run.root / "figures" / "standing-patients.svg").read_text(encoding="utf-8")
    assert ">method9<" in drawn
    assert ">method10<" not in drawn
    costs = (run.root / "figures" / "cost-patients.svg").read_text(encoding="utf-8")
    assert costs.count(f'fill="{BASELINE}"') == 2 * 4, "a grey dot for each method without a colour, in both panels"


def test_false_positives_give_their_exact_interval_and_domain(document: Document) -> None:
    lines = tables(document)["healthy-false-positives"]
    assert lines["good"]["Any, volunteers (in-domain)"] == "0.25 (0.09 to 0.49) n 20"


def test_groups_stand_with_n(document: Document) -> None:
    lines = tables(document)["patients-age_band-dice-light-healthy-fpr-1"]
    assert list(lines["good"]) == ["Method", "under 40 (n 6)", "40 to 59 (n 7)", "60 and over (n 16)", "unknown (n 1)"]
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", lines["good"]["under 40 (n 6)"])
    assert re.fullmatch(r"0\.\d{3}", lines["good"]["unknown (n 1)"])  # of one no interval
    assert not any(name.startswith("inpatients-age") for name in tables(document))


def test_areas_are_given_as_changes_with_their_dose(document: Document) -> None:
    lines = tables(document)["patients-area-dice-frozen"]
    assert re.match(r"−0\.0\d\d \(−0\.\d{3} to −0\.\d{3}\)", lines["bad"]["blur (to dose 0.200)"])


def test_cost_names_what_nothing_beats(document: Document) -> None:
    bad = tables(document)["patients-cost"]["bad"]
    assert [bad[title] for title in ("Time a volume", "none cheaper", "Memory", "none smaller", "measured")] == [
        "0.500", "yes", "2.00", "", "run",
    ]  # fmt: skip


def test_what_changed_is_told_and_numbers_are_paired(document: Document) -> None:
    found = tables(document)
    assert found["changes"]["method equal"] == {"What": "method equal", "before": "(none)", "now": "yes"}
    moved = found["changes-patients-dice-light-healthy-fpr-1"]
    assert [moved["good"][title] for title in ("Fits", "n", "Seeds")] == ["the same", "30", "3"]
    assert moved["good"]["difference"].startswith("+0.050")
    assert moved["bad"]["difference"].startswith("+0.000")


def test_no_two_tables_have_one_name(document: Document) -> None:
    from reports.content.blocks import tables_of

    names = [table.name for table in tables_of(document.blocks)]
    assert len(set(names)) == len(names)


def test_the_text_for_a_paper_names_data_scoring_statistics_and_software(text: str) -> None:
    part = section(text, "### Methods, as text for a paper")
    for fact in ("T1 scans of Volunteers (simulated)", "Patients (30 patients, simulated)", "16 x 16 x 12 voxels",
                 "under 3 training seeds", "median of 6 mm within the brain (3 x 3 x 3 voxels)", "release 0.2",
                 "uadbench 0.1.0", "Thresholds that see test labels (oracle)"):  # fmt: skip
        assert fact in part
    assert "None" not in part
    assert "nan" not in part


def test_the_figures_of_all_sections_are_drawn(document: Document) -> None:
    drawn = {path.name for path in (document.run.root / "figures").iterdir()}
    assert {"standing-patients.svg", "cost-patients.svg", "sizes-patients.svg"} <= drawn
    assert "standing-inpatients.svg" not in drawn


def test_states_are_told_apart_in_the_page_without_colour_too(document: Document, plugin: None) -> None:
    page = write_document(replace(document, volumes=False), "html").read_text(encoding="utf-8")
    assert re.search(r'<td class="number better" data-sort="0\.15\d*">▲ \+0\.150</td>', page)
    assert re.search(r'<td class="number worse" data-sort="-0\.15\d*">▼ −0\.150</td>', page)


def test_latex_marks_the_best_and_what_may_be_first_too(document: Document, plugin: None) -> None:
    tex = write_document(document, "latex").read_text(encoding="utf-8")
    first = tex[tex.index(r"\begin{table}") : tex.index(r"\end{table}")]
    assert r"\label{tab:main}" in first
    rows = first[first.index(r"\midrule") :].splitlines()
    assert sum(r"\textbf{" in row for row in rows) == 1
    assert sum(r"$^\dagger$" in row for row in rows) == 1
    assert r"\label{tab:patients-endpoint}" in tex
    assert tex.isascii()
    assert "T1 scans of Volunteers" in tex


def test_names_are_text_everywhere(tmp_path: Path, plugin: None) -> None:
    name = "<b>x|$y_1$</b>"
    run: RunFolder = write_run(tmp_path / "run", seeds=(0,), means={name: 0.4, "other": 0.2})
    write_json(run.root / "environment.json", {"processor": "<i>", "python": "3"})
    summarise(run, None)
    document = compose(run, None, pictures=[])
    page = write_document(replace(document, volumes=False), "html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;x|$y_1$&lt;/b&gt;" in page
    tex = write_document(document, "latex").read_text(encoding="utf-8")
    assert r"\textless{}b\textgreater{}x|\$y\_1\$" in tex
    figure = (run.root / "figures" / "standing-patients.svg").read_text(encoding="utf-8")
    assert "<b>" not in figure
