"""What the repository itself shows of people: only cohorts whose terms allow it, and simulated ones."""

import json
import re
from pathlib import Path

import pytest

from datasets.cohorts.catalog import dataset

ROOT = Path(__file__).parents[2]
SHOWABLE = ("ixi", "msl", "phantom", "phantom-glioma", "phantom-ms", "phantom-stroke", "phantom-wmh")
PAGES = sorted(ROOT.glob("docs/**/*.html"))


def test_galleries_are_of_cohorts_that_may_be_shown() -> None:
    shown = {path.stem.removeprefix("gallery-") for path in ROOT.glob("docs/**/gallery-*.png")}
    assert shown
    assert shown <= set(SHOWABLE)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.parent.name)
def test_viewers_hold_scans_of_such_cohorts_alone(page: Path) -> None:
    found = re.search(
        r'<script id="viewer-content" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL
    )
    cases = json.loads(found[1])["cases"] if found else []
    titles = tuple(dataset(name).title for name in SHOWABLE)
    assert [case["name"] for case in cases if not case["name"].startswith(titles)] == []
