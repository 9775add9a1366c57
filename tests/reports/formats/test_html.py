"""The HTML report: one file, nothing loaded from elsewhere, every name escaped."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scored_runs import Made, make

from reports.document import compose
from reports.formats.html import render, script_json
from reports.formats.registry import FORMATS, write_document


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
def page(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("page"), data)
        return write_document(compose(made.run, data), "html").read_text(encoding="utf-8")


def content(page: str) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script id="viewer-content" type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_is_one_file_that_loads_nothing(page: str) -> None:
    reader = read(page)
    assert reader.fetched
    assert all(value.startswith(("data:image/png;base64,", "data:image/svg+xml;base64,")) for value in reader.fetched)
    assert "link" not in reader.elements


def test_links_of_the_contents_lead_somewhere_and_ids_are_unique(page: str) -> None:
    ids = read(page).ids
    assert len(set(ids)) == len(ids)
    links = re.findall(r'href="#([^"]+)"', page)
    assert "viewer" in links
    assert set(links) <= set(ids)


def test_every_number_sorts_as_a_number() -> None:
    page = render("| a | b |\n|---|---|\n| x | **0.329** (0.2) |\n| y | 1,024 |\n| z | n/a |", Path())
    assert re.findall(r'data-sort="([^"]+)"', page.html) == ["0.329", "1024"]
    assert 'class="sortable"' in page.html


def test_no_name_can_bring_markup() -> None:
    page = render(
        "# <img src=x onerror=alert(1)>\n\n[x](javascript:alert(1))\n\n| <b>a</b> |\n|---|\n| \"&'<i> |", Path()
    )
    assert not {"img", "b", "i", "a"} & set(read(page.html).elements)


def test_a_folded_table_is_folded_and_its_name_is_text() -> None:
    table = "| a |\n|---|\n| 1 |"
    page = render(f"<details><summary>\\<b>gamma</summary>\n\n{table}\n\n</details>\n\nafter", Path())
    assert "<details><summary>&lt;b&gt;gamma</summary>" in page.html
    assert page.html.index("</table>") < page.html.index("</details>") < page.html.index("<p>after</p>")
    assert read(page.html).elements.count("b") == 0


def test_pictures_are_part_of_the_page_whatever_their_names(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "gallery-implant[ixi].png").write_bytes(b"png")
    page = render("![Implants](figures/gallery-implant[ixi].png)", tmp_path)
    assert read(page.html).fetched == ["data:image/png;base64,cG5n"]


def test_nothing_in_the_content_ends_its_script() -> None:
    text = script_json({"name": "</script><!--\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><!--\u2028"}


def test_the_same_heading_twice_has_two_anchors() -> None:
    headings = render("## LGG\n\n## LGG\n\n### \\*", Path()).headings
    assert [one.anchor for one in headings] == ["lgg", "lgg-2", "section"]


def test_the_viewer_holds_image_truth_and_maps_of_every_method(page: str) -> None:
    cases = content(page)["cases"]
    assert cases[0]["lesion_mask"] is not None
    assert any("(best)" in str(one["name"]) for one in cases)
    for one in cases:
        methods = one["methods"]
        assert isinstance(methods, dict)
        assert set(methods) == {"thresh", "ae[size=48]"}
        assert methods["thresh"]["reconstruction"] is None
        volume = gzip.decompress(base64.b64decode(methods["ae[size=48]"]["map"]))
        levels = np.asarray(nibabel.nifti1.Nifti1Image.from_bytes(volume).dataobj)
        assert levels.dtype == np.uint8
        assert levels.max() == 255


def test_a_page_without_volumes_has_neither_scans_nor_viewer(tmp_path: Path, data: Path, plugin: None) -> None:
    document = compose(make(tmp_path, data).run, data, volumes=False)
    page = write_document(document, "html").read_text(encoding="utf-8")
    assert "viewer-content" not in page
    assert "niivue" not in page
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
