"""Tables of a run folder against the values committed for them, without keys and times."""

import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from public_names import Line, Names
from summary_views import VIEWS, ablation, calibration, multiverse

VALUES = Path(__file__).with_name("values")
LEFT_OUT = ("key", "flags", "revision")  # keys change with what is hashed, flags are empty; see entry_revisions.py
DIGITS = 12  # of a digest
CLOSE = 1e-9
"""Relative, of what is `TRANSCENDENTAL`: another processor or library may round logarithms and powers otherwise."""
TRANSCENDENTAL = frozenset({
    "psnr", "histogram_js", "histogram_kl", "histogram_entropy_difference", "ssim",  # metrics
    "low", "high", "coverage", "p", "p_adjusted", "p_alone", "p_equivalent", "p_equivalent_adjusted",
    "p_equivalent_alone", "detectable", "p_false_claim", "p_false_claim_winner", "p_published_unpaired",  # of summaries
    "contrast", "guess", "lapse", "midpoint", "slope",  # of a curve that is fitted
})  # fmt: skip
NETWORK_CLOSE = {"ae": 1e-3, "dae": 3e-4, "": 1e-5}
"""Relative, of the shown values of a method's maps; "" for all other methods.

Measured with one thread and AVX2: two threads changed them by up to 7.4e-5 (ae), 2.6e-5 (dae) and 2e-8 (others);
no AVX2 in torch (ATEN_CPU_CAPABILITY=default), oneDNN (ONEDNN_MAX_CPU_ISA=SSE41), MKL (MKL_CBWR=COMPATIBLE), OpenBLAS
(OPENBLAS_CORETYPE=Prescott), NumPy (NPY_DISABLE_CPU_FEATURES=X86_V3) and Numba (NUMBA_CPU_NAME=generic) by up to
3.5e-4 (ae), 1.0e-4 (dae) and 1.9e-6 (others). The same machine repeats every bit.
"""
Tolerance = Callable[[Line, str], float]  # relative, of a line's cell under a column


def exact(line: Line, column: str) -> float:
    return 0.0


def rounded(line: Line, column: str) -> float:
    """Nothing but for what is `TRANSCENDENTAL`."""
    metric = line.get("group", "").rpartition(" ")[2]
    return CLOSE if column in (*TRANSCENDENTAL, "sum") or (column == "value" and metric in TRANSCENDENTAL) else 0.0


def network_rounding(line: Line, column: str) -> float:
    """Of a table whose groups begin with the method."""
    return NETWORK_CLOSE.get(line["group"].partition(" ")[0], NETWORK_CLOSE[""]) if column == "value" else 0.0


@dataclass(frozen=True)
class Table:
    """One table that is compared.

    Attributes:
        name: of the committed file.
        path: below the run folder, as recorded; of a table a cell with `*` for the cell, which is a column then.
        margins: columns to group by where the table is too long to be committed: a digest a group of each.
        shown: of a long table the lines that are committed as they are.
        tolerance: of the committed values.
        view: makes recorded lines of those that stand at `path` now.
    """

    name: str
    path: str
    margins: Sequence[Sequence[str]] = ()
    shown: Callable[[Line], bool] | None = None
    tolerance: Tolerance = rounded
    view: Callable[[Sequence[Line]], Iterator[Line]] = iter

    def lines(self, run: Path, names: Names) -> list[Line]:
        """The table as it stands in a run folder; a cell is called without its key."""
        place = names.table(self.path)
        if "*" not in place:
            return list(self.view(read_lines(run / place, names)))
        tables = [(path.parent.name.rpartition("-")[0], read_lines(path, names)) for path in sorted(run.glob(place))]
        return [{"cell": cell, **line} for cell, lines in tables for line in lines]

    def committed(self, run: Path, names: Names) -> list[Line]:
        """What is committed of the table as it stands in a run folder."""
        lines = sorted(self.lines(run, names), key=_words)
        if not self.margins and self.shown is None:
            return lines
        groups = [group for columns in self.margins for group in _digests(lines, columns)]
        return [*groups, *(_shortened(line) for line in lines if self.shown is not None and self.shown(line))]


def _is_shown(line: Line) -> bool:
    """One method's rows of one test subject and of all together: threshold-free, and of one pipeline and threshold."""
    if line["subject_id"] not in ("", "ixi-test-1", "msl-test-1"):
        return False
    plain = line["method"] == "stepped" and line["seed"] in ("0", "") and line["shift"] == "none"
    return plain and line["split"] == "test" and line["postprocessing"] in ("", "paper") and (
        line["protocol"] in ("", "lesion-val", "healthy-fpr-1")
    )  # fmt: skip


def _is_of_a_map(line: Line) -> bool:
    """What changes smoothly with a map, or is a threshold on it."""
    return line["metric"] in ("auroc", "l1", "threshold")


CHOICE = ("dataset", "split", "shift", "postprocessing", "protocol")
ROWS = Table("rows", "rows.csv", (CHOICE, ("method", "seed", "metric")), _is_shown)
SUMMARIES = (
    Table("comparisons", "comparisons.csv"),
    *(Table(name, "summary.csv", view=view) for name, view in VIEWS.items()),
)
CURVES = tuple(Table(name, f"cells/*/{name}.csv", (("cell",),)) for name in ("lesions", "strata", "pr", "froc"))
TABLES: Mapping[str, Sequence[Table]] = {
    "patients": (ROWS, *SUMMARIES, Table("multiverse", "summary.csv", view=multiverse), *CURVES),
    "implants": (
        ROWS,
        *SUMMARIES,
        Table("implants", "implants.csv", (("method", "kind", "postprocessing"), ("volume_ml", "contrast", "place"))),
        Table("controls", "controls.csv"),
        Table("audiogram", "audiogram.csv"),
        Table("ablation", "summary.csv", view=ablation),
    ),
    "sites": (ROWS, Table("calibration", "summary.csv", view=calibration)),
    "networks": (Table("rows", "rows.csv", shown=_is_of_a_map, tolerance=network_rounding),),
}


def read_lines(path: Path, names: Names) -> list[Line]:
    """Lines of a table in the recorded names, without what is left out."""
    with path.open(newline="", encoding="utf-8") as stream:
        lines = names.as_recorded(list(csv.DictReader(stream)))
    return [{name: value for name, value in line.items() if name not in LEFT_OUT} for line in lines]


def write_lines(path: Path, lines: Sequence[Line]) -> None:
    """As CSV; a column for every name that any line has."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def differences(wanted: Sequence[Line], got: Sequence[Line], tolerance: Tolerance = rounded) -> Iterator[str]:
    """A line for each cell that differs; none where both are the same."""
    if len(wanted) != len(got):
        yield f"got {len(got)} lines, expected {len(wanted)}"
    for number, (old, new) in enumerate(zip(wanted, got, strict=False), start=2):
        for name in dict.fromkeys((*old, *new)):
            before, now = old.get(name, ""), new.get(name, "")
            if before != now and not _close(before, now, tolerance(old, name)):
                yield f"line {number}, {name}: got {now!r}, expected {before!r}; {_label(old)}"


def _words(line: Line) -> list[str]:
    """What a line is about, for an order that no number enters."""
    return [value for value in line.values() if not _is_number(value)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shortened(line: Line) -> Line:
    told = ("method", "dataset", "split", "postprocessing", "protocol", "case_id", "metric")
    return {"group": " ".join(line[name] for name in told if line[name]), "value": line["value"]}


def _label(line: Line) -> str:
    return " ".join(value for value in list(line.values())[:9] if value)[:160]


def _close(before: str, now: str, tolerance: float) -> bool:
    try:
        return tolerance > 0 and math.isclose(float(before), float(now), rel_tol=tolerance)
    except ValueError:
        return False


def _digests(lines: Sequence[Line], columns: Sequence[str]) -> Iterator[Line]:
    """Per group: how many lines, a hash of those that are exact, and the sum of the values that are close only."""
    groups = defaultdict[tuple[str, ...], list[Line]](list)
    for line in lines:
        groups[tuple(line[column] for column in columns)].append(line)
    for key, members in sorted(groups.items()):
        held = sorted("\0".join(line.values()) for line in members if line.get("metric") not in TRANSCENDENTAL)
        digest = hashlib.sha256("\n".join(held).encode()).hexdigest()[:DIGITS]
        close = [line for line in members if line.get("metric") in TRANSCENDENTAL]
        total = _sum([float(line["value" if "value" in line else "mean"]) for line in close])
        yield {"group": " ".join(key), "lines": str(len(members)), "digest": digest, "sum": total}


def _sum(values: Sequence[float]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    return repr(math.fsum(finite)) if finite else ""
