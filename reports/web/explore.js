"use strict";
// Every choice of a cohort: a table of its methods, and the chosen metric as a chart; both follow the same controls.
(function () {
  const address = window.chosenInAddress;
  const CONTROLS = [["cohort", "Cohort"], ["metric", "Metric"], ["score", "Score"], ["pipeline", "Post-processing"],
    ["protocol", "Threshold"], ["seeds", "Seeds"]];
  const SEEDS = { "mean of seeds": "values", "lowest seed": "lowest", "highest seed": "highest" };
  const KINDS = [["simple baselines", (one) => one.baseline], ["methods that use labels", (one) => one.labelled],
    ["methods with fewer than 3 seeds", (one) => one.seeds < 3]];
  const COLUMNS = 8;  // shown at first beside the chosen metric

  function element(name, attributes, ...children) {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  }

  function explorer(box) {
    const content = JSON.parse(box.querySelector(".content").textContent);
    const selects = {};
    const controls = element("form", { className: "controls" });
    for (const [name, title] of CONTROLS) {
      selects[name] = element("select");
      controls.append(element("label", {}, title, selects[name]));
      selects[name].addEventListener("change", change);
    }
    const filter = element("input", { type: "search", size: 12, value: address.all("methods")[0] || "" });
    filter.addEventListener("input", change);
    controls.append(element("label", {}, "Search methods", filter));
    controls.addEventListener("submit", (event) => event.preventDefault());
    // Kinds of methods that can be hidden, where there are some of a kind and others.
    const everyone = content.cohorts.flatMap((one) => one.methods);
    const kinds = KINDS.filter(([, holds]) => everyone.some(holds) && !everyone.every(holds)).map(([title, holds]) => {
      const box = element("input", { type: "checkbox", name: title, checked: !address.all("without").includes(title) });
      box.addEventListener("change", change);
      controls.append(element("label", {}, box, title));
      return [box, holds];
    });
    const boxes = element("fieldset"), picked = new Map(), wished = address.all("columns");
    controls.append(element("details", {}, element("summary", {}, "Columns"), boxes));
    const said = element("p", { role: "status" });
    const chart = element("div", { className: "scroll", tabIndex: 0 });
    chart.setAttribute("role", "region");
    chart.setAttribute("aria-label", "Chart of the chosen metric");
    const table = element("div", { className: "scroll", tabIndex: 0 });
    table.setAttribute("role", "region");
    table.setAttribute("aria-label", "Methods under the chosen post-processing and threshold");
    box.append(element("h3", {}, "Every other choice"), controls, said, chart, table);
    box.hidden = false;
    box.nextElementSibling.hidden = true;  // the sentence for readers without scripts

    function fill(name, names) {
      const select = selects[name], before = select.length ? select.value : address.all(name)[0];
      select.replaceChildren(...[...new Set(names)].map((one) => new Option(one || "(none)", one)));
      if (names.includes(before)) select.value = before;
    }

    function chosen() {
      const cohort = content.cohorts.find((one) => one.name === selects.cohort.value);
      fill("metric", cohort.choices.map((one) => one.metric));
      let left = cohort.choices.filter((one) => one.metric === selects.metric.value);
      fill("score", left.map((one) => one.score));
      left = left.filter((one) => one.score === selects.score.value);
      fill("pipeline", left.map((one) => one.pipeline));
      left = left.filter((one) => one.pipeline === selects.pipeline.value);
      fill("protocol", left.map((one) => one.protocol));
      const found = left.find((one) => one.protocol === selects.protocol.value);
      fill("seeds", Object.keys(SEEDS).filter((name) => found[SEEDS[name]]));
      // A control with one choice is none.
      for (const name of ["cohort", "score", "seeds"]) selects[name].parentElement.hidden = selects[name].length < 2;
      return [cohort, found];
    }

    function change() {
      show();
      address.keep({
        ...Object.fromEntries(CONTROLS.map(([name]) => [name, [selects[name].value]])),
        methods: filter.value ? [filter.value] : [],
        without: kinds.filter(([box]) => !box.checked).map(([box]) => box.name),
        // With an empty name, since an address without any means the columns that are shown at first, not none.
        columns: ["", ...[...picked.keys()].filter((name) => picked.get(name))],
      });
    }

    function shown(value, digits) {
      return value === null || value === undefined ? "" : value.toFixed(digits).replace("-", "\u2212");
    }

    function show() {
      const [cohort, choice] = chosen();
      const wanted = filter.value.toLowerCase();
      const kept = SEEDS[selects.seeds.value], whole = kept === "values";
      const lines = cohort.methods.map((one, place) => ({
        method: one.name, label: one.label, baseline: one.baseline, place,
        mean: choice[kept][place], low: whole && choice.low ? choice.low[place] : null,
        high: whole && choice.high ? choice.high[place] : null, rank: choice.ranks ? choice.ranks[place] : "",
        ranked: Boolean(choice.ranks && choice.ranks[place] !== "-"),
      })).filter((one) => one.label.toLowerCase().includes(wanted)
        && kinds.every(([box, holds]) => box.checked || !holds(cohort.methods[one.place])));
      const stamp = choice.stamp && choice.stamp !== "exploratory" ? `The ${choice.stamp} endpoint.` : "Exploratory.";
      const known = lines.filter((one) => one.mean !== null), drawn = known.slice(0, content.drawn);
      const part = drawn.length < known.length ? `, the first ${drawn.length} in the chart` : "";
      said.textContent = `${stamp} Methods shown: ${lines.length} of ${cohort.methods.length}${part}.`;
      drawTable(cohort, choice, lines);
      drawChart(choice, drawn);
    }

    function drawTable(cohort, choice, lines) {
      // The chosen metric, then what else there is under the same score, post-processing and threshold.
      const beside = cohort.choices.filter((one) => one !== choice && one.score === choice.score
        && one.pipeline === choice.pipeline && (one.protocol === choice.protocol || !one.protocol));
      offer(beside.map((one) => one.metric));
      const columns = [choice, ...beside.filter((one) => picked.get(one.metric))];
      const head = element("tr", {}, heading("Method", null), ...columns.map((one) => heading(
        one.metric + (one.unit ? ` (${one.unit})` : "") + ({ true: "\u00a0\u2191", false: "\u00a0\u2193" }[one.higher] || ""), one)));
      const rows = lines.map((line) => {
        const row = element("tr", {}, rowHead(line.label), ...columns.map((one) => cell(one, line.place)));
        row.dataset.method = line.method;
        row.addEventListener("mouseenter", () => mark(line.method));
        row.addEventListener("mouseleave", () => mark(""));
        return row;
      });
      const made = element("table", { className: "sortable" }, element("thead", {}, head), element("tbody", {}, ...rows));
      table.replaceChildren(made);
      made.dispatchEvent(new Event("made", { bubbles: true }));
    }

    // Boxes for the columns that there are to choose from.
    function offer(names) {
      for (const name of names) if (!picked.has(name)) {
        picked.set(name, wished.length ? wished.includes(name) : picked.size < COLUMNS);
      }
      const before = [...boxes.querySelectorAll("input")].map((one) => one.name);
      if (before.join() === names.join()) return;
      boxes.parentElement.hidden = !names.length;
      boxes.replaceChildren(element("legend", {}, "Beside the chosen metric"), ...names.map((name) => {
        const box = element("input", { type: "checkbox", name, checked: picked.get(name) });
        box.addEventListener("change", () => { picked.set(name, box.checked); change(); });
        return element("label", {}, box, name);
      }));
    }

    function heading(text, choice) {
      const made = element("th", { scope: "col", className: choice ? "number" : "" }, text);
      made.dataset.first = choice && choice.higher !== false ? "descending" : "ascending";
      return made;
    }

    function rowHead(text) { return element("th", { scope: "row" }, text); }

    function cell(choice, place) {
      const kept = SEEDS[selects.seeds.value], value = (choice[kept] || choice.values)[place];
      const ends = kept === "values" && choice.low && choice.low[place] !== null ? ` (${shown(choice.low[place], 3)} to ${shown(choice.high[place], 3)})` : "";
      const made = element("td", { className: "number" }, shown(value, 3) + ends);
      if (value !== null) made.dataset.sort = value;
      return made;
    }

    // What is pointed at in the chart is marked in the table, and the other way round.
    function mark(method) {
      for (const row of table.querySelectorAll("tbody tr")) row.classList.toggle("marked", row.dataset.method === method);
      for (const text of chart.querySelectorAll("text")) text.style.fontWeight = method && text.textContent === method ? "bold" : "";
    }

    let latest = 0;
    async function drawChart(choice, lines) {
      const turn = ++latest;
      const spec = structuredClone(content.chart);
      const order = lines.map((one) => one.method);
      spec.data.values = lines;
      const title = choice.metric + (choice.unit ? ` (${choice.unit})` : "") + (choice.low ? ", with its interval" : "");
      JSON.stringify(spec, (key, value) => {
        if (value && value.field === "method" && value.sort) value.sort = order;
        if (value && value.field === "mean" && value.type === "quantitative") value.title = title;
        return value;
      });
      const place = element("div");
      const result = await vegaEmbed(place, spec, { renderer: "svg", actions: false });
      result.view.addEventListener("mouseover", (event, item) => mark(item && item.datum ? item.datum.method || "" : ""));
      // The parts have roles without names; the chart is named as a whole.
      for (const part of place.querySelectorAll("[role]")) {
        for (const name of ["role", "aria-label", "aria-roledescription"]) part.removeAttribute(name);
      }
      if (turn === latest) chart.replaceChildren(place); else result.finalize();
    }

    fill("cohort", content.cohorts.map((one) => one.name));
    show();
  }

  document.querySelectorAll(".explorer").forEach(explorer);
})();
