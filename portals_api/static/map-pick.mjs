// Lets a reporter point at the street light on the map. Loaded only by who asks for it; the form works without.
const box = document.getElementById("map");
const said = document.getElementById("pick-said");
const { texts } = JSON.parse(box.dataset.map);
const json = async (url) => {
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
};

const set = (lamp, lat, lon) => {
  document.getElementById("lamp").value = lamp;
  document.getElementById("lat").value = lat;
  document.getElementById("lon").value = lon;
};

const choose = (city, pixel, reach) => {
  const { lng, lat } = city.map.unproject(pixel);
  const found = city.lampAt(pixel.x, pixel.y, reach);
  if (found) {
    set(found.id, "", "");
    city.select(found.lon, found.lat);
    said.textContent = texts.picked_lamp.replace("{n}", found.id);
  } else if (city.map.getZoom() >= 15) {
    set("", lat.toFixed(6), lng.toFixed(6));
    city.select(lng, lat);
    said.textContent = texts.picked_point;
  } else {
    city.go(lng, lat, Math.min(city.map.getZoom() + 2, 17));
  }
};

export const open = async (core) => {
  said.textContent = texts.loading;
  try {
    const [{ CityMap, unpack }, packed, places, now] = await Promise.all([
      import(core), json("/api/v1/map/lamps"), json("/api/v1/map/places"), json("/api/v1/map/states")]);
    const lamps = unpack(packed);
    const at = lamps.index.get(document.getElementById("lamp").value);
    const view = at === undefined ? undefined : { center: [lamps.lon[at], lamps.lat[at]], zoom: 17 };
    const states = Uint8Array.from(now.states, (digit) => digit.charCodeAt(0) - 48);
    const city = new CityMap(box, lamps, places, { states, label: box.getAttribute("aria-label"), view });
    await city.loaded;
    box.cityMap = city;
    if (at !== undefined) city.select(lamps.lon[at], lamps.lat[at]);
    city.map.on("click", ({ point }) => choose(city, point, 22));
    city.map.getCanvas().addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      choose(city, city.map.project(city.map.getCenter()), 60);
    });
    said.textContent = said.dataset.hint;
    box.dataset.ready = "yes";
  } catch (error) {
    box.hidden = true;
    said.textContent = texts.failed;
    console.warn(error);
  }
};
