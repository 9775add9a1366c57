"""`python -m datasets cache`: what this program keeps so as not to compute it again, and its deletion."""

import shutil
from typing import Annotated

import typer

from datasets.words import count_text


def cache(clear: Annotated[bool, typer.Option("--clear", help="Delete all of it.")] = False) -> None:
    """Show or delete prepared cases and digests of files; runs make them again, bit for bit."""
    from datasets.case_cache import MOST_BYTES, cases_folder
    from datasets.io.contents import cache_folder, marks_folder

    typer.echo(f"{cache_folder()}, of which cases up to {MOST_BYTES / 2**30:g} GiB:")
    for place in (cases_folder(), marks_folder()):
        sizes = [path.stat().st_size for path in place.iterdir()] if place.is_dir() else []
        if clear:
            shutil.rmtree(place, ignore_errors=True)
        deleted = ", deleted" if clear and sizes else ""
        typer.echo(f"  {place.name}: {count_text(len(sizes), 'file')} of {sum(sizes) / 2**20:.1f} MiB{deleted}")
