"""What pictures of cases show: which way round, in which colours, on which scale, and in no row that is empty."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import SHAPE, ellipsoid
from numpy.typing import NDArray
from PIL import Image
from scored_runs import Made

from datasets.errors import MissingData
from reports.figures.map_gallery import (
    FALSE,
    IGNORED,
    LINE,
    MISSED,
    OPACITY,
    OUTLINE,
    PANEL,
    TRUE,
    CasePlane,
    MapPlane,
    Planes,
    draw_examples,
    draw_gallery,
    read_planes,
    write_picture,
)
from reports.model.run_results import find_scans, read_results

PLANE = SHAPE[:2]
NOTHING = np.zeros(PLANE, dtype=bool)
BRAIN = ellipsoid((7.5, 7.5, 5.5), (6.5, 6.0, 5.0))[:, :, 5]
ZOOM = round(PANEL / PLANE[0])


def mask(*voxels: tuple[int, int]) -> NDArray[np.bool_]:
    made = NOTHING.copy()
    for voxel in voxels:
        made[voxel] = True
    return made


def method(prediction: NDArray[np.bool_] = NOTHING, **others: object) -> MapPlane:
    """A map of zeros and no reconstruction."""
    return replace(MapPlane(np.zeros(PLANE, np.float32), prediction, [None], True), **others)  # type: ignore[arg-type]


def planes(case: CasePlane, *titles: str) -> Planes:
    return Planes(titles or [f"m{place}" for place, _ in enumerate(case.methods)], [case], ["c0"], ["t1"])


def case(
    methods: Sequence[MapPlane | None],
    *,
    image: NDArray[np.float32] | None = None,
    lesion: NDArray[np.bool_] = NOTHING,
    ignored: NDArray[np.bool_] = NOTHING,
) -> CasePlane:
    shown = np.zeros(PLANE, np.float32) if image is None else image
    return CasePlane(["c0"], [shown], lesion, ignored, methods)


def rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=float)


def panels(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture, dtype=float)


def has(picture: NDArray[np.float64], colour: NDArray[np.float64]) -> int:
    """Pixels of a colour, or nearly."""
    return int((np.abs(picture - colour).max(axis=-1) < 3).sum())


def test_left_of_the_patient_is_on_the_left_and_anterior_is_up() -> None:
    image = np.zeros(PLANE, np.float32)
    image[2, 12] = 0.5  # RAS+: far left, far anterior
    picture = panels(draw_gallery(planes(case([], image=image))))
    rows, columns = np.nonzero((np.abs(picture - 128) < 2).all(axis=-1))
    dark_rows, dark_columns = np.nonzero((picture == 0).all(axis=-1))
    assert rows.mean() < dark_rows.mean()
    assert columns.mean() < dark_columns.mean()


def test_decisions_have_four_colours_each_of_the_voxels_that_it_is_for() -> None:
    prediction, lesion, ignored = mask((3, 3), (4, 4), (5, 5)), mask((5, 5), (6, 6)), mask((8, 8))
    picture = panels(draw_gallery(planes(case([method(prediction)], lesion=lesion, ignored=ignored))))
    for colour, voxels in ((TRUE, 1), (FALSE, 2), (MISSED, 1), (IGNORED, 1)):
        assert has(picture, np.round(OPACITY * rgb(colour))) == voxels * ZOOM**2


def test_the_outline_is_drawn_round_the_lesion_within_it() -> None:
    lesion = mask(*((x, y) for x in range(4, 8) for y in range(5, 9)))
    picture = panels(draw_gallery(planes(case([], lesion=lesion))))
    edge = 4 * ZOOM
    assert has(picture, rgb(OUTLINE)) == edge**2 - (edge - 4) ** 2


def test_maps_of_all_methods_have_one_scale_with_one_bar_a_case() -> None:
    half = np.full(PLANE, 0.5, np.float32)
    one = draw_gallery(planes(case([method(shares=half)])))
    two = panels(draw_gallery(planes(case([method(shares=half), method(shares=half)]))))
    colour = panels(one)[-PANEL - PANEL // 2 - 2 * LINE, 96 + 6 + PANEL + PANEL // 2]
    assert has(two, colour) >= 2 * (PLANE[0] * ZOOM) * (PLANE[1] * ZOOM)
    assert two.shape[1] == one.width + PLANE[0] * ZOOM + 6


def test_there_is_no_row_without_anything_in_it() -> None:
    bare = draw_gallery(planes(case([method()])))
    kept = draw_gallery(planes(case([method(reconstructions=[np.zeros(PLANE, np.float32)]), method()])))
    assert kept.height - bare.height == PLANE[1] * ZOOM + 6


def test_every_sequence_has_its_row() -> None:
    images = [np.zeros(PLANE, np.float32), np.full(PLANE, 0.5, np.float32)]
    several = replace(case([method(reconstructions=[None, None])]), images=images)
    picture = panels(draw_gallery(replace(planes(several), sequences=["t1", "flair"])))
    assert has(picture, np.full(3, 128.0)) == pytest.approx(PLANE[0] * PLANE[1] * ZOOM**2, rel=0.01)  # letters are grey


@pytest.mark.parametrize(
    "name", ["prior[smoothing=4,b=1] (uses labels)", "x" * 90, "$\\x_{$", "ä\N{GREEK SMALL LETTER PI}"]
)
def test_no_text_leaves_the_picture_whatever_a_name_is(name: str) -> None:
    label = replace(case([method()]), label=["WORST", name, "1.0 ml"])
    for draw in (draw_gallery, draw_examples):
        picture = panels(draw(planes(label, name)))
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert (border == 255).all()


def test_a_map_that_is_not_kept_leaves_an_empty_panel() -> None:
    there, gone = (panels(draw_gallery(planes(case([one])))) for one in (method(), None))
    assert there.shape == gone.shape
    assert (there == 0).sum() > (gone == 0).sum() + 2 * (PLANE[0] * ZOOM) * (PLANE[1] * ZOOM)


def test_planes_are_of_test_cases_with_their_dice_and_reconstructions_within_the_brain(
    finished: Made, data: Path, plugin: None
) -> None:
    results = replace(read_results(finished.run), scans=find_scans(finished.run, data))
    study = results.scans.study
    assert study is not None
    read = read_planes(results, study, "patients")
    assert all("test" in case_id for case_id in read.case_ids)
    rows = results.whole.rows
    dice = rows[(rows["metric"] == "dice") & (rows["seed"] == 0) & (rows["dataset"] == "patients")]
    for place, title in enumerate(read.titles):
        for one, case_id in zip(read.cases, read.case_ids, strict=True):
            plane = one.methods[place]
            assert plane is not None
            known = dice[(dice["method"] == title) & (dice["case_id"] == case_id)]["value"].round(2)
            assert not plane.note or float(plane.note.split()[1]) in list(known)
            for volume in plane.reconstructions:
                assert volume is None or (volume[~(one.images[0] > 0)] <= 1).all()


def test_a_cohort_without_maps_is_an_error(made: Made, data: Path, plugin: None) -> None:
    for cell in made.study.cells:
        (made.run.cell(cell) / "cell.json").unlink()
    results = replace(read_results(made.run), scans=find_scans(made.run, data))
    assert results.scans.study is not None
    with pytest.raises(MissingData, match="No maps of patients, split test"):
        read_planes(results, results.scans.study, "patients")


def test_a_picture_is_a_png_beside_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "figures" / "gallery.png"
    write_picture(draw_gallery(planes(case([method()]))), path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert [one.name for one in path.parent.iterdir()] == ["gallery.png"]
