"""What the readers of original downloads share: finding a cohort's files by their names, and saying what is amiss."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.errors import MissingData

NIFTI = r"\.nii(\.gz)?$"
FEW = 5


@dataclass(frozen=True)
class Layout:
    """How a cohort's download names its files.

    Attributes:
        pattern: matched against a file's path below the download, `/` between folders; its group
            `role` says what the file is, such as `t1` or `seg`.
        name: the scan's name, one spelling for all of its files.
        looked_for: said where no file matches.
    """

    title: str
    pattern: re.Pattern[str]
    name: Callable[[re.Match[str]], str]
    looked_for: str


@dataclass(frozen=True)
class Scan:
    """The files of one scan by their role in lower case, and their folder."""

    name: str
    files: Mapping[str, Path]

    @property
    def folder(self) -> Path:
        return next(iter(self.files.values())).parent


@dataclass(frozen=True)
class Gathered:
    """Scans in the order of their names, and a line for whatever was passed over."""

    scans: tuple[Scan, ...]
    problems: tuple[str, ...] = ()

    def having(self, *roles: str, any_of: Sequence[str] = (), what: str = "") -> "Gathered":
        """Those with a file of each of `roles` and one of `any_of` at least; the others become a problem."""
        good = [one for one in self.scans if _has(one, roles, any_of)]
        lacking = [one.name for one in self.scans if not _has(one, roles, any_of)]
        wanted = what or ", ".join([*roles, *([" or ".join(any_of)] if any_of else [])])
        problem = [f"passed over, without {wanted}: {few(lacking)}"] if lacking else []
        return Gathered(tuple(good), (*self.problems, *problem))

    def lacking(self, roles: Sequence[str]) -> tuple[str, ...]:
        """A line for each role that some scans have and others have not."""
        lines = []
        for role in roles:
            without = [one.name for one in self.scans if role not in one.files]
            if 0 < len(without) < len(self.scans):
                lines.append(f"without {role}, the rest of the scan is kept: {few(without)}")
        return tuple(lines)


def gather(root: Path, layout: Layout) -> Gathered:
    """The scans of a download in whatever sub-folders; files are told by their names, in any case.

    Two files for one role of a scan, such as names that differ in case only, make it a problem.

    Raises:
        MissingData: there is no such folder, or nothing in it is called as the cohort's files are.
    """
    files = defaultdict[str, dict[str, list[Path]]](lambda: defaultdict(list))
    for path in files_below(root):
        match = layout.pattern.search(path.relative_to(root).as_posix())
        if match:
            files[layout.name(match)][match["role"].casefold()].append(path)
    if not files:
        raise MissingData(f"No download of {layout.title} at {root}: looked for {layout.looked_for}. {there(root)}")
    clashes = {name: roles for name, roles in sorted(files.items()) if any(len(one) > 1 for one in roles.values())}
    scans = [Scan(name, {role: paths[0] for role, paths in sorted(roles.items())})
             for name, roles in sorted(files.items()) if name not in clashes]  # fmt: skip
    return Gathered(tuple(scans), tuple(_clash(name, roles, root) for name, roles in clashes.items()))


def files_below(root: Path) -> Iterator[Path]:
    """Every file in order; links are followed, but into no folder twice, so that a loop of links ends.

    Raises:
        MissingData: `root` is no folder.
    """
    if not root.is_dir():
        raise MissingData(f"No folder {root}: wanted that of a download.")
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def there(root: Path) -> str:
    """What lies in a folder, for an error's end."""
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in root.iterdir())
    return f"There: {few(names)}." if names else "The folder is empty."


def few(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _has(scan: Scan, roles: Sequence[str], any_of: Sequence[str]) -> bool:
    return all(role in scan.files for role in roles) and (not any_of or any(role in scan.files for role in any_of))


def _clash(name: str, roles: Mapping[str, Sequence[Path]], root: Path) -> str:
    doubled = [str(path.relative_to(root)) for paths in roles.values() if len(paths) > 1 for path in paths]
    return f"passed over, several files for one thing: {name} ({few(doubled)})"


SEQUENCES = ("t1", "t1ce", "t2", "flair")
FOLDER = re.compile(rf"(^|/)(?P<role>t1ce|t1|t2|flair|mask|seg)/(?P<stem>[^/]+?){NIFTI}", re.IGNORECASE)
# What a file's name may add to the scan's, so that the files of one scan share the rest.
TAIL = re.compile(
    r"[-_](t1ce|t1wks|t1w?|t2w?|flair|seg|brain_?mask|mask|consensus_gt|wmh|label-l_desc-t1lesion_mask)$", re.IGNORECASE
)


def archived(
    root: Path, title: str, folders: Sequence[str], case: Callable[[str], tuple[str, str, str] | None]
) -> RawCohort | None:
    """The cohort as the archive holds it; None where there is none of its folders.

    These scans are stripped, in SRI24 space, cropped to the brain and corrected for the bias field.
    Their lesion masks were interpolated linearly, so that only what is above half counts.

    Args:
        folders: what the cohort's folder may be called, in lower case.
        case: a file's name without its ending to case, subject and site; None for one that is not the cohort's.
    """
    folder = _folder(root, folders)
    if folder is None:
        return None
    layout = Layout(title, FOLDER, lambda match: _name(match, case), "t1/, t2/ or flair/ beside mask/ (and seg/)")
    lesion = ["seg"] if folder.parent.name.casefold() == "test" else []
    gathered = gather(folder, layout).having("mask", *lesion, any_of=SEQUENCES)
    cases, strangers = [], []
    for scan in gathered.scans:
        found = case(scan.name)
        if found is None:
            strangers.append(f"passed over, not a name of {title}: {scan.name}")
        else:
            cases.append(_raw_case(scan, *found))
    return RawCohort(tuple(cases), (*gathered.problems, *strangers))


def _folder(root: Path, names: Sequence[str]) -> Path | None:
    """`Train/<name>` or `Test/<name>` at or below `root`, whichever case they are written in."""
    near = [root, *(path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth)))]
    for folder in near:
        if folder.name.casefold() in names and folder.parent.name.casefold() in ("train", "test") and folder.is_dir():
            return folder
    return None


def _name(match: re.Match[str], case: Callable[[str], tuple[str, str, str] | None]) -> str:
    """The case's, or what a file that is not the cohort's has beside its tail."""
    stem = _stem(match["stem"])
    found = case(stem)
    return found[0] if found else stem


def _stem(name: str) -> str:
    while (shorter := TAIL.sub("", name)) != name:
        name = shorter
    return name


def _raw_case(scan: Scan, case_id: str, subject_id: str, site: str) -> RawCase:
    images = {role: path for role, path in scan.files.items() if role in SEQUENCES}
    return RawCase(
        case_id=case_id,
        subject_id=subject_id,
        images=images,
        drawn_on=next(iter(images)),
        site=site,
        lesion_mask=scan.files.get("seg"),
        brain_mask=scan.files["mask"],
        space="sri24",
        stripped=True,
        corrected=True,
        aligned=True,
    )
