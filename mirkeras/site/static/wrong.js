const kind = document.getElementById("kind"), label = document.getElementById("class");
const parts = document.querySelectorAll("[data-kinds]");
function filter() {
  let shown = 0, all = 0;
  for (const part of parts) {
    const fits = (!kind.value || part.dataset.kinds.split(" ").includes(kind.value))
      && (!label.value || part.dataset.true === label.value);
    part.hidden = !fits;
    if (part.matches("article")) { all += 1; shown += fits; }
  }
  document.getElementById("shown").textContent = `${shown} of ${all} tracks`;
}
kind.addEventListener("change", filter);
label.addEventListener("change", filter);
filter();
