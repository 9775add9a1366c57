"""Truth: the known properties of an implanted lesion, a row of `lesions.csv`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from datasets.case import CaseFiles
from datasets.errors import BadFile, MissingData
from datasets.io.tables import read_rows


@dataclass(frozen=True)
class Truth:
    """One implanted lesion or control; see `datasets.simulation.implants.design.Treatment`.

    Attributes:
        host: the case of the same cohort that is this scan without the lesion.
        volume_ml, contrast: of its treatment.
        shape: name of its parametric shape or of the library's mask.
        measured_ml: of the lesion mask as written.
        realised_contrast: mean change over the mask in the written image of the first sequence, in grey-white
            steps; less than the treatment's for soft edges or clipped intensities.
        x, y, z: centre of the mask in mm.
    """

    case_id: str
    host: str
    kind: str
    volume_ml: float
    contrast: float
    texture: str
    place: str
    shape: str
    measured_ml: float
    realised_contrast: float
    x: float
    y: float
    z: float


TEXT = ("case_id", "host", "kind", "texture", "place", "shape")


def truths_of(files: Sequence[CaseFiles]) -> dict[str, Truth]:
    """The truth of each case of `files` that has a host.

    Raises:
        MissingData: their cohort has no `lesions.csv`.
        BadFile: the table cannot be read, or lacks a case.
    """
    implanted = [one for one in files if one.host is not None]
    known: dict[str, Truth] = {}
    for folder in {one.image.parents[1]: None for one in implanted}:
        known |= read_truths(folder / "lesions.csv")
    unknown = [one.case_id for one in implanted if one.case_id not in known]
    if unknown:
        raise BadFile(
            f"{implanted[0].image.parents[1] / 'lesions.csv'}: got no row for case '{unknown[0]}', expected one."
        )
    return {one.case_id: known[one.case_id] for one in implanted}


def read_truths(table: Path) -> dict[str, Truth]:
    """The truth of each case of a table.

    Raises:
        MissingData: there is no such table.
        BadFile: a column or a number is missing.
    """
    if not table.is_file():
        raise MissingData(f"No file {table}, which holds the truth of implanted lesions.")
    names = [field.name for field in fields(Truth)]
    columns, rows = read_rows(table)
    missing = [name for name in names if name not in columns]
    if missing:
        raise BadFile(f"{table}: got columns {', '.join(columns) or 'none'}, expected also {', '.join(missing)}.")
    try:
        found = [Truth(**{name: row[name] if name in TEXT else float(row[name]) for name in names}) for row in rows]  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise BadFile(f"{table}: got a value that is no number ({error}), expected one.") from error
    return {one.case_id: one for one in found}
