// The map itself, for the page of the map and for the report form: lamps, places and tickets on the city's own ground.
// The library draws the ground and the few marks; the many lamps go to the graphics card as they are, without being cut
// into tiles by a worker first: fifty thousand are there at once, and a change of state is one byte.
import * as maplibre from "/static/maplibre-gl-6.17.0.mjs";

maplibre.setWorkerUrl("/static/maplibre-gl-worker-6.17.0.mjs");
maplibre.setWorkerCount(1);

export const STATES = ["unknown", "off", "lit", "silent", "faulty", "out"];
const [UNKNOWN, OFF, LIT, SILENT, FAULTY, OUT] = STATES.keys();
const NEAR = 0.003; // degrees; two lamps of one street further apart than this are not joined by a line
const CLUSTERED_BELOW = 13; // zoom
const CELL = 72; // pixels; the side of the square whose lamps are told as one
const PIXEL_RATIO = 2;

// ---------------------------------------------------------------- what the server packed

const unrun = (runs, out) => {
  let at = 0;
  for (const [code, count] of runs) { out.fill(code, at, at + count); at += count; }
  return out;
};

const degrees = (differences, scale) => {
  const out = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < out.length; i += 1) { sum += differences[i]; out[i] = sum / scale; }
  return out;
};

/** Turn the columns of /api/v1/map/lamps into arrays by position. */
export const unpack = (packed) => {
  const ids = [];
  for (const run of packed.ids) {
    if (typeof run === "string") { ids.push(run); continue; }
    const [prefix, first, width, count] = run;
    for (let n = first; n < first + count; n += 1) ids.push(prefix + String(n).padStart(width, "0"));
  }
  return {
    ids, index: new Map(ids.map((id, place) => [id, place])),
    lat: degrees(packed.lat, packed.scale), lon: degrees(packed.lon, packed.scale), nowhere: new Set(packed.nowhere),
    street: unrun(packed.street, new Int32Array(packed.count)), streets: packed.streets,
    district: unrun(packed.district, new Int32Array(packed.count)), districts: packed.districts,
  };
};

// ---------------------------------------------------------------- how it looks

const colours = () => {
  const style = getComputedStyle(document.getElementById("map"));
  const of = (name) => style.getPropertyValue(`--map-${name}`).trim();
  const names = ["ground", "land", "edge", "street", "text", "halo", "lit", "glow", "off", "bad", "out", "silent",
    "unknown", "cluster", "cluster-text", "ticket", "facility", "equipment", "mark", "lit-text", "lit-edge"];
  return Object.fromEntries(names.map((name) => [name, of(name)]));
};

// Each state has a shape of its own, so that nobody needs to tell red from orange.
const draw = (shape, fill, ink, size) => {
  const canvas = new OffscreenCanvas(size * PIXEL_RATIO, size * PIXEL_RATIO);
  const pen = canvas.getContext("2d", { willReadFrequently: true }); // On the graphics card, reading back would cost more than drawing.
  const half = size / 2;
  pen.scale(PIXEL_RATIO, PIXEL_RATIO);
  pen.fillStyle = fill; pen.strokeStyle = ink; pen.lineWidth = 2; pen.lineCap = "round"; pen.lineJoin = "round";
  const path = (...points) => { pen.beginPath(); points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x, y)); };
  const disc = () => { pen.beginPath(); pen.arc(half, half, half - 1.5, 0, 7); pen.fill(); };
  const square = () => { pen.beginPath(); pen.roundRect(1.5, 1.5, size - 3, size - 3, 3); pen.fill(); };
  const inner = size * 0.3;
  if (shape === "cross") {
    disc();
    path([inner, inner], [size - inner, size - inner]); pen.stroke();
    path([size - inner, inner], [inner, size - inner]); pen.stroke();
  } else if (shape === "bar") {
    path([half, 1.5], [size - 1.5, half], [half, size - 1.5], [1.5, half]); pen.closePath(); pen.fill();
    path([inner, half], [size - inner, half]); pen.stroke();
  } else if (shape === "query") {
    square();
    pen.font = `bold ${size * 0.7}px sans-serif`; pen.textAlign = "center"; pen.textBaseline = "middle";
    pen.fillStyle = ink; pen.fillText("?", half, half + 1);
  } else if (shape === "flag") {
    path([3, size - 2], [3, 2], [size - 2, size * 0.32], [3, size * 0.6]); pen.fill(); pen.stroke();
  } else if (shape === "house") {
    path([half, 2], [size - 2, half], [size - 2, size - 2], [2, size - 2], [2, half]); pen.closePath(); pen.fill();
    pen.stroke();
  } else if (shape === "house-alarm") {
    path([half, 2], [size - 2, half], [size - 2, size - 2], [2, size - 2], [2, half]); pen.closePath(); pen.fill();
    pen.stroke();
    path([half, half - 1], [half, half + 3]); pen.stroke();
    path([half, size - 5], [half, size - 4.5]); pen.stroke();
  } else {
    square(); pen.stroke();
  }
  return pen.getImageData(0, 0, canvas.width, canvas.height);
};

const images = (c) => ({
  faulty: draw("cross", c.bad, c.mark, 18), out: draw("bar", c.out, c.mark, 20), silent: draw("query", c.silent, c.mark, 16),
  ticket: draw("flag", c.ticket, c.mark, 18), facility: draw("house", c.facility, c.mark, 18),
  "facility-alarm": draw("house-alarm", c.bad, c.mark, 22), equipment: draw("square", c.equipment, c.mark, 12),
});

const layers = (c) => {
  const state = ["get", "s"];
  const text = { "text-font": ["sans-serif"] };
  const icon = { "icon-allow-overlap": true, "icon-ignore-placement": true };
  // While lamps are told together, marks are small, so that the city is seen behind them.
  const near = ["interpolate", ["linear"], ["zoom"], 10, 0.33, CLUSTERED_BELOW - 0.1, 0.5, CLUSTERED_BELOW + 0.4, 0.8, 15, 1];
  const byLit = (dark, lit) => ["interpolate", ["linear"], ["get", "lit"], 0, c[dark], 1, c[lit]];
  return [
    { id: "ground", type: "background", paint: { "background-color": c.ground } },
    { id: "land", type: "fill", source: "districts", paint: { "fill-color": c.land } },
    { id: "streets", type: "line", source: "streets", layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": c.street, "line-width": ["interpolate", ["exponential", 1.6], ["zoom"], 11, 0.6, 18, 16] } },
    { id: "edges", type: "line", source: "districts", paint: { "line-color": c.edge, "line-width": 1.2, "line-dasharray": [3, 2] } },
    { id: "clusters", type: "circle", source: "clusters", maxzoom: CLUSTERED_BELOW, paint: {
      "circle-radius": ["interpolate", ["linear"], ["sqrt", ["get", "count"]], 1, 5, 10, 12, 60, 24],
      "circle-color": byLit("cluster", "lit"),
      "circle-opacity": 0.92, "circle-stroke-width": ["case", [">", ["get", "bad"], 0], 2.5, 0.5],
      "circle-stroke-color": ["case", [">", ["get", "bad"], 0], c.bad, c.halo] } },
    // A name gives way to every count, and steps aside a little.
    { id: "district-names", type: "symbol", source: "names", maxzoom: 15,
      layout: { ...text, "text-field": ["get", "name"], "text-size": 15, "text-letter-spacing": 0.06,
        "text-variable-anchor": ["center", "top", "bottom"], "text-radial-offset": 0.8 },
      paint: { "text-color": c.text, "text-halo-color": c.halo, "text-halo-width": 1.6 } },
    { id: "equipment", type: "symbol", source: "equipment", layout: { ...icon, "icon-size": near, "icon-image": "equipment", visibility: "none" } },
    { id: "facilities", type: "symbol", source: "facilities", layout: { ...icon, "icon-size": near,
      "icon-image": ["case", ["==", ["get", "state"], "alarm"], "facility-alarm", "facility"] } },
    { id: "faults", type: "symbol", source: "faults", layout: { ...icon, "icon-size": near,
      "icon-image": ["match", state, FAULTY, "faulty", OUT, "out", "silent"], "symbol-sort-key": state } },
    { id: "tickets", type: "symbol", source: "tickets", layout: { ...icon, "icon-image": "ticket", "icon-size": near, "icon-offset": [6, -13] } },
    // Above all marks, with a rim in its circle's colour: what is counted can be read whatever stands there.
    { id: "cluster-counts", type: "symbol", source: "clusters", maxzoom: CLUSTERED_BELOW, filter: [">", ["get", "count"], 1],
      layout: { ...text, "text-field": ["get", "told"], "text-size": 12, "text-allow-overlap": true, "text-padding": 8 },
      // Either colour of text, never one between the two: halfway it would be that of its circle.
      paint: { "text-color": ["step", ["get", "lit"], c["cluster-text"], 0.42, c["lit-text"]], "text-halo-color": byLit("cluster", "lit"), "text-halo-width": 2 } },
    { id: "selected", type: "circle", source: "selected", paint: {
      "circle-radius": 16, "circle-color": "transparent", "circle-stroke-width": 3, "circle-stroke-color": c.text } },
  ];
};

const collection = (features) => ({ type: "FeatureCollection", features });
const point = (lon, lat, properties, id) => ({ type: "Feature", id, properties, geometry: { type: "Point", coordinates: [lon, lat] } });

/**
 * Return the middle of a street whose lamps may stand on either side in turn: each point among its neighbours with
 * weights 1, 2, 1, which takes the crossing of the street away whole and leaves a bend nearly as it is. The ends go on as
 * far along the street as their lamps stand.
 */
const middleLine = (lamps) => {
  const last = lamps.length - 1;
  if (last < 2) return lamps;
  const mixed = lamps.map((at, n) => (n === 0 || n === last ? at : at.map((value, axis) => (lamps[n - 1][axis] + 2 * value + lamps[n + 1][axis]) / 4)));
  const end = (n, inward) => mixed[n + inward].map((value, axis) => value + (lamps[n][axis] - lamps[n + 2 * inward][axis]) / 2);
  mixed[0] = end(0, 1);
  mixed[last] = end(last, -1);
  return mixed;
};

// ---------------------------------------------------------------- the lamps

const mercator = (lon, lat) => [(lon + 180) / 360, 0.5 - Math.log(Math.tan(Math.PI / 4 + lat * Math.PI / 360)) / (2 * Math.PI)];
const fromMercator = (x, y) => [x * 360 - 180, Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI];

const VERTEX = `#version 300 es
in vec2 place; in float state; uniform vec2 middle; uniform vec2 scale; uniform float size; uniform float pass;
uniform float shown[6]; uniform vec4 fills[6]; uniform vec4 edges[6]; out vec4 fill; out vec4 edge;
void main() {
  int s = int(state + 0.5);
  bool drawn = shown[s] > 0.5 && (pass > 0.5 || s == 2);
  gl_Position = drawn ? vec4((place - middle) * scale, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = size; fill = fills[s]; edge = edges[s];
}`;
const FRAGMENT = `#version 300 es
precision highp float; in vec4 fill; in vec4 edge; uniform float size; uniform float pass; uniform vec4 glow; out vec4 colour;
void main() {
  float from = length(gl_PointCoord - 0.5) * 2.0;
  if (from > 1.0) discard;
  if (pass < 0.5) { colour = glow * (1.0 - from) * (1.0 - from); return; }
  float width = clamp(3.0 / size, 0.12, 0.5);
  vec4 chosen = from > 1.0 - width ? edge : fill;
  float soft = clamp((1.0 - from) * size * 0.5, 0.0, 1.0);
  colour = vec4(chosen.rgb * chosen.a, chosen.a) * soft;
}`;

const rgba = (text) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255);
  return [r, g, b, 1];
};

/** Draws every lamp as a point; the map neither turns nor tilts, so that a place on the screen is one multiplication. */
class LampLayer {
  constructor(city) { Object.assign(this, { id: "lamps", type: "custom", renderingMode: "2d", city, dirty: true }); }

  onAdd(map, gl) {
    this.program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(this.program));
    this.at = Object.fromEntries(["middle", "scale", "size", "pass", "shown", "fills", "edges", "glow"]
      .map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    const attribute = (name, data, width, type, use) => {
      const buffer = gl.createBuffer();
      const place = gl.getAttribLocation(this.program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, data, use);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, width, type, false, 0, 0);
      return buffer;
    };
    attribute("place", this.city.relative, 2, gl.FLOAT, gl.STATIC_DRAW);
    this.stateBuffer = attribute("state", this.city.states, 1, gl.UNSIGNED_BYTE, gl.DYNAMIC_DRAW);
    gl.bindVertexArray(null);
  }

  render(gl) {
    const { map, states, shown, origin, colours: c } = this.city;
    const zoom = map.getZoom();
    if (zoom < CLUSTERED_BELOW || !states.length) return;
    const { lng, lat } = map.getCenter();
    const [x, y] = mercator(lng, lat);
    const { clientWidth: width, clientHeight: height } = map.getContainer();
    const world = 512 * 2 ** zoom;
    const ratio = gl.drawingBufferWidth / width;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    if (this.dirty) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.stateBuffer);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, states);
      this.dirty = false;
    }
    gl.uniform2f(this.at.middle, x - origin[0], y - origin[1]);
    gl.uniform2f(this.at.scale, 2 * world / width, -2 * world / height);
    gl.uniform1fv(this.at.shown, STATES.map((_, code) => Number(shown.has(code))));
    const paint = (...names) => names.flatMap((name) => rgba(c[name]));
    gl.uniform4fv(this.at.fills, paint("unknown", "land", "lit", "silent", "bad", "out"));
    gl.uniform4fv(this.at.edges, paint("unknown", "off", "lit-edge", "silent", "bad", "out"));
    gl.uniform4fv(this.at.glow, rgba(c.glow).map((part) => part * 0.34));
    gl.enable(gl.BLEND);
    const grown = 1.55 ** (zoom - 13);
    this.pass(gl, 0, Math.min(90, 11 * grown) * ratio, gl.ONE_MINUS_SRC_ALPHA);
    this.pass(gl, 1, Math.min(18, 2.6 * 1.4 ** (zoom - 13)) * ratio, gl.ONE_MINUS_SRC_ALPHA);
    gl.bindVertexArray(null);
  }

  pass(gl, number, size, onto) {
    gl.blendFunc(gl.ONE, onto);
    gl.uniform1f(this.at.pass, number);
    gl.uniform1f(this.at.size, size);
    gl.drawArrays(gl.POINTS, 0, this.city.states.length);
  }
}

// ---------------------------------------------------------------- the map

export class CityMap {
  constructor(box, lamps, places, { states, label, view } = {}) {
    this.lamps = lamps; this.places = places; this.states = states || new Uint8Array(lamps.ids.length);
    this.shown = new Set(STATES.keys()); this.tickets = []; this.placeStates = {};
    this.waiting = null; this.colours = colours();
    const bounds = this.bounds();
    this.origin = mercator((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2);
    this.relative = this.positions();
    const empty = { type: "geojson", data: collection([]) };
    this.map = new maplibre.Map({
      container: box, attributionControl: false, pitchWithRotate: false, dragRotate: false, touchPitch: false, maxPitch: 0,
      renderWorldCopies: false, fadeDuration: 0, maxZoom: 19, minZoom: 9, locale: { "Map.Title": label || "Map" },
      ...(view || { bounds, fitBoundsOptions: { padding: 24 } }),
      style: { version: 8, sources: {
        districts: { type: "geojson", data: this.districtData() }, names: { type: "geojson", data: this.nameData() }, streets: empty, clusters: empty, faults: empty,
        equipment: empty, facilities: empty, tickets: empty, selected: empty,
      }, layers: layers(this.colours) },
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    for (const [name, image] of Object.entries(images(this.colours))) this.map.addImage(name, image, { pixelRatio: PIXEL_RATIO });
    this.layer = new LampLayer(this);
    this.loaded = new Promise((done, failed) => {
      this.map.once("error", ({ error }) => failed(error));
      this.map.once("style.load", () => {
        this.map.addLayer(this.layer, "clusters");
        this.regroup();
        this.set("faults", this.faultData());
        done(this);
      });
    });
    this.map.on("zoom", () => this.regroup());
    this.map.once("idle", () => this.set("streets", this.streetData()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
  }

  set(source, data) { this.map.getSource(source)?.setData(data); }

  recolour() {
    this.colours = colours();
    for (const [name, image] of Object.entries(images(this.colours))) this.map.updateImage(name, image);
    for (const layer of layers(this.colours)) {
      for (const [name, value] of Object.entries(layer.paint || {})) this.map.setPaintProperty(layer.id, name, value);
    }
  }

  /** Return the box of all lamps; where there are none, that of the places. */
  bounds() {
    const { lat, lon, nowhere } = this.lamps;
    let [west, south, east, north] = [180, 90, -180, -90];
    const grow = (x, y) => {
      if (x < west) west = x;
      if (x > east) east = x;
      if (y < south) south = y;
      if (y > north) north = y;
    };
    for (let i = 0; i < lat.length; i += 1) if (!nowhere.has(i)) grow(lon[i], lat[i]);
    if (west > east) this.places.places.filter((p) => p.lat !== null).forEach((p) => grow(p.lon, p.lat));
    return west > east ? [-10, 36, 4, 44] : [west, south, east, north];
  }

  // -------------------------------------------------------------- data

  /** Return each lamp's place in the world's square, as its distance from the city's middle: exact to millimetres. */
  positions() {
    const { lat, lon, nowhere } = this.lamps;
    const relative = new Float32Array(lat.length * 2);
    for (let i = 0; i < lat.length; i += 1) {
      const [x, y] = nowhere.has(i) ? [9, 9] : mercator(lon[i], lat[i]);
      relative[2 * i] = x - this.origin[0];
      relative[2 * i + 1] = y - this.origin[1];
    }
    return relative;
  }

  districtData() {
    return collection(this.places.districts.filter((d) => d.boundary).map((d) => ({
      type: "Feature", properties: { id: d.id, name: d.name }, geometry: d.boundary })));
  }

  /** Return one point a district for its name: an outline that is cut into tiles would be named in each. */
  nameData() {
    return collection(this.places.districts.filter((d) => d.lat !== null).map((d) => point(d.lon, d.lat, { name: d.name })));
  }

  faultData() {
    const { lat, lon, nowhere } = this.lamps;
    const features = [];
    for (let i = 0; i < lat.length; i += 1) {
      const s = this.states[i];
      if (s >= SILENT && this.shown.has(s) && !nowhere.has(i)) features.push(point(lon[i], lat[i], { s }, i));
    }
    return collection(features);
  }

  /** Tell the lamps of each square of the screen as one, while they are too many to be seen. */
  regroup(anew = false) {
    const zoom = Math.floor(this.map.getZoom() * 2) / 2;
    if (zoom >= CLUSTERED_BELOW || (!anew && zoom === this.grouped)) return;
    this.grouped = zoom;
    const side = CELL / (512 * 2 ** zoom);
    const cells = new Map();
    for (let i = 0; i < this.states.length; i += 1) {
      const s = this.states[i];
      const x = this.relative[2 * i];
      const y = this.relative[2 * i + 1];
      if (!this.shown.has(s) || x > 1) continue;
      const key = Math.floor(x / side) * 65536 + Math.floor(y / side);
      let cell = cells.get(key);
      if (!cell) cells.set(key, cell = { x: 0, y: 0, count: 0, lit: 0, bad: 0 });
      cell.x += x; cell.y += y; cell.count += 1;
      if (s === LIT) cell.lit += 1;
      if (s >= SILENT) cell.bad += 1;
    }
    const language = document.documentElement.lang;
    const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
    this.set("clusters", collection([...cells.values()].map(({ x, y, count, lit, bad }, n) => {
      const [lon, lat] = fromMercator(x / count + this.origin[0], y / count + this.origin[1]);
      return point(lon, lat, { count, lit: lit / count, bad, told: short.format(count) }, n);
    })));
  }

  /** Return the middle of every street, from the lamps along it. */
  streetData() {
    const { lat, lon, street, streets, nowhere } = this.lamps;
    const lines = [];
    let line = [];
    for (let i = 0; i < lat.length; i += 1) {
      const joined = i > 0 && street[i] === street[i - 1] && streets[street[i]] !== ""
        && Math.abs(lat[i] - lat[i - 1]) < NEAR && Math.abs(lon[i] - lon[i - 1]) < NEAR;
      if (!joined) { if (line.length > 1) lines.push(middleLine(line)); line = []; }
      if (!nowhere.has(i)) line.push([lon[i], lat[i]]);
    }
    if (line.length > 1) lines.push(middleLine(line));
    return { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
  }

  // -------------------------------------------------------------- changes

  /** Take new states: `digits[n]` is that of the lamp at `places[n]`. Lamps and faults show at once, sums a little later. */
  take(places, digits) {
    let faults = false;
    places.forEach((place, n) => {
      const s = digits.charCodeAt(n) - 48;
      faults ||= s >= SILENT || this.states[place] >= SILENT;
      this.states[place] = s;
    });
    if (!places.length) return;
    this.layer.dirty = true;
    if (faults) this.set("faults", this.faultData());
    this.map.triggerRepaint();
    this.waiting ||= setTimeout(() => { this.waiting = null; this.regroup(true); }, 500);
  }

  /** Take the state of every lamp. */
  takeAll(digits) {
    const places = [];
    let told = "";
    for (let i = 0; i < digits.length; i += 1) {
      if (digits.charCodeAt(i) - 48 !== this.states[i]) { places.push(i); told += digits[i]; }
    }
    this.take(places, told);
  }

  /** Show only lamps of these states. */
  filter(codes) {
    this.shown = new Set(codes);
    this.regroup(true);
    this.set("faults", this.faultData());
    this.map.triggerRepaint();
  }

  showTickets(tickets) {
    this.tickets = tickets;
    this.set("tickets", collection(tickets.filter((t) => t.lat !== null && t.lon !== null)
      .map((t) => point(t.lon, t.lat, { id: t.id, kind: t.scope.kind }, t.id))));
  }

  showPlaces(states) {
    this.placeStates = states;
    const of = (kinds) => collection(this.places.places.filter((p) => kinds.includes(p.kind) && p.lat !== null)
      .map((p, n) => point(p.lon, p.lat, { id: p.id, kind: p.kind, state: states[p.id] || "" }, n)));
    this.set("facilities", of(["facility"]));
    this.set("equipment", of(["cabinet", "gateway"]));
  }

  showLayer(name, on) {
    const members = { tickets: ["tickets"], facilities: ["facilities"], districts: ["land", "edges", "district-names"], equipment: ["equipment"] };
    for (const id of members[name] || []) this.map.setLayoutProperty(id, "visibility", on ? "visible" : "none");
  }

  select(lon, lat) { this.set("selected", collection(lon === undefined ? [] : [point(lon, lat, {}, 1)])); }

  /** Return what is nearest to a pixel: {kind, id, lon, lat}, a cluster with its count; null if nothing is. */
  at({ x, y }, reach = 14) {
    const order = ["faults", "tickets", "facilities", "equipment", "clusters"];
    let best = this.lampAt(x, y, reach);
    for (const feature of this.map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]], { layers: order })) {
      const [lon, lat] = feature.geometry.coordinates;
      const pixel = this.map.project([lon, lat]);
      const distance = Math.hypot(pixel.x - x, pixel.y - y) + order.indexOf(feature.layer.id);
      if (best && distance >= best.distance) continue;
      const { id, kind, count } = feature.properties;
      if (feature.layer.id === "faults") best = { kind: "lamp", id: this.lamps.ids[feature.id], lon, lat, distance };
      else if (feature.layer.id === "tickets") best = { kind: "ticket", id, lon, lat, distance };
      else if (feature.layer.id === "clusters") best = { kind: "cluster", count, lon, lat, distance };
      else best = { kind, id, lon, lat, distance };
    }
    return best;
  }

  lampAt(x, y, reach) {
    if (this.map.getZoom() < CLUSTERED_BELOW) return null;
    const { lng, lat } = this.map.unproject([x, y]);
    const [middleX, middleY] = mercator(lng, lat);
    const world = 512 * 2 ** this.map.getZoom();
    let [nearest, least] = [-1, reach / world];
    for (let i = 0; i < this.states.length; i += 1) {
      const distance = Math.hypot(this.relative[2 * i] + this.origin[0] - middleX, this.relative[2 * i + 1] + this.origin[1] - middleY);
      if (distance < least && this.shown.has(this.states[i])) [nearest, least] = [i, distance];
    }
    if (nearest < 0) return null;
    return { kind: "lamp", id: this.lamps.ids[nearest], lon: this.lamps.lon[nearest], lat: this.lamps.lat[nearest], distance: least * world };
  }

  /** Go there; at once for who asked for less motion. */
  go(lon, lat, zoom) {
    this.map.easeTo({ center: [lon, lat], zoom: zoom === undefined ? this.map.getZoom() : zoom, duration: 500 });
  }

  openCluster({ lon, lat }) { this.go(lon, lat, Math.min(this.map.getZoom() + 1.5, 19)); }
}
