"""Entries that a site signs: shown as attested, pooled with the board's cohorts, refused where anything is wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Program, refused
from studies import read_table

from benchmark.storage.checksums import NAME, write_checksums
from benchmark.verification.leaderboard.entry import FILES
from benchmark.verification.leaderboard.federation import SIGNED, SITES
from datasets.io.atomic import read_json, write_json

pytestmark = pytest.mark.usefixtures("plugin")
METHODS = "thresh,edge"
Sign = Callable[..., Path]
Runs = Callable[..., Path]


@pytest.fixture
def board(program: Program, finished: Runs, shelf: Path, tmp_path: Path) -> Path:
    """A copy of a board that holds `patients` and trusts the site `north`."""
    if not (shelf / "trusting").exists():
        added = program("leaderboard", "add", shelf / "trusting", finished(METHODS, name="first"))
        assert added.exit_code == 0, added.output
        for site in ("north", "south"):
            assert program("leaderboard", "keygen", site, "--out", shelf / "keys").exit_code == 0
        assert program("leaderboard", "trust", shelf / "trusting", shelf / "keys" / "north.pub").exit_code == 0
    return shutil.copytree(shelf / "trusting", tmp_path / "board")


@pytest.fixture
def signed(program: Program, finished: Runs, board: Path, shelf: Path, tmp_path: Path) -> Sign:
    """An entry of a site's run, signed for the board."""

    def make(site: str = "north", datasets: str = "inpatients", name: str = "entry") -> Path:
        run, key = finished(METHODS, datasets, name=f"{name}-run"), shelf / "keys" / f"{site}.key"
        to = read_json(board / SITES)["board"]
        done = program("leaderboard", "sign", run, "--key", key, "--board", to, "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
        return tmp_path / name

    return make


@pytest.fixture
def entry(signed: Sign, shelf: Path, tmp_path: Path) -> Path:
    """A copy of an entry that `north` has signed for the board."""
    if not (shelf / "entry").exists():
        shutil.copytree(signed(name="kept"), shelf / "entry")
    return shutil.copytree(shelf / "entry", tmp_path / "entry")


def test_an_entry_of_a_trusted_site_is_shown_as_attested_and_pooled_across_cohorts(
    program: Program, board: Path, entry: Path
) -> None:
    added = program("leaderboard", "add", board, entry)
    assert added.exit_code == 0, added.output
    assert "Added as attested by north" in added.stdout
    assert program("leaderboard", "verify", board).exit_code == 0
    built = program("leaderboard", "build", board)
    assert built.exit_code == 0, built.output
    page = (board / "site" / "index.html").read_text()
    assert page.index(">Attested<") > page.index("patients")
    assert "attested by north" in page
    assert "Across cohorts" in page
    assert {row["dataset"] for row in read_table(board / "pool" / "rows.csv")} == {"volunteers", "patients"}
    assert {row["dataset"] for row in read_table(board / "pool-attested" / "rows.csv")} == {"volunteers", "inpatients"}
    assert (board / "site" / "attested-summary.csv").is_file()


def test_a_signed_entry_holds_no_map_no_weights_no_place_and_no_name_of_a_patient(
    signed: Sign, data: Path, tmp_path: Path
) -> None:
    entry = signed()
    assert not list(entry.rglob("*.nii.gz"))
    assert not list(entry.rglob("*.safetensors"))
    whole = "".join(path.read_text() for path in entry.rglob("*") if path.is_file())
    assert str(data) not in whole
    assert str(tmp_path) not in whole
    own = [row for row in read_table(entry / "rows.csv") if row["dataset"] == "inpatients" and row["case_id"]]
    assert own
    assert not any("inpatients" in row["case_id"] + row["subject_id"] for row in own)
    before = read_table(tmp_path / "entry-run" / "rows.csv")
    assert [row["value"] for row in before] == [row["value"] for row in read_table(entry / "rows.csv")]
    names = {row["case_id"] for row in before if row["dataset"] == "inpatients"}
    assert len({row["case_id"] for row in own}) == len(names - {""})


def test_two_entries_of_a_site_name_a_patient_alike_and_no_other_site_does(signed: Sign) -> None:
    def patients(entry: Path) -> set[str]:
        return {row["subject_id"] for row in read_table(entry / "rows.csv") if row["dataset"] == "inpatients"} - {""}

    first, again, other = signed(name="a"), signed(name="b"), signed("south", name="c")
    assert patients(first) == patients(again)
    assert not patients(first) & patients(other)


def edited(entry: Path) -> None:
    """A better number under digests that fit."""
    rows = (entry / "rows.csv").read_text().splitlines()
    place = next(index for index, line in enumerate(rows) if ",dice," in line and "inpatients" in line)
    before = dict(zip(rows[0].split(","), rows[place].split(","), strict=True))["value"]
    rows[place] = rows[place].replace(f",{before},", ",0.99,")
    (entry / "rows.csv").write_text("\n".join(rows) + "\n")


def resummed(entry: Path) -> None:
    edited(entry)
    write_checksums(entry, FILES)


def restated(entry: Path) -> None:
    """The digests of other files, in the signed statement, too."""
    resummed(entry)
    from datasets.io.files import sha256

    record = read_json(entry / SIGNED)
    record["statement"]["sums"] = sha256(entry / NAME)
    write_json(entry / SIGNED, record)


def renamed_site(entry: Path) -> None:
    record = read_json(entry / SIGNED)
    record["statement"]["site"] = record["statement"]["attestation"]["site"] = "east"
    write_json(entry / SIGNED, record)


def later(entry: Path) -> None:
    record = read_json(entry / SIGNED)
    record["statement"]["serial"] += 1
    write_json(entry / SIGNED, record)


def verified(entry: Path) -> None:
    record = read_json(entry / SIGNED)
    record["statement"]["attestation"]["status"] = "verified"
    write_json(entry / SIGNED, record)


def with_a_file(entry: Path) -> None:
    (entry / "more.csv").write_text("1\n")


def without_a_file(entry: Path) -> None:
    (entry / "timing.csv").unlink()


def with_a_link(entry: Path) -> None:
    (entry / "environment.json").unlink()
    (entry / "environment.json").symlink_to("/etc/hostname")


def unsigned(entry: Path) -> None:
    (entry / SIGNED).write_text(json.dumps({"statement": [1], "signature": "zz"}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited, "rows.csv: got digest"),
        (resummed, "got other digests than were signed"),
        (restated, "a signature that is not of the key of 'north'"),
        (renamed_site, "signed by 'east', expected a site that"),
        (later, "a signature that is not of the key of 'north'"),
        (verified, "a signature that is not of the key of 'north'"),
        (with_a_file, "more.csv: of no digest"),
        (without_a_file, "timing.csv: missing"),
        (with_a_link, "got a link or device"),
        (unsigned, "got no signed statement"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_whatever_is_changed_after_signing_is_refused(
    program: Program, board: Path, entry: Path, change: Callable[[Path], None], said: str
) -> None:
    change(entry)
    assert said in refused(program("leaderboard", "add", board, entry))
    assert not (board / "entries" / "entry").exists()


def test_an_unknown_and_a_revoked_key_are_refused_and_what_it_signed_leaves_the_board(
    program: Program, board: Path, signed: Sign, shelf: Path
) -> None:
    told = refused(program("leaderboard", "add", board, signed("south")))
    assert "signed by 'south', expected a site that" in told
    assert f"leaderboard trust {board} south.pub" in told
    assert program("leaderboard", "add", board, signed(name="other")).exit_code == 0
    assert program("leaderboard", "trust", board, "--revoke", "north").exit_code == 0
    assert "signed by 'north', expected" in refused(program("leaderboard", "add", board, signed(name="third")))
    looked = program("leaderboard", "verify", board)
    assert looked.exit_code == 1
    assert "attested by north, which this board does not trust any more" in looked.output


def test_a_key_of_somebody_else_under_a_known_name_is_refused(program: Program, board: Path, tmp_path: Path) -> None:
    assert program("leaderboard", "keygen", "north", "--out", tmp_path).exit_code == 0
    assert (tmp_path / "north.key").stat().st_mode & 0o077 == 0
    assert "got a second key of site 'north'" in refused(program("leaderboard", "trust", board, tmp_path / "north.pub"))
    assert "got a key of 'north' already" in refused(program("leaderboard", "keygen", "north", "--out", tmp_path))


def test_a_replay_is_refused_under_any_name_and_on_another_board(
    program: Program, board: Path, signed: Sign, shelf: Path, tmp_path: Path
) -> None:
    older, entry = signed(name="older"), signed()
    assert program("leaderboard", "add", board, entry).exit_code == 0
    for again, name in ((entry, "again"), (older, "older")):
        told = refused(program("leaderboard", "add", board, again, "--name", name))
        assert "signed before the latest that was taken, or that one again" in told
    shutil.rmtree(board / "entries" / "entry")
    assert "signed before" in refused(program("leaderboard", "add", board, entry))
    assert program("leaderboard", "trust", tmp_path / "elsewhere", shelf / "keys" / "north.pub").exit_code == 0
    assert "got an entry for board" in refused(program("leaderboard", "add", tmp_path / "elsewhere", signed(name="d")))


def test_patients_who_stand_on_the_board_are_not_counted_twice(
    program: Program, board: Path, signed: Sign, finished: Runs, shelf: Path
) -> None:
    held = refused(program("leaderboard", "add", board, signed(datasets="patients")))
    assert "the patients of patients stand on the board already, from a run that was added here (first)" in held
    assert program("leaderboard", "add", board, signed(name="b")).exit_code == 0
    assert program("leaderboard", "trust", board, shelf / "keys" / "south.pub").exit_code == 0
    told = refused(program("leaderboard", "add", board, signed("south", name="c")))
    assert "the patients of inpatients stand on the board already, from site north (b)" in told
    own = finished(METHODS, "inpatients", name="own")
    assert "from site north (b)" in refused(program("leaderboard", "add", board, own))


def test_scans_that_stand_under_another_cohort_are_found(program: Program, board: Path, entry: Path) -> None:
    path = board / "entries" / "first" / "scans.json"
    write_json(path, {"patients": read_json(entry / "scans.json")["inpatients"]})
    assert "on the board already, as patients (first)" in refused(program("leaderboard", "add", board, entry))


def test_a_run_that_does_not_verify_is_not_signed(
    program: Program, finished: Runs, shelf: Path, board: Path, tmp_path: Path
) -> None:
    run = finished(METHODS, "inpatients")
    edited(run)
    key = shelf / "keys" / "north.key"
    done = program("leaderboard", "sign", run, "--key", key, "--board", "x", "--out", tmp_path / "out")
    assert "is not signed: did not verify" in refused(done)
    assert not (tmp_path / "out").exists()
