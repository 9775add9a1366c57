"""The frozen endpoint, word for word, and files that are none."""

from dataclasses import replace
from pathlib import Path

import pytest
from comparisons import CHOICE, ENDPOINT

from benchmark.statistics.primary_endpoint import read_endpoint
from datasets.errors import BadFile


def test_the_release_decides_on_what_it_has_fixed() -> None:
    """A change here is a new release of the leaderboard."""
    found = read_endpoint()
    assert (found.release, found.metric, found.postprocessing, found.protocols) == (
        "0.2",
        "dice",
        "light",
        ("healthy-fpr-1", "lesion-val"),
    )
    assert (found.shift, found.split, found.alpha, found.power) == ("none", "test", 0.05, 0.8)
    assert dict(found.margins) == {"dice": 0.02}


@pytest.mark.parametrize("change", ["metric", "postprocessing", "protocol", "split"])
def test_everything_else_is_exploratory(change: str) -> None:
    assert ENDPOINT.rank_of(CHOICE) == "first"
    assert ENDPOINT.rank_of(replace(CHOICE, dataset="msl")) == "first"
    assert ENDPOINT.rank_of(replace(CHOICE, **{change: "other"})) == "exploratory"


@pytest.mark.parametrize(
    ("text", "message"),
    [("metric = ", "not TOML"), ('metric = "dice"', "Field required"), (None, "alpha 0.7")],
)
def test_a_file_that_is_no_endpoint_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "endpoint.toml"
    whole = Path(read_endpoint.__globals__["RELEASE"]).read_text().replace("alpha = 0.05", "alpha = 0.7")
    path.write_text(whole if text is None else text)
    with pytest.raises(BadFile, match=message):
        read_endpoint(path)
