"""The whole report: its sections and what it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from scored_runs import Made

from datasets.errors import UnknownName


def test_the_sections_come_in_the_order_in_which_one_reads(report: str) -> None:
    headings = [line for line in report.splitlines() if re.match("#{1,3} ", line)]
    assert headings == [
        "# 2 methods on Patients; Inpatients",
        "## Verdict",
        "## Explore",
        "## Why",
        "### By lesion size",
        "### Mean Dice by post-processing and threshold",
        "## How far to trust it",
        "### False positives in healthy scans",
        "### Patients told from healthy people",
        "### What is missing, and audit warnings",
        "## Images",
        "## Reproduce and cite",
        "### What was run",
        "### Methods, as text for a paper",
        "### References",
        "## Appendix",
    ]
    assert re.findall(r"<details><summary>(.*)</summary>", report) == [
        "Volunteers (volunteers)",
        "Patients (patients)",
        "Inpatients (inpatients)",
        "BibTeX",
        "All metrics",
        "Detection curves",
        "False positives in healthy scans by post-processing",
        "Quality against time and memory",
        "Reconstruction of healthy scans",
        "Loss by field of view",
        "Undefined numbers",
        "Data cards",
        "Resolved configuration",
        "Keys of 2 fits and 6 cells",
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
    code = "import sys, reports.api; sys.exit(bool({'torch', 'matplotlib', 'vl_convert'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0
