"""The whole report: its sections and what it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest
from scored_runs import Made

from datasets.errors import UnknownName


def test_the_sections_come_in_the_order_in_which_one_reads(report: str) -> None:
    headings = [line for line in report.splitlines() if line.startswith(("# ", "## "))]
    assert headings == [
        "# Run run",
        "## At a glance",
        "## What was run",
        "## Leaderboards",
        "## Mean Dice by post-processing and threshold",
        "## Detection curves, and by lesion size",
        "## False alarms in healthy scans",
        "## Quality against time and memory",
        "## Reconstruction of healthy scans",
        "## Loss by field of view",
        "## Notes",
        "## Gallery",
        "## Data cards",
        "## Methods, as text for a paper",
        "## Resolved configuration",
    ]


def test_without_a_test_split_every_heading_says_validation(validation_report: str) -> None:
    headings = [line for line in validation_report.splitlines() if line.startswith("#")]
    assert len(headings) > 9
    assert all("# VALIDATION: " in heading for heading in headings)


def test_an_unknown_cohort_among_the_pictures_is_refused_before_anything_is_written(made: Made) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'volunteers'"):
        made.report(pictures=["volunters"])
    assert not (made.run.root / "report.md").exists()


def test_importing_reports_imports_neither_torch_nor_what_draws() -> None:
    code = "import sys, reports.api; sys.exit(bool({'torch', 'matplotlib'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0
