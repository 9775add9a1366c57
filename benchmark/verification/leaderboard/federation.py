"""Federation: a site signs an entry of a run whose scans and maps stay there; a board takes those of sites it knows."""

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from benchmark.storage import checksums
from benchmark.storage.checksums import broken, read_checksums
from benchmark.storage.folder import RunFolder, check_tree
from benchmark.storage.run_record import kept_cells, reopen
from benchmark.verification.leaderboard.entry import (
    FILES,
    NAME,
    Attestation,
    Entry,
    Standing,
    faults,
    keep_attestation,
    new_entry,
    scans_of,
    strange_files,
    write_entry,
)
from benchmark.verification.leaderboard.release import has_release, read_release, release_of, write_release
from benchmark.verification.verify import verify_run
from datasets.errors import BadFile, BadValue, UnknownName, need
from datasets.io.atomic import new_folder, read_json, write_json
from datasets.io.files import sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from benchmark.verification.remap import Sample

SIGNED = "signed.json"
SITES = "sites.json"


@dataclass(frozen=True)
class Statement:
    """What a site signs of an entry.

    Attributes:
        board: id of the one board that it is meant for.
        serial: greater than that of anything the site has signed before; the time in ns.
        sums: SHA-256 of the entry's SHA256SUMS.
        seed, checks: of the site's own verification, as of `Attestation`.
    """

    board: str
    site: str
    serial: int
    sums: str
    attestation: Attestation

    @property
    def message(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Site:
    """A site as a board knows it.

    Attributes:
        key: its public key, as 64 hexadecimal digits.
        last: serial of the latest entry that was taken from it; none up to that is taken any more.
        revoked: whether its entries are refused from now on, those that stand included.
    """

    key: str
    last: int = 0
    revoked: bool = False


@dataclass(frozen=True)
class Trusted:
    """The sites of a board by name, and the board's id, which entries for it are signed with."""

    board: str
    sites: Mapping[str, Site]


def keygen(site: str, folder: Path) -> tuple[Path, Path]:
    """Write a new key of a site: `SITE.key`, which stays there, readable by its owner alone, and `SITE.pub`.

    Raises:
        BadValue: there is a key already, or the name is none.
    """
    _check_name(site)
    secret, public = folder / f"{site}.key", folder / f"{site}.pub"
    if secret.exists() or public.exists():
        raise BadValue(f"{folder}: got a key of '{site}' already, expected none. Choose another --out.")
    need("cryptography", "A signature")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    folder.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(f"{made.private_bytes_raw().hex()}\n")
    write_json(public, {"site": site, "key": made.public_key().public_bytes_raw().hex()})
    return secret, public


def trusted(board: Path) -> Trusted:
    """The sites that a board trusts; none before `trust`.

    Raises:
        BadFile: the record is damaged.
    """
    path = board / SITES
    if not path.exists():
        return Trusted("", {})
    kept = read_json(path)
    return Trusted(kept["board"], {name: Site(**one) for name, one in kept["sites"].items()})


def trust(board: Path, public: Path) -> str:
    """Have a board take entries that are signed with a key; the board's id is returned, which the site needs.

    Raises:
        BadFile: it is no public key of `keygen`.
        BadValue: the board knows the site under another key.
    """
    need("cryptography", "A signature")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    told, known = read_json(public), trusted(board)
    try:
        site, key = str(told["site"]), str(told["key"])
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    except (KeyError, ValueError) as error:
        raise BadFile(f"{public}: got no public key, expected SITE.pub of: leaderboard keygen") from error
    _check_name(site)
    before = known.sites.get(site, Site(key))
    if before.key != key:
        raise BadValue(f"{board}: got a second key of site '{site}', expected the one that it is known by.")
    _keep(board, replace(known, board=known.board or token_hex(16)), site, replace(before, revoked=False))
    return trusted(board).board


def revoke(board: Path, site: str) -> None:
    """Have a board refuse all entries of a site, those that stand included.

    Raises:
        UnknownName: the board knows no such site.
    """
    known = trusted(board)
    if site not in known.sites:
        raise UnknownName(f"site that {board} trusts called", site, known.sites)
    _keep(board, known, site, replace(known.sites[site], revoked=True))


def sign(
    run: RunFolder,
    data: Path | None,
    key: Path,
    board: str,
    out: Path,
    *,
    sample: "Sample",
    device: str,
    plugins: Sequence[str] = (),
) -> Statement:
    """Verify a run at the site that holds its scans, and write an entry of its numbers with the site's signature.

    It holds rows, data cards, settings and digests of scans; no map, no weights, no scan, no place. Names of patients
    and cases are replaced by ones that only the key's owner can derive, but for the cohorts that methods were fitted
    on.

    Args:
        key: `SITE.key`.
        board: id of the board that it is meant for, as `leaderboard trust` has told it.
        out: folder of the entry; must not exist.
        sample, device, plugins: see `verify_run`.

    Raises:
        BadValue: the run does not verify.
        BadFile: it is no key.
    """
    secret, site = _secret(key), key.stem
    checks = tuple(verify_run(run, data, sample=sample, device=device, plugins=plugins))
    wrong = [f"{check.name} ({check.faults[0]})" for check in checks if check.faults]
    if wrong:
        raise BadValue(f"{run.root} is not signed: did not verify: {'; '.join(wrong)}.")
    public = {cohort.dataset for cell in kept_cells(run) for cohort in cell.fit.healthy_cohorts}
    with new_folder(out) as beside:
        scans = {name: found for name, found in scans_of(reopen(run, data)).items() if name not in public}
        write_entry(run, beside, scans, Pseudonyms(secret.private_bytes_raw(), public))
        sums = sha256(beside / checksums.NAME)
        statement = Statement(board, site, time.time_ns(), sums, Attestation("attested", sample.seed, checks, site))
        signature = secret.sign(statement.message).hex()
        write_json(beside / SIGNED, {"statement": asdict(statement), "signature": signature})
    return statement


def is_signed(folder: Path) -> bool:
    return (folder / SIGNED).exists()


def receive(board: Path, folder: Path, name: str, standing: Standing) -> Entry:
    """Take a signed entry into a board, as attested by its site.

    Args:
        standing: what the board holds.

    Raises:
        BadValue: its site, signature or bytes are not what the board trusts, it was taken before, or it contradicts
            the release or an entry.
        BadFile: it cannot be read.
    """
    check_tree(folder)
    known, statement = trusted(board), _checked_statement(board, folder)
    if changed := list(_changed(folder, statement)):
        raise BadValue(f"{folder} cannot stand on {board}: {'; '.join(changed)}.")
    with new_folder(new_entry(board, name)) as beside:
        for file in [*read_checksums(folder), checksums.NAME]:
            (beside / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, beside / file)
        candidate = Entry(beside)
        release = read_release(board)[0] if has_release(board) else release_of(candidate.run)
        problems = broken(beside) or faults(candidate, release)
        problems = problems or list(standing.clashes(candidate, statement.site))
        if problems:
            raise BadValue(f"{folder} cannot stand on {board}: {'; '.join(problems)}.")
    entry = Entry(board / "entries" / name)
    keep_attestation(entry, statement.attestation)
    _keep(board, known, statement.site, replace(known.sites[statement.site], last=statement.serial))
    write_release(board, release.with_cohorts_of(entry.run))
    return entry


def distrusted(entry: Entry, known: Trusted) -> list[str]:
    """Why a board does not show an entry of a site any more."""
    site = entry.attestation.site
    if site and (site not in known.sites or known.sites[site].revoked):
        return [f"attested by {site}, which this board does not trust any more"]
    return []


class Pseudonyms:
    """A `Renaming`: names of patients and cases that are alike in all entries of a key and tell nobody else anything.

    Args:
        secret: of the site.
        public: cohorts whose names stay.
    """

    def __init__(self, secret: bytes, public: set[str]) -> None:
        self._key = hashlib.sha256(b"uadbench names " + secret).digest()
        self._public = public

    def __call__(self, dataset: str, name: str) -> str:
        if not name or dataset in self._public:
            return name
        return hmac.new(self._key, f"{dataset}\0{name}".encode(), "sha256").hexdigest()[:16]


def _checked_statement(board: Path, folder: Path) -> Statement:
    """What a trusted site has signed for this board, and for the first time."""
    need("cryptography", "A signature")
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from pydantic import TypeAdapter, ValidationError

    record, known = read_json(folder / SIGNED), trusted(board)
    try:
        statement = TypeAdapter(Statement).validate_python(record.get("statement"))
        signature = bytes.fromhex(str(record.get("signature")))
    except (ValidationError, ValueError) as error:
        raise BadFile(f"{folder / SIGNED}: got no signed statement, expected that of: leaderboard sign") from error
    site = known.sites.get(statement.site)
    if site is None or site.revoked:
        names = ", ".join(name for name, one in known.sites.items() if not one.revoked) or "none"
        raise BadValue(
            f"{folder}: got an entry signed by '{statement.site}', expected a site that {board} trusts: {names}. To "
            f"trust it: python -m benchmark leaderboard trust {board} {statement.site}.pub"
        )
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(site.key)).verify(signature, statement.message)
    except InvalidSignature:
        raise BadValue(
            f"{folder / SIGNED}: got a signature that is not of the key of '{statement.site}' that {board} trusts."
        ) from None
    if (statement.attestation.status, statement.attestation.site) != ("attested", statement.site):
        raise BadValue(f"{folder / SIGNED}: got what is no attestation of '{statement.site}'.")
    if statement.board != known.board:
        raise BadValue(f"{folder}: got an entry for board {statement.board}, expected one for {known.board}.")
    if statement.serial <= site.last:
        raise BadValue(
            f"{folder}: got an entry that '{statement.site}' signed before the latest that was taken, or that one "
            "again; expected a later one. Have it signed anew: python -m benchmark leaderboard sign"
        )
    return statement


def _changed(folder: Path, statement: Statement) -> Iterator[str]:
    """Files that are not what was signed, or are not of an entry."""
    if not (folder / checksums.NAME).is_file() or sha256(folder / checksums.NAME) != statement.sums:
        yield f"{folder / checksums.NAME}: got other digests than were signed"
        return
    yield from broken(folder)
    yield from strange_files(folder, also=(SIGNED,))
    yield from (f"{folder / one}: no file of an entry" for one in read_checksums(folder) if not _belongs(one))


def _belongs(name: str) -> bool:
    return PurePosixPath(name).parts[0] in FILES


def _secret(key: Path) -> "Ed25519PrivateKey":
    need("cryptography", "A signature")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        _check_name(key.stem)
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key.read_text(encoding="utf-8").strip()))
    except (OSError, ValueError) as error:
        raise BadFile(f"{key}: got no key, expected SITE.key of: leaderboard keygen SITE") from error


def _keep(board: Path, known: Trusted, name: str, site: Site) -> None:
    sites = {**known.sites, name: site}
    content: dict[str, Any] = {"board": known.board, "sites": {one: asdict(value) for one, value in sites.items()}}
    write_json(board / SITES, content)


def _check_name(site: str) -> None:
    if not NAME.fullmatch(site):
        raise BadValue(f"Site: got '{site}', expected letters, digits, '_', '.', '=' and '-', at most 100.")
