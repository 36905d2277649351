// The page of the live map: loads the city, follows its changes, and keeps filters and choices in the address.
const box = document.getElementById("map");
const { versions, ...words } = JSON.parse(box.dataset.map);
const { texts } = words;
const byId = (id) => document.getElementById(id);
const told = byId("map-told");
const SEARCHED = ["street", "feeder"]; // What the map does not hold: the search tells where it is.
const QUERY_MAX = 80;
const NO_STATE = "none"; // In the address: every state is switched off.
const RETRY_MS = [2000, 4000, 8000, 16000, 30000];
const json = async (url) => {
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
};
const say = (name, lost = false) => { told.textContent = texts[name]; told.classList.toggle("lost", lost); };
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

say("loading");
// The data travels while the map's code is read.
const data = Promise.all([json(`/api/v1/map/lamps?v=${versions.lamps}`), json(`/api/v1/map/places?v=${versions.places}`), json("/api/v1/map/states")]);
data.catch(() => {});

const query = () => new URLSearchParams(location.search);
const view = () => {
  const [lat, lon, zoom] = ["lat", "lon", "zoom"].map((name) => parseFloat(query().get(name)));
  if (!(Math.abs(lat) <= 90 && Math.abs(lon) <= 180)) return undefined;
  return { center: [lon, lat], zoom: zoom >= 0 && zoom <= 22 ? zoom : 15 };
};

/** Return kind and id of what an address's end names; nothing if it names nothing. */
const named = (hash) => {
  const [, kind, id] = /^#\/(\w+)\/(.+)$/.exec(hash) || [];
  try { return kind ? [kind, decodeURIComponent(id)] : []; } catch { return [kind, id]; }
};

const start = async () => {
  const [core, { Card, CardWords }] = await Promise.all([import(box.dataset.core), import(box.dataset.card)]);
  const [packed, places, now] = await data;
  const lamps = core.unpack(packed);
  const states = Uint8Array.from(now.states, (digit) => digit.charCodeAt(0) - 48);
  const city = new core.CityMap(box, lamps, places, { states, label: box.getAttribute("aria-label"), view: view() });
  city.tickets = now.tickets;
  city.placeStates = now.places;
  await city.loaded;
  box.cityMap = city;
  new Page(city, core.STATES, now.at, { Card, CardWords }).begin();
};

class Page {
  constructor(city, names, at, { Card, CardWords }) {
    this.city = city; this.names = names; this.at = at; this.chosen = null; this.failures = 0;
    this.card = new Card(byId("map-card"), { close: texts.close, onClose: () => this.close(true) });
    this.words = new CardWords(words);
  }

  begin() {
    const { map } = this.city;
    map.on("click", ({ point }) => this.pick(this.city.at(point)));
    map.on("mousemove", ({ point }) => { map.getCanvas().style.cursor = this.city.at(point, 6) ? "pointer" : ""; });
    map.on("moveend", () => this.keepView());
    map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      const found = this.city.at(map.project(map.getCenter()), 60);
      if (found) this.pick(found, true); else say("nothing_here");
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.card.open) this.close(true); });
    addEventListener("popstate", () => this.fromAddress());
    byId("map-buttons").hidden = false;
    byId("map-in").addEventListener("click", () => map.zoomIn());
    byId("map-out").addEventListener("click", () => map.zoomOut());
    byId("map-all").addEventListener("click", () => map.fitBounds(this.city.bounds(), { padding: 24 }));
    byId("map-me").addEventListener("click", () => this.whereAmI());
    for (const choice of document.querySelectorAll(".map-filter input")) {
      choice.addEventListener("change", () => this.filtersChanged());
    }
    this.search();
    this.fromAddress();
    this.count();
    this.listen();
    this.city.showPlaces(this.city.placeStates);
    this.city.showTickets(this.city.tickets);
    map.once("load", () => { performance.mark("map-usable"); box.dataset.ready = "yes"; });
  }

  // -------------------------------------------------------------- address

  fromAddress() {
    const asked = query().get("state") || "";
    const wanted = asked.split(",").filter((name) => this.names.includes(name));
    const all = !wanted.length && asked !== NO_STATE;
    const layers = query().get("layers");
    for (const choice of document.querySelectorAll(".map-filter input")) {
      if (choice.name === "state") choice.checked = all || wanted.includes(choice.value);
      else choice.checked = layers === null ? choice.defaultChecked : layers.split(",").includes(choice.value);
    }
    this.applyFilters();
    const place = view();
    const [kind, id] = named(location.hash);
    if (kind) this.open(kind, id).catch(() => this.close());
    else {
      this.close();
      if (place) this.city.map.jumpTo(place);
    }
  }

  /** Show what the address names; if there is none, say so. */
  async open(kind, id) {
    let found = this.find(kind, id);
    if (!found && SEARCHED.includes(kind)) {
      const asked = location.hash;
      const { items } = await json(`/api/v1/search?limit=50&q=${encodeURIComponent([...id].slice(0, QUERY_MAX).join(""))}`);
      if (location.hash !== asked) return;
      found = items.find((item) => item.kind === kind && item.id === id);
    }
    const zoom = Math.max(this.city.map.getZoom(), kind === "district" ? 13 : 16);
    if (found) this.show(found, { move: true, zoom }); else this.show({ kind, id, missing: true });
  }

  write(change, push = false) {
    const url = new URL(location.href);
    change(url);
    if (url.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", url);
  }

  keepView() {
    const { lat, lng } = this.city.map.getCenter();
    this.write((url) => {
      url.searchParams.set("lat", lat.toFixed(5)); url.searchParams.set("lon", lng.toFixed(5));
      url.searchParams.set("zoom", this.city.map.getZoom().toFixed(1));
    });
  }

  filtersChanged() {
    const chosen = (name) => [...document.querySelectorAll(`.map-filter input[name=${name}]`)];
    const states = chosen("state");
    const layers = chosen("layer");
    this.write((url) => {
      url.searchParams.delete("state"); url.searchParams.delete("layers");
      if (states.some((c) => !c.checked)) url.searchParams.set("state", states.filter((c) => c.checked).map((c) => c.value).join(",") || NO_STATE);
      if (layers.some((c) => c.checked !== c.defaultChecked)) url.searchParams.set("layers", layers.filter((c) => c.checked).map((c) => c.value).join(","));
    }, true);
    this.applyFilters();
  }

  applyFilters() {
    const codes = [];
    for (const choice of document.querySelectorAll(".map-filter input")) {
      if (choice.name === "layer") this.city.showLayer(choice.value, choice.checked);
      else if (choice.checked) codes.push(this.names.indexOf(choice.value));
    }
    if (codes.length !== this.city.shown.size || codes.some((code) => !this.city.shown.has(code))) this.city.filter(codes);
  }

  // -------------------------------------------------------------- what is chosen

  find(kind, id) {
    const { lamps, places, tickets } = this.city;
    if (kind === "lamp") {
      const at = lamps.index.get(id);
      if (at === undefined) return null;
      return lamps.nowhere.has(at) ? { kind, id } : { kind, id, lon: lamps.lon[at], lat: lamps.lat[at] };
    }
    let among = places.places.filter((p) => p.kind === kind);
    if (kind === "ticket") among = tickets; else if (kind === "district") among = places.districts;
    const one = among.find((p) => String(p.id) === String(id));
    return one ? { kind, id: one.id, name: one.name, what: one.what, lon: one.lon, lat: one.lat } : null;
  }

  pick(found, keyboard = false) {
    if (!found) return this.close();
    if (found.kind === "cluster") {
      told.textContent = texts.lamps_together.replace("{n}", found.count);
      return this.city.openCluster(found);
    }
    this.write((url) => { url.hash = `#/${found.kind}/${encodeURIComponent(found.id)}`; }, true);
    return this.show(this.find(found.kind, found.id) || found, { focus: keyboard });
  }

  show(found, { move = false, zoom, focus = false } = {}) {
    this.chosen = found;
    const placed = typeof found.lat === "number" && typeof found.lon === "number";
    if (placed && found.kind !== "district") this.city.select(found.lon, found.lat); else this.city.select();
    if (placed && move) this.city.go(found.lon, found.lat, zoom);
    this.tell();
    if (focus) this.card.focus();
  }

  close(focus = false) {
    if (!this.chosen && !this.card.open) return;
    this.chosen = null;
    this.card.hide();
    this.city.select();
    this.write((url) => { url.hash = ""; });
    if (focus) this.city.map.getCanvas().focus();
  }

  /** Tell what is known now of what is chosen. */
  tell() {
    const { kind, id } = this.chosen;
    const ticket = kind === "ticket" && this.city.tickets.find((t) => t.id === id);
    if (kind === "ticket" && !ticket) this.chosen.missing = true; // Closed while it was looked at.
    if (this.chosen.missing) this.card.tell(this.words.missing(kind, id));
    else if (kind === "lamp") this.card.tell(this.words.lamp(id, this.city, this.names));
    else this.card.tell(ticket ? this.words.ticket(ticket) : this.words.place(this.chosen, this.city.placeStates[id]));
  }

  whereAmI() {
    if (!("geolocation" in navigator)) { say("no_position"); return; }
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      this.close();
      this.city.select(coords.longitude, coords.latitude);
      this.city.go(coords.longitude, coords.latitude, 16);
      say("here");
    }, () => say("no_position"), { enableHighAccuracy: true, timeout: 10000, maximumAge: 30000 });
  }

  // -------------------------------------------------------------- search

  search() {
    const form = byId("map-search");
    const field = byId("map-q");
    const results = byId("map-results");
    let asked = 0;
    let wait;
    const ask = async () => {
      asked += 1;
      const mine = asked;
      const text = field.value.trim();
      if (!text) { results.hidden = true; return; }
      const { items } = await json(`/api/v1/search?q=${encodeURIComponent(text)}`).catch(() => ({ items: [] }));
      if (mine !== asked) return; // An older answer that came late.
      results.replaceChildren(...items.map((item) => this.result(item, results)));
      if (!items.length) results.append(element("li", { textContent: texts.nothing }));
      results.hidden = false;
    };
    field.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(ask, 150); });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearTimeout(wait);
      await ask();
      results.querySelector("button")?.focus();
    });
    form.addEventListener("keydown", (event) => {
      const buttons = [...results.querySelectorAll("button")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") { results.hidden = true; field.focus(); }
      if (!step || results.hidden || !buttons.length) return;
      event.preventDefault();
      const next = buttons.indexOf(document.activeElement) + step;
      (buttons[next] || field).focus();
    });
  }

  result(item, results) {
    const button = element("button", { type: "button" }, element("strong", { textContent: item.name }),
      element("small", { textContent: ` ${texts[item.kind] || ""}${item.district ? `, ${item.district}` : ""}` }));
    button.addEventListener("click", () => {
      results.hidden = true;
      const found = this.find(item.kind, item.id) || item;
      this.write((url) => { url.hash = `#/${found.kind}/${encodeURIComponent(found.id)}`; }, true);
      this.show(found, { move: true, zoom: { district: 13, street: 16 }[found.kind] || 17, focus: true });
    });
    return element("li", {}, button);
  }

  // -------------------------------------------------------------- changes

  count() {
    const counts = new Array(this.names.length).fill(0);
    for (const code of this.city.states) counts[code] += 1;
    this.names.forEach((name, code) => this.number(name, counts[code]));
    this.number("tickets", this.city.tickets.length);
  }

  number(name, value) {
    const place = document.querySelector(`[data-count="${name}"]`);
    if (place) place.textContent = value.toLocaleString(document.documentElement.lang);
  }

  listen() {
    const source = new EventSource(`/api/v1/stream?after=${encodeURIComponent(this.at)}`);
    source.addEventListener("open", () => { this.failures = 0; say("live"); });
    source.addEventListener("change", ({ data: body, lastEventId }) => { this.at = lastEventId; this.apply(JSON.parse(body)); });
    source.addEventListener("reload", () => { source.close(); this.renew().then(() => this.listen(), () => this.again()); });
    source.addEventListener("error", () => {
      say("lost", true);
      if (source.readyState === EventSource.CLOSED) { source.close(); this.again(true); }
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  /** The stream refused or the server is gone: ask for the state alone, and for the stream again a little later. */
  again(refused = false) {
    const pause = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    setTimeout(() => this.renew().then(() => { if (refused) say("full"); this.listen(); }, () => { say("lost", true); this.again(refused); }), pause);
  }

  async renew() {
    const now = await json("/api/v1/map/states");
    if (now.versions.lamps !== versions.lamps || now.versions.places !== versions.places) { location.reload(); return; }
    this.at = now.at;
    this.city.takeAll(now.states);
    this.city.showTickets(now.tickets);
    this.city.showPlaces(now.places);
    this.changed();
  }

  apply(change) {
    if (change.lamps) this.city.take(change.lamps, change.states);
    if (change.tickets || change.gone) {
      const drop = new Set([...(change.gone || []), ...(change.tickets || []).map((t) => t.id)]);
      this.city.showTickets([...(change.tickets || []), ...this.city.tickets.filter((t) => !drop.has(t.id))]);
    }
    if (change.places) this.city.showPlaces({ ...this.city.placeStates, ...change.places });
    this.changed();
  }

  changed() {
    this.count();
    if (this.chosen) this.tell();
  }
}

start().catch((error) => {
  const webgl = document.createElement("canvas").getContext("webgl2");
  say(webgl ? "failed" : "no_webgl", true);
  told.append(" ", element("a", { href: "/map/list", textContent: document.querySelector(".map-links a").textContent }));
  box.dataset.ready = "no";
  console.warn(error);
});
