// Charts of the lessons: a picture until it comes into view, then plotly.js from this folder. And facts that have aged.
"use strict";
(() => {
  const here = document.currentScript.src.replace(/site\.js.*$/, "");
  let library = null;
  const plotly = () =>
    (library ??= new Promise((resolve, reject) => {
      const tag = document.createElement("script");
      tag.src = `${here}plotly.min.js`;
      tag.onload = () => resolve(globalThis.Plotly);
      tag.onerror = reject;
      document.head.append(tag);
    }));

  async function draw(figure) {
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const picture = figure.querySelector("img");
    const live = document.createElement("div");
    live.setAttribute("role", "img");
    live.setAttribute("aria-label", picture.alt);
    const { Plotly } = { Plotly: await plotly() };
    figure.append(live);
    await Plotly.newPlot(live, data, { ...layout, autosize: true, width: undefined }, { responsive: true, displayModeBar: false });
    picture.remove();
    figure.dataset.live = "yes";
  }

  document.addEventListener("DOMContentLoaded", () => {
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target);
      }
    }, { rootMargin: "300px" });
    for (const figure of document.querySelectorAll(".kit-live")) seen.observe(figure);

    const stale = document.querySelector(".kit-stale");
    if (stale && new Date().toISOString().slice(0, 10) >= stale.dataset.from) {
      stale.hidden = false;
      document.querySelector("main")?.prepend(stale);
    }
  });
})();
