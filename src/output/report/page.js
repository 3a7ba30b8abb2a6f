"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const style = (i) => ({ colour: COLOURS[i % COLOURS.length], dash: DASHES[Math.floor(i / COLOURS.length) % DASHES.length] });
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    Object.assign(element, attributes);
    element.append(...children);
    return element;
  };
  const short = (x) => (x === null || x === undefined ? "–" : Math.abs(x) >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(3))));

  // Shock curves ---------------------------------------------------------------------------------
  const curves = document.getElementById("curves");
  // Of many variants the first are ticked; whoever is ticked has a style that no other has, as long as there are enough.
  const TICKED = 8;
  const looks = data.variants.map((_, i) => (i < TICKED ? i : null));
  const drawn = () => data.variants.map((_, i) => i).filter((i) => looks[i] !== null);
  let point = 0;
  let charts = [];

  const draw = () => {
    const zoom = charts.length ? charts[0].scales.x : null;
    charts.forEach((chart) => chart.destroy());
    charts = [];
    curves.replaceChildren();
    const chosen = drawn();
    const at = data.curves[point];
    const sync = uPlot.sync("curves");
    for (const metric of at.metrics) {
      const holder = make("div", { className: "chart" });
      const readout = make("div", { className: "readout" });
      holder.append(make("h3", { textContent: metric.label }), readout);
      curves.append(holder);
      const columns = [at.t];
      const series = [{ label: "t" }];
      const bands = [];
      chosen.forEach((i) => {
        const band = metric.bands[i];
        const { colour, dash } = style(looks[i]);
        const hidden = { stroke: "transparent", width: 0, points: { show: false } };
        const first = columns.length;
        columns.push(band.p95, band.p5, band.p50);
        series.push({ ...hidden }, { ...hidden }, { stroke: colour, dash, width: 1.6, points: { show: false } });
        bands.push({ series: [first, first + 1], fill: colour + "26" });
      });
      const tell = (u) => {
        const k = u.cursor.idx;
        readout.replaceChildren();
        if (k === null || k === undefined) {
          readout.textContent = "median over seeds; the shade reaches from p5 to p95";
          return;
        }
        readout.append(make("b", { textContent: short(at.t[k]) + " s" }));
        chosen.forEach((i) => {
          const line = swatch(i);
          readout.append(make("span", {}, line, " " + data.variants[i] + " ", make("b", { textContent: short(metric.bands[i].p50[k]) })));
        });
      };
      const marks = (u) => {
        const context = u.ctx;
        context.save();
        context.strokeStyle = context.fillStyle = css("--quiet");
        context.setLineDash([4, 4]);
        context.textAlign = "left";
        context.font = 11 * devicePixelRatio + "px system-ui, sans-serif";
        let right = -Infinity;
        for (const incident of at.incidents) {
          const x = u.valToPos(incident.at, "x", true);
          if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
          context.beginPath();
          context.moveTo(x, u.bbox.top);
          context.lineTo(x, u.bbox.top + u.bbox.height);
          context.stroke();
          if (x > right) {
            const [left, line, width] = [x + 4 * devicePixelRatio, 12 * devicePixelRatio, context.measureText(incident.name).width];
            // Paper behind it, since curves are highest where something begins.
            context.fillStyle = css("--paper");
            context.fillRect(left - devicePixelRatio, u.bbox.top, width + 2 * devicePixelRatio, 1.4 * line);
            context.fillStyle = css("--quiet");
            context.fillText(incident.name, left, u.bbox.top + line);
            right = left + width + 4 * devicePixelRatio;
          }
        }
        context.restore();
      };
      const axis = { stroke: css("--quiet"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
      const options = {
        width: Math.max(280, curves.clientWidth), height: 230, series, bands,
        cursor: { sync: { key: sync.key }, drag: { x: true, y: false } },
        legend: { show: false },
        scales: { x: { time: false }, y: { range: (u, low, high) => [Math.min(0, low || 0), high > 0 ? high * 1.05 : 1] } },
        axes: [{ ...axis, values: (u, ticks) => ticks.map((x) => short(x) + " s") }, { ...axis, size: 64, values: (u, ticks) => ticks.map(short) }],
        hooks: { draw: [marks], setCursor: [tell], ready: [tell] },
      };
      charts.push(new uPlot(options, columns, holder));
    }
    if (zoom && charts.length && zoom.min !== null) charts.forEach((chart) => chart.setScale("x", { min: zoom.min, max: zoom.max }));
  };

  const swatch = (i) => {
    const line = make("span", { className: "swatch" });
    if (looks[i] !== null) {
      const { colour, dash } = style(looks[i]);
      line.style.borderColor = colour;
      line.style.borderTopStyle = dash.length ? (dash[0] > 4 ? "dashed" : "dotted") : "solid";
    }
    return line;
  };

  const controls = document.getElementById("curve-controls") ?? make("div");
  if (data.curves.length > 1) {
    const choice = make("select", { ariaLabel: "point of the sweep" });
    data.curves.forEach((at, i) => choice.append(make("option", { value: i, textContent: at.point })));
    choice.onchange = () => { point = Number(choice.value); draw(); };
    controls.append(choice);
  }
  const boxes = data.variants.map((name, i) => {
    const box = make("input", { type: "checkbox" });
    box.onchange = () => choose(i, box.checked);
    return { box, label: make("label", {}, box, swatch(i), name) };
  });
  const refresh = () => {
    boxes.forEach(({ box, label }, i) => {
      box.checked = looks[i] !== null;
      label.children[1].replaceWith(swatch(i));
    });
    draw();
  };
  const tick = (i, on) => {
    if (!on) {
      looks[i] = null;
    } else if (looks[i] === null) {
      const taken = new Set(looks);
      looks[i] = [...looks, null].findIndex((_, look) => !taken.has(look));
    }
  };
  const choose = (i, on) => { tick(i, on); refresh(); };
  boxes.forEach(({ label }) => controls.append(label));
  if (data.variants.length > TICKED) {
    const button = (text, wanted) => make("button", { type: "button", textContent: text, onclick: () => {
      data.variants.forEach((_, i) => tick(i, wanted(i)));
      refresh();
    } });
    const search = make("input", { type: "search", placeholder: "names with …", ariaLabel: "names with" });
    search.oninput = () => boxes.forEach(({ label }, i) => { label.hidden = !data.variants[i].toLowerCase().includes(search.value.toLowerCase()); });
    const tools = make("div", { className: "controls" }, search, button("tick none", () => false), button("tick the first " + TICKED, (i) => i < TICKED),
      make("span", { className: "quiet", textContent: data.variants.length + " variants; the tables show all of them" }));
    controls.before(tools);
    controls.classList.add("many");
  }
  if (data.curves.length) {
    refresh();
    let width = curves.clientWidth;
    new ResizeObserver(() => {
      if (curves.clientWidth !== width) {
        width = curves.clientWidth;
        charts.forEach((chart) => chart.setSize({ width: Math.max(280, width), height: 230 }));
      }
    }).observe(curves);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }

  // Nodes ----------------------------------------------------------------------------------------
  const nodes = document.getElementById("nodes");
  if (nodes && data.nodes.length) {
    const variant = make("select", { ariaLabel: "variant" });
    data.nodes.forEach((own, i) => variant.append(make("option", { value: i, textContent: own.variant })));
    const slider = make("input", { type: "range", min: 0, value: 0, step: 1, ariaLabel: "time" });
    const label = make("span");
    const bars = make("div", { className: "bars" });
    const show = () => {
      const own = data.nodes[Number(variant.value)];
      slider.max = own.t.length - 1;
      const k = Math.min(Number(slider.value), own.t.length - 1);
      label.textContent = short(own.t[k]) + " s";
      const most = Math.max(1e-9, ...own.nodes.map((node) => Math.max(...node.sessions)));
      bars.replaceChildren();
      for (const node of own.nodes) {
        const state = own.states[node.states[k]];
        const bar = make("div", { className: "bar " + (state === "ready" || state === "warming" ? "" : state === "down" ? "down" : "other") });
        bar.style.width = (100 * node.sessions[k]) / most + "%";
        bars.append(make("span", { textContent: node.name }), bar,
          make("span", { textContent: short(node.sessions[k]) + " sessions, " + short(100 * node.busy[k]) + " % busy, " + state }));
      }
    };
    variant.onchange = slider.oninput = show;
    nodes.append(make("div", { className: "controls" }, variant, slider, label), bars);
    const first = data.curves.length && data.curves[0].incidents.length ? data.curves[0].incidents[0].at : 0;
    const after = data.nodes[0].t.findIndex((t) => t >= first);
    slider.max = data.nodes[0].t.length - 1;
    slider.value = Math.max(0, after);
    show();
  }
})();
