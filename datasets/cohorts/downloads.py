"""Downloads in their own naming: Layout finds a cohort's scans by the names of their files and says what is amiss.

A cohort lies either as its publisher distributes it, or in the prepared archive of the reference study:
`Train/<cohort>` and `Test/<cohort>` with `{t1,t2,flair,mask,seg}/`.
"""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

from datasets.case import Labels, RawCase, RawCohort, Space
from datasets.errors import MissingData

NIFTI = r"\.nii(\.gz)?$"
MASKS = ("brain_mask", "lesion_mask")
ARCHIVE_ROLES = {"t1": "t1", "t1ce": "t1ce", "t2": "t2", "flair": "flair", "mask": "brain_mask", "seg": "lesion_mask"}
ARCHIVE_PATH = re.compile(rf"(^|/)(?P<role>{'|'.join(ARCHIVE_ROLES)})/(?P<stem>[^/]+?){NIFTI}", re.IGNORECASE)
# What the archive's file names may append to a scan's name.
ARCHIVE_TAIL = re.compile(
    r"[-_](t1ce|t1wks|t1w?|t2w?|flair|seg|brain_?mask|mask|consensus_gt|wmh|label-l_desc-t1lesion_mask)$", re.IGNORECASE
)
FEW = 5


class Identity(NamedTuple):
    """Whose scan it is."""

    case_id: str
    subject_id: str
    site: str = ""


class Facts(TypedDict, total=False):
    """Fields of RawCase that all scans of a cohort share."""

    licence: str
    labels: Labels | None
    space: Space
    stripped: bool
    corrected: bool
    aligned: bool


ARCHIVE_FACTS = Facts(labels=None, space="sri24", stripped=True, corrected=True, aligned=True)


@dataclass(frozen=True)
class Layout:
    """How a cohort's download names its files. Patterns ignore upper and lower case.

    A file's path below the download, `/` between folders, is `before`, `name`, `after`, a key of `roles` and the ending
    of NIfTI.

    Attributes:
        title: of the cohort, for messages.
        name: pattern of a scan's name, with the groups that `identity` reads.
        identity: from a match of `name` to the scan's identity, one spelling for all of its files.
        roles: what a file is: the end of its name in lower case to a sequence, `lesion_mask` or `brain_mask`. A cohort
            with a role `lesion_mask` has one for every scan; scans without are skipped.
        looked_for: examples, for the message where no file matches.
        facts: what is known of every scan of the original download.
        archive: names of the cohort's folder in the prepared archive, in lower case; empty where it is not in it.
        archive_identity: from a name in the archive to an identity; default: by `name`.
        unpublished: pattern of the folders whose scans do not belong to the published cohort.
    """

    title: str
    name: str
    identity: Callable[[re.Match[str]], Identity]
    roles: Mapping[str, str]
    looked_for: str
    facts: Facts = field(default_factory=Facts)
    before: str = "(^|/)"
    after: str = "_"
    archive: tuple[str, ...] = ()
    archive_identity: Callable[[str], Identity | None] | None = None
    unpublished: str = ""

    def read(self, root: Path) -> RawCohort:
        """The cohort below `root`, from the prepared archive or the original download.

        Raises:
            MissingData: there is no such folder, or no file in it has a name of this cohort.
        """
        found = self.read_archive(root)
        return self.read_original(root) if found is None else found

    def read_archive(self, root: Path) -> RawCohort | None:
        """The cohort from the prepared archive; None where the archive is not there.

        Its scans are stripped, in SRI24 space, cropped to the brain and corrected for the bias field. Its lesion masks
        were interpolated linearly: only values above half count.
        """
        folder = _archive_folder(root, self.archive)
        if folder is None:
            return None
        scans, problems = _gather(folder, ARCHIVE_PATH, ARCHIVE_ROLES, self._stem_identity)
        if not scans and not problems:
            raise self._missing(folder, "t1/, t2/ or flair/ beside mask/ (and seg/)")
        required = MASKS if folder.parent.name.casefold() == "test" else ("brain_mask",)
        complete, incomplete = _complete(scans, required)
        named = [one for one in complete if self._archive_identity(one.identity.case_id)]
        strangers = [one.identity.case_id for one in complete if one not in named]
        problems = [*problems, *incomplete, *(f"skipped, not a name of {self.title}: {name}" for name in strangers)]
        return RawCohort(tuple(one.raw_case(ARCHIVE_FACTS) for one in named), tuple(problems))

    def read_original(self, root: Path) -> RawCohort:
        """The cohort as its publisher distributes it, in whatever folders below `root`.

        Raises:
            MissingData: as `read`.
        """
        roles = "|".join(map(re.escape, self.roles))
        pattern = re.compile(rf"{self.before}{self.name}{self.after}(?P<role>{roles}){NIFTI}", re.IGNORECASE)
        scans, problems = _gather(root, pattern, self.roles, self.identity)
        if not scans and not problems:
            raise self._missing(root, self.looked_for)
        scans, incomplete = _complete(scans, [role for role in self.roles.values() if role == "lesion_mask"])
        unpublished = [one for one in scans if self._unpublished(one, root)]
        problems = [*problems, *incomplete, *_gaps(scans, self.roles.values())]
        if unpublished:
            names = few([one.identity.case_id for one in unpublished])
            problems.append(f"skipped, not among the published training scans: {names}")
        return RawCohort(tuple(one.raw_case(self.facts) for one in scans if one not in unpublished), tuple(problems))

    def _missing(self, root: Path, looked_for: str) -> MissingData:
        return MissingData(f"No download of {self.title} at {root}: looked for {looked_for}. {there(root)}")

    def _unpublished(self, scan: "Scan", root: Path) -> bool:
        folder = next(iter(scan.files.values())).parent.relative_to(root).as_posix()
        return bool(self.unpublished and re.match(self.unpublished, folder, re.IGNORECASE))

    def _archive_identity(self, name: str) -> Identity | None:
        if self.archive_identity is not None:
            return self.archive_identity(name)
        match = re.search(self.name, name, re.IGNORECASE)
        return self.identity(match) if match else None

    def _stem_identity(self, match: re.Match[str]) -> Identity:
        """The identity of a file's scan; of another cohort's file its name without the tail, to report it by."""
        stem = match["stem"]
        while (shorter := ARCHIVE_TAIL.sub("", stem)) != stem:
            stem = shorter
        return self._archive_identity(stem) or Identity(stem, stem)


@dataclass(frozen=True)
class Scan:
    """The files of one scan by role: a sequence, `brain_mask` or `lesion_mask`."""

    identity: Identity
    files: Mapping[str, Path]

    @property
    def images(self) -> Mapping[str, Path]:
        return {role: path for role, path in self.files.items() if role not in MASKS}

    def raw_case(self, facts: Facts) -> RawCase:
        return RawCase(
            case_id=self.identity.case_id,
            subject_id=self.identity.subject_id,
            images=self.images,
            drawn_on=next(iter(self.images)),
            site=self.identity.site,
            lesion_mask=self.files.get("lesion_mask"),
            brain_mask=self.files.get("brain_mask"),
            **facts,
        )


def files_below(root: Path) -> Iterator[Path]:
    """Every file in order; links are followed, but into no folder twice, so that a loop of links ends.

    Raises:
        MissingData: `root` is no folder.
    """
    if not root.is_dir():
        raise MissingData(f"No folder {root}: expected that of a download.")
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
    """What lies in a folder, for the end of an error message."""
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in root.iterdir())
    return f"There: {few(names)}." if names else "The folder is empty."


def few(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _gather(
    root: Path, pattern: re.Pattern[str], roles: Mapping[str, str], identity: Callable[[re.Match[str]], Identity]
) -> tuple[list[Scan], list[str]]:
    """The scans in the order of their names; a scan with two files for one role is a problem instead."""
    files = defaultdict[Identity, dict[str, list[Path]]](lambda: defaultdict(list))
    for path in files_below(root):
        match = pattern.search(path.relative_to(root).as_posix())
        if match:
            files[identity(match)][roles[match["role"].casefold()]].append(path)
    scans, problems = [], []
    for one, by_role in sorted(files.items()):
        doubled = [str(path.relative_to(root)) for paths in by_role.values() if len(paths) > 1 for path in paths]
        if doubled:
            problems.append(f"skipped, several files for one thing: {one.case_id} ({few(doubled)})")
        else:
            scans.append(Scan(one, {role: paths[0] for role, paths in sorted(by_role.items())}))
    return scans, problems


def _complete(scans: Sequence[Scan], required: Sequence[str]) -> tuple[list[Scan], list[str]]:
    """The scans with an image and every file that is required, and a line for each thing that others lack."""
    kept, problems = list(scans), []
    for role in ("image", *required):
        lacking = [one for one in kept if not (one.images if role == "image" else role in one.files)]
        if lacking:
            names = few([one.identity.case_id for one in lacking])
            problems.append(f"skipped, without {role.replace('_', ' ')}: {names}")
        kept = [one for one in kept if one not in lacking]
    return kept, problems


def _gaps(scans: Sequence[Scan], roles: Iterable[str]) -> list[str]:
    """A line for each role that some scans have and others have not."""
    lines = []
    for role in roles:
        without = [one.identity.case_id for one in scans if role not in one.files]
        if 0 < len(without) < len(scans):
            lines.append(f"without {role}, the rest of the scan is kept: {few(without)}")
    return lines


def _archive_folder(root: Path, names: Sequence[str]) -> Path | None:
    """`Train/<name>` or `Test/<name>` at or below `root`, in any case of letters."""
    near = [root, *(path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth)))]
    for folder in near:
        if folder.name.casefold() in names and folder.parent.name.casefold() in ("train", "test") and folder.is_dir():
            return folder
    return None
