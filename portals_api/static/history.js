// A history that one moves in: mouse, touch and keyboard. Without this file the page shows the same as a drawing.
// Each move asks the server for the span that is seen, in as many points as there is room for, so that ten years stay fluid.
"use strict";
(() => {
  const figure = document.querySelector("figure.history");
  const box = figure.querySelector(".drawing");
  const words = figure.dataset;
  const said = figure.querySelector(".told");
  const language = { en: "en-GB" }[document.documentElement.lang] || document.documentElement.lang;
  const DAY = 86400;
  const SPANS = { day: DAY, week: 7 * DAY, month: 30 * DAY, year: 365 * DAY };
  const SHORTEST = 3600;
  let whole = null, seen = null, asked = 0, timer = 0, plot = null, first = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const moment = (at, withTime) => new Intl.DateTimeFormat(language, {
    timeZone: words.zone, dateStyle: "medium", ...(withTime ? { timeStyle: "short" } : {}),
  }).format(at * 1000);
  const number = (value) => value == null ? "–" : new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(value);

  // Where nothing was heard for long the line ends: a silence is no straight line.
  const withGaps = (found) => {
    const steps = found.at_s.slice(1).map((at, n) => at - found.at_s[n]).sort((a, b) => a - b);
    const longest = 4 * Math.max(found.step_s, steps[steps.length >> 1] || 0);
    const columns = [[], [], [], []];
    found.at_s.forEach((at, n) => {
      if (n && longest && at - found.at_s[n - 1] > longest) {
        columns[0].push(found.at_s[n - 1] + 1);
        columns.slice(1).forEach((column) => column.push(null));
      }
      columns[0].push(at);
      columns[1].push(found.mean[n]);
      columns[2].push(found.minimum[n]);
      columns[3].push(found.maximum[n]);
    });
    return columns;
  };

  const options = (width) => ({
    width, height: Math.round(Math.min(420, Math.max(260, width * 0.4))),
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), words.zone),
    cursor: { drag: { x: false, y: false, setScale: false }, y: false },
    scales: { x: { time: true, range: () => seen } },
    legend: { live: true },
    axes: [
      { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") },
        values: (_, splits) => axisWords(splits) },
      { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") },
        size: 64, values: (_, splits) => splits.map(number) },
    ],
    series: [
      { label: words.when, value: (_, at) => at == null ? "–" : moment(at, first.step_s < DAY) },
      { label: words.mean, stroke: colour("--line-1"), width: 1.6, spanGaps: false, points: { show: false }, value: (_, v) => `${number(v)} ${words.unit}` },
      { label: words.low, stroke: "transparent", points: { show: false }, value: (_, v) => number(v) },
      { label: words.high, stroke: "transparent", points: { show: false }, value: (_, v) => number(v) },
    ],
    bands: [{ series: [3, 2], fill: colour("--band") }],
  });

  const axisWords = (splits) => {
    const step = splits.length > 1 ? splits[1] - splits[0] : DAY;
    const shape = step >= 300 * DAY ? { year: "numeric" } : step >= 25 * DAY ? { month: "short", year: "2-digit" }
      : step >= DAY ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
    const format = new Intl.DateTimeFormat(language, { timeZone: words.zone, ...shape });
    const day = new Intl.DateTimeFormat(language, { timeZone: words.zone, day: "numeric", month: "short" });
    let before = "";
    return splits.map((at) => {
      const told = format.format(at * 1000);
      if (step >= DAY) return told;
      const today = day.format(at * 1000);
      const line = today === before ? told : `${told}\n${today}`;
      before = today;
      return line;
    });
  };

  const tell = () => {
    const withTime = seen[1] - seen[0] < 3 * DAY;
    said.textContent = words.shown.replace("{from}", moment(seen[0], withTime)).replace("{to}", moment(seen[1], withTime))
      .replace("{resolution}", words[first.resolution]);
    figure.querySelector(".meaning").hidden = first.resolution === "raw";
    for (const button of figure.querySelectorAll("[data-span]")) {
      const span = button.dataset.span === "all" ? whole[1] - whole[0] : SPANS[button.dataset.span];
      button.setAttribute("aria-pressed", String(Math.abs(seen[1] - seen[0] - span) < 60));
    }
  };

  const load = async () => {
    const mine = ++asked;
    const room = Math.max(100, Math.min(2000, Math.round(box.clientWidth)));
    const margin = (seen[1] - seen[0]) / 2;
    const query = new URLSearchParams({ points: String(2 * room) });
    if (whole) {
      query.set("from", new Date((seen[0] - margin) * 1000).toISOString());
      query.set("to", new Date((seen[1] + margin) * 1000).toISOString());
    }
    const answer = await fetch(`${words.points}?${query}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const found = await answer.json();
    if (mine !== asked) return;
    first = found;
    plot.setData(withGaps(found), false);
    move(seen[0], seen[1], false);
  };

  const move = (from, to, fetchAfter = true) => {
    const length = Math.min(Math.max(to - from, SHORTEST), whole[1] - whole[0]);
    const middle = (from + to) / 2;
    const start = Math.min(Math.max(middle - length / 2, whole[0]), whole[1] - length);
    seen = [start, start + length];
    plot.batch(() => plot.setScale("x", { min: seen[0], max: seen[1] }));
    if (!fetchAfter) { tell(); return; }
    clearTimeout(timer);
    timer = setTimeout(() => load().catch(() => { said.textContent = words.failed; }), 120);
  };

  const zoom = (factor, at = (seen[0] + seen[1]) / 2) => move(at - (at - seen[0]) * factor, at + (seen[1] - at) * factor);
  const shift = (share) => { const by = share * (seen[1] - seen[0]); move(seen[0] + by, seen[1] + by); };

  const byPointer = (over) => {
    const down = new Map();
    let from = null, spread = 0;
    const place = (event) => event.clientX - over.getBoundingClientRect().left;
    const begin = () => {
      const xs = [...down.values()];
      from = { seen: [...seen], x: xs.reduce((a, b) => a + b, 0) / xs.length };
      spread = xs.length > 1 ? Math.abs(xs[0] - xs[1]) : 0;
    };
    over.addEventListener("pointerdown", (event) => { over.setPointerCapture(event.pointerId); down.set(event.pointerId, place(event)); begin(); });
    over.addEventListener("pointermove", (event) => {
      if (!down.has(event.pointerId)) return;
      down.set(event.pointerId, place(event));
      const xs = [...down.values()];
      const middle = xs.reduce((a, b) => a + b, 0) / xs.length;
      const length = from.seen[1] - from.seen[0];
      const factor = spread && xs.length > 1 ? spread / Math.max(Math.abs(xs[0] - xs[1]), 10) : 1;
      const held = from.seen[0] + length * from.x / over.clientWidth;
      const start = held - length * factor * middle / over.clientWidth;
      move(start, start + length * factor);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      over.addEventListener(name, (event) => { down.delete(event.pointerId); if (down.size) begin(); });
    }
    over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && Math.abs(event.deltaY) < Math.abs(event.deltaX)) { event.preventDefault(); shift(event.deltaX / over.clientWidth); return; }
      event.preventDefault();
      zoom(Math.exp(Math.sign(event.deltaY) * 0.25), seen[0] + (seen[1] - seen[0]) * place(event) / over.clientWidth);
    }, { passive: false });
    over.addEventListener("dblclick", (event) => zoom(0.4, seen[0] + (seen[1] - seen[0]) * place(event) / over.clientWidth));
  };

  const KEYS = {
    ArrowLeft: () => shift(-0.2), ArrowRight: () => shift(0.2), PageUp: () => shift(-1), PageDown: () => shift(1),
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), Home: () => move(...whole),
  };
  const ACTS = { back: () => shift(-0.5), on: () => shift(0.5), in: () => zoom(0.5), out: () => zoom(2) };

  const start = async () => {
    const room = Math.max(100, Math.round(box.clientWidth));
    const answer = await fetch(`${words.points}?points=${Math.min(2 * room, 4000)}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    first = await answer.json();
    if (first.at_s.length < 2) return;
    whole = [first.at_s[0], Math.max(first.at_s.at(-1), Date.parse(first.to) / 1000 - 1)];
    seen = [...whole];
    const holder = document.createElement("div");
    holder.className = "plot";
    holder.tabIndex = 0;
    holder.setAttribute("role", "application");
    holder.setAttribute("aria-label", `${words.name}. ${words.help}`);
    box.replaceChildren(holder);
    const draw = (data) => {
      if (plot) plot.destroy();
      plot = new uPlot(options(holder.clientWidth - 10), data, holder);
      byPointer(plot.over);
    };
    draw(withGaps(first));
    tell();
    holder.addEventListener("keydown", (event) => {
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    for (const button of figure.querySelectorAll(".spans button")) {
      button.addEventListener("click", () => {
        const { span, act } = button.dataset;
        if (act) ACTS[act]();
        else if (span === "all") move(...whole);
        else { const middle = (seen[0] + seen[1]) / 2; const end = seen[1] >= whole[1] - 1 ? whole[1] : middle + SPANS[span] / 2; move(end - SPANS[span], end); }
      });
    }
    figure.querySelector(".spans").hidden = false;
    let width = holder.clientWidth;
    new ResizeObserver(() => {
      if (holder.clientWidth === width) return;
      width = holder.clientWidth;
      const { width: w, height } = options(width - 10);
      plot.setSize({ width: w, height });
    }).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(plot.data));
    figure.dataset.ready = "true";
  };

  start().catch(() => { said.textContent = words.failed; });
})();
