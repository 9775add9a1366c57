"""A run folder over implants whose maps and reconstructions are made by hand, without any network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from heads import HEADS, write_heads
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.execution.score_cells import evaluate_study
from benchmark.storage.fits import DataCard, write_card, write_fit
from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.maps import write_volume
from benchmark.storage.run_record import Scoring, add_study, record_maps
from benchmark.study.cells import Cell, Cohort, Fit, Reference
from benchmark.study.study import Study
from datasets.case import Case
from datasets.grid import Grid
from datasets.loading import load_case, load_host
from datasets.simulation.implants import implant_spec
from datasets.simulation.implants.cohort import write_implants
from datasets.simulation.implants.design import Design
from datasets.spec import digest

Volume = NDArray[np.float32]
GRID = Grid(shape=(34, 38, 25), spacing=4.0)
DESIGN = Design(subjects=6, volumes=(4.0, 24.0), contrasts=(-1, -0.5, 0.5, 1))
SCORING = Scoring(("paper",), ("healthy-fpr-1",))
SPECS = {"heads": HEADS, "implant[heads]": implant_spec(HEADS)}


def difference(case: Case, host: Volume, noise: Volume) -> tuple[Volume, Volume]:
    """What a method that knew the healthy scan would do."""
    return np.abs(case.image[0] - host) + 0.02 * noise, host


def texture(case: Case, host: Volume, noise: Volume) -> tuple[Volume, Volume]:
    """What stands out against its surroundings; its reconstruction is a copy."""
    image = case.image[0]
    return np.abs(image - ndimage.gaussian_filter(image, 1.5)) + 0.02 * noise, image


def blind(case: Case, host: Volume, noise: Volume) -> tuple[Volume, Volume]:
    """Noise of its own for every case."""
    return noise, np.zeros_like(host)


METHODS: Mapping[str, Callable[[Case, Volume, Volume], tuple[Volume, Volume]]] = {
    "difference": difference,
    "texture": texture,
    "blind": blind,
}


@dataclass(frozen=True)
class Made:
    run: RunFolder
    study: Study
    data: Path


def make(folder: Path) -> Made:
    """Heads, their implants, and a scored run over both."""
    data = folder / "data"
    write_heads(data, DESIGN.subjects)
    write_implants(data, HEADS, data, design=DESIGN)
    files = {name: spec.files(data, "t1") for name, spec in SPECS.items()}
    cohorts = {name: Cohort(name, "t1", digest(found)) for name, found in files.items()}
    fits = [Fit(name, "module:Class", {}, cohorts["heads"], GRID, 0) for name in METHODS]
    cells = tuple(Cell(fit, cohort) for fit in fits for cohort in cohorts.values())
    references = (Reference(cohorts["implant[heads]"], GRID, ("val", "test"), None),)
    made = Made(create_run(folder / "run"), Study(cells, references, files), data)
    add_study(made.run, made.study, SCORING, data)
    for cell in cells:
        keep_maps(made, cell)
    evaluate_study(made.study, made.run, SCORING)
    return made


def keep_maps(made: Made, cell: Cell) -> None:
    for one in made.study.mapped_cases(cell):
        case, host = load_case(one, GRID), load_host(one, GRID)
        rng = np.random.default_rng(np.frombuffer(f"{cell.fit.method}{one.case_id}".encode(), np.uint8))
        noise = ndimage.gaussian_filter(rng.standard_normal(GRID.shape, dtype=np.float32), 1.0)
        noise = (noise - noise.min()) / (noise.max() - noise.min()) * case.brain_mask
        found, reconstruction = METHODS[cell.fit.method](case, case.image[0] if host is None else host[0], noise)
        write_volume(made.run.anomaly_map(cell, one.case_id), found * case.brain_mask, case.affine)
        write_volume(made.run.reconstruction(cell, one.case_id), reconstruction, case.affine)
    record_maps(made.run, cell, {"inference": {"device": "abacus"}})
    write_card(made.run.fit(cell.fit), DataCard(None, "heads", "t1", {}, 3, 3, cell.fit.seed, None, 0, 0.0))
    write_fit(made.run.fit(cell.fit), cell.fit, {"parameters": 0, "seconds": 0.0, "device": "cpu"})
