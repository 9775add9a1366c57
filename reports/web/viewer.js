"use strict";
// A slice of a case with the outlines of truth and prediction; Dice at the threshold that is chosen.
(async function () {
  const SCORED = 1, LESION = 2, IGNORED = 4;
  const LINES = { truth: "#00e5ff", prediction: "#e69f00", ignored: "#cc79a7" };
  // Axes across and up the screen, along the slices, and the sides that the first two begin and end at.
  const PLANES = { axial: [0, 1, 2, "LRPA"], coronal: [0, 2, 1, "LRIS"], sagittal: [1, 2, 0, "PAIS"] };
  const WIDTH = 480;  // of the picture at least, in pixels of the screen
  const content = JSON.parse(document.getElementById("viewer-content").textContent);
  const find = (name) => document.getElementById(name);
  const pick = {};
  for (const name of ["case", "method", "sequence", "base", "plane", "slice", "opacity", "threshold", "truth", "prediction"]) {
    pick[name] = find("pick-" + name);
  }
  const canvas = find("volumes"), said = find("viewer-said"), known = new Map();
  find("viewer").hidden = false;
  let shown = null, latest = 0;

  // A volume is decompressed when it is first looked at.
  function bytes(packed) {
    if (!known.has(packed)) {
      const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
      const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
      known.set(packed, new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer)));
    }
    return known.get(packed);
  }

  function fill(select, names) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(before)) select.value = before;
  }

  async function load() {
    const turn = ++latest;
    const one = content.cases.find((other) => other.name === pick.case.value);
    fill(pick.method, Object.keys(one.methods));
    fill(pick.sequence, Object.keys(one.images));
    find("sequences").hidden = Object.keys(one.images).length < 2;
    const method = one.methods[pick.method.value], sequence = pick.sequence.value;
    const reconstruction = method.reconstructions[sequence];
    const base = pick.base.value === "reconstruction" && reconstruction ? reconstruction : one.images[sequence];
    const [image, map, masks] = await Promise.all([base, method.map, one.masks].map(bytes));
    if (turn !== latest) return;
    const lacking = pick.base.value === "reconstruction" && !reconstruction;
    shown = { one, method, image, map, masks, note: lacking ? `${pick.method.value} makes no reconstruction; the image is shown. ` : "" };
    find("viewer-source").textContent = one.caption;
    find("pick-decided").disabled = method.decided === null;
    draw();
  }

  function decide() {
    const { method } = shown;
    pick.threshold.value = method.decided === null ? method.steps.length / 2 : method.decided;
  }

  function turn() {
    const { one } = shown, axis = PLANES[pick.plane.value][2];
    pick.slice.max = one.shape[axis] - 1;
    pick.slice.value = axis === 2 ? one.slice : lesionMiddle(axis);
  }

  function lesionMiddle(axis) {
    const [wide, deep, tall] = shown.one.shape, counts = new Array(shown.one.shape[axis]).fill(0);
    for (let z = 0, at = 0; z < tall; z++) for (let y = 0; y < deep; y++) for (let x = 0; x < wide; x++, at++) {
      if (shown.masks[at] & LESION) counts[[x, y, z][axis]]++;
    }
    const most = Math.max(...counts);
    return most ? counts.indexOf(most) : counts.length >> 1;
  }

  function measure(step) {
    const { one, map, masks } = shown;
    let hit = 0, raised = 0;
    for (let at = 0; at < map.length; at++) {
      if (map[at] > step && masks[at] & SCORED) { raised++; if (masks[at] & LESION) hit++; }
    }
    const ml = one.spacing.reduce((product, edge) => product * edge, 0.001);
    return { dice: one.positives ? 2 * hit / (raised + one.positives) : null, raised: raised * ml, hit: hit * ml };
  }

  function draw() {
    const { one, method, image, map, masks, note } = shown, step = Number(pick.threshold.value);
    const [across, up, along, sides] = PLANES[pick.plane.value];
    const strides = [1, one.shape[0], one.shape[0] * one.shape[1]], [wide, tall] = [one.shape[across], one.shape[up]];
    const zoom = Math.max(1, Math.ceil(WIDTH / wide)), start = Number(pick.slice.value) * strides[along];
    const place = (x, y) => start + x * strides[across] + (tall - 1 - y) * strides[up];
    const small = new ImageData(wide, tall), share = Number(pick.opacity.value) / 100;
    for (let y = 0, to = 0; y < tall; y++) for (let x = 0; x < wide; x++, to += 4) {
      const at = place(x, y), level = map[at];
      const score = level ? method.steps[level - 1] / method.highest : 0;
      const colour = content.colours[Math.max(0, Math.min(255, Math.round(255 * score)))];
      const mixed = level ? share : 0;
      for (let part = 0; part < 3; part++) small.data[to + part] = (1 - mixed) * image[at] + mixed * colour[part];
      small.data[to + 3] = 255;
    }
    canvas.width = wide * zoom;
    canvas.height = tall * zoom;
    const pen = canvas.getContext("2d"), buffer = new OffscreenCanvas(wide, tall);
    buffer.getContext("2d").putImageData(small, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(buffer, 0, 0, canvas.width, canvas.height);
    const outlines = [[IGNORED, true, LINES.ignored], [LESION, pick.truth.checked, LINES.truth]];
    for (const [bit, wanted, colour] of outlines) if (wanted) outline((x, y) => masks[place(x, y)] & bit, colour);
    if (pick.prediction.checked) outline((x, y) => map[place(x, y)] > step && masks[place(x, y)] & SCORED, LINES.prediction);
    pen.fillStyle = "#fff";
    pen.font = "14px sans-serif";
    pen.fillText(sides[0], 4, canvas.height / 2);
    pen.fillText(sides[1], canvas.width - 14, canvas.height / 2);
    pen.fillText(sides[3], canvas.width / 2, 16);
    pen.fillText(sides[2], canvas.width / 2, canvas.height - 6);
    tell(step, note);

    function outline(holds, colour) {
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.beginPath();
      const inside = (x, y) => x >= 0 && y >= 0 && x < wide && y < tall && holds(x, y);
      for (let y = 0; y < tall; y++) for (let x = 0; x < wide; x++) {
        if (!holds(x, y)) continue;
        const [left, top, right, bottom] = [x * zoom, y * zoom, (x + 1) * zoom, (y + 1) * zoom];
        if (!inside(x - 1, y)) { pen.moveTo(left, top); pen.lineTo(left, bottom); }
        if (!inside(x + 1, y)) { pen.moveTo(right, top); pen.lineTo(right, bottom); }
        if (!inside(x, y - 1)) { pen.moveTo(left, top); pen.lineTo(right, top); }
        if (!inside(x, y + 1)) { pen.moveTo(left, bottom); pen.lineTo(right, bottom); }
      }
      pen.stroke();
    }
  }

  function tell(step, note) {
    const { one, method } = shown, found = measure(step);
    const standing = method.decided === null ? "no threshold decides" : step === method.decided ? "the deciding one" : "another than the deciding one";
    const dice = found.dice === null ? "no lesion" : `Dice ${found.dice.toFixed(2)}`;
    said.textContent = `${note}Threshold ${method.steps[step].toPrecision(3)} (${standing}; ${one.choice}). ${dice}, `
      + `${found.raised.toFixed(1)} ml above it, ${found.hit.toFixed(1)} ml of them lesion.`;
    said.dataset.dice = found.dice === null ? "" : found.dice;
  }

  function step(event) {
    event.preventDefault();
    pick.slice.value = Number(pick.slice.value) + Math.sign(event.deltaY);
    draw();
  }

  if (!window.DecompressionStream) {
    said.textContent = "This browser is too old for the viewer: it cannot unpack volumes.";
    return;
  }
  fill(pick.case, content.cases.map((one) => one.name));
  for (const name of ["sequence", "base"]) pick[name].addEventListener("change", load);
  pick.case.addEventListener("change", async () => { await load(); decide(); turn(); draw(); });
  pick.method.addEventListener("change", async () => { await load(); decide(); draw(); });
  pick.plane.addEventListener("change", () => { turn(); draw(); });
  find("pick-decided").addEventListener("click", () => { decide(); draw(); });
  for (const name of ["slice", "opacity", "threshold", "truth", "prediction"]) pick[name].addEventListener("input", draw);
  canvas.addEventListener("wheel", step, { passive: false });
  await load();
  decide();
  turn();
  draw();
})();
