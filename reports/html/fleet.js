// SPDX-License-Identifier: GPL-2.0-or-later
// The search of hosts. Without it everything is shown, and the two boxes work by the style alone.
"use strict";
(() => {
  const form = document.querySelector(".fleet-filters");
  const rows = [...document.querySelectorAll("table.fleet tbody tr")];
  const said = form.querySelector("output");
  const texts = new Map();

  // Name, result, versions, reason and groups of a host; not the signs of its claims.
  function textOf(row) {
    if (!texts.has(row)) {
      const parts = [...row.querySelectorAll(".host, .result, .version, .why")];
      const words = parts.map((part) => `${part.textContent} ${part.title}`);
      texts.set(row, [...words, row.dataset.groups || ""].join(" ").toLowerCase());
    }
    return texts.get(row);
  }

  function apply() {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => textOf(row).includes(word));
    show();
  }

  function show() {
    const only = form.elements.unusual.checked;
    const shown = rows.filter((row) => !row.hidden && !(only && row.classList.contains("g")));
    const words = said.dataset.shown.replace("{shown}", shown.length);
    said.textContent = words.replace("{all}", rows.length);
  }

  form.querySelector(".search").hidden = false;
  form.elements.text.addEventListener("input", apply);
  form.elements.unusual.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
