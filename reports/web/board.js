"use strict";
// One part of a board at a time, and methods that a reader may hide: their rows, and their marks in the charts.
(function () {
  function element(name, attributes, ...children) {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  }

  function panels(box) {
    const parts = [...box.querySelectorAll(":scope > .panel")];
    const tabs = parts.map((part, place) => {
      const heading = part.querySelector("h2");
      part.id = `panel-${heading.id}`;
      part.setAttribute("role", "tabpanel");
      part.setAttribute("aria-labelledby", `tab-${heading.id}`);
      const tab = element("button", { type: "button", id: `tab-${heading.id}` }, heading.textContent);
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", part.id);
      tab.addEventListener("click", () => choose(place));
      return tab;
    });
    const list = element("div", { className: "tabs" }, ...tabs);
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Cohorts");
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const place = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
      choose(place);
      tabs[place].focus();
    });

    function choose(place) {
      tabs.forEach((tab, own) => {
        tab.setAttribute("aria-selected", String(own === place));
        tab.tabIndex = own === place ? 0 : -1;
        parts[own].hidden = own !== place;
      });
    }

    // A link into a part that is not shown shows it.
    function follow() {
      const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      const place = parts.findIndex((part) => target && part.contains(target));
      if (place >= 0) { choose(place); target.scrollIntoView(); }
    }

    const kinds = Object.entries(JSON.parse(box.dataset.kinds)).filter(([, methods]) => methods.length);
    const controls = element("form", { className: "controls" });
    controls.setAttribute("aria-label", "Methods shown");
    const boxes = kinds.map(([name, methods]) => {
      const choice = element("input", { type: "checkbox", checked: true });
      choice.addEventListener("change", show);
      controls.append(element("label", {}, choice, name));
      return [choice, methods];
    });
    const said = element("p", { role: "status" });

    function show() {
      const hidden = new Set(boxes.flatMap(([choice, methods]) => (choice.checked ? [] : methods)));
      for (const row of document.querySelectorAll("main tbody tr")) {
        const named = row.cells[0].querySelector("a");
        row.hidden = Boolean(named) && hidden.has(named.textContent);
      }
      for (const mark of document.querySelectorAll("main svg [data-method]")) {
        mark.style.display = hidden.has(mark.dataset.method) ? "none" : "";
      }
      said.textContent = hidden.size ? `${hidden.size} methods are hidden.` : "";
    }

    if (parts.length > 1) box.before(list);
    if (boxes.length) box.before(controls, said);
    if (parts.length > 1) choose(0);
    window.addEventListener("hashchange", follow);
    follow();
  }

  document.querySelectorAll(".panels").forEach(panels);
})();
