"""Which cases are shown, on which slice, which way round and on which scale."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from cohorts import AFFINE, SHAPE, TINY, ellipsoid
from matplotlib.image import imread
from numpy.typing import NDArray

from benchmark.methods.card import Card
from benchmark.storage.fits import DataCard, write_card
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import write_volume
from benchmark.storage.run_record import record_maps
from benchmark.study.cells import Cell, Cohort, Fit
from benchmark.study.study import Study
from datasets.case import Case, CaseFiles, shown_slice
from datasets.cohorts.catalog import dataset
from datasets.errors import MissingData
from datasets.loading import load_case
from datasets.spec import digest
from reports.figures.map_gallery import (
    CaseFacts,
    MethodColumn,
    Strip,
    choose_cases,
    columns,
    draw,
    write_gallery,
)

BRAIN = ellipsoid((7.5, 7.5, 5.5), (6.5, 6.0, 5.0))


def case(lesion_mask: NDArray[np.bool_] | None = None) -> Case:
    return Case("c0", BRAIN[None].astype(np.float32), BRAIN, lesion_mask, AFFINE)


def files(case_id: str, *, healthy: bool = False) -> CaseFiles:
    path = Path(f"{case_id}.nii.gz")
    return CaseFiles(case_id, path, path, None if healthy else path, case_id, "", "test")


def chosen(lesion_ml: Mapping[str, float]) -> list[str]:
    return [one.case_id for one in choose_cases([files(name) for name in lesion_ml], lesion_ml)]


def test_largest_median_and_smallest_lesion_are_chosen_in_this_order() -> None:
    assert chosen({"a": 3.0, "b": 9.0, "c": 1.0, "d": 5.0, "e": 0.5}) == ["b", "a", "e"]


def test_a_cohort_of_two_or_none_is_shown_whole() -> None:
    assert chosen({"a": 3.0, "b": 9.0}) == ["b", "a"]
    assert chosen({"a": 3.0}) == ["a"]
    assert chosen({}) == []


def test_first_middle_and_last_healthy_case_are_chosen() -> None:
    healthy = [files(f"h{index}", healthy=True) for index in range(7)]
    assert [one.case_id for one in choose_cases(healthy, {})] == ["h0", "h3", "h6"]


def test_healthy_cases_among_lesions_are_left_out() -> None:
    assert [one.case_id for one in choose_cases([files("h", healthy=True), files("a")], {"a": 1.0})] == ["a"]


def test_the_slice_has_the_most_lesion_or_is_the_middle_of_the_brain() -> None:
    lesion = np.zeros(SHAPE, dtype=bool)
    lesion[5, 5, 3] = lesion[5:8, 5, 8] = True
    assert shown_slice(case(lesion)) == 8
    assert shown_slice(case(np.zeros(SHAPE, dtype=bool))) == shown_slice(case()) == 6


def test_left_of_the_patient_is_on_the_left_and_anterior_is_up() -> None:
    image = np.zeros(SHAPE, dtype=np.float32)
    image[2, 12, 6] = 1.0  # RAS+: far left, far anterior
    figure = draw([case()], ["c0"], [MethodColumn("image", Strip([image]))])
    axes = figure.axes[0]
    shown = np.asarray(axes.images[0].get_array())
    row, column = np.unravel_index(shown.argmax(), shown.shape)
    to_screen = axes.transData.transform
    bright, middle = to_screen((column, row)), axes.transAxes.transform((0.5, 0.5))
    assert bright[0] < middle[0]
    assert bright[1] > middle[1]
    left, right = (text for text in axes.texts if text.get_text() in "LR")
    assert left.get_text() == "L"
    assert left.get_position()[0] < right.get_position()[0]


def test_the_outline_is_drawn_round_the_lesion_only() -> None:
    lesion = ellipsoid((5.0, 6.0, 6.0), (2.5, 2.0, 1.8))
    image = case().image[0]
    figure = draw([case(lesion)], ["c0"], [MethodColumn("image", Strip([image]), Strip([image], outlined=True))])
    plain, truth = figure.axes
    assert not plain.collections
    (outline,) = truth.collections
    assert np.asarray(outline.get_paths()[0].vertices)[:, 0].max() < 8


def test_a_map_that_is_not_kept_leaves_an_empty_panel() -> None:
    figure = draw([case()], ["c0"], [MethodColumn("ae", None, Strip([None], "inferno", 0.5))])
    above, below = figure.axes
    assert "not kept" in [text.get_text() for text in below.texts]
    assert not above.images


def test_titles_and_labels_with_dollar_signs_are_no_formulas(tmp_path: Path) -> None:
    figure = draw([case()], ["a$b_{$"], [MethodColumn("x$y_{$", Strip([case().image[0]]))])
    figure.savefig(tmp_path / "figure.png")
    assert figure.axes[0].get_title() == "x$y_{$"


@pytest.fixture
def study(data: Path, plugin: None) -> Study:
    """Two methods on patients, nothing of them kept yet."""
    found = dataset("patients").files(data, "t1")
    cohort = Cohort("patients", "t1", digest(found))
    fits = [Fit(name, "module:Class", {}, cohort, TINY, seed) for name in ("thresh", "ae") for seed in (1, 0)]
    return Study(tuple(Cell(fit, cohort) for fit in fits), (), {"patients": found})


def keep(run: RunFolder, study: Study, *, brightness: float = 0.5) -> None:
    """Maps of all cells that grow with the seed; reconstructions of `ae` only."""
    for cell in study.cells:
        for one in study.mapped_cases(cell):
            image = load_case(one, TINY).image[0]
            write_volume(run.anomaly_map(cell, one.case_id), image * brightness * (cell.fit.seed + 1), AFFINE)
            if cell.fit.method == "ae":
                write_volume(run.reconstruction(cell, one.case_id), image, AFFINE)
        record_maps(run, cell, {})
        write_card(run.fit(cell.fit), DataCard(None, "patients", "t1", {}, 3, 3, cell.fit.seed, None, 0, 0.0))


def test_a_method_has_one_column_its_reconstruction_above_its_map_on_one_scale(study: Study, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    keep(run, study)
    cells = [cell for cell in study.cells if cell.fit.seed == 0]
    cases = [load_case(one, TINY) for one in study.files["patients"][:2]]
    image, thresh, ae = columns(run, cells, cases)
    assert [column.title for column in (image, thresh, ae)] == ["image", "thresh", "ae"]
    assert image.below is not None
    assert image.below.outlined
    assert thresh.above is None
    assert ae.above is not None
    assert ae.above.highest == 1.0
    assert thresh.below is not None
    assert 0.45 < thresh.below.highest <= 0.5


def test_what_uses_labels_stands_last_and_says_so_above_its_column(study: Study, tmp_path: Path) -> None:
    run, found = RunFolder(tmp_path), study.files["patients"]
    keep(run, study)
    for cell in study.cells:
        if cell.fit.method == "thresh":
            told = Card("lesion labels", "nothing", "nothing")
            write_card(run.fit(cell.fit), DataCard(told, "patients", "t1", {}, 3, 3, cell.fit.seed, None, 0, 0.0))
    with patch("reports.figures.map_gallery.draw", wraps=draw) as drawn:
        write_gallery(
            run, study, "patients", "test", CaseFacts({one.case_id: 1.0 for one in found}), tmp_path / "gallery.png"
        )
    shown = drawn.call_args.args[2]
    assert [column.title for column in shown] == ["image", "ae", "thresh (uses labels)"]


def test_long_titles_go_over_several_lines() -> None:
    image = Strip([case().image[0]])
    names = ("prior (uses labels)", "prior[smoothing=4,b=1] (uses labels)", "ae (short)")
    figure = draw([case()], ["c0"], [MethodColumn(name, image) for name in names])
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "prior\n(uses labels)",
        "prior[\nsmoothing=4,\nb=1]\n(uses labels)",
        "ae (short)",
    ]


def test_a_map_of_zeros_has_a_scale_too(study: Study, tmp_path: Path) -> None:
    keep(RunFolder(tmp_path), study, brightness=0)
    cases = [load_case(study.files["patients"][0], TINY)]
    below = columns(RunFolder(tmp_path), study.cells[:1], cases)[1].below
    assert below is not None
    assert below.highest == 1.0


def test_the_picture_shows_test_cases_of_the_lowest_seed_and_is_a_png(study: Study, tmp_path: Path) -> None:
    run, path = RunFolder(tmp_path), tmp_path / "figures" / "gallery.png"
    keep(run, study)
    lesion_ml = {f"patients-test-{index}": float(index) for index in range(3)}
    shown = write_gallery(run, study, "patients", "test", CaseFacts(lesion_ml), path)
    assert shown == ["patients-test-2", "patients-test-1", "patients-test-0"]
    assert imread(path).shape[0] > 300
    assert [one.name for one in path.parent.iterdir()] == ["gallery.png"]


def test_a_cohort_without_maps_is_an_error(study: Study, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="No maps of patients, split test"):
        write_gallery(RunFolder(tmp_path), study, "patients", "test", CaseFacts({}), tmp_path / "gallery.png")


def test_a_shifted_cell_is_not_shown(study: Study, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    shifted = [replace(cell, shift=replace(cell.shift, name="gamma", severity=2.0)) for cell in study.cells]
    only_shifted = replace(study, cells=tuple(shifted))
    keep(run, only_shifted)
    with pytest.raises(MissingData):
        write_gallery(run, only_shifted, "patients", "test", CaseFacts({}), tmp_path / "gallery.png")
