"""A board takes runs that verify, refuses all others, and pools what it holds, each number once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from commandline import Program, refused

from benchmark.execution.merge import pool_tables
from benchmark.storage.checksums import write_checksums
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import kept_rows
from benchmark.storage.run_record import kept_cells
from benchmark.storage.run_tables import keep_digests
from benchmark.verification.leaderboard.entry import FILES, TABLES, Entry, entries
from datasets.io.atomic import read_json, write_json
from datasets.io.files import sha256

pytestmark = pytest.mark.usefixtures("plugin", "no_report")
Runs = Callable[..., Path]
OURS = ("--plugin", "mean-distance")


def resealed(folder: Path) -> None:
    """All digests of an entry that somebody has changed, made to fit, even the board's own."""
    keep_digests(RunFolder(folder), TABLES)
    write_checksums(folder, FILES)
    record = Entry(folder).record
    write_json(record, {**read_json(record), "sums": sha256(folder / "SHA256SUMS")})


def test_the_first_run_makes_the_board_and_says_what_decides(program: Program, finished: Runs, tmp_path: Path) -> None:
    shown = program("leaderboard", "add", tmp_path / "board", finished(), *OURS).stdout
    decides = "dice / light / healthy-fpr-1, then dice / light / lesion-val"
    assert f"New board, release 0.2: decided by {decides}, on patients, t1; volunteers, t1." in shown
    assert (tmp_path / "board" / "endpoint.toml").is_file()


def test_an_entry_holds_no_map_no_weights_and_no_place(board: Path, data: Path) -> None:
    kept = [path for path in (board / "entries" / "first").rglob("*") if path.is_file()]
    assert not [path for path in kept if path.name.endswith((".nii.gz", ".safetensors"))]
    assert not [path for path in kept if str(data) in path.read_text()]


def test_the_word_of_a_run_s_author_counts_for_nothing(program: Program, finished: Runs, tmp_path: Path) -> None:
    run = finished()
    write_json(run / "verification.json", {"rows": sha256(run / "rows.csv"), "checks": []})
    next(run.glob("fits/*/weights.safetensors")).write_bytes(b"")
    assert "did not verify: files" in refused(program("leaderboard", "add", tmp_path / "board", run))
    assert not (tmp_path / "board").exists()


def test_a_run_without_maps_is_refused(program: Program, finished: Runs, tmp_path: Path) -> None:
    run = finished()
    for maps in run.glob("cells/*/maps"):
        shutil.rmtree(maps)
    assert "did not verify: files" in refused(program("leaderboard", "add", tmp_path / "board", run))


def test_a_run_on_cohorts_that_are_not_here_is_shown_apart(
    program: Program, board: Path, finished: Runs, tmp_path: Path
) -> None:
    run = finished(methods="mean-distance,noisy", seeds="1", name="second")
    added = program("leaderboard", "add", board, run, "--data", tmp_path / "nowhere", *OURS)
    assert "Added as self-reported" in added.stdout
    assert program("leaderboard", "build", board).exit_code == 0
    page = (board / "site" / "index.html").read_text()
    verified, reported = page.split(">Self-reported</h2>")
    assert "noisy" not in verified
    assert "noisy" in reported
    assert (board / "site" / "methods" / "self-reported" / "noisy.html").is_file()


def change_study(run: Path, change: Callable[[dict[str, object]], None]) -> None:
    study = read_json(run / "study.json")
    change(study)
    write_json(run / "study.json", study)


def test_another_version_is_refused(program: Program, board: Path, finished: Runs) -> None:
    run = finished()
    change_study(run, lambda study: study.update(version="7.3.1"))
    assert "made by version 7.3.1, expected 0.1.x" in refused(program("leaderboard", "add", board, run))


def test_another_run_format_is_refused(program: Program, board: Path, finished: Runs) -> None:
    run = finished()
    change_study(run, lambda study: study.update(format=1))
    assert "got run format 1" in refused(program("leaderboard", "add", board, run))


def test_other_data_are_refused(program: Program, board: Path, finished: Runs) -> None:
    release = read_json(board / "release.json")
    release["cohorts"]["patients, t1"] = "0" * 64
    write_json(board / "release.json", release)
    assert "patients, t1: data with digest" in refused(program("leaderboard", "add", board, finished(), *OURS))


def test_a_name_is_taken_once(program: Program, board: Path, finished: Runs) -> None:
    assert "second entry 'first'" in refused(program("leaderboard", "add", board, finished(), "--name", "first"))


def test_rows_under_a_strange_key_are_refused_though_every_digest_fits(program: Program, board: Path) -> None:
    table = board / "entries" / "first" / "rows.csv"
    text = table.read_text()
    table.write_text(text.replace(text.splitlines()[1].split(",")[14], "0" * 12))
    resealed(table.parent)
    shown = program("leaderboard", "verify", board)
    assert shown.exit_code == 1
    assert "key 000000000000 is not that of the study" in shown.stdout


def test_an_edited_entry_is_found_and_left_out_of_the_site(program: Program, board: Path, finished: Runs) -> None:
    program("leaderboard", "add", board, finished(seeds="1", name="second"), *OURS)
    with (board / "entries" / "second" / "timing.csv").open("a") as table:
        table.write("\n")
    built = program("leaderboard", "build", board)
    assert built.exit_code == 1
    assert "Left out: second: " in built.stderr
    assert "first" in (board / "site" / "index.html").read_text()
    assert "second" not in (board / "site" / "index.html").read_text()


def test_an_entry_that_cannot_be_read_stops_no_other_from_being_added(
    program: Program, board: Path, finished: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("study.json", "rows.csv"):
        (board / "entries" / "first" / name).write_text("{" * 3)
    added = program("leaderboard", "add", board, finished(seeds="1", name="second"), *OURS)
    assert added.exit_code == 0, added.output
    assert "first is not compared with: " in caplog.text
    assert [entry.name for entry in entries(board)] == ["first", "second"]


def test_two_entries_with_one_key_and_two_numbers_are_found(program: Program, board: Path) -> None:
    shutil.copytree(board / "entries" / "first", board / "entries" / "second")
    shutil.copyfile(board / "attestations" / "first.json", board / "attestations" / "second.json")
    table = board / "entries" / "second" / "rows.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    table.write_text("".join(",".join([*p[:13], "0.9", *p[14:]] if p[12] == "dice" else p) + "\n" for p in lines))
    resealed(table.parent)
    shown = program("leaderboard", "verify", board)
    assert "rows with keys of first and other numbers" in shown.stdout


def test_a_site_is_built_by_reading_each_table_of_rows_once(
    board: Path, program: Program, finished: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("leaderboard", "add", board, finished(seeds="0-1", name="second"), *OURS)
    read: list[str] = []
    whole = pd.read_csv

    def counted(table: object, *args: object, **kwargs: object) -> object:
        read.append(str(table))
        return whole(table, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(pd, "read_csv", counted)
    assert program("leaderboard", "build", board).exit_code == 0
    tables = [*board.glob("entries/*/rows.csv"), board / "pool" / "rows.csv"]
    assert [read.count(str(table)) for table in tables] == [1, 1, 1]


def test_the_pool_has_each_number_once_and_all_seeds(
    board: Path, program: Program, finished: Runs, tmp_path: Path
) -> None:
    program("leaderboard", "add", board, finished(seeds="0-1", name="second"), *OURS)
    table = board / "entries" / "second" / "rows.csv"
    table.write_text(table.read_text().replace("\n", "\n\n", 1))  # a blank line is no row
    resealed(table.parent)
    pool = pool_tables([entry.run for entry in entries(board)], tmp_path / "pool")
    names = [row.name for row in kept_rows(pool.root / "rows.csv")]
    assert len(names) == len(set(names))
    assert sorted({cell.fit.seed for cell in kept_cells(pool)}) == [0, 1]
    assert {row.name for entry in entries(board) for row in kept_rows(entry.folder / "rows.csv")} == set(names)


def test_the_site_says_what_is_missing_and_links_a_page_a_method(program: Program, board: Path, finished: Runs) -> None:
    other = finished(datasets="patients,inpatients", methods="mean-distance,thresh", seeds="1", name="second")
    change_study(other, lambda study: study.update(pictures=["patients"]))
    assert program("leaderboard", "add", board, other, *OURS).exit_code == 0
    assert program("leaderboard", "build", board).exit_code == 0
    page = (board / "site" / "index.html").read_text()
    for wanted in ("methods/mean-distance.html", "perfect map", "single seed", "not testable", "Upper bounds"):
        assert wanted in page, wanted
    own = (board / "site" / "methods" / "mean-distance.html").read_text()
    assert "mean-distance" in own
    assert own.count("data:image/png;base64,") == 1  # drawn when `second` was added, of the cohort that it may show
    assert all(entry.added and entry.added in own for entry in entries(board))


def test_a_folder_that_is_no_board_is_refused(program: Program, tmp_path: Path) -> None:
    assert "No leaderboard at" in refused(program("leaderboard", "verify", tmp_path))
