// The conformations of the report in 3Dmol.js, which is unpacked when the reader asks for it and not before.
"use strict";
(() => {
  const root = document.getElementById("viewer");
  if (!root) return;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const stage = part("stage"), line = part("line"), slider = part("which"), open = part("open");
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  let viewer = null, current = Math.min(1, data.sets.length - 1), timer = null;

  const offered = typeof DecompressionStream === "function" && typeof WebGLRenderingContext === "function";
  root.hidden = !offered;
  if (!offered) return;

  async function unpack() {
    const packed = document.getElementById("viewer-library").textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script); // runs at once: the policy of the page knows its hash
    if (typeof $3Dmol === "undefined") throw new Error("3Dmol.js could not be started");
  }

  function atoms(set, k) {
    const p = set.positions[k];
    const list = data.elements.map((elem, i) => ({
      elem, x: p[3 * i], y: p[3 * i + 1], z: p[3 * i + 2], serial: i, bonds: [], bondOrder: [],
    }));
    for (const [i, j] of data.bonds) {
      list[i].bonds.push(j); list[i].bondOrder.push(1);
      list[j].bonds.push(i); list[j].bondOrder.push(1);
    }
    return list;
  }

  function show() {
    const set = data.sets[current], all = part("all").checked;
    const k = Math.min(Number(slider.value), set.positions.length - 1);
    const colour = { prop: "elem", map: data.colours };
    const most = Math.max(...set.times);
    viewer.removeAllModels();
    const chosen = all ? set.positions.map((_, i) => i) : [k];
    for (const i of chosen) {
      const model = viewer.addModel();
      model.addAtoms(atoms(set, i));
      const stick = { radius: all ? 0.025 + 0.04 * Math.sqrt(set.times[i] / most) : 0.11, colorscheme: colour };
      const style = all ? { stick } : { stick, sphere: { scale: 0.2, colorscheme: colour } };
      model.setStyle({}, style);
      if (!part("hydrogens").checked) model.setStyle({ elem: "H" }, {});
    }
    slider.max = String(set.positions.length - 1);
    slider.disabled = all;
    part("play").disabled = all;
    line.textContent = all ? `${set.positions.length} conformations: ${set.label}` : set.lines[k];
    for (const button of root.querySelectorAll("[data-set]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.set) === current));
    }
    viewer.render();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    part("play").textContent = "Play";
  }

  function play() {
    if (timer) { stop(); return; }
    part("play").textContent = "Stop";
    timer = setInterval(() => {
      slider.value = String((Number(slider.value) + 1) % data.sets[current].positions.length);
      show();
    }, 700);
  }

  async function start() {
    open.disabled = true;
    try {
      if (!viewer) {
        part("panel").hidden = false;
        await unpack();
        viewer = $3Dmol.createViewer(stage, { backgroundAlpha: 0, antialias: true });
        if (!viewer) throw new Error("WebGL is switched off");
        show();
        viewer.zoomTo();
        viewer.zoom(1.4);
        viewer.render();
      }
      part("panel").hidden = false;
      open.hidden = true;
      root.dataset.state = "ready";
    } catch (error) {
      part("panel").hidden = true;
      line.textContent = "";
      root.dataset.state = "failed";
      part("failed").hidden = false;
      part("failed").textContent = `The interactive view cannot be shown here (${error.message}); see the pictures.`;
    }
  }

  open.addEventListener("click", start);
  part("all").addEventListener("change", () => { stop(); show(); });
  part("hydrogens").addEventListener("change", show);
  part("play").addEventListener("click", play);
  slider.addEventListener("input", show);
  part("reset").addEventListener("click", () => { viewer.zoomTo(); viewer.zoom(1.4); viewer.render(); });
  for (const button of root.querySelectorAll("[data-set]")) {
    button.addEventListener("click", () => { current = Number(button.dataset.set); show(); });
  }
  // The wheel scrolls the page until the reader has clicked into the view.
  stage.addEventListener("wheel", (event) => {
    if (document.activeElement !== stage) event.stopImmediatePropagation();
  }, { capture: true });
  stage.addEventListener("pointerdown", () => stage.focus({ preventScroll: true }));
  stage.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] }[event.key];
    if (turn) viewer.rotate(...turn);
    else if (event.key === "+" || event.key === "-") viewer.zoom(event.key === "+" ? 1.15 : 1 / 1.15);
    else return;
    event.preventDefault();
    viewer.render();
  });
})();
