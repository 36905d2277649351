// Goes on by itself with a long replay or marking, a page at a time, and shows how far it is. Without this file one presses
// the button; closing the page stops it, and what was done stays done.
"use strict";
(() => {
  const box = document.getElementById("going-on");
  const form = document.getElementById("go-on");
  const progress = document.getElementById("progress");
  const said = progress.querySelector("span");
  const language = document.documentElement.lang;
  const total = {};
  for (const name of ["letters", "readings"]) total[name] = Number(form.elements[`so-far-${name}`].value);

  const search = {};
  for (const [name, value] of Object.entries(box.dataset)) {
    if (name.startsWith("search")) search[name.slice(6).toLowerCase()] = value;
  }

  const page = async (next) => {
    const body = { search, next, ...(box.dataset.what === "replay" ? {} : { reason: box.dataset.why }) };
    const answer = await fetch(`/api/v1/operator/letters/${box.dataset.what}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const goOn = async () => {
    form.hidden = true;
    progress.hidden = false;
    said.textContent = said.dataset.working;
    try {
      while (form.elements.next.value) {
        const done = await page(form.elements.next.value);
        for (const name of Object.keys(total)) {
          total[name] += done[name] || 0;
          form.elements[`so-far-${name}`].value = total[name];
          const shown = document.getElementById(name);
          if (shown) shown.textContent = total[name].toLocaleString(language);
        }
        form.elements.next.value = done.next || "";
      }
      said.textContent = said.dataset.done;
      progress.querySelector("progress").hidden = true;
    } catch {
      said.textContent = said.dataset.failed;
      progress.querySelector("progress").hidden = true;
      form.hidden = false;
    }
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); goOn(); });
  goOn();
})();
