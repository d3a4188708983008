// SPDX-License-Identifier: GPL-2.0-or-later
// Filters, folding, and links into what is folded. Without it everything is shown.
"use strict";
(() => {
  const form = document.querySelector(".filters");
  const checks = [...document.querySelectorAll("details.check")];
  const groups = [...document.querySelectorAll("article.claim")];
  const nothing = document.querySelector(".nothing");
  const texts = new Map();

  // The text that the filter searches: the visible text, not the evidence.
  function textOf(check) {
    if (!texts.has(check)) {
      const claim = check.closest("article.claim");
      const said = claim ? claim.querySelectorAll("h3, .statement, .source") : [];
      const parts = [check.querySelector("summary"), ...said];
      texts.set(check, parts.map((part) => part.textContent).join(" ").toLowerCase());
    }
    return texts.get(check);
  }

  function apply() {
    const verdicts = [...form.querySelectorAll("[name=verdict]:checked")].map((box) => box.value);
    const topology = form.elements.topology.value;
    const property = form.elements.property ? form.elements.property.value : "";
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const check of checks) {
      const data = check.dataset;
      const fits =
        (verdicts.length === 0 || verdicts.includes(data.verdict)) &&
        (topology === "" || topology === data.topology) &&
        (property === "" || property === data.property) &&
        words.every((word) => textOf(check).includes(word));
      check.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    const all = shown === checks.length;
    for (const group of groups) {
      const inside = group.querySelectorAll("details.check");
      group.hidden = !all && ![...inside].some((check) => !check.hidden);
    }
    if (nothing) nothing.hidden = shown !== 0;
    const left = checks.length - shown;
    // The texts are the page's, in its language.
    const text = left === 0 ? form.dataset.all : form.dataset.some;
    form.querySelector("output").textContent = text
      .replace("{shown}", shown)
      .replace("{all}", checks.length)
      .replace("{left}", left);
  }

  function unfold(open) {
    for (const check of checks) if (!check.hidden) check.open = open;
  }

  // A link to a check opens it and what it is folded into, and lifts a filter that hides it.
  function go() {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return; // not an encoded anchor: nothing of ours
    }
    if (!target) return;
    const check = target.closest("details.check");
    if (check && check.hidden && form) {
      form.reset();
      apply();
    }
    for (let part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
    }
    target.scrollIntoView();
  }

  if (form) {
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    for (const button of form.querySelectorAll("[data-unfold]")) {
      button.addEventListener("click", () => unfold(button.dataset.unfold === "true"));
    }
    // A cell of the matrix shows its checks, all of them.
    for (const link of document.querySelectorAll(".matrix a")) {
      link.addEventListener("click", () => {
        form.reset();
        form.elements.topology.value = link.dataset.topology;
        form.elements.property.value = link.dataset.property;
        apply();
      });
    }
    apply();
    // What a link leads to is not to end up below the bar of filters.
    const room = () => {
      const over = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
      document.documentElement.style.scrollPaddingTop = `${over + 12}px`;
    };
    addEventListener("resize", room);
    room();
  }

  addEventListener("hashchange", go);
  go();

  // On paper, measurements are seen.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = checks.filter((check) => !check.open && !check.hidden && check.querySelector(".plot"));
    for (const check of opened) check.open = true;
  });
  addEventListener("afterprint", () => {
    for (const check of opened) check.open = false;
  });
})();
