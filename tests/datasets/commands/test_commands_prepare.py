"""`python -m datasets prepare`: from a download to a cohort that the loader reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skulls import draw_head, write_raw, write_template
from typer.testing import CliRunner, Result

from datasets.__main__ import app
from datasets.case import RawCohort
from datasets.cohorts import catalog
from datasets.errors import MissingData, UserError
from datasets.spec import DatasetSpec


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cohort `clinic` with a download of three scans, which the command finds."""
    monkeypatch.delenv("UADBENCH_TEMPLATE", raising=False)
    raw = tmp_path / "raw"
    cases = [write_raw(raw, name, draw_head(at), np.eye(4)) for at, name in enumerate(("p1", "p2", "p3"))]
    found = RawCohort(tuple(replace(one, space="sri24") for one in cases), ("p4: no mask",))
    spec = DatasetSpec(
        "clinic", "Clinic", ("t1",), False, "none", "", "", "Ask.", raw_cases=lambda root: found
    )  # fmt: skip
    monkeypatch.setattr("datasets.cohorts.prepare.dataset", lambda name: spec)
    (tmp_path / "data" / "atlas").mkdir(parents=True)
    write_template(tmp_path).rename(tmp_path / "data" / "atlas" / "sri24_t1_skullstripped_brats_space.nii.gz")
    return tmp_path


def prepare(folder: Path, *more: object) -> Result:
    arguments = ["prepare", "clinic", "--raw", folder / "raw", "--data", folder / "data", "--spacing", 4, *more]
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_a_download_is_prepared_and_what_was_passed_over_is_told(clinic: Path) -> None:
    result = prepare(clinic)
    assert result.exit_code == 0, result.output
    assert "Download: p4: no mask" in result.stderr
    assert "3 cases in" in result.stdout
    steps = [line.partition(": ")[2] for line in result.stdout.splitlines() if line.startswith("  p2: ")]
    assert steps == ["read", "co-register", "strip", "register", "resample", "bias", "lesion"]
    assert "Lesion volume beyond the registration's scaling: mean +0.00 %" in result.stdout
    assert len((clinic / "data" / "clinic" / "cases.csv").read_text().splitlines()) == 4
    assert "3 of 3 cases are prepared already" in prepare(clinic).stdout


def test_a_failed_case_makes_the_exit_code_one(clinic: Path) -> None:
    (clinic / "raw" / "p2_t1.nii.gz").write_bytes(b"torn")
    result = prepare(clinic, "--workers", 2)
    assert result.exit_code == 1
    assert {"  p1: lesion", "  p2: read", "  p3: lesion"} <= {*result.stdout.splitlines()}
    assert "1 case could not be prepared:" in result.stderr
    assert "  p2: " in result.stderr


def test_a_subject_keeps_its_split_when_others_come_in(clinic: Path) -> None:
    prepare(clinic, "--limit", 1)
    first = (clinic / "data" / "clinic" / "cases.csv").read_text().splitlines()[1]
    prepare(clinic)
    assert first in (clinic / "data" / "clinic" / "cases.csv").read_text()


def test_what_is_missing_is_told_before_any_work(clinic: Path) -> None:
    for arguments, complaint in (
        (("--template", clinic / "none.nii.gz"), "No template"),
        (("--stripper-command", "no-such-program {image} {mask}"), None),  # not needed: the download has masks
        (("--raw", clinic / "nowhere"), "no folder"),
    ):
        result = prepare(clinic, *arguments)
        if complaint is None:
            assert result.exit_code == 0
            continue
        assert isinstance(result.exception, UserError | MissingData)
        assert complaint in str(result.exception)


def test_a_cohort_without_a_reader_is_refused() -> None:
    assert catalog.dataset("phantom").raw_cases is None
    result = CliRunner().invoke(app, ["prepare", "phantom", "--raw", "."])
    assert "without a reader of its download" in str(result.exception)
