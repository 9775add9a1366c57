"""`python -m datasets splits`: a cohort's splits or folds by subject, as a table."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from datasets.case import SPLITS, CaseFiles, Split
from datasets.cohorts.catalog import dataset_argument
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import write_text
from datasets.io.tables import read_rows, table_text
from datasets.spec import DatasetSpec
from datasets.splits import Subject, fold_table, split_of, subjects_of
from datasets.splits.assignment import committed_splits
from datasets.splits.subjects import age_band
from datasets.words import count_text


def splits(
    name: Annotated[str, typer.Argument(help="A cohort, or NAME=FOLDER for one of your own.")],
    folds: Annotated[int | None, typer.Option(min=2, help="This many folds instead of one split.")] = None,
    turn: Annotated[
        str,
        typer.Option(
            help="The split that each subject is in exactly once over the folds: val (test is fixed) or test."
        ),
    ] = "val",
    subjects: Annotated[
        Path | None, typer.Option(help="Table with a column subject_id, optionally site, age and healthy (yes or no).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the prepared cohorts, whose splits are used.")] = None,
    out: Annotated[Path | None, typer.Option(help="Table to write; default: print it.")] = None,
) -> None:
    """Show which subjects are for training, validation and test.

    Without --subjects and --data: the committed list. With --subjects: the list for those it knows, the
    rule for the others. With --data: what the prepared cohort has, so that --folds gives exactly the
    folds of `python -m benchmark run --folds`.
    """
    if turn not in ("val", "test"):
        raise BadValue(f"--turn: got '{turn}', expected val or test.")
    if subjects is not None and data is not None:
        raise BadValue("--subjects: got --data too, expected one of them.")
    spec = dataset_argument(name)
    people, found = _subjects(spec, subjects, data)
    text = _table(people, found, folds, "test" if turn == "test" else "val")
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
        typer.echo(f"Wrote {count_text(len(people), 'subject')} to {out}: {_counts(found)}.")


def _subjects(spec: DatasetSpec, table: Path | None, data: Path | None) -> tuple[list[Subject], dict[str, Split]]:
    if table is not None:
        people = _read_subjects(table)
        return people, split_of(spec, people)
    if data is not None or spec.home is not None:
        return _prepared(spec, data or Path())
    listed = committed_splits(spec.name)
    if not listed:
        raise MissingData(f"{spec.title} has no committed list of its subjects: give --subjects or --data.")
    return [one.subject for one in listed], {one.subject.subject_id: one.split for one in listed}


def _prepared(spec: DatasetSpec, data: Path) -> tuple[list[Subject], dict[str, Split]]:
    """The subjects of a prepared cohort, with any sequence, and their splits there."""
    cases: dict[str, CaseFiles] = {}
    missing: list[MissingData] = []
    for sequence in spec.sequences:
        try:
            cases |= {case.case_id: case for case in spec.files(data, sequence)}
        except MissingData as error:
            missing.append(error)
    if not cases:
        raise missing[0]
    found: dict[str, Split] = {}
    for case in cases.values():
        if found.setdefault(case.subject_id, case.split) != case.split:
            raise BadFile(
                f"{spec.folder(data)}: got subject '{case.subject_id}' in {found[case.subject_id]} and {case.split}, "
                "expected every subject in one split."
            )
    return subjects_of(cases.values()), found


def _read_subjects(table: Path) -> list[Subject]:
    _, rows = read_rows(table)
    if not rows or any(not row.get("subject_id") for row in rows):
        raise BadFile(f"--subjects {table}: got rows without a subject_id, expected one in each of one or more rows.")
    return [_subject(row, table) for row in rows]


def _subject(row: Mapping[str, str], table: Path) -> Subject:
    try:
        band = row.get("age_band") or age_band(float(row.get("age") or "nan"))
    except ValueError as error:
        raise BadFile(
            f"--subjects {table}: got age '{row['age']}' of '{row['subject_id']}', expected years."
        ) from error
    healthy = {"yes": True, "no": False}.get(row.get("healthy") or "")
    return Subject(row["subject_id"], row.get("site") or "", band, healthy)


def _table(people: list[Subject], found: Mapping[str, Split], folds: int | None, turn: Literal["val", "test"]) -> str:
    traits = [trait for trait in ("site", "age_band") if any(getattr(one, trait) for one in people)]
    columns = ["subject_id", "split", *traits]
    if folds is None:
        return table_text(columns, ([one.subject_id, found[one.subject_id], *_traits(one, traits)] for one in people))
    return table_text(
        ["fold", *columns],
        (
            [one.fold, one.subject.subject_id, one.split, *_traits(one.subject, traits)]
            for one in fold_table(people, found, folds, turn=turn)
        ),
    )


def _traits(subject: Subject, traits: Iterable[str]) -> list[str]:
    return [getattr(subject, trait) for trait in traits]


def _counts(found: Mapping[str, Split]) -> str:
    return ", ".join(f"{list(found.values()).count(split)} {split}" for split in SPLITS)
