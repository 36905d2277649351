// Reads a chosen file into the text field beside it, so that one sees what is sent and one form serves both ways.

for (const input of document.querySelectorAll("input[data-reads-into]")) {
  const field = document.getElementById(input.dataset.readsInto);
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (file && field) {
      field.value = await file.text();
    }
  });
}
