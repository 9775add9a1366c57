"""verify_run: all checks of a finished run, one after the other, and what they found written down."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark import __version__
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import reopen
from benchmark.verification.checks import Check, check_files, check_keys, check_rows, check_table
from datasets.errors import UserError
from datasets.io.atomic import write_json
from datasets.io.files import sha256


def verify_run(run: RunFolder, data: Path | None, *, maps: int, seed: int, device: str) -> Iterator[Check]:
    """Look at keys, files, table and data; with the data at hand make the rows again, and `maps` maps.

    Args:
        data: where the cohorts are now; None for where they were.
    """
    yield check_keys(run)
    yield check_files(run)
    yield check_table(run)
    try:
        study = reopen(run, data)
    except UserError as error:
        yield Check("data", "digests of splits and voxels", (str(error),))
        return
    yield Check("data", f"digests of splits and voxels of {', '.join(study.files)}")
    yield check_rows(run, study)
    if maps:
        from benchmark.inference.predict import pick_device
        from benchmark.verification.remap import check_maps

        yield check_maps(run, study, sample=maps, seed=seed, device=pick_device(device))


def write_verification(run: RunFolder, checks: Sequence[Check]) -> Path:
    """Write `verification.json`, which holds for the table with the digest that it names and for no other."""
    path = run.root / "verification.json"
    content = {"version": __version__, "rows": sha256(run.root / "rows.csv"), "checks": list(map(asdict, checks))}
    write_json(path, content)
    return path
