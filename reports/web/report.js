"use strict";
// Sorting: the best of a column first, then the other way round, then the order that the report has.
(function () {
  const ORDERS = { ascending: "descending", descending: "ascending" };

  function value(cell) {
    const number = cell.dataset.sort;
    return number === undefined ? cell.textContent.trim() : Number(number);
  }

  function compare(one, other) {
    const numbers = typeof one === "number", others = typeof other === "number";
    if (numbers && others) return one - other;
    if (numbers !== others) return numbers ? -1 : 1;
    return one.localeCompare(other, undefined, { numeric: true });
  }

  function sort(table, place, order) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, index) => ({ row, index: Number(row.dataset.index ?? index) }));
    rows.forEach((one) => { one.row.dataset.index = one.index; });
    const sign = order === "descending" ? -1 : 1;
    rows.sort((a, b) => {
      if (!order) return a.index - b.index;
      const [one, other] = [value(a.row.cells[place]), value(b.row.cells[place])];
      if (one === "" || other === "") return (one === "") - (other === "") || a.index - b.index;
      return sign * compare(one, other) || a.index - b.index;
    });
    body.append(...rows.map((one) => one.row));
  }

  function onHeading(heading) {
    const table = heading.closest("table");
    const first = heading.dataset.first || "ascending";
    const before = heading.getAttribute("aria-sort");
    const next = !before ? first : before === first ? ORDERS[first] : "";
    table.querySelectorAll("th[aria-sort]").forEach((one) => one.removeAttribute("aria-sort"));
    if (next) heading.setAttribute("aria-sort", next);
    sort(table, heading.cellIndex, next);
  }

  function makeSortable(table) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => onHeading(heading));
    }
  }
  // What a reader has chosen is kept in the address, by which the view can be opened again and sent on.
  window.chosenInAddress = {
    all: (name) => new URLSearchParams(location.search).getAll(name),
    keep(choices) {
      const kept = new URLSearchParams(Object.entries(choices).flatMap(([name, values]) => values.map((one) => [name, one])));
      history.replaceState(null, "", `${location.pathname}${kept.size ? "?" : ""}${kept}`);
    },
  };

  document.querySelectorAll("table.sortable:not(.heat)").forEach(makeSortable);
  document.addEventListener("made", (event) => makeSortable(event.target));

  // What is folded on screen is whole in print, and unfolded by a link into it.
  const opened = [];
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) { one.open = true; opened.push(one); }
  });
  window.addEventListener("afterprint", () => { for (const one of opened.splice(0)) one.open = false; });
  function unfold() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    if (target) target.scrollIntoView();
  }
  window.addEventListener("hashchange", unfold);
  unfold();
})();
