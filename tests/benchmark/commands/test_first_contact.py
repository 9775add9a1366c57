"""A new user's first line, `run --methods cddpm,ddpm --datasets brats,msl`: with too little data, and with enough."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from commandline import Program
from skulls import draw_head, write_template
from typer.testing import CliRunner

from datasets.__main__ import app as datasets_program
from datasets.io.nifti import Volume, write_volume

LINE = ("run", "--methods", "cddpm,ddpm", "--datasets", "brats,msl")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with IXI alone, and of IXI with T1 alone."""
    write_prepared(tmp_path / "data" / "ixi", {"train": 3, "val": 2}, healthy=True)
    return tmp_path / "data"


def write_prepared(folder: Path, sizes: dict[str, int], *, healthy: bool, first: int = 0) -> None:
    """A cohort of simulated heads, numbered from `first`, in the prepared layout."""
    rows = [(f"{folder.name}-{split}-{at}", split) for split, size in sizes.items() for at in range(size)]
    for at, (case_id, _) in enumerate(rows):
        head = draw_head(first + at)
        image = head.healthy if healthy else head.stripped
        write_volume(folder / "t1" / f"{case_id}.nii.gz", image)
        write_volume(folder / "brain_mask" / f"{case_id}.nii.gz", head.brain_mask)
        if not healthy:
            write_volume(folder / "lesion_mask" / f"{case_id}.nii.gz", head.lesion_mask)
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("case_id", "subject_id", "split", "sequences"))
        writer.writerows((case_id, case_id, split, "t1") for case_id, split in rows)


def write_brats_download(folder: Path) -> None:
    """T1 of two patients of BraTS, whose enhancing tumour is label 4 in the one and 3 in the other."""
    for at, (name, enhancing) in enumerate((("BraTS2021_00001", 4), ("BraTS2021_00002", 3))):
        head = draw_head(10 + at)
        labels = np.where(head.lesion_mask.data, 2, 0).astype(np.uint8)
        inside = np.argwhere(labels)
        labels[tuple(inside[: len(inside) // 2].T)] = enhancing
        write_volume(folder / name / f"{name}_t1.nii.gz", head.stripped, np.float32)
        write_volume(folder / name / f"{name}_seg.nii.gz", Volume(labels, head.lesion_mask.affine))


def test_with_t1_of_ixi_alone_one_message_names_all_that_is_missing_and_the_commands(
    program: Program, data: Path
) -> None:
    result = program(*LINE, "--data", data)
    assert result.exit_code == 2
    brats, msl, t2, choice = result.stderr.splitlines()
    assert brats.startswith(f"Error: No prepared BraTS21 at {data / 'brats'}")
    assert brats.endswith(f"Then: python -m datasets prepare brats --raw DOWNLOAD --data {data}")
    assert msl.startswith(f"No prepared MSLUB at {data / 'msl'}")
    assert msl.endswith(f"Then: python -m datasets prepare msl --raw DOWNLOAD --data {data}")
    assert t2.startswith(f"IXI at {data / 'ixi'} has no t2.")
    assert t2.endswith(f"Then: python -m datasets prepare ixi --raw DOWNLOAD --data {data}")
    assert choice == "Without t2 this is a study of t1."


def test_with_brats_and_msl_prepared_it_runs_to_the_tables(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prepared(data / "msl", {"test": 2}, healthy=False, first=20)
    write_brats_download(tmp_path / "download")
    monkeypatch.setenv("UADBENCH_TEMPLATE", str(write_template(tmp_path)))
    prepare = ("prepare", "brats", "--raw", tmp_path / "download", "--data", data, "--spacing", 4)
    prepared = CliRunner().invoke(datasets_program, list(map(str, prepare)))
    assert prepared.exit_code == 0, prepared.output
    few = tmp_path / "few.toml"
    few.write_text("[ddpm]\nsteps = 2\n[cddpm]\nsteps = 2\n")
    result = program(*LINE, "--data", data, "--preset", "quick", "--config", few, "--limit", 1, "--pictures", "")
    assert result.exit_code == 0, result.output
    assert f"IXI at {data / 'ixi'} has no t2." in result.stdout
    for cohort in ("BraTS21 (brats)", "MSLUB (msl)"):
        table = result.stdout[result.stdout.index(cohort) :]
        for method in ("cddpm", "ddpm", "perfect map"):
            assert f"\n{method}" in table
    assert "study of t1" in result.stdout
    assert (Path("runs/ixi-t1-quick") / "report.md").is_file()


def test_without_its_package_preparing_names_the_extra_beside_all_else_that_is_missing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    monkeypatch.delenv("UADBENCH_TEMPLATE", raising=False)
    monkeypatch.delenv("UADBENCH_DATA", raising=False)
    write_brats_download(tmp_path / "download")
    prepare = ("prepare", "brats", "--raw", tmp_path / "download", "--data", data)
    result = CliRunner().invoke(datasets_program, list(map(str, prepare)))
    package, template = str(result.exception).splitlines()
    assert (
        package == "Preparing scans needs SimpleITK, which is not installed: python -m pip install 'uadbench[prepare]'."
    )
    assert "template" in template
