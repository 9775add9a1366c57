"""Skull strippers: found or asked for, called, and their masks checked."""

import sys
from pathlib import Path

import numpy as np
import pytest
from skulls import draw_head

from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.io.nifti import Volume
from datasets.preparation.stripping import Stripper, brain_of_stripped_scan, check_brain, find_brain, find_stripper

TOOL = """
import sys, nibabel
scan = nibabel.load(sys.argv[1])
data = scan.get_fdata()
nibabel.Nifti1Image(((data > 0) & (data < 225)).astype("u1"), scan.affine).to_filename(sys.argv[2])
"""


@pytest.fixture
def tool(tmp_path: Path) -> str:
    path = tmp_path / "tool.py"
    path.write_text(TOOL)
    return f"{sys.executable} {path} {{image}} {{mask}}"


def test_an_own_command_draws_the_mask(tool: str) -> None:
    head = draw_head()
    mask = find_brain(head.head, find_stripper("deepbet", tool), threads=1)
    assert (mask == (head.stripped.data > 0) & (head.stripped.data < 225)).all()


def test_a_tool_that_fails_is_quoted_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise SystemExit('no weights here')")
    stripper = find_stripper("deepbet", f"{sys.executable} {tmp_path / 'bad.py'} {{image}} {{mask}}")
    with pytest.raises(BadValue, match=r"exit code 1 \(no weights here\)"):
        find_brain(draw_head().head, stripper, threads=1)


def test_a_tool_that_writes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "idle.py").write_text("")
    stripper = find_stripper("deepbet", f"{sys.executable} {tmp_path / 'idle.py'} {{image}} {{mask}}")
    with pytest.raises(BadFile, match="got no file"):
        find_brain(draw_head().head, stripper, threads=1)


def test_a_tool_that_is_not_here_is_told_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UADBENCH_STRIPPERS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("deepbet", "hd-bet"):
        with pytest.raises(MissingData, match="python -m tox run -e strippers") as caught:
            find_stripper(name)
        assert str(tmp_path) in str(caught.value)
    with pytest.raises(MissingData, match="no program 'prog'"):
        find_stripper("deepbet", "prog {image} {mask}")


def test_a_tool_is_found_in_the_environment_named_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "deepbet-cli"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("UADBENCH_STRIPPERS", str(tmp_path))
    assert find_stripper("deepbet").command[0] == str(program)


def test_names_and_commands_that_cannot_work_are_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'deepbet'"):
        find_stripper("deepbat")
    with pytest.raises(BadValue, match=r"expected \{mask\} in it too"):
        find_stripper("none", "prog {image}")


def test_holes_of_a_stripped_scan_are_brain_and_specks_are_not() -> None:
    data = np.zeros((12, 12, 12), np.float32)
    data[2:9, 2:9, 2:9] = 5
    data[5, 5, 5] = 0
    data[11, 11, 11] = 3
    mask = brain_of_stripped_scan(Volume(data, np.eye(4)))
    assert mask[5, 5, 5]
    assert mask.sum() == 343


def test_a_brain_has_a_brains_volume() -> None:
    head = draw_head()
    assert 800 < check_brain(head.brain_mask, "mask") < 2000
    with pytest.raises(BadFile, match=r"Brain mask \(mask\): got 0 ml"):
        check_brain(Volume(np.zeros((4, 4, 4), bool), np.eye(4)), "mask")
    assert Stripper("none").command == ()
