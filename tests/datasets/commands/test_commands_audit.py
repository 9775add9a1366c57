"""`python -m datasets audit`: what is printed, as JSON, and the exit codes."""

import json
from pathlib import Path

import pytest
from damaged_cohort import MINE, write_cohort
from defects import KINDS
from typer.testing import CliRunner, Result

from datasets.__main__ import app
from datasets.audit.finding import Finding
from datasets.audit.report import findings_text
from datasets.cohorts import catalog
from datasets.errors import BadValue, MissingData

BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(catalog.COHORTS.built_in, "mine", "damaged_cohort:MINE")
    write_cohort(tmp_path / MINE.name)
    return tmp_path / MINE.name


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments, "--data", str(folder.parent)])


def test_a_sound_cohort_is_exit_code_0(folder: Path) -> None:
    result = call(folder, "mine")
    assert result.exit_code == 0
    assert result.stdout.startswith("NOTE    volume-on-grid  mine\n")
    assert result.stdout.endswith("0 errors, 0 warnings, 1 note.\n")


def test_without_a_name_all_that_is_there_is_audited(folder: Path) -> None:
    assert "mine: reading 3 cases." in call(folder).stderr


def test_warnings_alone_are_exit_code_0_and_errors_1(folder: Path) -> None:
    BY_NAME["saturated"].damage(folder)
    result = call(folder, "mine")
    assert (result.exit_code, "WARNING saturated  mine" in result.stdout) == (0, True)
    BY_NAME["empty lesion"].damage(folder)
    result = call(folder, "mine")
    assert result.exit_code == 1
    assert result.stdout.startswith("ERROR   empty-lesion-mask  mine")
    assert result.stdout.endswith("1 error, 1 warning, 1 note.\n")


def test_json_holds_every_finding(folder: Path) -> None:
    BY_NAME["empty lesion"].damage(folder)
    content = json.loads(call(folder, "mine", "--json").stdout)
    assert (content["errors"], content["warnings"]) == (1, 0)
    finding, told = content["findings"]
    assert told["code"] == "volume-on-grid"
    assert (finding["code"], finding["cases"], finding["flag"]) == ("empty-lesion-mask", ["bad"], "partial")
    assert finding["file"].endswith("lesion_mask/bad.nii.gz")


def test_a_table_of_splits_needs_no_data(tmp_path: Path) -> None:
    table = tmp_path / "splits.csv"
    table.write_text("fold,split,case_id\n0,train,a\n0,test,a\n0,test,b\n")
    result = CliRunner().invoke(app, ["audit", "--splits", str(table)])
    assert result.exit_code == 1
    head, line = result.stdout.splitlines()[:2]
    assert dict(zip(head.replace(" & ", "&").replace("rows ", "").split(), line.split(), strict=True)) == {
        "fold": "0", "of": "scans", "train": "1", "val": "0", "test": "2",
        "train&test": "1", "train&val": "0", "val&test": "0", "twice": "0",
    }  # fmt: skip
    content = json.loads(CliRunner().invoke(app, ["audit", "--splits", str(table), "--json"]).stdout)
    assert content["folds"][0]["shared"]["train-test"] == ["a"]


@pytest.mark.parametrize("arguments", [("--splits", "x.csv", "mine"), ("--splits", "absent.csv"), ("mine", "oasis")])
def test_mistakes_of_the_user_are_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    assert isinstance(call(folder, *arguments).exception, (BadValue, MissingData))


def test_findings_alike_are_one_line_with_a_count_and_examples() -> None:
    alike = [Finding("warning", "not-ras", "ixi", (f"c{index}",), "orientation LAS", "RAS") for index in range(100)]
    other = Finding("error", "empty-brain-mask", "ixi", ("c7",), "no voxel inside", "a brain")
    text = findings_text([*alike, other])
    assert text == (
        "ERROR   empty-brain-mask  ixi\n"
        "        got no voxel inside, expected a brain [c7]\n"
        "WARNING not-ras  ixi: 100 findings\n"
        "        got orientation LAS, expected RAS [c0, c1, c2 and 97 more]\n"
        "1 error, 100 warnings, 0 notes."
    )


def test_no_line_is_wider_than_100_columns() -> None:
    wide = Finding("error", "bad-name", "cohort", ("case-" * 8,), "many words " * 30, "few of them")
    assert max(map(len, findings_text([wide]).splitlines())) <= 100


@pytest.fixture
def bids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sound cases as BIDS derivatives."""
    monkeypatch.setattr(catalog, "_USER_COHORTS", {})
    write_cohort(tmp_path / "prepared")
    home = tmp_path / "bids"
    for name in ("sound", "other"):
        for folder, ending in (("t1", "T1w"), ("brain_mask", "desc-brain_mask"), ("lesion_mask", "label-lesion_mask")):
            source = tmp_path / "prepared" / folder / f"{name}.nii.gz"
            target = home / f"sub-{name}" / "anat" / f"sub-{name}_{ending}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_file():
                target.write_bytes(source.read_bytes())
    (home / "dataset_description.json").write_text("{}")
    (home / "participants.tsv").write_text("participant_id\thealthy\tsplit\nsound\tyes\ttrain\nother\tno\ttest\n")
    return home


def test_a_folder_of_ones_own_is_audited_by_name_and_place(bids: Path, tmp_path: Path) -> None:
    result = call(tmp_path / "any", f"mine={bids}")
    assert "mine: reading 2 cases." in result.stderr
    assert result.exit_code == 0, result.output
    (bids / "sub-sound" / "anat" / "sub-sound_T1w.nii.gz").write_bytes(b"torn")
    (bids / "sub-other" / "anat" / "sub-other_desc-brain_mask.nii.gz").unlink()
    result = call(tmp_path / "any", f"mine={bids}")
    assert result.exit_code == 1
    assert "ERROR   unreadable-file  mine" in result.stdout
    assert "no brain_mask of 'sub-other'" in " ".join(result.stdout.split())


def test_a_limit_counts_each_split_and_healthy_cases_apart(folder: Path) -> None:
    assert "mine: reading 2 cases." in call(folder, "mine", "--limit", "1").stderr


def test_the_list_says_what_lies_below_data(folder: Path) -> None:
    lines = CliRunner().invoke(app, ["list", "--data", str(folder.parent)]).stdout.splitlines()
    told = {line.split()[0]: line.rpartition("; ")[2] for line in lines if "; " in line}
    assert (told["mine"], told["brats"]) == ("here: 3 (t1)", "not here")
