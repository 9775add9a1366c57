"""write_markdown: `report.md`, a study's boards, notes and pictures for a reader who opens it first."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.storage.folder import RunFolder
from datasets.io.atomic import write_text
from reports.document import Document, compose


def write_markdown(document: Document) -> Path:
    """Write `report.md` into the run folder; its path is returned."""
    path = document.run.root / "report.md"
    write_text(path, "\n\n".join(document.sections) + "\n")
    return path


def write_report(run: RunFolder, data: Path | None, *, pictures: Sequence[str] | None = None) -> Path:
    """Write `report.md` and its `figures/` into a run folder; see `compose` for what is raised."""
    return write_markdown(compose(run, data, pictures=pictures))
