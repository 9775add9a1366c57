"""One of everything that can be added, from a package outside the tree, is found in rows, summaries and report.

The package is the code of `docs/extending.md`, block by block.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohorts import PATIENTS, TINY, VOLUNTEERS, write_cohort
from commandline import Program, call, refused

from datasets.grid import GRIDS

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
POINTS = {
    "methods": {"brightness": "Brightness"},
    "datasets": {"clinic": "CLINIC"},
    "shifts": {"dimmed": "DIMMED"},
    "metrics": {"volume_error": "VOLUME_ERROR"},
    "protocols": {"highest-healthy": "HIGHEST_HEALTHY"},
    "scores": {"squared": "SQUARED"},
    "postprocessing": {"smoothed": "SMOOTHED"},
    "sections": {"weather": "WEATHER"},
    "formats": {"plain": "PLAIN"},
}
ADDED = [(kind, name) for kind, names in POINTS.items() for name in names]


@pytest.fixture(scope="module")
def package(plugin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's code as an installed distribution beside the tests' own, and the preset `quick` on a tiny grid."""
    site = tmp_path_factory.mktemp("site")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    metadata = site / "uadbench_page-3.1.dist-info"
    metadata.mkdir(parents=True)
    (site / "code_of_the_page.py").write_text("\n".join(blocks), encoding="utf-8")
    (metadata / "METADATA").write_text("Name: uadbench-page\nVersion: 3.1\nSummary: The page\n")
    groups = (
        f"[uadbench.{kind}]\n" + "".join(f"{name} = code_of_the_page:{place}\n" for name, place in names.items())
        for kind, names in POINTS.items()
    )
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    digest = sha256((site / "code_of_the_page.py").read_bytes()).hexdigest()
    (metadata / "RECORD").write_text(f"code_of_the_page.py,sha256={digest},\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.syspath_prepend(site)
        patch.setitem(GRIDS, "quick", TINY)
        yield site


@pytest.fixture(scope="module")
def run(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of all that the page adds, with its report in Markdown and the page's format; to be read only."""
    folder = tmp_path_factory.mktemp("extended")
    write_cohort(folder / "data", VOLUNTEERS, {"train": 1, "val": 2})
    clinic = replace(PATIENTS, name="clinic", files=None)
    write_cohort(folder / "data", clinic, {"val": 2, "test": 2})
    study = ("--methods", "mean-distance,brightness", "--datasets", "clinic", "--shifts", "dimmed=0.4")
    scoring = ("--postprocessing", "light,smoothed,squared:light", "--protocols", "lesion-val,highest-healthy")
    options = ("--preset", "quick", "--pictures", "", "--data", folder / "data", "--out", folder / "run")
    result = call("run", *study, *scoring, *options)
    assert result.exit_code == 0, result.output
    assert call("report", folder / "run", "--pictures", "", "--format", "md,html,latex,csv,plain").exit_code == 0
    return folder / "run"


def rows_of(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "rows.csv", keep_default_na=False)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(("kind", "name"), ADDED)
def test_what_is_added_is_listed_with_its_package(program: Program, kind: str, name: str) -> None:
    listed = {one["name"]: one for one in json.loads(program("list", kind, "--json").stdout)}
    assert listed[name]["origin"] == "uadbench-page 3.1"
    assert "BROKEN" not in listed[name]["title"]


@pytest.mark.usefixtures("package")
def test_a_slip_in_a_name_is_answered_with_the_added_one(program: Program, data: Path) -> None:
    for option, slip, name in (
        ("--postprocessing", "smothed", "smoothed"),
        ("--protocols", "highest-heathy", "highest-healthy"),
    ):
        study = ("--methods", "brightness", "--datasets", "patients", "--data", data, "--dry-run")
        assert f"Did you mean '{name}'?" in refused(program("run", *study, option, slip))


def test_what_is_added_is_in_rows_summaries_and_report(run: Path) -> None:
    rows, text = rows_of(run), (run / "report.md").read_text(encoding="utf-8")
    for column, added in (
        ("method", "brightness"), ("dataset", "clinic"), ("shift", "dimmed"), ("metric", "volume_error"),
        ("protocol", "highest-healthy"), ("postprocessing", "smoothed"), ("postprocessing", "squared:light"),
    ):  # fmt: skip
        assert added in set(rows[column]), column
    for added in (
        "brightness",
        "Our clinic",
        "dimmed",
        "Metrics of plugins",
        "highest-healthy",
        "smoothed",
        "## Weather",
    ):
        assert added in text, added
    assert "## Weather" in (run / "report.txt").read_text(encoding="utf-8")
    summary = pd.read_csv(run / "summary.csv", keep_default_na=False)
    assert {"volume_error"} <= set(summary["metric"])
    assert {"highest-healthy"} <= set(summary["protocol"])
    assert {"smoothed"} <= set(summary["postprocessing"])
    standings = summary[pd.to_numeric(summary["order"]) > 0]
    assert {"volume_error"} <= set(standings["metric"])
    assert {"smoothed"} <= set(standings["postprocessing"])


def test_the_added_metric_has_its_mean_in_the_tables_of_the_report(run: Path) -> None:
    summary = pd.read_csv(run / "summary.csv", keep_default_na=False)
    own = summary[(summary["metric"] == "volume_error") & (summary["kind"] == "mean") & (summary["shift"] == "none")]
    own = own[(own["postprocessing"] == "light") & (own["protocol"] == "lesion-val") & (own["cases"] == "lesion")]
    own = own[(own["method"] == "brightness") & (own["group"] == "") & (own["stratum"] == "")]
    mean = float(own["mean"].iloc[0])
    cells = pd.read_csv(run / "tables.csv", keep_default_na=False)
    own = cells[(cells["table"] == "plugins-clinic-lesion-light") & (cells["row"] == "brightness")]
    (cell,) = own[own["column"] == "Volume error"].to_dict("records")
    assert (cell["unit"], cell["shown"]) == ("ml", f"{mean:.3f}")
    assert np.isclose(float(cell["value"]), mean, rtol=1e-9)
    for name in ("report.md", "report.html"):
        written = (run / name).read_text(encoding="utf-8")
        written = written[written.lower().index("volume error (ml)") :]
        assert f"{mean:.3f}" in written, name


def test_rows_that_a_plugin_has_scored_are_flagged_and_no_others(run: Path, package: Path) -> None:
    rows = rows_of(run)
    by_plugin = (
        (rows["metric"] == "volume_error")
        | (rows["protocol"].str.removesuffix("@shifted") == "highest-healthy")
        | rows["postprocessing"].isin(["smoothed", "squared:light"])
    )
    assert set(rows["flags"][by_plugin]) == {"plugin"}
    assert set(rows["flags"][~by_plugin]) == {""}
    study = json.loads((run / "study.json").read_text())
    own = {name for names in study["scoring"].values() for name in names} - {*rows["metric"][~by_plugin]}
    assert {"volume_error", "smoothed"} <= study["scored_by"].keys() <= own
    files = sha256((package / "uadbench_page-3.1.dist-info" / "RECORD").read_bytes()).hexdigest()[:12]
    assert set(study["scored_by"].values()) == {f"uadbench-page 3.1, files {files}"}
    note = "**PLUGIN**: scored by plugins, not by built-in definitions"
    assert note in (run / "report.md").read_text(encoding="utf-8")


def test_the_added_metric_is_what_its_function_says(run: Path) -> None:
    """The predicted volume is also recall times the lesion's volume over precision."""
    rows = rows_of(run)
    rows = rows[(rows["method"] != "perfect-map") & (rows["shift"] == "none")].astype({"value": float})
    case = ["method", "case_id"]
    volumes = rows[rows["metric"] == "lesion_ml"].set_index(case)["value"]
    decided = rows[rows["protocol"] == "lesion-val"]
    wide = decided.pivot_table("value", [*case, "postprocessing"], "metric").join(volumes.rename("ml"), on=case)
    wide = wide.dropna(subset=["precision", "recall"])
    wide = wide[wide["precision"] > 0]
    assert len(wide) > 8
    expected = (wide["recall"] * wide["ml"] / wide["precision"] - wide["ml"]).abs()
    np.testing.assert_allclose(wide["volume_error"], expected, rtol=1e-9, atol=1e-9)


def test_a_board_takes_no_row_that_a_plugin_has_scored(run: Path, program: Program, tmp_path: Path) -> None:
    own = shutil.copytree(run, tmp_path / "own")
    assert program("verify", own).exit_code == 0
    told = refused(program("leaderboard", "add", tmp_path / "board", own))
    assert "rows scored by plugins" in told
    assert "expected built-in scoring only" in told


def test_a_run_scored_anew_without_what_is_added_may_stand_on_a_board(
    run: Path, program: Program, tmp_path: Path
) -> None:
    before = built_in_rows(run)
    again = tmp_path / "again"
    scoring = ("--postprocessing", "light", "--protocols", "lesion-val", "--metrics", "dice,auprc")
    assert program("evaluate", run, *scoring, "--out", again).exit_code == 0
    rows = rows_of(again)
    assert set(rows["flags"]) == {""}
    after = built_in_rows(again)
    assert len(after) > 20
    assert after.items() <= before.items()


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("evaluate", ("metrics", "protocols", "postprocessing")),
        ("report", ("metrics", "protocols", "postprocessing")),
        ("evaluate", ("metrics",)),
    ],
)
def test_a_run_whose_scoring_is_gone_names_the_package(
    run: Path, package: Path, program: Program, tmp_path: Path, command: str, kinds: Sequence[str]
) -> None:
    """The package of before has lost its metric, or its protocol and post-processing, too."""
    site = shutil.copytree(package, tmp_path / "site")
    points = site / "uadbench_page-3.1.dist-info" / "entry_points.txt"
    groups = re.split(r"\n(?=\[)", points.read_text())
    gone = tuple(f"[uadbench.{kind}]" for kind in kinds)
    points.write_text("\n".join(group for group in groups if not group.startswith(gone)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.path", [str(site), *(place for place in sys.path if Path(place) != package)])
        line = refused(program(command, run))
    assert re.search(r"this run was scored with '[\w-]+' of uadbench-page 3.1, which is not installed here", line)
    assert line.endswith("python -m pip install uadbench-page==3.1")


def built_in_rows(run: Path) -> dict[tuple[str, ...], str]:
    """By all else that a row says, key included, its number as it stands."""
    table = pd.read_csv(run / "rows.csv", dtype=str, keep_default_na=False)
    table = table[table["flags"] == ""]
    return {
        tuple(line[name] for name in table.columns if name != "value"): line["value"] for _, line in table.iterrows()
    }
