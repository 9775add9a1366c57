"use strict";
// Every choice of a cohort: a table of its methods, and the chosen metric as a chart; both follow the same controls.
(function () {
  function element(name, attributes, ...children) {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  }

  function explorer(box) {
    const content = JSON.parse(box.querySelector(".content").textContent);
    const selects = {};
    const controls = element("form", { className: "controls" });
    for (const [name, title] of [["cohort", "Cohort"], ["metric", "Metric"], ["pipeline", "Post-processing"], ["protocol", "Threshold"]]) {
      selects[name] = element("select");
      controls.append(element("label", {}, title, selects[name]));
      selects[name].addEventListener("change", show);
    }
    const filter = element("input", { type: "search", size: 12 });
    filter.addEventListener("input", show);
    controls.append(element("label", {}, "Methods with", filter));
    controls.addEventListener("submit", (event) => event.preventDefault());
    const said = element("p", { role: "status" });
    const chart = element("div", { className: "scroll", tabIndex: 0 });
    chart.setAttribute("role", "region");
    chart.setAttribute("aria-label", "Chart of the chosen metric");
    const table = element("div", { className: "scroll", tabIndex: 0 });
    table.setAttribute("role", "region");
    table.setAttribute("aria-label", "Methods under the chosen post-processing and threshold");
    box.append(element("h3", {}, "Every other choice"), controls, said, chart, table);
    box.hidden = false;

    function fill(select, names) {
      const before = select.value;
      select.replaceChildren(...[...new Set(names)].map((name) => new Option(name || "(none)", name)));
      if (names.includes(before)) select.value = before;
    }

    function chosen() {
      const cohort = content.cohorts.find((one) => one.name === selects.cohort.value);
      fill(selects.metric, cohort.choices.map((one) => one.metric));
      let left = cohort.choices.filter((one) => one.metric === selects.metric.value);
      fill(selects.pipeline, left.map((one) => one.pipeline));
      left = left.filter((one) => one.pipeline === selects.pipeline.value);
      fill(selects.protocol, left.map((one) => one.protocol));
      return [cohort, left.find((one) => one.protocol === selects.protocol.value)];
    }

    function shown(value, digits) {
      return value === null || value === undefined ? "" : value.toFixed(digits).replace("-", "\u2212");
    }

    function show() {
      const [cohort, choice] = chosen();
      const wanted = filter.value.toLowerCase();
      const lines = cohort.methods.map((one, place) => ({
        method: one.name, label: one.label, baseline: one.baseline, place,
        mean: choice.values[place], low: choice.low ? choice.low[place] : null,
        high: choice.high ? choice.high[place] : null, rank: choice.ranks ? choice.ranks[place] : "",
        ranked: Boolean(choice.ranks && choice.ranks[place] !== "-"),
      })).filter((one) => one.label.toLowerCase().includes(wanted));
      const stamp = choice.stamp && choice.stamp !== "exploratory" ? `The ${choice.stamp} endpoint.` : "Exploratory.";
      said.textContent = `${stamp} ${lines.length} of ${cohort.methods.length} methods.`;
      drawTable(cohort, choice, lines);
      drawChart(choice, lines.filter((one) => one.mean !== null));
    }

    function drawTable(cohort, choice, lines) {
      // The chosen metric, then what else there is under the same post-processing and threshold.
      const beside = cohort.choices.filter((one) => one !== choice && one.pipeline === choice.pipeline
        && (one.protocol === choice.protocol || !one.protocol));
      const columns = [choice, ...beside].slice(0, 9);
      const head = element("tr", {}, heading("Method", null), ...columns.map((one) => heading(
        one.metric + (one.unit ? ` (${one.unit})` : "") + ({ true: " \u2191", false: " \u2193" }[one.higher] || ""), one)));
      const rows = lines.map((line) => element("tr", {}, rowHead(line.label), ...columns.map((one) => cell(one, line.place))));
      const made = element("table", { className: "sortable" }, element("thead", {}, head), element("tbody", {}, ...rows));
      table.replaceChildren(made);
      made.dispatchEvent(new Event("made", { bubbles: true }));
    }

    function heading(text, choice) {
      const made = element("th", { scope: "col", className: choice ? "number" : "" }, text);
      made.dataset.first = choice && choice.higher !== false ? "descending" : "ascending";
      return made;
    }

    function rowHead(text) { return element("th", { scope: "row" }, text); }

    function cell(choice, place) {
      const value = choice.values[place];
      const ends = choice.low && choice.low[place] !== null ? ` (${shown(choice.low[place], 3)} to ${shown(choice.high[place], 3)})` : "";
      const made = element("td", { className: "number" }, shown(value, 3) + ends);
      if (value !== null) made.dataset.sort = value;
      return made;
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
      if (turn === latest) chart.replaceChildren(place); else result.finalize();
    }

    fill(selects.cohort, content.cohorts.map((one) => one.name));
    show();
  }

  document.querySelectorAll(".explorer").forEach(explorer);
})();
