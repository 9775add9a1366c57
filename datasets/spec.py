"""DatasetSpec, the facts of a cohort, and the prepared layout that every cohort shares."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from datasets.case import AND, BINARY, SEQUENCES, CaseFiles, Labels, RawCohort, Split, person_of
from datasets.errors import BadCases, BadValue, CaseProblem, MissingCases, MissingData, UserError, refusal
from datasets.io.contents import content_marks
from datasets.io.files import why_no_file
from datasets.io.labels import read_labels
from datasets.io.tables import Table, Tell, read_table

MOST_LISTED = 10  # cases in one line
REQUIRED_COLUMNS = ("case_id", "subject_id", "split", "sequences")


@dataclass(frozen=True)
class DatasetSpec:
    """A cohort: its facts, and where the files of one sequence lie below a data folder.

    Attributes:
        sequences: MRI contrasts that exist in the prepared layout, e.g. `("t1", "t2")`.
        healthy: True where no case has a lesion, False where every case has one, None where
            `cases.csv` says it for each case in its column `healthy` (yes or no).
        fitted_on: the healthy cohort on which detectors are fitted by default.
        home: the cohort's folder where it is not `<root>/<name>`, such as one of the user's own.
        how_to_get: what a user without the data should do.
        files: `(root, sequence)` to the cases of that sequence, in the order of `cases.csv`; of several, such as
            `t1+flair`, to the cases that have them all.
        table: from the cohort's folder to its table of cases, in the prepared layout.
        prepared: whether it lies in the prepared layout; False where `files` is its own.
        simulate: writes the cohort below a data folder; None where it has to be downloaded.
        raw_cases: reads a download's folder; None where only the prepared layout can be read.

    Examples:
        >>> from datasets.cohorts.catalog import dataset
        >>> dataset("mslub").name, dataset("mslub").sequences
        ('msl', ('t1', 't1ce', 't2', 'flair'))
    """

    name: str
    title: str
    sequences: tuple[str, ...]
    healthy: bool | None
    licence: str
    reference: str
    url: str
    how_to_get: str
    fitted_on: str = "ixi"
    aliases: tuple[str, ...] = ()
    home: Path | None = None
    files: Callable[[Path, str], Sequence[CaseFiles]] = field(default=None, repr=False)  # type: ignore[assignment]
    table: Callable[[Path], Table] = field(default=None, repr=False)  # type: ignore[assignment]
    simulate: Callable[[Path], None] | None = field(default=None, repr=False)
    raw_cases: Callable[[Path], RawCohort] | None = field(default=None, repr=False)
    prepared: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prepared", self.files is None)
        if self.table is None:
            object.__setattr__(self, "table", read_cases)
        of_one = partial(prepared_files, self) if self.prepared else self.files
        object.__setattr__(self, "files", partial(_files_of_all, self, of_one))

    def folder(self, root: Path) -> Path:
        """The cohort's folder in the prepared layout, for a data folder `root`."""
        return self.home or root / folder_name(self.name)


def folder_name(dataset: str) -> str:
    """Name of a cohort's folder: `implant[ixi]` lies in `implant-ixi`."""
    return dataset.replace("[", "-").replace("]", "")


def prepared_files(spec: DatasetSpec, root: Path, sequence: str) -> list[CaseFiles]:
    """The cases of `sequence` that lie in the prepared layout below `root`.

    The layout is `cases.csv` and `{<sequence>,brain_mask,lesion_mask}/<case_id>.nii.gz` below `spec.folder(root)`. A
    file `ignore_mask/<case_id>.nii.gz` holds what no score counts; `labels.json` declares the lesion masks' values. A
    column `host` names the case that is the same scan without its lesion.

    Raises:
        MissingData: the cohort, its table, the sequence, or a file that the table names is missing.
        BadFile: the table lacks a column or holds a value that is not allowed.
    """
    if sequence not in spec.sequences:
        raise MissingData(f"{spec.name} has no sequence '{sequence}'. Available: {', '.join(spec.sequences)}.")
    folder = spec.folder(root)
    table = folder / "cases.csv"
    if not table.is_file():
        raise MissingData(f"No prepared {spec.title} at {folder}: looked for {table}. {how_to_prepare(spec, root)}")
    cases = spec.table(folder)
    files, problems = _found(spec, folder, sequence, cases)
    if problems:
        raise refusal(problems, files)
    if not files:
        there = sorted({name for row in cases.rows for name in row["sequences"].split()})
        raise MissingData(
            f"{table}: got no case with sequence '{sequence}'. Available there: {', '.join(there)}. "
            f"{how_to_prepare(spec, root)}"
        )
    return files


def read_cases(folder: Path) -> Table:
    """The table of a folder in the prepared layout, with what its columns leave out that the files tell.

    Without a column `subject_id` each case is a person's only scan; without `sequences` a case has those whose file
    is there.

    Raises:
        MissingData, BadFile: as `read_table`; there is no column `case_id` or `split`.
    """
    return read_table(folder / "cases.csv", ("case_id", "split"), told_by(folder))


def told_by(folder: Path) -> dict[str, Tell]:
    """By column what a folder tells of its cases, where its table does not; for `read_table`."""
    places = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    there = {path.name: {file.name for file in path.iterdir()} for path in places if path.name in SEQUENCES}

    def sequences(case_id: str) -> str:
        return " ".join(name for name in SEQUENCES if f"{case_id}.nii.gz" in there.get(name, ()))

    return {
        "subject_id": lambda rows: [row["case_id"] for row in rows],
        "sequences": lambda rows: [sequences(row["case_id"]) for row in rows],
    }


def how_to_prepare(spec: DatasetSpec, root: Path) -> str:
    """How a cohort, or a sequence that it lacks, comes to lie below `root`; ends in the command."""
    if spec.simulate is not None or spec.home is not None:
        return spec.how_to_get
    if spec.raw_cases is None:
        return f"{spec.how_to_get} Then bring it into the prepared layout (docs/adding-a-dataset.md)."
    return f"{spec.how_to_get} Then: python -m datasets prepare {spec.name} --raw DOWNLOAD --data {root}"


def sequences_there(spec: DatasetSpec, root: Path) -> tuple[str, ...]:
    """The sequences that a prepared cohort has cases of; all of the cohort's where it is not prepared."""
    try:
        rows = spec.table(spec.folder(root)).usable
    except UserError:  # nothing is there yet, or what is wrong is told when its cases are read
        return spec.sequences
    there = {name for row in rows for name in row["sequences"].split()}
    return tuple(name for name in spec.sequences if name in there)


def lying_there(spec: DatasetSpec, root: Path) -> str:
    """How many cases of a cohort lie below a data folder, of which sequences, such as `185 (t1)`; "" for none."""
    try:
        rows = spec.table(spec.folder(root)).rows
    except UserError:
        return ""
    return f"{len(rows)} ({' '.join(sequences_there(spec, root))})"


def usable_files(spec: DatasetSpec, root: Path, sequence: str) -> tuple[Sequence[CaseFiles], Sequence[CaseProblem]]:
    """The cases that can be used, and why the others cannot.

    Raises:
        UserError: the cohort as a whole cannot be used.
    """
    if AND in sequence:
        each = {name: usable_files(spec, root, name) for name in sequence.split(AND)}
        problems = dict.fromkeys(one for _, of_one in each.values() for one in of_one)
        return _with_all(spec, root, {name: usable for name, (usable, _) in each.items()}), tuple(problems)
    try:
        return spec.files(root, sequence), ()
    except (BadCases, MissingCases) as error:
        if not error.usable:
            raise
        return error.usable, error.problems


def lacking(spec: DatasetSpec, root: Path, sequence: str) -> dict[str, list[str]]:
    """By sequence the cases that have another of a study's sequences, such as `t1+flair`, and not this one.

    Raises:
        UserError: the cohort as a whole cannot be used.
    """
    names = sequence.split(AND)
    there = {name: [one.case_id for one in usable_files(spec, root, name)[0]] for name in names}
    return {name: [one for one in _each_once(there.values()) if one not in set(there[name])] for name in names}


def parse_sequences(text: str) -> str:
    """`flair,t1` as a study's sequence `t1+flair`, in the order of `SEQUENCES`.

    Raises:
        BadValue: no sequence, or one twice.
    """
    names = [name.strip() for name in text.replace(AND, ",").split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise BadValue(
            f"--sequence: got '{text}', expected one or more of {', '.join(SEQUENCES)}, each once: t1,flair."
        )
    order = {name: place for place, name in enumerate(SEQUENCES)}
    return AND.join(sorted(names, key=lambda name: (order.get(name, len(order)), name)))


def digest(files: Sequence[CaseFiles]) -> str:
    """Hash of a cohort's splits and contents; equal only for the same cases with the same voxels."""
    return hashlib.sha256("\n".join(case_marks(files).values()).encode()).hexdigest()


def covariate_digest(files: Sequence[CaseFiles], names: Sequence[str]) -> str:
    """Hash of what `digest` leaves out: age and sex of a cohort's cases, for a method of these covariates; "" for none.

    Their spacing is that of the images, whose digest is known.
    """
    told = [[one.case_id, *(getattr(one.person, name) for name in names if hasattr(one.person, name))] for one in files]
    return hashlib.sha256(repr([sorted(names), told]).encode()).hexdigest()[:16] if names else ""


def case_marks(files: Sequence[CaseFiles]) -> dict[str, str]:
    """By case id a hash of all that is known of the case, its files by the headers and voxels in them."""
    contents = content_marks(path for one in files for channel in one.channels for path in channel.paths.values())
    return {one.case_id: _mark(one, contents) for one in files}


def changed_cases(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which cases differ between two times of `case_marks`, in words; "" where none does.

    Examples:
        >>> changed_cases({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "5", "d": "4"})
        'changed: b; gone: c; new: d'
    """
    differing = {
        "changed": [one for one in before if one in now and before[one] != now[one]],
        "gone": [one for one in before if one not in now],
        "new": [one for one in now if one not in before],
    }
    return "; ".join(f"{what}: {_listed(cases)}" for what, cases in differing.items() if cases)


def _mark(case: CaseFiles, contents: Mapping[Path, str]) -> str:
    known = {name: value for name, value in vars(case).items() if name not in ("person", "further")}
    parts = [f"{name}={contents[value] if isinstance(value, Path) else value!r}" for name, value in known.items()]
    parts += [f"further={_mark(one, contents)}" for one in case.further]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _listed(cases: Sequence[str]) -> str:
    rest = len(cases) - MOST_LISTED
    return ", ".join(cases[:MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _files_of_all(
    spec: DatasetSpec, of_one: Callable[[Path, str], Sequence[CaseFiles]], root: Path, sequence: str
) -> Sequence[CaseFiles]:
    """The cases of one sequence as `of_one` finds them, or those that have each of several."""
    if AND not in sequence:
        return of_one(root, sequence)
    return _with_all(spec, root, {name: of_one(root, name) for name in sequence.split(AND)})


def _with_all(spec: DatasetSpec, root: Path, each: Mapping[str, Sequence[CaseFiles]]) -> list[CaseFiles]:
    """The cases that have all sequences, one image a sequence, under the masks of the first.

    Raises:
        MissingData: there is none.
    """
    first, *others = each.values()
    found = [{one.case_id: one for one in files} for files in others]
    joined = []
    for one in first:
        if all(one.case_id in of for of in found):
            further = (of[one.case_id] for of in found)
            joined.append(replace(one, further=tuple(replace(one, image=of.image, host=of.host) for of in further)))
    if not joined:
        raise MissingData(f"{spec.title} at {spec.folder(root)}: got no case with all of {', '.join(each)}.")
    return joined


def _each_once(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))


def _found(spec: DatasetSpec, folder: Path, sequence: str, cases: Table) -> tuple[list[CaseFiles], list[CaseProblem]]:
    """The cases of a sequence that can be used, and what is wrong with the others."""
    problems = [CaseProblem(one.code, one.case_id, f"{cases.path}: {one}") for one in cases.problems]
    files, labels = [], read_labels(folder)
    for row in cases.usable:
        if sequence not in row["sequences"].split():
            continue
        case = case_files(spec, folder, sequence, row, labels)
        found = _case_problems(spec, case, row, cases.path)
        problems += found
        files += [] if found else [case]
    return files, problems


def _case_problems(spec: DatasetSpec, case: CaseFiles, row: Mapping[str, str], table: Path) -> list[CaseProblem]:
    whose, healthy = f"case '{case.case_id}'", row.get("healthy")
    if spec.healthy is None and healthy not in ("yes", "no"):
        text = f"{table}: {whose} got healthy={healthy!r}, expected yes or no."
        return [CaseProblem("bad-row", case.case_id, text)]
    told = {path: why_no_file(path) for path in case.paths.values()}
    return [
        CaseProblem(
            "missing-file",
            case.case_id,
            f"No file {path}, which {table} names for {whose}{f'; {why}' if why else ''}.",
        )
        for path, why in told.items()
        if why is not None
    ]


def case_files(
    spec: DatasetSpec, folder: Path, sequence: str, row: Mapping[str, str], labels: Labels = BINARY
) -> CaseFiles:
    """Where the files of one sequence of a row lie, whether they are there or not; an ignore mask only if it is."""
    healthy = row.get("healthy") == "yes" if spec.healthy is None else spec.healthy
    name = f"{row['case_id']}.nii.gz"
    split: Split = row["split"]  # type: ignore[assignment]
    host, ignore_mask = row.get("host"), folder / "ignore_mask" / name
    return CaseFiles(
        case_id=row["case_id"],
        image=folder / sequence / name,
        brain_mask=folder / "brain_mask" / name,
        lesion_mask=None if healthy else folder / "lesion_mask" / name,
        subject_id=row["subject_id"],
        site=row.get("site") or "",
        split=split,
        host=folder / sequence / f"{host}.nii.gz" if host else None,
        ignore_mask=ignore_mask if ignore_mask.exists() or ignore_mask.is_symlink() else None,
        labels=labels,
        person=person_of(row),
    )
