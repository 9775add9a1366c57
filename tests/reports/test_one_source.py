"""One study, five ways to show it: the same method is first under the first endpoint, with the same number."""

import csv
import itertools
import re
from pathlib import Path

import pandas as pd
import pytest
from runs_by_hand import write_run

from benchmark.analysis.summaries.make import summarise
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path
from benchmark.verification.leaderboard.release import release_of
from reports.api import LeaderboardResults, terminal_text, write_report, write_site

MEANS = {"alpha": 0.3, "leader": 0.45, "third": 0.2}
FORMATS = {"report": "md", "LaTeX": "latex", "CSV": "csv"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> RunFolder:
    """A study in which AUPRC orders the methods the other way round than the endpoint does."""
    made = write_run(tmp_path_factory.mktemp("one-source") / "run", means=MEANS)
    rows = pd.read_csv(made.root / "rows.csv", keep_default_na=False)
    area = rows["metric"] == "auprc"
    rows.loc[area, "value"] = 1 - rows.loc[area, "value"].astype(float)
    rows.to_csv(made.root / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        summarise(made, None)
    return made


@pytest.fixture(scope="module")
def first_lines(run: RunFolder, plugin_folder: Path) -> dict[str, str]:
    """The first line of the cohort's first table, by where it is shown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        report, tex, table = write_report(run, None, formats=list(FORMATS.values()), pictures=[])
        leaderboard = LeaderboardResults(run, release_of(run), read_endpoint(), [])
        site = write_site(leaderboard, run.root / "site")
        terminal = terminal_text(run)
    with table.open(encoding="utf-8") as stream:
        ranked = [line for line in csv.DictReader(stream) if (line["dataset"], line["order"]) == ("patients", "1")]
    return {
        "report": _table_line(report.read_text("utf-8"), "**Patients (`patients`)**"),
        "LaTeX": next(line for line in tex.read_text("utf-8").split("\\midrule\n")[1].splitlines() if line.strip()),
        "CSV": f"{ranked[0]['method']} {float(ranked[0]['mean']):.3f}",
        "terminal": terminal[terminal.index("Patients (patients)") :].splitlines()[3],
        "leaderboard": re.sub("<[^>]*>", " ", site.read_text("utf-8").split("<tbody>")[1].split("</tr>")[0]),
    }


@pytest.mark.parametrize("where", ["report", "terminal", "LaTeX", "CSV", "leaderboard"])
def test_the_same_method_is_first_with_the_same_number(run: RunFolder, first_lines: dict[str, str], where: str) -> None:
    lines = read_lines(summary_path(run.root), SummaryLine)
    own = lines[(lines["dataset"] == "patients") & (lines["order"] == 1) & (lines["method"] == "leader")]
    assert own["mean"].nunique() == 1
    line = first_lines[where].strip("| \n")
    assert line.split()[0] == "leader", line
    assert f"{own['mean'].iloc[0]:.3f}" in line


def test_another_metric_would_have_put_another_method_first(run: RunFolder) -> None:
    lines = read_lines(summary_path(run.root), SummaryLine)
    own = lines[(lines["dataset"] == "patients") & (lines["metric"] == "auprc") & (lines["group"] == "")]
    assert own.loc[own["mean"].idxmax(), "method"] == "third"


def _table_line(markdown: str, start: str) -> str:
    """The first line below the headings of the first table after `start`."""
    lines = markdown[markdown.index(start) :].splitlines()
    return next(line for before, line in itertools.pairwise(lines) if before.startswith("|--"))
