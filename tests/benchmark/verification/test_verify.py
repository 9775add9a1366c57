"""What `verify` finds: nothing in a run that was left alone, and each thing that somebody has changed since."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commandline import STUDY, Program, refused
from detectors import MeanDistance
from safetensors.numpy import load_file, save_file
from studies import stamps

from benchmark.storage.maps import read_volume, write_volume
from benchmark.verification.verify import Check
from datasets.io import atomic
from datasets.io.atomic import read_json

CHECKS = ("keys", "ranges", "files", "table", "data", "rows", "maps")
OURS = ("--plugin", "mean-distance")

pytestmark = pytest.mark.usefixtures("plugin", "no_report")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's one run is kept, that every test gets a copy of."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def run(program: Program, data: Path, shelf: Path, tmp_path: Path) -> Path:
    if not (shelf / "run").exists():
        assert program("run", *STUDY, "--data", data, "--out", shelf / "run").exit_code == 0
    return shutil.copytree(shelf / "run", tmp_path / "run")


def told(program: Program, run: Path, *options: object) -> dict[str, list[str]]:
    """The faults of each check; the exit code says whether there are any."""
    result = program("verify", run, "--json", *OURS, *options)
    checks = {check["name"]: check["faults"] for check in json.loads(result.stdout)}
    assert result.exit_code == (1 if any(checks.values()) else 0), result.output
    return checks


def one(run: Path, pattern: str) -> Path:
    return sorted(run.glob(pattern))[0]


def test_a_run_left_alone_verifies_and_is_not_touched(program: Program, run: Path) -> None:
    before = stamps(run, "*")
    assert told(program, run, "--maps", "4") == {name: [] for name in CHECKS}
    after = stamps(run, "*")
    assert after.pop("verification.json")
    assert after == before


def test_a_run_that_may_not_be_written_to_is_verified_and_that_is_said(
    program: Program, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, text: str) -> None:
        if path.parent == run:
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        original(path, text)

    original = atomic.write_text
    monkeypatch.setattr(atomic, "write_text", refuse)
    result = program("verify", run, "--maps", "1", *OURS)
    assert result.exit_code == 0, result.output
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("ok")] == list(CHECKS)
    assert result.stderr == f"Not written down: {run / 'verification.json'}: Read-only file system.\n"


def test_a_person_is_told_what_was_looked_at(program: Program, run: Path) -> None:
    shown = program("verify", run, "--maps", "2", *OURS).stdout
    assert "ok      maps      2 cases mapped again on cpu (drawn with seed 0), 2 equal bit for bit" in shown


def flattered(table: Path) -> None:
    """Every Dice of a table becomes 0.987."""
    lines = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("".join(",".join(_flattered(parts)) + "\n" for parts in lines))


def _flattered(parts: list[str]) -> list[str]:
    return [*parts[:13], "0.987", *parts[14:]] if parts[12] == "dice" else parts


def test_numbers_written_by_hand_into_the_run_s_table_are_found(program: Program, run: Path) -> None:
    flattered(run / "rows.csv")
    faults = told(program, run, "--maps", "0")
    assert "dice" in faults["table"][0]
    assert "kept 0.987, expected " in faults["rows"][0]


def test_numbers_written_by_hand_into_every_table_are_found(program: Program, run: Path) -> None:
    for table in (run / "rows.csv", *run.glob("cells/*/rows.csv")):
        flattered(table)
    faults = told(program, run, "--maps", "0")
    assert not faults["table"]
    assert "kept 0.987, expected " in faults["rows"][0]


def test_a_row_under_another_key_is_found(program: Program, run: Path) -> None:
    table = run / "rows.csv"
    text = table.read_text()
    key = text.splitlines()[1].split(",")[14]
    table.write_text(text.replace(key, "0" * 12))
    faults = told(program, run, "--maps", "0")["keys"]
    assert "key 000000000000 is not that of the study" in faults[0]
    strange = sum("0" * 12 in line for line in table.read_text().splitlines())
    assert sum(int(fault.split()[0]) for fault in faults) == strange > len(faults)  # counted, not one by one


@pytest.mark.parametrize(
    ("column", "value", "expected"), [("case_id", "patients-test-9", "expected None"), ("value", "0.987", "and 0.987")]
)
def test_a_row_that_no_map_gives_is_found_though_every_table_has_it(
    program: Program, run: Path, column: str, value: str, expected: str
) -> None:
    own = one(run, "cells/mean-distance-patients-*/rows.csv")
    header, *lines = own.read_text().splitlines()
    parts = next(line for line in lines if ",dice," in line).split(",")
    parts[header.split(",").index(column)] = value
    for table in (own, run / "rows.csv"):
        header, *lines = table.read_text().splitlines()
        table.write_text("\n".join([header, ",".join(parts), *lines]) + "\n")
    faults = told(program, run, "--maps", "0")
    assert not faults["table"]
    assert len(faults["rows"]) == 1
    assert expected in faults["rows"][0]


@pytest.mark.parametrize("folder", ["fits", "cells"])
def test_a_folder_without_digests_is_named(program: Program, run: Path, folder: str) -> None:
    sums = one(run, f"{folder}/mean-distance-*/SHA256SUMS")
    sums.unlink()
    named = told(program, run, "--maps", "0")["files"][0]
    assert str(sums.parent) in named
    assert "SHA256SUMS" in named


@pytest.mark.parametrize("count", range(9))
def test_faults_of_a_check_are_printed_or_counted(count: int) -> None:
    head, *lines = Check("maps", "4 cases", tuple(f"fault {at}" for at in range(count)), ("not held",)).lines()
    assert head.split() == ["FAILED" if count else "ok", "maps", "4", "cases"]
    assert lines.pop().strip() == "not held"
    named = [line for line in lines if "fault" in line]
    assert len(named) == min(count, 5)
    more = [int(line.split()[1]) for line in lines[len(named) :]]
    assert len(named) + sum(more) == count
    assert all(more)


def test_healthy_residuals_without_digests_are_named(program: Program, run: Path) -> None:
    folder = one(run, "cells/mean-distance-*") / "healthy-residuals"
    write_volume(folder / "mean.nii.gz", np.ones((2, 2, 2)), np.eye(4))
    assert told(program, run, "--maps", "0")["files"] == [f"{folder}: no SHA256SUMS"]


def test_a_link_in_a_run_is_named(program: Program, run: Path, tmp_path: Path) -> None:
    path = one(run, "cells/*/maps/*.nii.gz")
    path.symlink_to(path.rename(tmp_path / "elsewhere.nii.gz"))
    faults = told(program, run, "--maps", "0")["files"]
    assert any(f"{path}: got a link" in fault for fault in faults)


@pytest.mark.parametrize(("factor", "is_fault"), [(1.002, True), (1 + 1e-6, False)])
def test_a_map_may_differ_by_rounding_and_not_by_what_can_be_seen(
    program: Program, run: Path, factor: float, is_fault: bool
) -> None:
    path = one(run, "cells/mean-distance-patients-*/maps/*.nii.gz")
    write_volume(path, read_volume(path) * np.float32(factor), np.eye(4))
    faults = told(program, run, "--maps", "50")["maps"]
    assert len(faults) == int(is_fault)
    (found,) = (check for check in read_json(run / "verification.json")["checks"] if check["name"] == "maps")
    why = "the same device and versions: its operations do not repeat bit for bit"
    assert (f", 1 within tolerance ({why})" in found["looked_at"]) == (not is_fault)


def test_another_map_is_found_by_its_digest_its_rows_and_the_weights(program: Program, run: Path) -> None:
    for path in run.glob("cells/mean-distance-patients-*/maps/*.nii.gz"):
        kept = read_volume(path)
        write_volume(path, kept.max() - kept, np.eye(4))
    faults = told(program, run, "--maps", "50")
    assert all(faults[name] for name in ("files", "rows", "maps"))
    assert not faults["keys"]
    assert "differs by" in faults["maps"][0]


def test_other_weights_are_found(program: Program, run: Path) -> None:
    path = one(run, "fits/mean-distance-*/weights.safetensors")
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    faults = told(program, run, "--maps", "3")
    assert "got digest" in faults["files"][0]
    assert faults["maps"]
    assert not faults["rows"]


def test_missing_weights_are_no_reason_to_fit_again(
    program: Program, run: Path, count_calls: Callable[[type, str], list[object]]
) -> None:
    shutil.rmtree(one(run, "fits/*"))
    fits = count_calls(MeanDistance, "fit")
    assert "no finished fit" in told(program, run, "--maps", "1")["maps"][0]
    assert not fits


def test_a_torn_map_is_named(program: Program, run: Path) -> None:
    path = one(run, "cells/mean-distance-patients-*/maps/*.nii.gz")
    path.write_bytes(path.read_bytes()[:-20])
    faults = told(program, run, "--maps", "0")
    assert path.name in faults["files"][0]
    assert "cannot be scored" in faults["rows"][0]


def test_changed_data_are_found_and_nothing_is_made_again(
    program: Program, run: Path, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "changed")
    table = tmp_path / "changed" / "patients" / "cases.csv"
    table.write_text(table.read_text().replace("test", "val", 1))
    faults = told(program, run, "--data", tmp_path / "changed")
    assert "expected" in faults["data"][0]
    assert "rows" not in faults


def test_a_folder_that_is_no_run_is_refused(program: Program, tmp_path: Path) -> None:
    assert "No run at" in refused(program("verify", tmp_path))
