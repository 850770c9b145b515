// Draws every [data-chart]: one idea each, labelled directly. The numbers are in the table beside it.
//   {"kind": "line" | "step" | "bars", "x": [unix seconds],
//    "lines": [{"name", "y": [...], "colour": "--accent"}], "unit": "%", "today": seconds,
//    "band": [low, high]}. Amounts begin at zero.
(() => {
  "use strict";
  const drawn = new Map();
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = () => `12px ${getComputedStyle(document.body).fontFamily}`;
  const short = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toFixed(1)} M`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
    return value.toLocaleString("en-US", { maximumFractionDigits: 2 }).replace("-", "−");
  };

  // One point alone has no scale: nothing was known a day before it.
  function begun(data) {
    if (data.x.length !== 1) return data;
    return { ...data, x: [data.x[0] - 86400, data.x[0]], lines: data.lines.map((line) => ({ ...line, y: [null, line.y[0]] })) };
  }

  function draw(place) {
    const data = begun(JSON.parse(place.dataset.chart));
    const unit = data.unit || "";
    const zone = place.dataset.zone || "UTC";
    const series = [{}].concat(data.lines.map((line) => ({
      label: line.name,
      stroke: token(line.colour || "--accent"),
      width: data.kind === "bars" ? 0 : 1.75,
      fill: data.kind === "bars" ? token(line.colour || "--accent") : undefined,
      paths: data.kind === "step" ? uPlot.paths.stepped({ align: 1 }) : data.kind === "bars" ? uPlot.paths.bars({ size: [0.6, 24] }) : undefined,
      points: { show: data.x.length < 3, size: 6, fill: token(line.colour || "--accent") },
      spanGaps: data.kind === "step",
    })));
    const options = {
      width: Math.max(place.clientWidth, 200), height: 180, padding: [20, 64, 0, 0], legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1e3), zone),
      scales: {
        x: { time: true, range: (_, low, high) => span(data, low, high) },
        y: { range: (_, low, high) => limits(data, low, high) },
      },
      axes: [
        {
          stroke: token("--muted"), font: font(), grid: { show: false }, ticks: { stroke: token("--line"), size: 4 }, space: 64, size: 30,
          values: (self, ticks, _space, _axis, step) => ticks.map((tick) => label(tick, step, zone)),
        },
        {
          stroke: token("--muted"), font: font(), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, size: 52, space: 36,
          values: (_, ticks) => ticks.map((tick) => short(tick) + unit),
        },
      ],
      series,
      hooks: { draw: [(chart) => annotate(chart, data, unit)], drawClear: [(chart) => band(chart, data)] },
      plugins: [tip(data, unit, zone)],
    };
    const chart = new uPlot(options, [data.x].concat(data.lines.map((line) => line.y)), place);
    drawn.set(place, chart);
  }

  // Up to today, and at least a day: one run alone is a point at the end.
  function span(data, low, high) {
    const end = Math.max(high, data.today || high);
    return [Math.min(low, end - 86400), end];
  }

  function limits(data, low, high) {
    const marks = data.lines.flatMap((line) => line.y).filter((value) => value !== null).concat(data.band || []);
    const least = Math.min(...marks, 0);
    const most = Math.max(...marks, least + 1);
    if (data.unit === "%" && most <= 100) return [least, 100];
    return [least, most + (most - least) * 0.08];
  }

  function label(stamp, step, zone) {
    const style = step < 86400 ? { hour: "2-digit", minute: "2-digit", hour12: false } : { day: "numeric", month: "short" };
    return new Intl.DateTimeFormat("en-GB", { ...style, timeZone: zone }).format(new Date(stamp * 1000));
  }

  // The tolerance, behind the lines.
  function band(chart, data) {
    if (!data.band) return;
    const { ctx, bbox } = chart;
    const top = chart.valToPos(data.band[1], "y", true);
    const bottom = chart.valToPos(data.band[0], "y", true);
    ctx.save();
    ctx.globalAlpha = 0.14;
    ctx.fillStyle = token("--muted");
    ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
    ctx.restore();
  }

  // Names at the ends of the lines, and a mark for today.
  function annotate(chart, data, unit) {
    const { ctx, bbox } = chart;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${12 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    if (data.today && data.x.length > 1) {
      const at = Math.min(chart.valToPos(data.today, "x", true), bbox.left + bbox.width);
      ctx.strokeStyle = token("--strong-line");
      ctx.lineWidth = ratio;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath(); ctx.moveTo(at, bbox.top); ctx.lineTo(at, bbox.top + bbox.height); ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = token("--muted");
      ctx.textAlign = at > bbox.left + bbox.width - 40 * ratio ? "right" : "center";
      ctx.fillText("today", at, bbox.top - 9 * ratio);
      ctx.textAlign = "left";
    }
    const taken = [];
    data.lines.forEach((line) => {
      const last = line.y.reduce((found, value, index) => (value === null ? found : index), -1);
      if (last < 0) return;
      let at = chart.valToPos(line.y[last], "y", true);
      ctx.fillStyle = token(line.colour || "--accent");
      if (data.kind !== "bars") {
        ctx.beginPath(); ctx.arc(chart.valToPos(data.x[last], "x", true), at, 3 * ratio, 0, 2 * Math.PI); ctx.fill();
      }
      while (taken.some((other) => Math.abs(other - at) < 14 * ratio)) at += at < bbox.top + bbox.height - 14 * ratio ? 14 * ratio : -28 * ratio;
      taken.push(at);
      const said = data.lines.length > 1 ? line.name : short(line.y[last]) + unit;
      ctx.fillText(said, bbox.left + bbox.width + 6 * ratio, Math.max(at, bbox.top + 6 * ratio));
    });
    ctx.restore();
  }

  // What the pointer is at.
  function tip(data, unit, zone) {
    const said = document.createElement("div");
    return { hooks: {
      init: (chart) => { said.className = "chart-tip"; said.hidden = true; chart.over.append(said); },
      setCursor: (chart) => {
        const at = chart.cursor.idx;
        said.hidden = at === null || at === undefined || chart.cursor.left < 0;
        if (said.hidden) return;
        const when = new Intl.DateTimeFormat("en-GB", {
          day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone }).format(new Date(data.x[at] * 1000));
        const values = data.lines.filter((line) => line.y[at] !== null)
          .map((line) => (data.lines.length > 1 ? `${line.name} ` : "") + short(line.y[at]) + unit);
        said.textContent = `${when}: ${values.join(", ") || "unknown"}`;
        const room = chart.over.clientWidth - said.offsetWidth;
        said.style.left = `${Math.max(0, Math.min(chart.cursor.left + 8, room))}px`;
      },
    } };
  }

  function prepare(root) {
    root.querySelectorAll("[data-chart]").forEach((place) => { if (!drawn.has(place)) draw(place); });
    drawn.forEach((chart, place) => { if (!place.isConnected) { chart.destroy(); drawn.delete(place); } });
  }
  function again() {
    drawn.forEach((chart, place) => { chart.destroy(); drawn.delete(place); });
    prepare(document);
  }
  let resizing;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(again, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
