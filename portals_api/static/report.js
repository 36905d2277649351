// The form works without this file; it adds the map to point at, the position of the phone, and keeps a second tap from
// sending twice.
"use strict";
(() => {
  const form = document.getElementById("report");
  const send = document.getElementById("send");
  form.addEventListener("submit", () => setTimeout(() => { send.disabled = true; }, 0));
  addEventListener("pageshow", () => { send.disabled = false; });
  const pick = document.getElementById("pick");
  pick.hidden = false;
  document.getElementById("pick-button").addEventListener("click", ({ target }) => {
    target.hidden = true;
    document.getElementById("map").hidden = false;
    import(pick.dataset.pick).then(({ open }) => open(pick.dataset.core));
  });
  if (!("geolocation" in navigator)) return;
  const box = document.getElementById("locate");
  const said = document.getElementById("locate-said");
  box.hidden = false;
  document.getElementById("locate-button").addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(
      (position) => {
        document.getElementById("lat").value = position.coords.latitude.toFixed(6);
        document.getElementById("lon").value = position.coords.longitude.toFixed(6);
        said.textContent = said.dataset.found;
      },
      () => { said.textContent = said.dataset.failed; },
      { enableHighAccuracy: true, timeout: 10000, maximumAge: 30000 },
    );
  });
})();
