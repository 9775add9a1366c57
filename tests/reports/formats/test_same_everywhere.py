"""One study, told five times: terminal, report, LaTeX, CSV and leaderboard agree on the first method and its number."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from runs_by_hand import write_people, write_run

from benchmark.analysis.summaries.make import summarise
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_tables import keep_digests
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path
from benchmark.verification.leaderboard.release import release_of
from reports.document import compose
from reports.formats.registry import write_document
from reports.formats.terminal import terminal_text
from reports.leaderboard.results import LeaderboardResults
from reports.leaderboard.site import write_site

MEANS = {"bad": 0.3, "good": 0.45, "best": 0.52}
COHORT = "patients"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Iterator[RunFolder]:
    """Three methods with three seeds; one number is missing, which two aggregators would average differently."""
    folder = tmp_path_factory.mktemp("same")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        write_people(folder / "data")
        run = write_run(folder / "run", means=MEANS)
        _lose_a_number(run.root / "rows.csv")
        keep_digests(run, ["rows.csv"])
        summarise(run, folder / "data")
        yield run


def _lose_a_number(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines)
                 if line.startswith(f"best,{COHORT},") and ",none,0.0,1," in line and ",dice," in line)  # fmt: skip
    fields = lines[place].split(",")
    fields[lines[0].split(",").index("value")] = "nan"
    lines[place] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def first(run: RunFolder) -> tuple[str, str]:
    """The first method under the first endpoint, and its number as all print it."""
    lines = read_lines(summary_path(run.root), SummaryLine)
    own = lines[(lines["dataset"] == COHORT) & (lines["order"] == 1)]
    assert set(own["endpoint"]) == {"first"}
    best = own.loc[own["mean"].idxmax()]
    assert best["left_out"] == 1
    return str(best["method"]), f"{best['mean']:.3f}"


def _first_row(table: str, separator: str) -> list[str]:
    """The first line of a table that is about a method, without emphasis and padding."""
    rows = (re.split(separator, line.strip().strip("|")) for line in table.splitlines())
    cells = ([re.sub(r"\\textbf\{|[*}\\]", "", cell).strip() for cell in row] for row in rows)
    return next(row for row in cells if row[0] in MEANS)


def _has(row: list[str], first: tuple[str, str]) -> bool:
    """Whether a line is of the method and one of its cells starts with the number."""
    method, number = first
    return row[0] == method and any(cell.startswith(number) for cell in row[1:])


def test_the_terminal_lists_it_first(run: RunFolder, first: tuple[str, str]) -> None:
    text = terminal_text(run)
    assert _has(_first_row(text[text.index("Endpoint: ") :], r"\s{2,}"), first)


@pytest.mark.parametrize("section", ["## Explore", "<summary>All metrics"])
def test_the_report_lists_it_first(run: RunFolder, first: tuple[str, str], section: str) -> None:
    text = write_document(compose(run, None, pictures=[]), "md").read_text(encoding="utf-8")
    part = text[text.index(section) :]
    assert _has(_first_row(part[part.index(f"(`{COHORT}`)") :], r"\|"), first)


def test_latex_lists_it_first(run: RunFolder, first: tuple[str, str]) -> None:
    text = write_document(compose(run, None, pictures=[]), "latex").read_text(encoding="utf-8")
    assert _has(_first_row(text[text.index(f"tab:{COHORT}-endpoint") :], "&"), first)


def test_csv_has_no_better_number(run: RunFolder, first: tuple[str, str]) -> None:
    with write_document(compose(run, None, pictures=[]), "csv").open(newline="", encoding="utf-8") as stream:
        lines = pd.DataFrame(csv.DictReader(stream))
    own = lines[(lines["table"] == f"{COHORT}-endpoint") & (lines["column"] == "Dice") & lines["row"].isin(list(MEANS))]
    values = own.set_index("row")["value"].astype(float)
    assert (values.idxmax(), f"{values.max():.3f}") == first


def test_the_leaderboard_lists_it_first(run: RunFolder, first: tuple[str, str], tmp_path: Path) -> None:
    results = LeaderboardResults(run, release_of(run), read_endpoint(), ())
    page = write_site([results], tmp_path / "site").read_text(encoding="utf-8")
    part = page[page.index(f"<code>{COHORT}</code>") :]
    row = re.search(r"<tr>\s*<th[^>]*>\s*<a[^>]*>([^<]+)</a>.*?</tr>", part, flags=re.DOTALL)
    assert row is not None
    assert row[1] == first[0]
    assert first[1] in row[0]
