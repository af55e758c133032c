"use strict";

// what a filter can choose from, and rows that do not fit it hidden
const filters = document.querySelectorAll("select[data-filter]");
const lines = document.querySelectorAll("tr[data-verdict]");
function filter() {
  let shown = 0;
  for (const line of lines) {
    line.hidden = ![...filters].every((f) => !f.value || line.dataset[f.dataset.filter] === f.value);
    shown += !line.hidden;
  }
  const said = document.getElementById("shown");
  if (said) said.textContent = `${shown} of ${lines.length} lines`;
}
for (const choice of filters) choice.addEventListener("change", filter);

// a click on a column's name sorts by it, another the other way round; what is empty comes last
function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.sort ?? cell.textContent.trim();
}
function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const numbers = Number(a) - Number(b);
  return Number.isNaN(numbers) ? a.localeCompare(b, undefined, { numeric: true }) : numbers;
}
function sort(head) {
  const column = head.cellIndex, body = head.closest("table").tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
  const rows = [...body.rows].map((row) => [key(row, column), row]);
  rows.sort(([a], [b]) => (a === "" || b === "" ? compare(a, b) : down * compare(a, b)));
  body.append(...rows.map(([, row]) => row));
}
for (const head of document.querySelectorAll("table.sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => sort(head));
}

// paper folds nothing out
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) folded.open = true;
});
