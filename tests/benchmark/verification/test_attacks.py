"""Attacks on boards and on whoever verifies: forged numbers, code and files that a stranger's folder brings.

Of each attack one variant is drawn by chance, from a seed, beside those that were thought of.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from commandline import Program, refused

from benchmark.execution.score_cells import collect
from benchmark.methods.registry import known_methods
from benchmark.storage.folder import RunFolder, check_tree, open_run
from benchmark.storage.run_record import kept_cells, kept_references, kept_scoring, record_rows, reopen
from benchmark.verification.leaderboard.board import verdicts
from benchmark.verification.leaderboard.entry import Entry
from benchmark.verification.remap import Sample, map_again
from datasets.errors import BadFile, BadValue
from datasets.io.atomic import read_json, write_json
from reports.content.blocks import Picture
from reports.formats.html import page_html

pytestmark = pytest.mark.usefixtures("plugin")
Runs = Callable[..., Path]
OURS = ("--plugin", "mean-distance")


def forge(table: Path, metric: str, value: str) -> None:
    lines = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("".join(",".join([*p[:13], value, *p[14:]] if p[12] == metric else p) + "\n" for p in lines))


def forge_all(run: RunFolder, metric: str, value: str) -> None:
    """Into the tables of all cells, every digest and seal made to fit."""
    scoring = kept_scoring(run)
    for what in (*kept_cells(run), *kept_references(run)):
        forge(run.cell(what) / "rows.csv", metric, value)
        record_rows(run, what, scoring if what in kept_cells(run) else replace(scoring, protocols=()))
    collect(run)


def test_a_dice_that_is_written_into_the_table_is_refused(program: Program, finished: Runs, tmp_path: Path) -> None:
    run = finished()
    forge(run / "rows.csv", "dice", "0.99")
    assert "got digest" in refused(program("leaderboard", "add", tmp_path / "board", run, *OURS))


@pytest.mark.parametrize(("metric", "value"), [("dice", "0.99"), ("lesion_recall", None)])
def test_numbers_under_fitting_digests_are_made_again_and_refused(
    program: Program, finished: Runs, tmp_path: Path, metric: str, value: str | None
) -> None:
    run = RunFolder(finished())
    forge_all(run, metric, value or repr(random.Random(19).random()))
    told = refused(program("leaderboard", "add", tmp_path / "board", run.root, *OURS))
    assert "did not verify: rows (" in told
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(("metric", "value"), [("auprc", "7.5"), ("dice", "-0.1"), ("dice", "inf")])
def test_values_outside_a_metric_s_range_are_refused(
    program: Program, finished: Runs, tmp_path: Path, metric: str, value: str
) -> None:
    run = RunFolder(finished())
    forge_all(run, metric, value)
    told = refused(program("leaderboard", "add", tmp_path / "board", run.root, *OURS))
    assert f"mean-distance with {metric} outside its range" in told


def changed_byte(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(7)
    path.write_bytes(content)


@pytest.mark.parametrize("seed", range(12))
def test_a_byte_changed_anywhere_in_an_entry_or_its_attestation_is_found(board: Path, seed: int) -> None:
    chance, entry = random.Random(seed), Entry(board / "entries" / "first")
    files = sorted(path for path in entry.folder.rglob("*") if path.is_file())
    changed_byte(chance.choice([*files, entry.record]), chance)
    (verdict,) = verdicts(board)
    assert verdict.faults


@pytest.mark.parametrize("seed", range(12))
def test_a_byte_changed_anywhere_in_a_run_is_named(program: Program, finished: Runs, seed: int) -> None:
    run, chance = finished(), random.Random(seed)
    outputs = ("report.md", "figures", ".locks")  # made from the others, read by nobody
    files = [
        path for path in sorted(run.rglob("*")) if path.is_file() and path.relative_to(run).parts[0] not in outputs
    ]
    path = chance.choice(files)
    changed_byte(path, chance)
    told = program("verify", run, "--maps", "0")
    assert told.exit_code, path
    named = path.name if path.parent == run else path.relative_to(run).parts[1]
    assert named in told.output.replace("\n", ""), path


TRAP = '''
from pathlib import Path
from benchmark.methods import Detector
Path({marker!r}).write_text("run")
class Brightness(Detector):
    """Brightness."""
    presets = {{"quick": {{}}}}
    def fit(self, train, val, *, seed, workdir): pass
    def anomaly_map(self, images, brain_masks, *, seeds): return images * brain_masks
'''


def test_verify_imports_no_file_that_the_study_names(program: Program, data: Path, tmp_path: Path) -> None:
    marker, plugin = tmp_path / "sprung", tmp_path / "stranger.py"
    plugin.write_text(TRAP.format(marker=str(marker)))
    options = ("--datasets", "patients", "--preset", "quick", "--data", data, "--pictures", "", "--out", "run")
    assert program("run", "--methods", "brightness", "--plugin", plugin, *options).exit_code == 0
    marker.unlink()
    told = program("verify", "run")
    assert told.exit_code == 0, told.output
    assert "brightness: maps not remade: its code" in told.stdout
    assert not marker.exists()
    moved = plugin.rename(tmp_path / "held.py")
    told = program("verify", "run", "--plugin", moved)
    assert told.exit_code == 0, told.output
    assert "3 cases mapped again" in told.stdout


def drawn_module(tmp_path: Path, marker: Path) -> str:
    name = f"module{random.Random(19).getrandbits(40):x}"
    (tmp_path / f"{name}.py").write_text(TRAP.format(marker=str(marker)))
    return f"{name}:Brightness"


def program_file(tmp_path: Path, marker: Path) -> str:
    path = tmp_path / "stranger.toml"
    path.write_text(f'name = "stranger"\ncommand = ["sh", "-c", "touch {marker}"]\n')
    return f"{path}:stranger@0123456789ab"


def plugin_file(tmp_path: Path, marker: Path) -> str:
    path = tmp_path / "stranger.py"
    path.write_text(TRAP.format(marker=str(marker)))
    return f"{path}:brightness@0123456789ab"


@pytest.mark.parametrize("target", [drawn_module, program_file, plugin_file])
def test_no_target_is_followed(
    finished: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Callable[[Path, Path], str]
) -> None:
    run, marker = RunFolder(finished()), tmp_path / "sprung"
    monkeypatch.syspath_prepend(tmp_path)
    study, there = reopen(run, None), target(tmp_path, marker)
    cells = tuple(replace(cell, fit=replace(cell.fit, target=there)) for cell in study.cells)
    made = map_again(run, replace(study, cells=cells), Sample(0, 3), known_methods(()), "cpu")
    assert made.left_out == (
        f"mean-distance: maps not remade: its code ({there}) is not run here; to run it, name it: --plugin",
    )
    assert not made.cells
    assert not marker.exists()


def back_ticks(study: dict[str, object]) -> None:
    study["scoring"] = {"postprocessing": ["`![](../../secret.txt)`"], "protocols": [], "metrics": []}


def line_break(study: dict[str, object]) -> None:
    study["skipped"] = {"patients\n![](secret.txt)": []}


def drawn_text(study: dict[str, object]) -> None:
    chance = random.Random(19)
    study["own"] = [{"name": chr(chance.choice([0, 7, 27, 127, 0x202E])) + "x" * chance.randrange(9)}]


def long_text(study: dict[str, object]) -> None:
    study["data"] = "x" * 100_000


@pytest.mark.parametrize("change", [back_ticks, line_break, drawn_text, long_text])
def test_a_study_with_texts_that_are_no_names_is_not_opened(
    finished: Runs, change: Callable[[dict[str, object]], None]
) -> None:
    run = finished()
    study = read_json(run / "study.json")
    change(study)
    write_json(run / "study.json", study)
    with pytest.raises(BadFile, match="expected printable names"):
        open_run(run)


@pytest.mark.parametrize("source", ["secret.png", "../secret.png", "figures/../secret.png", "figures/link.png", "ABS"])
def test_only_pictures_of_the_figures_folder_are_embedded(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "run"
    (folder / "figures").mkdir(parents=True)
    for place in (tmp_path, folder):
        (place / "secret.png").write_bytes(b"secret")
    (folder / "figures" / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "figures" / "own.png").write_bytes(b"own")
    places = {"figures/own.png": True, source: False}
    for name, embedded in places.items():
        page = page_html("t", [Picture(tmp_path / name if source == "ABS" and not embedded else folder / name, "a")])
        assert ("base64" in page) == embedded


def link_to_file(folder: Path) -> None:
    (folder / "cells" / "passwords").symlink_to("/etc/passwd")


def link_to_folder(folder: Path) -> None:
    (folder / "maps").symlink_to("/")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "cells" / "rows.csv")


def deep(folder: Path) -> None:
    (folder / "/".join("abcdefghij")).mkdir(parents=True)


@pytest.mark.parametrize("damage", [link_to_file, link_to_folder, pipe, deep])
def test_links_devices_and_deep_folders_are_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    (tmp_path / "cells").mkdir()
    check_tree(tmp_path)
    damage(tmp_path)
    with pytest.raises(BadValue, match="expected the plain files of a run"):
        check_tree(tmp_path)


def too_deep(entry: Path) -> None:
    (entry / "study.json").write_text('{"a": ' * 100_000)


def huge_field(entry: Path) -> None:
    (entry / "rows.csv").write_text((entry / "rows.csv").read_text() + "x" * 1_000_000)


def rubbish(entry: Path) -> None:
    for path in [path for path in entry.rglob("*") if path.is_file()]:
        path.write_bytes(random.Random(path.name).randbytes(100))


def no_checksums(entry: Path) -> None:
    (entry / "SHA256SUMS").unlink()


def other_types(entry: Path) -> None:
    (entry / "study.json").write_text(json.dumps({"format": 6, "version": 1, "settings": [], "cells": 3}))


@pytest.mark.parametrize("damage", [too_deep, huge_field, rubbish, no_checksums, other_types, link_to_folder])
def test_a_malformed_entry_costs_no_other(board: Path, damage: Callable[[Path], None]) -> None:
    for folder in ("entries", "attestations"):
        source = next((board / folder).iterdir())
        target = source.with_name(source.name.replace("first", "another"))
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    damage(board / "entries" / "another")
    found = {one.entry.name: one.faults for one in verdicts(board)}
    assert found["another"]
    assert not found["first"]
