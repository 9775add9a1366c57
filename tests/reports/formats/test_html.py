"""The HTML report: one file, nothing loaded from elsewhere, every name escaped."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scored_runs import Made, make

from benchmark.storage.rows import read_rows
from reports.content.blocks import Folded, Heading, Paragraph, Picture
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import as_text
from reports.document import compose
from reports.formats.html import Page, script_json, table
from reports.formats.registry import FORMATS, write_document
from reports.formats.viewer import LESION, SCORED


class Reader(HTMLParser):
    """Collects what a browser would fetch, and every element's name and id."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.elements: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.elements.append(tag)
        if tag in ("img", "script", "link", "iframe"):
            self.fetched += [value for name in ("src", "href") if (value := given.get(name))]
        if given.get("id"):
            self.ids.append(str(given["id"]))


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("page"), data)
        write_document(compose(made.run, data), "html")
        return made.run.root


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return read_rows(folder / "rows.csv")


def content(page: str) -> dict[str, list[dict[str, Any]]]:
    found = re.search(r'<script id="viewer-content" type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_is_one_file_that_loads_nothing(page: str) -> None:
    reader = read(page)
    assert reader.fetched
    assert all(value.startswith("data:image/png;base64,") for value in reader.fetched)
    assert "svg" in reader.elements
    assert "link" not in reader.elements


def test_links_of_the_contents_lead_somewhere_and_ids_are_unique(page: str) -> None:
    ids = read(page).ids
    assert len(set(ids)) == len(ids)
    links = re.findall(r'href="#([^"]+)"', page)
    assert "viewer" in links
    assert set(links) <= set(ids)


def test_a_cell_sorts_by_its_number_and_names_its_row() -> None:
    columns = [*text_columns("Method"), Column("Time", "s", False, 2)]
    made = table(Table("t", as_text("Times."), columns, [[said("ae"), Cell(0.329, 0.2, 0.5)], [said("x"), Cell(1024)]]))
    assert re.findall(r'data-sort="([^"]+)"', made) == ["0.329", "1024"]
    assert '<th scope="row">ae</th>' in made
    assert '<th scope="col" data-first="ascending" class="number">Time (s)&nbsp;\N{DOWNWARDS ARROW}</th>' in made
    assert "<caption>Times.</caption>" in made


def test_what_is_folded_is_folded_and_its_name_is_text() -> None:
    page = Page().render([Folded("<b>gamma", [Paragraph("inside")]), Paragraph("after")])
    assert "&lt;b&gt;gamma</span></summary>" in page
    assert page.index("inside") < page.index("</details>") < page.index("after")
    assert read(page).elements.count("b") == 0


def test_pictures_are_part_of_the_page_whatever_their_names(tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "gallery-implant[ixi].png").write_bytes(b"png")
    page = Page().render([Picture(figures / "gallery-implant[ixi].png", 'Implants "x"')])
    assert read(page).fetched == ["data:image/png;base64,cG5n"]
    (figures / "a.svg").write_text("<svg></svg>")
    assert "<svg></svg>" in Page().render([Picture(figures / "a.svg", "A")])


def test_nothing_in_the_content_ends_its_script() -> None:
    text = script_json({"name": "</script><!--\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><!--\u2028"}


def test_the_same_heading_twice_has_two_anchors() -> None:
    page = Page()
    page.render([Heading("LGG"), Heading("LGG"), Heading("*", 3)])
    assert [one.anchor for one in page.contents] == ["lgg", "lgg-2", "section"]


def volume(packed: str, shape: list[int]) -> NDArray[np.uint8]:
    return np.frombuffer(gzip.decompress(base64.b64decode(packed)), dtype=np.uint8).reshape(shape, order="F")


def test_the_viewer_holds_image_masks_and_maps_of_every_method(page: str) -> None:
    cases = content(page)["cases"]
    assert any("(best)" in str(one["name"]) for one in cases)
    for one in cases:
        assert set(one["methods"]) == {"thresh", "ae[size=48]"}
        assert one["methods"]["thresh"]["reconstructions"] == {}
        assert set(one["methods"]["ae[size=48]"]["reconstructions"]) == set(one["images"]) == {"t1"}


def test_dice_of_a_viewer_s_map_at_the_deciding_threshold_is_the_table_s(page: str, rows: pd.DataFrame) -> None:
    compared = 0
    for one in content(page)["cases"]:
        masks = volume(one["masks"], one["shape"])
        pipeline, _, protocol = one["choice"].partition(", ")
        own = rows[(rows["metric"] == "dice") & (rows["postprocessing"] == pipeline) & (rows["protocol"] == protocol)]
        for name, method in one["methods"].items():
            steps = np.array(method["steps"])
            assert (np.diff(steps) >= 0).all()
            case_id = one["name"].split(": ")[1].split(" (")[0]
            found = own[(own["method"] == name) & (own["case_id"] == case_id)]["value"]
            if method["decided"] is None or not one["positives"]:
                continue
            raised = (volume(method["map"], one["shape"]) > method["decided"]) & (masks & SCORED > 0)
            hit = np.count_nonzero(raised & (masks & LESION > 0))
            dice = 2 * hit / (np.count_nonzero(raised) + one["positives"])
            assert dice == pytest.approx(found.iloc[0], abs=1e-9)
            compared += 1
    assert compared > 3


def test_a_page_without_volumes_has_neither_scans_nor_viewer(tmp_path: Path, data: Path, plugin: None) -> None:
    document = compose(make(tmp_path, data).run, data, volumes=False)
    page = write_document(document, "html").read_text(encoding="utf-8")
    assert "viewer-content" not in page
    assert len(page) < 2_000_000


def test_cohorts_that_may_not_be_shown_are_not_in_the_viewer(tmp_path: Path, data: Path, plugin: None) -> None:
    document = compose(make(tmp_path, data).run, data, pictures=["volunteers"])
    page = write_document(document, "html").read_text(encoding="utf-8")
    assert {str(one["name"]).split(":")[0] for one in content(page)["cases"]} == {"Volunteers"}


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_names_every_method(tmp_path: Path, data: Path, plugin: None, name: str) -> None:
    made: Made = make(tmp_path, data)
    text = write_document(compose(made.run, data), name).read_text(encoding="utf-8")
    assert "thresh" in text
    assert "48" in text
