"""What a reader of a report's page can do: with a phone, on paper, in the dark, by keyboard and without scripts."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.storage.rows import read_rows

Open = Callable[..., Any]
MOST_STOPS = 60
MOST_PAGES = 6
LEFT_OUT = """() => [...document.querySelectorAll("svg")].flatMap((drawing) => {
  const box = drawing.getBoundingClientRect();
  return [...drawing.querySelectorAll("text")].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.width && (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1
      || own.bottom > box.bottom + 1);
  }).map((text) => text.textContent);
})"""
"""Texts of drawings that lie outside of them."""
SCROLLED = """(all) => all.map((one) => {
  one.scrollTop = one.scrollHeight;
  const box = one.getBoundingClientRect(), head = one.querySelector("thead th").getBoundingClientRect();
  return [box.height / innerHeight, head.top - box.top];
})"""
"""Of boxes that are scrolled to their ends: the height as a part of the window's, and where the headings are."""


@pytest.mark.parametrize("page", ["report_page", "wide_page", "board_page"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light")])
def test_axe_finds_nothing_serious(
    request: pytest.FixtureRequest, shown: Open, page: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    opened = shown(request.getfixturevalue(page), width, color_scheme=scheme)
    opened.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = axe.Axe().run(opened).response["violations"]
    told = {one["id"]: one["nodes"][0]["html"][:200] for one in found if one["impact"] in ("serious", "critical")}
    assert told == {}


@pytest.mark.parametrize("page", ["report_page", "wide_page", "board_page"])
def test_no_text_lies_outside_its_figure(request: pytest.FixtureRequest, shown: Open, page: str) -> None:
    opened = shown(request.getfixturevalue(page))
    opened.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert opened.locator("svg").count() > 1
    assert opened.evaluate(LEFT_OUT) == []


@pytest.mark.parametrize("page", ["report_page", "wide_page", "board_page"])
def test_a_phone_scrolls_down_only(request: pytest.FixtureRequest, shown: Open, page: str) -> None:
    opened = shown(request.getfixturevalue(page), 400)
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= 400


def test_the_tables_of_a_board_fit_a_desktop(board_page: Path, shown: Open) -> None:
    opened = shown(board_page)
    widths = opened.locator(".scroll:visible").evaluate_all(
        "(all) => all.map((one) => [one.scrollWidth, one.clientWidth])"
    )
    assert len(widths) > 2
    assert all(needed <= there for needed, there in widths)
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= 1280


def test_the_dark_page_is_dark(report_page: Path, shown: Open) -> None:
    colours = [
        shown(report_page, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert dark < 150 < 600 < light


def test_in_print_all_that_is_folded_is_there_and_no_control(report_page: Path, shown: Open) -> None:
    opened = shown(report_page)
    opened.emulate_media(media="print")
    heights = opened.evaluate(
        "[...document.querySelectorAll('main details:not(.controls *) > :last-child')].map((one) => one.offsetHeight)"
    )
    assert heights
    assert min(heights) > 0
    assert not opened.locator(".explorer").first.is_visible()
    assert not opened.get_by_text("needs JavaScript").first.is_visible()
    assert opened.locator("main img").evaluate_all("(all) => all.every((one) => one.complete && one.naturalWidth)")
    assert not opened.locator("nav").is_visible()


@pytest.mark.parametrize("page", ["eight_page", "wide_page"])
def test_the_main_part_fits_its_pages(request: pytest.FixtureRequest, shown: Open, page: str) -> None:
    opened = shown(request.getfixturevalue(page))
    opened.add_style_tag(content="h2#appendix, h2#appendix ~ * { display: none !important; }")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", opened.pdf(format="A4"))) <= MOST_PAGES


def test_a_long_table_scrolls_below_its_headings_and_a_chart_says_what_it_leaves_out(
    long_page: Path, shown: Open
) -> None:
    opened = shown(long_page)
    opened.wait_for_selector(".explorer svg")
    assert opened.get_by_text("The first 40 of 45 methods; the table has all.").count() == 1
    assert opened.get_by_text("Methods shown: 45 of 45, the first 40 in the chart.").count() == 1
    for drawing in (".beside svg", ".explorer svg"):
        names = opened.locator(drawing).first.locator("text").all_text_contents()
        assert len({name for name in names if name.startswith("method")}) == 40
    tables = opened.locator("main .scroll:has(tbody > tr:nth-child(45)):visible")
    places = tables.evaluate_all(SCROLLED)
    assert len(places) > 3
    assert all(height < 0.81 and abs(top) < 1 for height, top in places)
    opened.emulate_media(media="print")
    assert tables.evaluate_all("(all) => all.every((one) => one.scrollHeight <= one.clientHeight + 1)")


def test_without_scripts_verdict_chart_and_tables_are_there(report_page: Path, wide_page: Path, shown: Open) -> None:
    opened = shown(wide_page, 400, java_script_enabled=False)
    assert opened.locator("main svg").first.is_visible()
    assert opened.locator("main table").first.is_visible()
    assert opened.get_by_text("Every other choice needs JavaScript").is_visible()
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= 400
    assert not shown(wide_page).get_by_text("Every other choice needs JavaScript").is_visible()
    opened = shown(report_page, java_script_enabled=False)
    assert opened.locator("main img").first.is_visible()
    assert not opened.locator("#viewer").is_visible()


@pytest.mark.parametrize("page", ["report_page", "wide_page"])
def test_the_first_table_is_reached_by_few_stops(request: pytest.FixtureRequest, shown: Open, page: str) -> None:
    opened = shown(request.getfixturevalue(page))
    past = """() => Boolean(document.activeElement.closest("table") || document.querySelector("tbody")
      .compareDocumentPosition(document.activeElement) & Node.DOCUMENT_POSITION_FOLLOWING)"""
    for _ in range(MOST_STOPS):
        opened.keyboard.press("Tab")
        if opened.evaluate(past):
            break
    assert opened.evaluate(past)


def test_headers_are_called_by_their_columns_and_sort_best_first(wide_page: Path, shown: Open) -> None:
    opened = shown(wide_page)
    table = opened.locator("table").first
    header = table.get_by_role("button", name=re.compile("^Dice")).first
    header.focus()
    opened.keyboard.press("Enter")
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    numbers = table.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => Number(row.cells[2].dataset.sort))")
    known = [number for number in numbers if number == number]  # the perfect map has none
    assert known == sorted(known, reverse=True)


def test_table_and_chart_follow_the_controls(wide_page: Path, shown: Open) -> None:
    opened = shown(wide_page)
    explorer = opened.locator(".explorer")
    rows = explorer.locator("tbody tr")
    assert rows.count() == 12
    explorer.get_by_label("Search methods").fill("method1")
    opened.wait_for_function("document.querySelectorAll('.explorer .mark-symbol path').length === 3")
    assert rows.count() == 3
    columns = explorer.locator("thead th").count()
    explorer.locator("summary").click()
    explorer.locator("fieldset input:checked").first.uncheck()
    assert explorer.locator("thead th").count() == columns - 1
    explorer.get_by_label("Seeds").select_option("lowest seed")
    assert "(" not in rows.first.locator("td").first.inner_text()


def test_a_view_is_kept_in_the_address(wide_page: Path, board_page: Path, shown: Open) -> None:
    opened = shown(wide_page)
    explorer = opened.locator(".explorer")
    explorer.get_by_label("Search methods").fill("method1")
    explorer.locator("summary").click()
    explorer.locator("fieldset input:checked").first.uncheck()
    headings = explorer.locator("thead th").all_inner_texts()
    opened.goto(opened.url)
    assert explorer.locator("tbody tr").count() == 3
    assert explorer.locator("thead th").all_inner_texts() == headings
    metric = explorer.get_by_role("combobox", name="Metric")
    metric.select_option(index=1)
    chosen = metric.input_value()
    opened.goto(opened.url)
    assert metric.input_value() == chosen

    opened = shown(board_page)
    opened.get_by_role("tab").last.click()
    opened.get_by_label("methods with fewer than 3 seeds").uncheck()
    opened.get_by_label("Search methods").fill("M")
    opened.goto(opened.url)
    assert opened.get_by_role("tab").last.get_attribute("aria-selected") == "true"
    assert opened.locator(".panel:visible table").first.locator("tbody tr:visible").count() == 3
    opened.goto(f"{opened.url}#patients-patients")  # a link into another part leads there
    assert opened.get_by_role("tab").first.get_attribute("aria-selected") == "true"


def test_a_board_is_searched_for_methods(board_page: Path, shown: Open) -> None:
    opened = shown(board_page)
    panel = opened.locator(".panel").first
    opened.get_by_label("Search methods").fill("M2")
    rows, marks = (
        panel.locator("table").first.locator("tbody tr:visible"),
        panel.locator("svg path[data-method]:visible"),
    )
    assert (rows.all_inner_texts()[0].split()[0], rows.count(), marks.count()) == ("m2", 1, 1)
    opened.get_by_text("Methods hidden: 3.").wait_for()


def test_live_dice_is_the_table_s_at_the_deciding_threshold(report_page: Path, shown: Open) -> None:
    opened, rows = shown(report_page), read_rows(report_page.parent / "rows.csv")
    content = json.loads(opened.locator("#viewer-content").text_content())
    compared = 0
    for case in content["cases"]:
        opened.locator("#pick-case").select_option(case["name"])
        pipeline, _, protocol = case["choice"].partition(", ")
        case_id = case["name"].split(": ")[1].split(" (")[0]
        own = rows[(rows["metric"] == "dice") & (rows["postprocessing"] == pipeline) & (rows["protocol"] == protocol)]
        for method, kept in case["methods"].items():
            opened.locator("#pick-method").select_option(method)
            known = own[(own["method"] == method) & (own["case_id"] == case_id)]["value"]
            if kept["decided"] is None or not case["positives"]:
                continue
            opened.wait_for_function(
                "(place) => document.getElementById('pick-threshold').value === String(place)", arg=kept["decided"]
            )
            opened.locator("#viewer-said").get_by_text(f"Dice {known.iloc[0]:.2f}").wait_for()
            compared += 1
    assert compared >= 3


def test_dice_and_outline_follow_the_threshold_and_the_plane_is_chosen(report_page: Path, shown: Open) -> None:
    opened = shown(report_page)
    opened.locator("#viewer-said").get_by_text("Dice").wait_for()
    said, drawn = opened.locator("#viewer-said"), "document.getElementById('volumes').toDataURL()"
    before, picture = said.inner_text(), opened.evaluate(drawn)
    opened.locator("#pick-threshold").fill("1")
    assert said.inner_text() != before
    assert opened.evaluate(drawn) != picture
    opened.locator("#pick-decided").click()
    assert (said.inner_text(), opened.evaluate(drawn)) == (before, picture)
    opened.locator("#pick-plane").select_option("sagittal")
    assert opened.evaluate(drawn) != picture


def test_a_board_shows_one_cohort_at_a_time_and_all_of_them_in_print(board_page: Path, shown: Open) -> None:
    opened = shown(board_page)
    panels = opened.locator(".panel")
    assert [panel.is_visible() for panel in panels.all()] == [True, False]
    opened.get_by_role("tab").first.focus()
    opened.keyboard.press("ArrowRight")
    assert [panel.is_visible() for panel in panels.all()] == [False, True]
    assert opened.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"
    opened.goto(f"{board_page.as_uri()}#patients-patients")
    assert [panel.is_visible() for panel in panels.all()] == [True, False]
    opened.emulate_media(media="print")
    assert [panel.is_visible() for panel in panels.all()] == [True, True]


def test_a_board_hides_methods_of_few_seeds_in_tables_and_charts(board_page: Path, shown: Open) -> None:
    opened = shown(board_page)
    panel = opened.locator(".panel").first
    rows, marks = (
        panel.locator("table").first.locator("tbody tr:visible"),
        panel.locator("svg path[data-method]:visible"),
    )
    assert (rows.count(), marks.count()) == (4, 4)
    opened.get_by_label("methods with fewer than 3 seeds").uncheck()
    assert (rows.count(), marks.count()) == (3, 3)
    assert "m3" not in panel.locator("table").first.inner_text()
    opened.get_by_label("methods with fewer than 3 seeds").check()
    assert (rows.count(), marks.count()) == (4, 4)


def test_a_board_leads_to_its_methods_and_tables(board_page: Path, shown: Open) -> None:
    opened = shown(board_page)
    for name in ("summary.csv", "comparisons.csv", "standings.json"):
        opened.get_by_role("link", name=name).wait_for()
        assert (board_page.parent / name).is_file()
    kept = json.loads((board_page.parent / "standings.json").read_text())["standings"]
    assert {(one["cohort"], one["method"]) for one in kept} == {
        (cohort, f"m{place}") for cohort in ("patients", "inpatients") for place in range(4)
    }
    opened.locator(".panel:visible").get_by_role("link", name="m3").click()
    history = opened.get_by_role("region", name="Entries that its numbers come from, the oldest first.")
    assert "e3" in history.inner_text()
