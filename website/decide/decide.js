// The decision page: moves values between the page and the kit's Python (in Pyodide), and draws what Python says.
// No rule, price or sentence about a decision stands here: see helpers/page in the kit.
"use strict";

const $ = (id) => document.getElementById(id);
const structure = JSON.parse($("structure").textContent);
const BUILT = document.body.dataset.built ?? $("built").textContent.match(/\d{4}-\d\d-\d\d/)?.[0] ?? "";
const questions = structure.groups.flatMap((group) => group.questions.map((one) => ({ ...one, group: group.title })));

/** An element with attributes and children; text is always text, never markup. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(name, value === true ? "" : value);
  made.append(...children);
  return made;
}

/** A sentence in pieces, some of them links. */
function sentence(pieces) {
  return pieces.map(({ text, href }) => {
    if (!href) return text;
    const away = /^https?:/.test(href);
    return el("a", away ? { href, target: "_blank", rel: "noopener noreferrer" } : { href }, text);
  });
}

// ------------------------------------------------------------------------------------------------ Python

let session = null;
const waiting = [];

/** Ask Python to do something and show what it says; before Python is ready it waits its turn. */
function ask(action) {
  if (!session) return void waiting.push(action);
  let answer;
  try {
    answer = JSON.parse(session.do(JSON.stringify(action)));
  } catch (error) {
    return complain(`Python has stopped (${String(error.message ?? error).slice(0, 200)}). Reload the page: its address holds your answers.`);
  }
  if (answer.error) return complain(answer.error);
  if (answer.file) return save(answer.file);
  show(answer);
}

function complain(message) {
  const alert = $("alert");
  alert.replaceChildren(el("span", {}, message), " ", button("Close", () => (alert.hidden = true)));
  alert.hidden = false;
  alert.scrollIntoView({ block: "nearest" });
  if (view) show(view); // whatever was typed or ticked goes back to what counts
}

function button(label, does) {
  const made = el("button", { type: "button" }, label);
  made.addEventListener("click", does);
  return made;
}

const script = (src) =>
  new Promise((resolve, reject) => {
    const tag = el("script", { src });
    tag.onload = resolve;
    tag.onerror = () => reject(new Error(`${src} is missing: copy the site's folder whole.`));
    document.head.append(tag);
  });

/** Bytes that travel as compressed base64 in a script: a page opened from a folder may load scripts, and fetch nothing. */
async function unpacked(name) {
  const bytes = Uint8Array.from(atob(globalThis.packed[name]), (letter) => letter.charCodeAt(0));
  delete globalThis.packed[name];
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function start() {
  const began = performance.now();
  const asked = location.hash; // before the first view writes its own
  await Promise.all(["pyodide.js", "pyodide.asm.js", "wasm.js", "stdlib.js", "kit.js"].map((name) => script(`decide/python/${name}`)));
  const names = Object.keys(globalThis.packed);
  const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await unpacked(name)])));
  globalThis.fetch = async (address) => {
    const name = String(address.url ?? address).split("/").pop();
    if (!files[name]) throw new Error(`${name} is not part of this page, and nothing is fetched.`);
    return new Response(files[name], { headers: { "Content-Type": name.endsWith(".wasm") ? "application/wasm" : "application/zip" } });
  };
  const python = await globalThis.loadPyodide({
    indexURL: "./",
    packageBaseUrl: "./",
    createPyodideModule: globalThis._createPyodideModule,
    lockFileContents: JSON.parse(new TextDecoder().decode(files["pyodide-lock.json"])),
  });
  for (const name of names.filter((one) => one.endsWith(".whl"))) python.unpackArchive(files[name], "wheel");
  globalThis.kit = python.pyimport("helpers.page"); // for whoever asks it from the console, tests among them
  session = globalThis.kit.Session("", BUILT);
  ask({ do: "look" });
  if (asked.length > 1 && !$(asked.slice(1))) ask({ do: "restore", fragment: asked });
  waiting.splice(0).forEach(ask);
  document.body.dataset.ready = Math.round(performance.now() - began);
}

// ------------------------------------------------------------------------------------------------ building the page

let view = null;
let at = 0;
let mode = "one";

function build() {
  for (const [number, question] of questions.entries()) $("questions").append(asking(question, number));
  for (const dial of structure.dials) $("dials").append(number(dial, true));
  for (const field of structure.fields) $("fields").append(number(field, false));
  $("caveat").textContent = structure.caveat;
  $("bar").max = questions.length;
  $("questions").addEventListener("submit", (event) => event.preventDefault());
  $("back").addEventListener("click", () => go(at - 1));
  $("next").addEventListener("click", () => go(at + 1));
  $("mode-one").addEventListener("click", () => display("one"));
  $("mode-all").addEventListener("click", () => display("all"));
  $("name").addEventListener("change", () => ask({ do: "name", text: $("name").value }));
  $("counts").addEventListener("change", () => ask({ do: "count", on: $("counts").checked }));
  for (const [which, id] of ["first", "second"].entries()) $(id).addEventListener("change", () => ask({ do: "pair", which, id: $(id).value }));
  for (const one of document.querySelectorAll("[data-take]")) one.addEventListener("click", () => ask({ do: "take", kind: one.dataset.take }));
  $("print").addEventListener("click", () => window.print());
  $("again").addEventListener("click", () => ask({ do: "start again" }));
  $("forget").addEventListener("click", () => ask({ do: "forget" }));
  $("copy").addEventListener("click", copy);
  $("file").addEventListener("change", () => open($("file").files[0]));
  for (const name of ["dragover", "drop"])
    document.addEventListener(name, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", name === "dragover");
      if (name === "drop") open(event.dataTransfer.files[0]);
    });
  window.addEventListener("hashchange", () => location.hash.slice(1) !== view?.fragment && !$(location.hash.slice(1)) && ask({ do: "restore", fragment: location.hash }));
  display("one");
}

function asking(question, number) {
  const options = question.options.map((option) => {
    const id = `${question.id}-${option.value}`;
    const radio = el("input", { type: "radio", name: question.id, id, value: option.value });
    radio.addEventListener("change", () => ask({ do: "answer", question: question.id, value: option.value }));
    return el("div", { class: "option" }, radio, el("label", { for: id }, el("span", {}, option.label), ...(option.help ? [el("small", {}, option.help)] : [])));
  });
  const clear = button("Leave open", () => ask({ do: "answer", question: question.id, value: null }));
  clear.className = "plain clear";
  clear.setAttribute("aria-label", `Leave open: ${question.text}`);
  const said = el("p", { class: "note quiet", id: `note-${question.id}` });
  return el(
    "fieldset",
    { class: "question", id: `q-${question.id}`, tabindex: "-1" },
    el("legend", {}, el("span", { class: "group" }, question.group + (question.optional ? " · optional" : "")), question.text),
    el("div", { class: "choices" }, ...options),
    said,
    el("div", { class: "row" }, el("details", {}, el("summary", {}, "Why?"), el("p", {}, ...sentence(question.why))), clear),
  );
}

/** Where a value lies on a slider, and back, to two digits. */
const onSlider = (dial, value) => (dial.powers ? Math.log10(Math.max(value, 10 ** dial.low)) : value);
const fromSlider = (dial, place) => Number((dial.powers ? 10 ** place : place).toPrecision(2));

function number(one, slides) {
  const id = `n-${one.name}`;
  const typed = el("input", { type: "number", id, min: one.least, max: one.most, step: "any", inputmode: "decimal" });
  typed.addEventListener("change", () => ask({ do: "number", name: one.name, value: typed.value === "" ? null : Number(typed.value) }));
  const parts = [el("label", { for: id }, one.label), typed];
  if (slides) {
    const slider = el("input", { type: "range", id: `s-${one.name}`, min: one.low, max: one.high, step: one.powers ? 0.05 : 1, "aria-label": `${one.label}, slider` });
    slider.addEventListener("input", () => {
      typed.value = fromSlider(one, Number(slider.value));
      slider.setAttribute("aria-valuetext", typed.value);
      later(() => ask({ do: "number", name: one.name, value: Number(typed.value) }));
    });
    parts.push(slider);
  }
  return el("div", { class: "number" }, ...parts);
}

let timer = 0;
/** While a slider moves: only the place where it rests for a moment. */
function later(does) {
  clearTimeout(timer);
  timer = setTimeout(does, 60);
}

function display(which) {
  mode = which;
  $("mode-one").setAttribute("aria-pressed", mode === "one");
  $("mode-all").setAttribute("aria-pressed", mode === "all");
  $("steps").hidden = mode === "all";
  document.body.dataset.mode = mode;
  place();
}

function place() {
  for (const [number, question] of questions.entries()) $(`q-${question.id}`).hidden = mode === "one" && number !== at;
  $("where").textContent = `${at + 1} of ${questions.length}`;
  $("back").disabled = at === 0;
  $("next").disabled = at === questions.length - 1;
}

function go(number) {
  at = Math.min(Math.max(number, 0), questions.length - 1);
  place();
  $(`q-${questions[at].id}`).focus();
}

// ------------------------------------------------------------------------------------------------ showing a view

function show(next) {
  const moved = view && view.verdict.headline !== next.verdict.headline;
  view = next;
  const { verdict, calculator } = view;
  $("age").hidden = !view.age;
  $("age").textContent = view.age && `${view.age} ${view.built}`;
  $("built").textContent = `${view.built} Decided as of ${view.today}.`;
  if (document.activeElement !== $("name")) $("name").value = view.name;
  for (const question of questions) {
    const value = view.answers[question.id];
    for (const radio of document.getElementsByName(question.id)) radio.checked = radio.value === value;
    $(`note-${question.id}`).textContent = view.notes[question.id] ?? "";
    $(`q-${question.id}`).dataset.answered = Boolean(value);
  }
  $("bar").value = view.progress.done;
  $("progress").textContent = `${view.progress.done} of ${view.progress.all} answered`;
  $("strip-short").textContent = verdict.short;
  $("strip-more").textContent = `confidence ${verdict.confidence}`;
  $("headline").textContent = verdict.headline;
  $("then").textContent = verdict.then;
  $("verdict").dataset.choice = verdict.choice;
  $("reasons").replaceChildren(...verdict.sections.flatMap(({ title, items }) => [el("h3", {}, title), list(items)]));
  $("look").replaceChildren(...list(view.look_again).children);
  if (moved) $("spoken").textContent = verdict.headline;
  showCosts(calculator);
  showOpened(view.opened);
  const address = view.fragment ? `#${view.fragment}` : location.pathname.split("/").pop();
  history.replaceState(null, "", address);
}

const list = (items) => el("ul", {}, ...items.map((pieces) => el("li", {}, ...sentence(pieces))));

function showCosts(costs) {
  $("counts").checked = costs.counts;
  for (const one of [...structure.dials, ...structure.fields]) {
    const typed = $(`n-${one.name}`);
    if (document.activeElement !== typed || Number(typed.value) !== costs.numbers[one.name]) typed.value = costs.numbers[one.name];
    const slider = $(`s-${one.name}`);
    if (slider && document.activeElement !== slider) slider.value = onSlider(one, costs.numbers[one.name]);
    slider?.setAttribute("aria-valuetext", typed.value);
  }
  const named = (one) => one.label + (one.mark ? ` (${one.mark})` : "");
  const held = document.activeElement?.id;
  $("options").replaceChildren(
    ...costs.options.map((one, at) => {
      const box = el("input", { type: "checkbox", id: `o-${at}`, checked: one.on });
      box.addEventListener("change", () => ask({ do: "option", id: one.id, on: box.checked }));
      return el("p", { class: "check" }, box, el("label", { for: `o-${at}` }, named(one)));
    }),
  );
  if (held?.startsWith("o-")) $(held)?.focus();
  for (const [which, id] of ["first", "second"].entries()) {
    $(id).replaceChildren(...costs.options.map((one) => el("option", { value: one.id, selected: one.id === costs.pair[which] }, named(one))));
    $(id).value = costs.pair[which];
  }
  $("said").textContent = costs.said;
  $("sure").textContent = costs.sure;
  $("chart-title").textContent = costs.chart_title;
  $("chart-text").textContent = costs.chart_text;
  $("chart").innerHTML = costs.chart; // drawn and escaped by Python, of the kit's own labels
  const head = el("tr", {}, ...costs.table.head.map((name) => el("th", { scope: "col" }, name)));
  $("bills").tHead.replaceChildren(head);
  $("bills").tBodies[0].replaceChildren(...costs.table.rows.map(bill));
}

function bill(row) {
  const name = el("th", { scope: "row" }, row.label, ...(row.mark ? [el("br"), el("b", {}, `⚠ ${row.mark}`)] : []));
  if (row.sources.length) name.append(el("details", {}, el("summary", {}, row.dated || "remarks"), list(row.sources)));
  return el("tr", {}, name, ...row.cells.map((cell) => el("td", {}, cell)));
}

function showOpened(opened) {
  $("opened").hidden = !opened;
  if (!opened) return;
  $("opened-name").textContent = opened.name;
  $("opened-before").textContent = opened.before;
  $("measured").tHead.replaceChildren(el("tr", {}, ...opened.head.map((name) => el("th", { scope: "col" }, name))));
  $("measured").tBodies[0].replaceChildren(...opened.rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell)))));
}

// ------------------------------------------------------------------------------------------------ files, link, theme

async function open(file) {
  if (!file) return;
  const text = await file.slice(0, structure.largest_file + 1).text(); // never more than Python would look at
  ask({ do: "open", name: file.name, text });
  $("file").value = "";
}

function save({ name, type, text }) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function copy() {
  try {
    await navigator.clipboard.writeText(location.href);
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "Copy it from the address bar";
  }
  setTimeout(() => ($("copy").textContent = "Copy the link"), 2000);
}

/** The same choice as on the other pages of the site, which keep it under these names. */
function theme(which) {
  document.documentElement.dataset.theme = which;
  $("theme").setAttribute("aria-pressed", which === "dark");
}

function themes() {
  const kept = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const usual = () => (["dark", "light"].includes(kept()) ? kept() : dark.matches ? "dark" : "light");
  theme(usual());
  dark.addEventListener("change", () => theme(usual()));
  $("theme").addEventListener("click", () => {
    const which = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    theme(which);
    try {
      localStorage.setItem("theme", which);
      localStorage.setItem("mode", which);
    } catch {} // a browser that keeps nothing: the choice holds for this page
  });
}

themes();
build();
start().catch((error) => {
  $("headline").textContent = "Python could not be started in this browser.";
  complain(`${error.message ?? error} A current Firefox, Chrome, Edge or Safari is needed.`);
});
