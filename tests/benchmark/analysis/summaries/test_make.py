"""Summaries of a run written by hand: each number against the rows it is made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from runs_by_hand import MEANS, SIZES, write_people, write_run

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.costs import pareto
from benchmark.analysis.summaries.make import summarise
from benchmark.analysis.summaries.subgroups import Participant, age_band_of
from benchmark.methods.card import Card
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.fits import DataCard, write_card
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import blank_row, kept_rows
from benchmark.storage.run_record import kept_cells
from benchmark.storage.run_tables import write_run_rows
from benchmark.storage.summary_tables import ComparisonLine, SummaryLine, comparisons_path, read_lines, summary_path
from datasets.errors import MissingData


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> RunFolder:
    folder = tmp_path_factory.mktemp("summaries")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        write_people(folder / "data")
        run = write_run(folder / "run")
        assert summarise(run, folder / "data")
    return run


def lines_of(run: RunFolder, **wanted: object) -> pd.DataFrame:
    """Lines of the summary with these values, by default of all patients, unshifted."""
    lines = read_lines(summary_path(run.root), SummaryLine)
    for column, value in {"group": "", "stratum": "", "shift": "none", **wanted}.items():
        lines = lines[lines[column] == value]
    return lines


def test_the_first_endpoint_orders_and_the_second_stands_next(run: RunFolder) -> None:
    decides = lines_of(run, order=1)
    assert set(decides["dataset"]) == {"patients", "inpatients"}
    for order, (name, protocol) in enumerate((("first", "healthy-fpr-1"), ("second", "lesion-val")), start=1):
        own = lines_of(run, order=order)
        assert set(own["endpoint"]) == {name}
        assert set(own["protocol"]) == {protocol}
        assert set(own["metric"]) == {"dice"}
        assert set(own["endpoints"]) == {2}
        assert set(own["rank_level"]) == {0.975}
    assert set(lines_of(run, order=3)["metric"]) == {"auprc"}
    assert set(lines_of(run, order=3)["rank_level"]) == {0.95}


@pytest.mark.parametrize(("perfect", "ranked"), [(0.49, False), (0.5, True), (None, True)])
def test_a_cohort_whose_perfect_map_is_poor_is_shown_without_ranks(
    tmp_path: Path, plugin: None, perfect: float | None, ranked: bool
) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), perfect=perfect)
    summarise(run, None)
    lines = lines_of(run, dataset="patients", question="this trained model")
    lines = lines[lines["order"] > 0]
    assert lines["rank_low"].notna().all() == ranked
    assert lines["mean"].notna().all()
    reason = "a perfect map has a mean Dice of 0.49 after light, below 0.5"
    assert {reason in told for told in lines["unranked"]} == {not ranked}


def test_means_and_intervals_are_those_of_compare(run: RunFolder) -> None:
    comparable = Comparable(run, read_endpoint())
    panel = comparable.standing(comparable.choice("patients")).panels["good"]
    (line,) = lines_of(run, dataset="patients", order=1, method="good", question="this training procedure").itertuples()
    assert line.mean == pytest.approx(panel.values.mean())
    assert line.low < MEANS["good"] < line.high
    assert (line.n, line.seeds, line.planned, line.left_out) == (30, 3, 3, 0)


def test_rank_sets_separate_the_worst_and_leave_the_equal_ones_open(run: RunFolder) -> None:
    lines = lines_of(run, dataset="patients", order=1, question="this training procedure").set_index("method")
    assert lines.loc["bad", ["rank_low", "rank_high"]].tolist() == [3, 3]
    for name in ("good", "equal"):
        assert lines.loc[name, ["rank_low", "rank_high"]].tolist() == [1, 2]


def test_too_few_patients_have_means_and_neither_interval_nor_rank(run: RunFolder) -> None:
    lines = lines_of(run, dataset="inpatients", order=1)
    assert lines["mean"].notna().all()
    assert lines[["low", "high", "rank_low", "rank_high"]].isna().all(axis=None)
    assert set(lines["interval"]) == {"no interval: 4 patients, an interval needs 6"}


def test_pairs_are_those_of_the_standings(run: RunFolder) -> None:
    pairs = read_lines(comparisons_path(run.root), ComparisonLine)
    own = pairs[
        (pairs["dataset"] == "patients")
        & (pairs["metric"] == "dice")
        & (pairs["question"] == "this training procedure")
    ]
    states = {(one.a, one.b): (one.state, one.better) for one in own.itertuples()}
    assert states["good", "bad"] == ("better", "good")
    assert states["good", "equal"] == ("not separable", "")  # 30 patients are no evidence of equivalence
    assert set(own["endpoints"]) == {2}
    assert (own["p_alone"] >= own["p_adjusted"] - 1e-12).all()


def test_the_share_with_false_positives_has_an_exact_interval(run: RunFolder) -> None:
    (share,) = lines_of(run, metric="alarm", method="good").itertuples()
    assert (share.dataset, share.healthy, share.cases) == ("volunteers", "volunteers", "healthy")
    assert (share.mean, share.n) == (0.25, 20)
    assert (share.low, share.high) == pytest.approx((0.0866, 0.4910), abs=1e-4)


def test_subgroups_part_the_people_by_what_is_known(run: RunFolder) -> None:
    lines = read_lines(summary_path(run.root), SummaryLine)
    lines = lines[lines["group"].str.contains("=")]
    own = lines[(lines["dataset"] == "patients") & (lines["metric"] == "dice") & (lines["method"] == "good")]
    assert {one.group: one.n for one in own.itertuples()} == {
        "site=A": 15, "site=B": 15, "sex=female": 15, "sex=male": 15, "age_band=under 40": 6, "age_band=40 to 59": 7,
        "age_band=60 and over": 16, "age_band=unknown": 1,
    }  # fmt: skip
    parts = own[own["group"].str.startswith("site")]
    whole = lines_of(run, dataset="patients", order=1, method="good")["mean"].iloc[0]
    assert np.average(parts["mean"], weights=parts["n"]) == pytest.approx(whole)
    assert "inpatients" not in set(lines["dataset"])


def test_areas_are_the_mean_over_doses(run: RunFolder) -> None:
    place = {"shift": "blur", "dataset": "patients", "metric": "dice", "method": "bad"}
    (area,), (change,) = (lines_of(run, kind=kind, **place).itertuples() for kind in ("area", "area change"))
    (unshifted,) = lines_of(run, dataset="patients", order=1, method="bad", question="this trained model")["mean"]
    assert (change.protocol, change.n) == ("healthy-fpr-1", 30)
    assert change.dose == pytest.approx(0.2)
    assert change.mean == pytest.approx(-0.1 * unshifted)  # the middle of the way from 0 to a fifth
    assert change.low < change.mean < change.high
    assert area.mean == pytest.approx(unshifted + change.mean)


def test_each_level_of_a_shift_has_its_mean_and_its_paired_change(run: RunFolder) -> None:
    place = {"shift": "blur", "severity": 2.0, "dataset": "patients", "metric": "dice", "method": "good"}
    (level,), (change,) = (lines_of(run, kind=kind, **place).itertuples() for kind in ("mean", "change"))
    (unshifted,) = lines_of(run, dataset="patients", order=1, method="good", question="this trained model")["mean"]
    assert level.mean == pytest.approx(0.8 * unshifted)
    assert change.mean == pytest.approx(-0.2 * unshifted)
    assert (level.dose, level.interval, level.endpoint) == (0.2, "no interval", "exploratory")


def test_what_nobody_asked_an_interval_for_has_a_mean_and_says_so(run: RunFolder) -> None:
    (oracle,) = lines_of(run, dataset="patients", protocol="oracle", method="good").itertuples()
    (primary,) = lines_of(run, dataset="patients", order=1, method="good", question="this trained model").itertuples()
    assert oracle.mean == pytest.approx(primary.mean + 0.1)
    assert oracle.sd == pytest.approx(primary.sd)
    assert (oracle.n, oracle.interval, oracle.order) == (30, "no interval", 0)
    assert np.isnan(oracle.low)


def test_lesion_sizes_part_the_patients(run: RunFolder) -> None:
    lines = read_lines(summary_path(run.root), SummaryLine)
    own = lines[(lines["dataset"] == "patients") & (lines["metric"] == "dice") & (lines["method"] == "good")]
    sizes = {one.stratum: one.n for one in own[own["stratum"] != ""].itertuples()}
    assert sizes == {"all": 30, "1-10 ml": 9, ">=10 ml": 21}


def test_every_choice_of_a_method_has_one_line(run: RunFolder) -> None:
    lines = read_lines(summary_path(run.root), SummaryLine)
    named = [column for column in lines.columns[: list(lines.columns).index("endpoint")] if column != "dose"]
    assert not lines.duplicated(named).any()


def costs_of(run: RunFolder) -> dict[str, dict[str, tuple[float, bool, str]]]:
    """By metric and method: the number, whether nothing beats it, and how it was measured."""
    return {
        metric: {
            one.method: (one.mean, one.rank_low == 1, one.interval)
            for one in lines_of(run, dataset="patients", metric=metric).itertuples()
        }
        for metric in ("seconds", "peak_bytes")
    }


def test_cost_stands_beside_quality(run: RunFolder) -> None:
    costs = costs_of(run)
    assert {name: one[0] for name, one in costs["seconds"].items()} == {"good": 1.0, "equal": 1.0, "bad": 0.5}
    assert costs["seconds"]["bad"] == (0.5, True, "run")
    assert not costs["peak_bytes"]["bad"][1]  # as much memory as the better ones
    assert {one[0] for one in costs["peak_bytes"].values()} == {2e9}


def test_what_speed_has_measured_alone_goes_before_the_runs_own_timing(tmp_path: Path, plugin: None) -> None:
    """Of two batches the faster; at the precision of the maps alone; nothing else of the summary changes."""
    run = write_run(tmp_path / "run", seeds=(0,))
    assert summarise(run, None)
    cell = next(cell for cell in kept_cells(run) if cell.fit.method == "good")
    blank = replace(blank_row(cell), dataset="elsewhere")
    ways = {"fp32 cpu batch=8": (0.4, 1e9), "fp32 cpu batch=16": (0.2, 3e9), "bf16 cpu batch=16": (0.1, 1e9)}
    write_run_rows(run, "speed.csv", [
        replace(blank, metric=metric, case_id=case_id, flags=flags, value=value)
        for flags, values in ways.items()
        for metric, case_id, value in zip(("seconds", "peak_bytes"), ("p00", ""), values, strict=True)
    ])  # fmt: skip
    assert summarise(run, None), "made anew"
    costs = costs_of(run)
    assert costs["seconds"]["good"] == (0.2, True, "fp32 cpu batch=16")
    assert costs["peak_bytes"]["good"][0] == 3e9
    assert costs["seconds"]["bad"] == (0.5, False, "run")
    assert costs["peak_bytes"]["bad"][0] == 2e9


def test_what_uses_labels_is_no_rival_in_cost(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means={"good": 0.4, "equal": 0.4, "bad": 0.2})
    told = Card(supervision="lesion labels", trained_on="nothing", tuned_on="nothing")
    for fit in {cell.fit.key: cell.fit for cell in kept_cells(run)}.values():
        if fit.method == "good":
            write_card(run.fit(fit), DataCard(told, "volunteers", "t1", {}, 1, 1, 0, None, 0, 0.0))
    summarise(run, None)
    costs = costs_of(run)
    assert not costs["seconds"]["good"][1]
    assert not costs["peak_bytes"]["good"][1]
    assert costs["peak_bytes"]["equal"][1]


def test_nobody_who_is_worse_and_dearer_is_first_and_a_missing_cost_neither() -> None:
    rng = np.random.default_rng(0)
    points = [(float(a), float(b)) for a, b in rng.integers(0, 6, (40, 2))]
    for one, first in zip(points, pareto(points), strict=True):
        beaten = any(p != one and p[0] >= one[0] and p[1] <= one[1] for p in points)
        assert first is not beaten
    assert pareto([(0.9, float("nan")), (0.1, 1.0)]) == [False, True]


def test_ages_fall_into_bands() -> None:
    assert [age_band_of(one) for one in ("39.9", "40", "59", "60", "", "old", "-1")] == [
        "under 40", "40 to 59", "40 to 59", "60 and over", "unknown", "unknown", "unknown",
    ]  # fmt: skip


def test_nothing_is_made_anew_for_the_same_rows_and_all_for_others(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means={"good": 0.4, "bad": 0.2})
    assert summarise(run, None)
    assert not summarise(run, None)
    rows = kept_rows(run.root / "rows.csv")
    write_run_rows(run, "rows.csv", rows[:-1])
    assert summarise(run, None)


def test_where_the_data_are_gone_the_people_stay_as_known(tmp_path: Path, plugin: None) -> None:
    write_people(tmp_path / "data")
    run = write_run(tmp_path / "run", seeds=(0,), means={"good": 0.4, "bad": 0.2})
    summarise(run, tmp_path / "data")
    summarise(run, tmp_path / "nowhere")
    assert len(read_lines(run.root / "participants.csv", Participant)) == SIZES["volunteers"] + SIZES["patients"]


def test_a_run_without_rows_is_refused(tmp_path: Path, plugin: None) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means={"good": 0.4})
    (run.root / "rows.csv").unlink()
    with pytest.raises(MissingData, match="python -m benchmark evaluate"):
        summarise(run, None)
