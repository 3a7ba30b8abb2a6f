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
  const shown = data.variants.map((_, i) => i < 6);
  let point = 0;
  let charts = [];

  const draw = () => {
    charts.forEach((chart) => chart.destroy());
    charts = [];
    curves.replaceChildren();
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
      metric.bands.forEach((band, i) => {
        const { colour, dash } = style(i);
        const hidden = { show: shown[i], stroke: "transparent", width: 0, points: { show: false } };
        const first = columns.length;
        columns.push(band.p95, band.p5, band.p50);
        series.push({ ...hidden }, { ...hidden }, { show: shown[i], stroke: colour, dash, width: 1.6, points: { show: false } });
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
        metric.bands.forEach((band, i) => {
          if (shown[i]) readout.append("   " + data.variants[i] + " ", make("b", { textContent: short(band.p50[k]) }));
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
            context.fillText(incident.name, x + 4 * devicePixelRatio, u.bbox.top + 12 * devicePixelRatio);
            right = x + context.measureText(incident.name).width + 8 * devicePixelRatio;
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
  };

  const controls = document.getElementById("curve-controls");
  if (data.curves.length > 1) {
    const choice = make("select", { ariaLabel: "point of the sweep" });
    data.curves.forEach((at, i) => choice.append(make("option", { value: i, textContent: at.point })));
    choice.onchange = () => { point = Number(choice.value); draw(); };
    controls.append(choice);
  }
  data.variants.forEach((name, i) => {
    const { colour, dash } = style(i);
    const swatch = make("span", { className: "swatch" });
    swatch.style.borderColor = colour;
    swatch.style.borderTopStyle = dash.length ? (dash[0] > 4 ? "dashed" : "dotted") : "solid";
    const box = make("input", { type: "checkbox", checked: shown[i] });
    box.onchange = () => {
      shown[i] = box.checked;
      for (const chart of charts) {
        [1, 2, 3].forEach((k) => chart.setSeries(3 * i + k, { show: box.checked }));
      }
    };
    controls.append(make("label", {}, box, swatch, name));
  });
  if (data.curves.length) {
    draw();
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
