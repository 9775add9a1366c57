"use strict";
(function () {
  const content = JSON.parse(document.getElementById("viewer-content").textContent);
  const find = (name) => document.getElementById(name);
  const said = find("viewer-said");
  const choices = { image: find("pick-case"), method: find("pick-method"), base: find("pick-base") };

  function fill(select, names) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    if (names.includes(before)) select.value = before;
  }

  function volume(file, options) {
    return Object.assign({ url: "data:application/gzip;base64," + file, name: "volume.nii.gz" }, options);
  }

  if (!window.WebGL2RenderingContext) {
    said.textContent = "This browser has no WebGL 2, which the viewer needs.";
    return;
  }
  const scene = new niivue.Niivue({
    backColor: [0, 0, 0, 1], show3Dcrosshair: false, crosshairWidth: 0.5, isColorbar: false,
    dragAndDropEnabled: false, logLevel: "silent", isRadiologicalConvention: false, loadingText: "",
  });
  let latest = 0;

  async function show() {
    const turn = ++latest;
    const one = content.cases.find((known) => known.name === choices.image.value);
    fill(choices.method, Object.keys(one.methods));
    const method = one.methods[choices.method.value];
    const base = choices.base.value === "reconstruction" ? method.reconstruction : one.image;
    said.textContent = base ? one.caption : choices.method.value + " makes no reconstruction; the image is shown.";
    const opacity = find("pick-opacity").value / 100;
    const shown = [volume(base || one.image, { colormap: "gray", cal_min: 0, cal_max: 255 })];
    shown.push(volume(method.map, { colormap: "inferno", cal_min: 1, cal_max: 255, opacity: opacity }));
    if (one.lesion_mask && find("pick-truth").checked) {
      shown.push(volume(one.lesion_mask, { colormap: "green", cal_min: 0, cal_max: 1, opacity: 0.35 }));
    }
    await scene.loadVolumes(shown);
    if (turn !== latest) return;
    goTo(find("pick-slice").value / 100);
  }

  function goTo(share) {
    const place = scene.scene.crosshairPos;
    scene.scene.crosshairPos = [place[0], place[1], share];
    scene.drawScene();
  }

  async function start() {
    await scene.attachToCanvas(find("volumes"));
    scene.setSliceType(scene.sliceTypeMultiplanar);
    fill(choices.image, content.cases.map((one) => one.name));
    for (const select of Object.values(choices)) select.addEventListener("change", show);
    find("pick-truth").addEventListener("change", show);
    find("pick-opacity").addEventListener("input", (event) => {
      if (scene.volumes.length > 1) scene.setOpacity(1, event.target.value / 100);
    });
    find("pick-slice").addEventListener("input", (event) => goTo(event.target.value / 100));
    find("pick-case").addEventListener("change", () => {
      const one = content.cases.find((known) => known.name === choices.image.value);
      find("pick-slice").value = Math.round(100 * one.slice);
    });
    find("pick-slice").value = Math.round(100 * content.cases[0].slice);
    await show();
  }
  start().catch((error) => { said.textContent = "The viewer cannot start: " + error; });
})();
