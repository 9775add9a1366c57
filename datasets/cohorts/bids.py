"""BIDS derivatives as a cohort, read in place: `sub-*/[ses-*/]anat/` and `participants.tsv`.

References:
    The Brain Imaging Data Structure specification 1.9, sections on anatomy imaging data, derivatives
    and participants; https://bids-specification.readthedocs.io.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets.case import SEQUENCES, SPLITS, CaseFiles, Labels, Split, person_of
from datasets.cohorts.downloads import few
from datasets.errors import BadFile, CaseProblem, MissingData, refusal
from datasets.io.labels import read_labels
from datasets.io.nifti import stem
from datasets.io.tables import read_rows, same_name, yes_or_no
from datasets.spec import DatasetSpec
from datasets.splits.assignment import split_of
from datasets.splits.subjects import Subject, age_band
from datasets.words import count_text

DESCRIPTION = "dataset_description.json"
SUFFIXES = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair"}
UNKNOWN = ("", "n/a")
CONTROLS = re.compile(r"(healthy|normal)([ _-]?(controls?|volunteers?|subjects?))?|controls?|hc|cn|nc")
MASK_SUFFIXES = ("mask", "dseg", "seg", "roi")
TISSUES = ("brain", "head", "ribbon", "gm", "wm", "csf", "bg", "aseg", "aparcaseg")  # masks that healthy brains have
log = logging.getLogger(__name__)


@dataclass
class _Scan:
    """One session's files by role: a sequence, `brain_mask` or `lesion_mask`."""

    subject_id: str
    files: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))


def is_bids(home: Path) -> bool:
    return (home / DESCRIPTION).is_file()


def bids_facts(home: Path) -> tuple[tuple[str, ...], bool | None]:
    """The sequences of the cohort, and whether it is healthy (None: mixed).

    Raises:
        MissingData: there is no image.
        BadFile: only some scans have a lesion mask, and no column says who is healthy.
    """
    scans = _scans(home)
    there = {role for scan in scans.values() for role in scan.files}
    sequences = tuple(name for name in SEQUENCES if name in there)
    if not sequences:
        raise MissingData(f"{home}: looked for sub-*/[ses-*/]anat/*_T1w.nii.gz, *_T2w.nii.gz or *_FLAIR.nii.gz.")
    people = _people(home)
    _tell_strangers(people, {scan.subject_id for scan in scans.values()}, home)
    told = {_told_healthy(people.get(scan.subject_id, {})) for scan in scans.values()}
    if None not in told:
        return sequences, told.pop() if len(told) == 1 else None
    healthy = healthy_by_masks({name: "lesion_mask" in scan.files for name, scan in scans.items()}, home)
    unnamed = _unnamed_masks(home) if healthy else []
    if unnamed:
        raise BadFile(
            f"{home}: got masks that no rule knows ({few(unnamed)}) and that may be of lesions, expected "
            "*_label-lesion_mask.nii.gz or *_desc-lesion_mask.nii.gz, or a column healthy (yes or no) or group in "
            "participants.tsv."
        )
    return sequences, healthy


def bids_files(spec: DatasetSpec, root: Path, sequence: str) -> list[CaseFiles]:
    """The scans of `sequence` below `spec.folder(root)`.

    Splits come from the column `split` of `participants.tsv`, or else from the rule (`datasets.splits`). `labels.json`
    declares the values of the lesion masks, those to be ignored among them.

    Raises:
        MissingData: the sequence is missing, or a mask of some scans (`MissingCases`).
        BadFile: the table is malformed, or some scans cannot be used (`BadCases`).
    """
    home = spec.folder(root)
    scans, people = _scans(home), _people(home)
    if sequence not in spec.sequences:
        raise MissingData(f"{spec.name} has no sequence '{sequence}'. Available: {', '.join(spec.sequences)}.")
    splits, labels = _splits(spec, scans, people), read_labels(home)
    cases, problems = list[CaseFiles](), list[CaseProblem]()
    for name, scan in scans.items():
        if sequence not in scan.files:
            continue
        try:
            cases.append(_case(spec, home, name, scan, sequence, people.get(scan.subject_id, {}), splits, labels))
        except MissingData as error:
            problems.append(CaseProblem("missing-file", name, str(error)))
        except BadFile as error:
            problems.append(CaseProblem("bad-row", name, str(error)))
    if problems:
        raise refusal(problems, cases)
    return cases


def healthy_by_masks(masked: Mapping[str, bool], home: Path) -> bool:
    """Whether a cohort is healthy: whether its cases have no lesion masks.

    Raises:
        BadFile: some have one and others not; a mask may be missing.
    """
    without = [case for case, has_mask in masked.items() if not has_mask]
    if without and len(without) < len(masked):
        raise BadFile(
            f"{home}: got a lesion mask for {len(masked) - len(without)} of {count_text(len(masked), 'case')} (none "
            f"for '{without[0]}'), expected one for each or for none, or a column healthy (yes or no) in the table."
        )
    return bool(without) or not masked


def _scans(home: Path) -> dict[str, _Scan]:
    scans: dict[str, _Scan] = {}
    for path in _anatomical(home):
        entities, suffix = _parts(path)
        role = _role(entities, suffix)
        if role and "sub" in entities:
            subject_id = f"sub-{entities['sub']}"
            name = f"{subject_id}_ses-{entities['ses']}" if "ses" in entities else subject_id
            scans.setdefault(name, _Scan(subject_id)).files[role].append(path)
    return {name: scan for name, scan in scans.items() if {*scan.files} - {"brain_mask", "lesion_mask"}}


def _anatomical(home: Path) -> Iterator[Path]:
    found = {path for pattern in ("sub-*/anat/*", "sub-*/ses-*/anat/*") for path in home.glob(pattern)}
    yield from (path for path in sorted(found) if stem(path) is not None)


def _parts(path: Path) -> tuple[dict[str, str], str]:
    """The entities and the suffix of a file's name: `sub-01_desc-brain_mask` has two and `mask`."""
    *pairs, suffix = (stem(path) or path.name).split("_")
    return dict(pair.split("-", 1) for pair in pairs if "-" in pair), suffix


def _unnamed_masks(home: Path) -> list[str]:
    """Masks that `_role` knows no role of, but those of tissues."""
    found = []
    for path in _anatomical(home):
        entities, suffix = _parts(path)
        tissue = {entities.get(name, "").casefold() for name in ("desc", "label")} & {*TISSUES}
        if suffix in MASK_SUFFIXES and not tissue and _role(entities, suffix) is None:
            found.append(path.name)
    return found


def _tell_strangers(people: Mapping[str, object], scanned: Collection[str], home: Path) -> None:
    """Warn of rows of participants.tsv without a scan, and of people with scans and without a row."""
    without = [name for name in people if name not in scanned]
    unlisted = sorted({*scanned} - {*people}) if people else []
    table = home / "participants.tsv"
    if without:
        log.warning("%s: no scan of %s, which it names.", table, few(without))
    if unlisted:
        log.warning("%s: no row of %s, of which there are scans.", table, few(unlisted))


def _role(entities: Mapping[str, str], suffix: str) -> str | None:
    """The role of a file; of the entities only `desc`, `label` and `ce` (contrast agent) matter."""
    if suffix in SUFFIXES:
        return "t1ce" if suffix == "T1w" and "ce" in entities else SUFFIXES[suffix]
    described = f"{entities.get('desc', '')} {entities.get('label', '')}".casefold()
    if suffix == "roi" or (suffix in ("mask", "dseg") and "lesion" in described):
        return "lesion_mask"
    return "brain_mask" if suffix == "mask" and entities.get("desc") == "brain" else None


def _people(home: Path) -> dict[str, dict[str, str]]:
    """Rows of `participants.tsv` by subject; empty if there is no such table."""
    table = home / "participants.tsv"
    if not table.is_file():
        return {}
    columns, rows = read_rows(table, delimiter="\t")
    for mark, name in ((",", "commas"), (";", "semicolons")):
        if len(columns) == 1 and mark in columns[0]:
            raise BadFile(f"{table}: got {name} between columns, expected tabs.")
    if "participant_id" not in columns:
        raise BadFile(f"{table}: got columns {', '.join(columns) or 'none'}, expected also participant_id.")
    folders = {same_name(path.name): path.name for path in home.glob("sub-*")}
    people: dict[str, dict[str, str]] = {}
    for row in rows:
        subject_id = f"sub-{row['participant_id'].strip().removeprefix('sub-')}"
        subject_id = folders.get(same_name(subject_id), subject_id)
        if subject_id in people:
            raise BadFile(f"{table}: got '{subject_id}' twice, expected every subject once.")
        people[subject_id] = {key: "" if value.strip() in UNKNOWN else value.strip() for key, value in row.items()}
    return people


def _told_healthy(person: Mapping[str, str]) -> bool | None:
    """Whether a subject is healthy by the columns `healthy` or `group`; None if neither says so."""
    told = yes_or_no(person.get("healthy", ""))
    if told is None and person.get("group"):
        return CONTROLS.fullmatch(same_name(person["group"])) is not None
    return told


def _splits(
    spec: DatasetSpec, scans: Mapping[str, _Scan], people: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """The split of each subject; those of the table are checked later, subject by subject."""
    subjects = list(dict.fromkeys(scan.subject_id for scan in scans.values()))
    if any("split" in person for person in people.values()):
        return {one: people.get(one, {}).get("split", "") for one in subjects}
    return split_of(spec, [_subject(one, people.get(one, {})) for one in subjects])


def _split(subject_id: str, splits: Mapping[str, str], home: Path) -> Split:
    split = splits[subject_id]
    if split not in SPLITS:
        got = f"split of {subject_id} ({split or 'nothing'})"
        raise BadFile(f"{home / 'participants.tsv'}: got {got}, expected one of {', '.join(SPLITS)}.")
    return split


def _subject(subject_id: str, person: Mapping[str, str]) -> Subject:
    try:
        age = float(person.get("age") or "nan")
    except ValueError:
        age = float("nan")
    return Subject(subject_id, person.get("site", ""), age_band(age), _told_healthy(person))


def _case(
    spec: DatasetSpec,
    home: Path,
    name: str,
    scan: _Scan,
    sequence: str,
    person: Mapping[str, str],
    splits: Mapping[str, str],
    labels: Labels,
) -> CaseFiles:
    healthy = _told_healthy(person) if spec.healthy is None else spec.healthy
    return CaseFiles(
        case_id=name,
        image=_only(scan, sequence, name, home),
        brain_mask=_only(scan, "brain_mask", name, home),
        lesion_mask=None if healthy else _only(scan, "lesion_mask", name, home),
        subject_id=scan.subject_id,
        site=person.get("site", ""),
        split=_split(scan.subject_id, splits, home),
        labels=labels,
        person=person_of(person),
    )


def _only(scan: _Scan, role: str, name: str, home: Path) -> Path:
    found: Sequence[Path] = scan.files.get(role, [])
    if not found:
        expected = {"brain_mask": "*_desc-brain_mask.nii.gz", "lesion_mask": "*_label-lesion_mask.nii.gz"}
        raise MissingData(f"{home}: no {role} of '{name}': looked for {expected.get(role, role)} in its anat folder.")
    if len(found) > 1:
        names = ", ".join(sorted(str(path.relative_to(home)) for path in found))
        raise BadFile(f"{home}: got {count_text(len(found), 'file')} for {role} of '{name}' ({names}), expected one.")
    return found[0]
