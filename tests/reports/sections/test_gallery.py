"""Pictures of cohorts, their attribution, and the reasons why there are none."""

from pathlib import Path

from scored_runs import COHORTS, Made, make

from benchmark.storage.run_record import ALL, keep_pictures


def test_every_cohort_has_its_picture_with_attribution(finished: Made, report: str) -> None:
    gallery = report.split("## Images")[1].split("\n## ")[0]
    for name in COHORTS:
        assert f"](figures/gallery-{name}.png)" in gallery
        assert (finished.run.root / "figures" / f"gallery-{name}.png").is_file()
    assert gallery.count("simulated; licence: none; [https://example.org](https://example.org)") == 3


def test_cohorts_that_may_not_be_shown_leave_no_picture_behind(made: Made) -> None:
    made.report()
    report = made.report(pictures=["volunteers"])
    assert [path.name for path in (made.run.root / "figures").glob("gallery-*")] == ["gallery-volunteers.png"]
    assert report.count("asked to show no scan of this cohort") == 2


def test_where_the_data_are_gone_the_report_has_numbers_and_says_why_no_pictures(made: Made, tmp_path: Path) -> None:
    report = made.report(tmp_path / "nowhere")
    assert report.count("No picture: the scans that the maps were made of are not there any more.") == 3
    assert "thresh (simple baseline)" in report
    assert str(tmp_path) not in report


def test_where_the_data_have_changed_the_report_says_so(tmp_path: Path, own_data: Path, plugin: None) -> None:
    made = make(tmp_path / "run", own_data)
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace(",val,", ",test,", 1))
    assert "No picture: the scans that the maps were made of have changed since." in made.report()


def test_a_torn_map_costs_its_picture_only(made: Made) -> None:
    cell = made.study.cells[1]
    made.run.anomaly_map(cell, "patients-test-2").write_bytes(b"torn")
    assert made.report().count("No picture: a scan or a map is missing or cannot be read.") == 1


def test_a_cohort_of_which_no_map_is_kept_has_no_picture(made: Made) -> None:
    for cell in made.study.cells:
        if cell.cohort.dataset == "inpatients":
            (made.run.cell(cell) / "cell.json").unlink()
    report = made.report()
    assert report.count("No picture: no anomaly map of this cohort is kept.") == 1
    assert "](figures/gallery-patients.png)" in report


def test_an_empty_cohort_is_not_in_the_gallery(plugin: None, validation: Made) -> None:
    assert "No picture" not in validation.report()
    figures = {path.name for path in (validation.run.root / "figures").glob("gallery-*")}
    assert figures == {"gallery-volunteers.png", "gallery-patients.png"}


def test_the_choice_of_pictures_is_kept_and_obeyed_until_told_otherwise(made: Made) -> None:
    keep_pictures(made.run, [])
    for _ in range(2):
        assert made.report().count("asked to show no scan of this cohort") == 3
        assert not list((made.run.root / "figures").glob("gallery-*"))
        keep_pictures(made.run, None)
    keep_pictures(made.run, [ALL])
    assert "asked to show no scan" not in made.report()
