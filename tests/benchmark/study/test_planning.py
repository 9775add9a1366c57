"""From a request to a study: the grid of cells, and every mistake told before anything runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from cohorts import PATIENTS, TINY, VOLUNTEERS, write_cohort, write_flair
from plugincode import write_plugin

from benchmark.methods.registry import UnusableMethod
from benchmark.study import planning, requested_cohorts
from benchmark.study.planning import parse_seeds, plan
from benchmark.study.study import Request, Study
from datasets.errors import BadValue, MissingData, UserError

pytestmark = pytest.mark.usefixtures("plugin")


def request(data: Path, **asked: object) -> Request:
    return Request(**{"methods": "mean-distance", "datasets": "patients", "data": data, "preset": "quick"} | asked)  # type: ignore[arg-type]


def planned(data: Path, **asked: object) -> Study:
    return plan(request(data, **asked))


def test_a_study_is_every_method_seed_and_cohort_with_the_healthy_one_first(data: Path) -> None:
    study = planned(data, methods="noisy,mean-distance", datasets="inpatients,patients", seeds="0,4")
    found = [(cell.fit.method, cell.fit.seed, cell.cohort.dataset) for cell in study.cells]
    assert found == [
        (method, seed, dataset)
        for method in ("noisy", "mean-distance")
        for seed in (0, 4)
        for dataset in ("volunteers", "inpatients", "patients")
    ]
    assert len({cell.key for cell in study.cells}) == len(study.cells)
    assert len(study.fits) == 4
    assert [reference.cohort.dataset for reference in study.references] == ["inpatients", "patients"]
    assert study.cells[0].fit.grid == TINY


def test_asking_for_the_healthy_cohort_as_well_maps_it_once(data: Path) -> None:
    study = planned(data, datasets="patients,volunteers,patients")
    assert [cell.cohort.dataset for cell in study.cells] == ["volunteers", "patients"]


def test_what_is_learnt_from_two_healthy_cohorts_names_both_and_is_another_fit(data: Path, tmp_path: Path) -> None:
    write_cohort(tmp_path, replace(VOLUNTEERS, name="visitors"), {"train": 2, "val": 2, "test": 1})
    (alone,) = planned(data).fits
    (both,) = planned(data, healthy=f"volunteers,visitors={tmp_path / 'visitors'}").fits
    assert (alone.fitted_on, both.fitted_on) == ("volunteers", "volunteers+visitors")
    assert alone.key != both.key


def test_fewer_training_scans_make_another_fit_of_what_is_trained_and_none_of_what_is_not(data: Path) -> None:
    whole, fewer = (planned(data, methods="mean-distance,thresh", training_scans=scans) for scans in (None, 2))
    names = [[(fit.method, fit.training_scans) for fit in study.fits] for study in (whole, fewer)]
    assert names == [
        [("mean-distance", None), ("thresh", None)],
        [("mean-distance-2-scans", 2), ("thresh", None)],
    ]
    assert [one.key == other.key for one, other in zip(whole.fits, fewer.fits, strict=True)] == [False, True]
    assert len(fewer.training_cases(fewer.fits[0], "train")) == 2


def test_a_cell_maps_validation_and_test_cases(data: Path) -> None:
    study = planned(data)
    healthy, lesions = study.cells
    names = [case.case_id for case in study.mapped_cases(lesions)]
    assert names == [f"patients-{split}-{index}" for split in ("val", "test") for index in range(3)]
    assert {case.split for case in study.mapped_cases(healthy)} == {"val", "test"}
    assert study.healthy_cells(lesions.fit) == [healthy]


def test_a_limit_counts_each_split(data: Path) -> None:
    study = planned(data, limit=2)
    assert [case.case_id for case in study.mapped_cases(study.cells[1])] == [
        f"patients-{split}-{index}" for split in ("val", "test") for index in range(2)
    ]
    assert len(study.training_cases(study.fits[0], "train")) == 3


def test_a_study_of_validation_cases_maps_no_test_case(data: Path) -> None:
    study = planned(data, splits=("val",), seeds="0-5")
    mapped = [study.mapped_cases(cell) for cell in study.cells] + [study.mapped_cases(study.references[0])]
    assert all(mapped)
    assert {case.split for cases in mapped for case in cases} == {"val"}


def test_a_fit_learns_from_and_maps_its_own_seeds_split(data: Path) -> None:
    study = planned(data, seeds="0-5")
    for fit in study.fits:
        train, val = ({case.subject_id for case in study.training_cases(fit, split)} for split in ("train", "val"))
        mapped = {case.subject_id for case in study.mapped_cases(study.healthy_cells(fit)[0]) if case.split == "val"}
        assert mapped == val
        assert not train & val


@pytest.mark.parametrize("folds", [0, 3])
def test_scans_with_a_lesion_of_the_healthy_cohort_are_not_learnt_from(data: Path, folds: int) -> None:
    study = planned(data, seeds="0-2") if not folds else planned(data, folds=folds)
    mixed = [
        replace(one, lesion_mask=one.brain_mask) if number % 2 else one
        for number, one in enumerate(study.files["volunteers"])
    ]
    sick = {one.case_id for one in mixed if not one.healthy}
    study = replace(study, files={**study.files, "volunteers": mixed})
    assert {one.case_id for one in mixed if one.split in ("train", "val")} & sick
    for fit in study.fits:
        for split in ("train", "val"):
            assert not {one.case_id for one in study.training_cases(fit, split)} & sick


def test_hyper_parameters_come_from_the_preset_the_table_and_the_name(data: Path) -> None:
    tables = {"mean-distance": {"power": 3}}
    study = planned(data, methods="mean-distance,mean-distance[power=4]", hyperparameters=tables)
    assert [fit.config["power"] for fit in study.fits] == [3.0, 4.0]


def test_a_method_that_cannot_be_used_is_left_out_with_the_reason_once(data: Path, tmp_path: Path) -> None:
    study = planned(data, methods="broken,too-dark,absent,broken[size=2]", plugins=(write_plugin(tmp_path),))
    assert [fit.method for fit in study.fits] == ["too-dark"]
    broken, absent = study.left_out
    assert broken.startswith("Method 'broken' (package_that_is_not_installed:Detector, uadbench-tests 1.0)")
    assert absent.startswith("Method 'absent' (detectors:Absent, uadbench-tests 1.0)")
    with pytest.raises(UnusableMethod, match="Method 'broken'"):
        planned(data, methods="broken")


def test_an_unknown_method_is_left_out_where_it_may_be_of_a_plugin_file_that_is(data: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.py"
    torn.write_text("import a_package_that_is_not_here\n")
    study = planned(data, methods="mean-distance,mine", plugins=(torn,))
    assert [fit.method for fit in study.fits] == ["mean-distance"]
    file, mine = study.left_out
    assert "a_package_that_is_not_here" in file
    assert mine == "Method 'mine': not known; perhaps it is of a file that is left out."


def test_a_plugin_files_content_is_part_of_every_key_and_its_date_is_not(data: Path, tmp_path: Path) -> None:
    path = write_plugin(tmp_path)

    def keys() -> set[str]:
        return {cell.key for cell in planned(data, methods="too-dark", plugins=(path,)).cells}

    before = keys()
    path.touch()
    assert keys() == before
    path.write_text(f"{path.read_text()}# another end\n")
    assert keys().isdisjoint(before)


def test_a_cohorts_files_are_part_of_every_key(own_data: Path) -> None:
    before = planned(own_data)
    volunteer = own_data / "volunteers" / "t1" / "volunteers-train-0.nii.gz"
    volunteer.write_bytes((own_data / "volunteers" / "t1" / "volunteers-train-1.nii.gz").read_bytes())
    after = planned(own_data)
    assert {cell.key for cell in before.cells}.isdisjoint(cell.key for cell in after.cells)
    assert before.references == after.references


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"preset": "quik"}, "No preset 'quik'. Did you mean 'quick'"),
        ({"methods": "mean-distanse"}, "No method 'mean-distanse'. Did you mean 'mean-distance'"),
        ({"datasets": "patiens"}, "No dataset 'patiens'. Did you mean 'patients'"),
        ({"datasets": ","}, "--datasets: got ','"),
        (
            {"datasets": "not-a-spec"},
            r"'not-a-spec' \(cohorts:NOT_A_SPEC, uadbench-tests 1.0\): got str, expected a DatasetSpec",
        ),
        ({"datasets": "broken"}, "cannot be imported: .*No module named"),
        ({"healthy": "patients"}, "--healthy patients: got no healthy train case"),
        ({"healthy": "volunters"}, "No dataset 'volunters'. Did you mean 'volunteers'"),
        ({"datasets": "patients,ixi"}, "--healthy: got nothing, expected one of ixi, volunteers"),
        ({"hyperparameters": {"mean-distnce": {"power": 2}}}, "Did you mean 'mean-distance'"),
        ({"hyperparameters": {"mean-distance": {"powr": 2}}}, "Did you mean 'power'"),
    ],
)
def test_a_mistake_is_one_line(data: Path, asked: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        planned(data, **asked)
    assert "\n" not in str(caught.value)


def test_missing_data_say_where_they_were_looked_for_how_to_get_them_and_what_stands_in(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        planned(tmp_path / "nowhere")
    for part in (str(tmp_path / "nowhere/volunteers/cases.csv"), PATIENTS.how_to_get, "--datasets phantom"):
        assert part in str(caught.value)
    assert not (tmp_path / "nowhere").exists()


def test_all_that_is_missing_is_named_at_once_and_no_voxel_is_read(
    own_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("patients-val-0", "patients-test-1"):
        (own_data / "patients" / "lesion_mask" / f"{name}.nii.gz").unlink()
    monkeypatch.setattr(planning, "digest", None)
    with pytest.raises(MissingData) as caught:
        planned(own_data, datasets="patients,lgg,brats", healthy="volunteers", sequence="t1")
    patients = [line for line in str(caught.value).splitlines() if "lesion_mask/patients" in line]
    assert [line.partition("patients-")[2][:5] for line in patients] == ["val-0", "test-"]
    for name in ("lgg", "brats"):
        assert f"python -m datasets prepare {name} --raw DOWNLOAD --data {own_data}" in str(caught.value)
    assert "--skip-bad leaves the named cases out" in str(caught.value)


@pytest.mark.parametrize(
    ("sequence", "reason"),
    [("t7", "no sequence 't7'. Available: t1, flair"), ("flair", "got no case with sequence 'flair'. Available there")],
)
def test_a_sequence_that_cohorts_lack_is_told_of_each(data: Path, sequence: str, reason: str) -> None:
    with pytest.raises(MissingData) as caught:
        planned(data, sequence=sequence)
    lines = str(caught.value).splitlines()
    assert all(reason in line for line in lines[:2])
    assert {name for name in ("volunteers", "patients") for line in lines[:2] if name in line} == {
        "volunteers",
        "patients",
    }


def test_without_a_sequence_the_study_is_of_what_lies_on_disk_and_says_what_it_is_not_of(
    own_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Both cohorts may have t2, before t1; here one of them has it."""
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace(",t1,", ",t1 t2,"))
    specs = [replace(one, sequences=("t1", "t2")) for one in (VOLUNTEERS, PATIENTS)]
    with caplog.at_level("INFO"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(requested_cohorts, "dataset_argument", {one.name: one for one in specs}.__getitem__)
        study = planned(own_data)
    assert {cell.cohort.sequence for cell in study.cells} == {"t1"}
    assert f"{VOLUNTEERS.title} at {own_data / 'volunteers'} has no t2." in caplog.text
    assert PATIENTS.title not in caplog.text


def test_methods_of_one_sequence_are_refused_with_those_that_take_several(own_data: Path) -> None:
    for spec in (VOLUNTEERS, PATIENTS):
        write_flair(own_data, spec)
    with pytest.raises(BadValue, match=r"got mean-distance, .* Leave them out: --methods 'thresh,edge'; or take one"):
        planned(own_data, methods="thresh,mean-distance,edge", sequence="flair,t1")
    with pytest.raises(BadValue, match=r"got mean-distance, .*sequences\. Take one sequence: --sequence t1\."):
        planned(own_data, sequence="flair,t1")


def test_of_cohorts_without_a_common_sequence_it_is_said_what_each_has(own_data: Path) -> None:
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace(",t1,", ",flair,"))
    with pytest.raises(BadValue, match=r"without a common sequence \(volunteers: t1; patients: flair\)"):
        planned(own_data)


def test_of_a_study_of_two_sequences_each_case_that_lacks_one_is_named_once(
    own_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_flair(own_data, VOLUNTEERS)
    write_flair(own_data, PATIENTS, lacking=("patients-val-1", "patients-test-0"))
    with caplog.at_level("INFO"):
        study = planned(own_data, methods="thresh", sequence="t1,flair", without=(("patients", "patients-test-0"),))
    mapped = {case.case_id for cell in study.cells for case in study.mapped_cases(cell)}
    assert not mapped & {"patients-val-1", "patients-test-0"}
    assert caplog.messages.count("Left out of patients, having no flair: patients-val-1.") == 1
    assert "patients-test-0" not in caplog.text


def test_a_healthy_cohort_without_validation_cases_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2})
    with pytest.raises(BadValue, match="--healthy volunteers: got no healthy val case"):
        planned(tmp_path, datasets="volunteers")


@pytest.mark.parametrize(("text", "seeds"), [("0", [0]), ("0-2", [0, 1, 2]), ("5, 0-1,7", [5, 0, 1, 7]), ("3-3", [3])])
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "0-", "1.5", "2-0", "5,2-0", "0,0", "0-2,1", "²", "0,,1", "0--2"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--seeds: got"):
        parse_seeds(text)
