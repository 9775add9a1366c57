"""What a report opens with, and the sections that are drawn from summaries, of a run written by hand."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from runs_by_hand import MEANS, write_people, write_run
from scored_runs import section

from benchmark.analysis.changes import changes_since
from benchmark.analysis.summaries.make import summarise
from benchmark.storage.folder import RunFolder
from datasets.io.atomic import write_json
from reports.document import Document, compose
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
    return "\n\n".join(document.sections)


def table(text: str, start: str) -> list[list[str]]:
    """The cells of the first table after `start`, headings first."""
    lines = text[text.index(start) :].splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_the_answer_stands_before_everything_else(document: Document) -> None:
    assert document.sections[1].startswith("## At a glance\n\n**Patients (`patients`)**, 30 patients. ")
    told = document.sections[1].splitlines()[2]
    assert "may each be first; the other 1 may not." in told
    assert told.endswith("threshold `healthy-fpr-1` (first endpoint); ranks of *this recipe*.")


def test_the_first_table_gives_rank_sets_intervals_and_marks(document: Document) -> None:
    headings, *lines = table(document.sections[1], "**Patients")
    assert headings == ["Method", "Rank", "Dice", "95 % interval", "Dice, lesion-val", "Rank, lesion-val", "AUPRC",
                        "Far alarms", "s/volume"]  # fmt: skip
    by = {line[0]: line for line in lines}
    assert list(by)[2:] == ["bad", "*perfect map*"]
    assert by["good"][1] == by["equal"][1] == "1-2"
    assert by["bad"][1] == "3"
    assert by[list(by)[1]][2].endswith(" †")
    assert "†" not in by["bad"][2]
    assert re.fullmatch(r"0\.\d{3} to 0\.\d{3} ‡", by["good"][3])  # at n 30 such intervals cover too little
    assert float(by["bad"][4]) == pytest.approx(float(by["bad"][2]) + 0.02, abs=0.002)
    assert by["bad"][5] == "3"
    assert by["good"][7] == "-"  # nothing computed is shown as missing


def test_cohorts_of_too_few_patients_come_last_without_ranks(document: Document) -> None:
    glance = document.sections[1]
    assert glance.index("**Patients") < glance.index("**Inpatients")
    headings, *lines = table(glance, "**Inpatients")
    assert headings[:2] == ["Method", "n"]
    assert {line[3] for line in lines[:3]} == {"-"}
    assert "4 patients: examples, not testable" in glance


def test_the_matrix_of_pairs_says_the_three_states_by_sign(text: str) -> None:
    headings, *lines = table(text, "## Better, equivalent or not separable")
    assert headings[0] == "Line less column"
    cells = {(line[0], other): cell for line in lines for other, cell in zip(headings[1:], line[1:], strict=True)}
    assert cells["good", "bad"] == "▲ +0.150"
    assert cells["bad", "good"] == "▼ -0.150"
    assert cells["good", "equal"].startswith("? ")  # 30 patients are no evidence of equivalence
    assert cells["good", "good"] == ""


def test_where_the_leader_differs_the_verdict_says_so_first(tmp_path: Path, plugin: None) -> None:
    first, second = {"good": 0.45, "other": 0.42, "bad": 0.3}, {"good": 0.42, "other": 0.5, "bad": 0.3}
    run = write_run(tmp_path / "run", means=first, second=second)
    summarise(run, None)
    glance, text = compose(run, None, pictures=[]).sections[1], "\n\n".join(compose(run, None, pictures=[]).sections)
    told = glance.splitlines()[2]
    differs = "The leader differs between the endpoints: **good** under `healthy-fpr-1`, **other** under `lesion-val`."
    assert told.startswith(f"**Patients (`patients`)**, 30 patients. {differs}")
    _, *lines = table(glance, "**Patients")
    assert [line[0] for line in lines[:3]] == ["good", "other", "bad"]
    headings, *lines = table(text, "## Better, equivalent or not separable")
    cells = {(line[0], other): cell for line in lines for other, cell in zip(headings[1:], line[1:], strict=True)}
    assert cells["good", "bad"].startswith("▲")
    assert cells["good", "other"].startswith("(▲)")
    assert "Under `lesion-val` only: other better than good." in text


def test_an_unranked_cohort_says_why_and_marks_nothing(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", perfect=0.2)
    summarise(run, None)
    sections = compose(run, None, pictures=[]).sections
    part = sections[1]
    assert "Unranked: on this grid a perfect map has a mean Dice of 0.20 after light, below 0.5" in part
    _, *lines = table(part, "**Patients")
    assert [line[0] for line in lines[:3]] == list(MEANS)
    assert not any("**" in cell for line in lines for cell in line)
    assert not any(one.startswith("## Better, equivalent") for one in sections)


def test_alarms_give_their_exact_interval_and_domain(text: str) -> None:
    headings, *lines = table(text, "**Any alarm**")
    assert headings == ["Method", "Volunteers (`volunteers`), in-domain"]
    assert lines[0] == ["good", "0.25 (0.09 to 0.49), n 20"]


def test_groups_stand_with_n_and_what_all_share_is_a_line(text: str) -> None:
    part = text[text.index("## By site, age and sex") :]
    headings, *lines = table(part[part.index("### Patients") :], "**Age**: Dice")
    assert headings == ["Method", "under 40 (n 6)", "40 to 59 (n 7)", "60 and over (n 16)", "unknown (n 1)"]
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", lines[0][1])
    assert re.fullmatch(r"0\.\d{3}", lines[0][4])  # of one no interval
    assert "### Inpatients" not in part.split("\n## ")[0]


def test_areas_are_given_as_changes_with_their_dose(text: str) -> None:
    headings, *lines = table(text, "Area under the dose-response curve")
    assert headings == ["Method", "unshifted", "blur (0.200)"]
    (bad,) = (line for line in lines if line[0] == "bad")
    assert re.match(r"-0\.0\d\d \(-0\.\d{3} to -0\.\d{3}\)", bad[2])


def test_cost_names_what_nothing_beats(text: str) -> None:
    headings, *lines = table(text, "## Quality against time and memory")
    assert headings == ["Method", "Dice", "s a volume", "none cheaper", "GB", "none smaller", "measured"]
    (bad,) = (line for line in lines if line[0] == "bad")
    assert bad[2:] == ["0.500", "yes", "2.00", "", "run"]


def test_what_changed_is_told_and_numbers_are_paired(text: str) -> None:
    part = text[text.index("## Since earlier") :].split("\n## ")[0]
    facts = {line[0]: line[1:] for line in table(part, "## Since")}
    assert facts["method equal"] == ["(none)", "yes"]
    _, *lines = table(part, "**Patients (`patients`)**: Dice")
    moved = {line[0]: line for line in lines}
    assert moved["good"][1:4] == ["the same", "30", "3"]
    assert moved["good"][6].startswith("+0.050")
    assert moved["bad"][6] == "+0.000"


def test_the_text_for_a_paper_names_data_scoring_statistics_and_software(text: str) -> None:
    part = section(text, "## Methods, as text for a paper")
    for fact in ("T1 scans of Volunteers (simulated)", "Patients (30 patients, simulated)", "16 x 16 x 12 voxels",
                 "under 3 training seeds", "median of 6 mm within the brain (3 x 3 x 3 voxels)", "release 0.2",
                 "uadbench 0.1.0", "Thresholds that see test labels (oracle)"):  # fmt: skip
        assert fact in part
    assert "None" not in part
    assert "nan" not in part


def test_the_figures_of_all_sections_are_drawn_and_hold_no_name_as_markup(document: Document) -> None:
    drawn = {path.name for path in (document.run.root / "figures").iterdir()}
    assert {"standing-patients.svg", "cost-patients.svg", "sizes-patients.svg"} <= drawn
    assert "standing-inpatients.svg" not in drawn


def test_states_are_told_apart_in_the_page_without_colour_too(document: Document, plugin: None) -> None:
    page = write_document(replace(document, volumes=False), "html").read_text(encoding="utf-8")
    assert 'data-sort="+0.150" class="number better">▲ +0.150</td>' in page
    assert '"number worse">▼ -0.150</td>' in page
    assert '<td class="number">-</td>' in page


def test_latex_marks_the_best_and_what_is_not_separable_from_it(document: Document, plugin: None) -> None:
    tex = write_document(document, "latex").read_text(encoding="utf-8")
    standing = tex[tex.index(r"\begin{table}") : tex.index(r"\end{table}")]
    assert r"\label{tab:patients-standing}" in standing
    assert standing.count(r"\textbf{") >= 1
    assert r"$^\dagger$" in standing
    assert r"$\triangle$ +0.150" in tex
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
