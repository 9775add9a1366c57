"""As many cores as the process may use: by its affinity and by the quotas of its control groups."""

import os
from pathlib import Path

import pytest

from datasets.cores import usable_cores

HERE = len(os.sched_getaffinity(0))
FULL, ENOUGH = "50000", "100000000"  # half a core, a thousand


def place(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "cgroup").write_text(text)
    return folder / "cgroup"


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", HERE), ("", HERE), (None, HERE)]
)
def test_a_containers_quota_counts(tmp_path: Path, quota: str | None, cores: int) -> None:
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores(tmp_path, tmp_path / "absent") == cores
    (tmp_path / "cpu.max").write_text(f"{ENOUGH} 100000")
    assert usable_cores(tmp_path, tmp_path / "absent") == HERE


@pytest.mark.parametrize("limited", ["", "slurm", "slurm/job_7"])
def test_so_does_the_quota_of_each_group_around_the_processs_own(tmp_path: Path, limited: str) -> None:
    own, groups = place(tmp_path / "proc", "0::/slurm/job_7\n"), tmp_path / "groups"
    (groups / "slurm" / "job_7").mkdir(parents=True)
    (groups / "elsewhere").mkdir()
    (groups / "elsewhere" / "cpu.max").write_text(f"{FULL} 100000")
    assert usable_cores(groups, own) == HERE
    (groups / limited / "cpu.max").write_text(f"{FULL} 100000")
    assert usable_cores(groups, own) == 1


@pytest.mark.parametrize(("quota", "cores"), [(FULL, 1), ("-1", HERE)])
def test_the_controllers_of_version_1_count_as_well(tmp_path: Path, quota: str, cores: int) -> None:
    own = place(tmp_path / "proc", "5:memory:/m\n3:cpu,cpuacct:/docker/abc\n0::/\n")
    folder = tmp_path / "groups" / "cpu" / "docker" / "abc"
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path / "groups", own) == cores
