"use strict";
// One part of a board at a time, and methods that a reader may hide: their rows, and their marks in the charts.
(function () {
  const address = window.chosenInAddress;

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
      tab.addEventListener("click", () => { choose(place); keep(); });
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
      keep();
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

    const controls = element("form", { className: "controls" });
    controls.setAttribute("aria-label", "Methods shown");
    controls.addEventListener("submit", (event) => event.preventDefault());
    const filter = element("input", { type: "search", size: 12, value: address.all("methods")[0] || "" });
    filter.addEventListener("input", change);
    controls.append(element("label", {}, "Search methods", filter));
    const kinds = Object.entries(JSON.parse(box.dataset.kinds)).filter(([, methods]) => methods.length);
    const boxes = kinds.map(([name, methods]) => {
      const choice = element("input", { type: "checkbox", name, checked: !address.all("without").includes(name) });
      choice.addEventListener("change", change);
      controls.append(element("label", {}, choice, name));
      return [choice, methods];
    });
    const said = element("p", { role: "status" });

    function change() { show(); keep(); }

    function show() {
      const unwanted = new Set(boxes.flatMap(([choice, methods]) => (choice.checked ? [] : methods)));
      const wanted = filter.value.toLowerCase(), hidden = new Set();
      function hides(name) {
        const hide = unwanted.has(name) || !name.toLowerCase().includes(wanted);
        if (hide) hidden.add(name);
        return hide;
      }
      for (const row of document.querySelectorAll("main tbody tr")) {
        const named = row.cells[0].querySelector("a");
        row.hidden = Boolean(named) && hides(named.textContent);
      }
      for (const mark of document.querySelectorAll("main svg [data-method]")) {
        mark.style.display = hides(mark.dataset.method) ? "none" : "";
      }
      said.textContent = hidden.size ? `Methods hidden: ${hidden.size}.` : "";
    }

    function keep() {
      const place = parts.findIndex((part) => !part.hidden);
      address.keep({
        cohort: place > 0 ? [parts[place].querySelector("h2").id] : [],
        methods: filter.value ? [filter.value] : [],
        without: boxes.filter(([choice]) => !choice.checked).map(([choice]) => choice.name),
      });
    }

    if (parts.length > 1) box.before(list);
    box.before(controls, said);
    show();
    if (parts.length > 1) choose(Math.max(0, parts.findIndex((part) => address.all("cohort").includes(part.querySelector("h2").id))));
    window.addEventListener("hashchange", follow);
    follow();
  }

  document.querySelectorAll(".panels").forEach(panels);
})();
