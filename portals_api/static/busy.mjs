// A form that may take long shows that it is at work, and is sent once. Without this the browser says so in its own way.
for (const form of document.querySelectorAll("form[data-long]")) {
  const told = form.querySelector(".busy");
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") {
      event.preventDefault();
      return;
    }
    form.ariaBusy = "true";
    told.hidden = false;
    const words = told.querySelector("[data-working]");
    words.textContent = words.dataset.working;
  });
  // Who comes back by the browser's history finds the form as it was.
  addEventListener("pageshow", () => {
    form.ariaBusy = "false";
    told.hidden = true;
  });
}
