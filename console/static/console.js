// What a page does by itself. Everything works without it; nothing here makes HTML of data.

const said = document.getElementById("said");
const dialog = document.getElementById("dialog");

function say(words) {
  said.textContent = "";
  requestAnimationFrame(() => (said.textContent = words));
}

// Buttons that copy. Where the clipboard is closed to us, the text is selected instead.
async function copy(button) {
  const text = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent.trim());
    button.querySelector("span").textContent = "Copied";
    say("Copied");
  } catch {
    getSelection().selectAllChildren(text);
    say("Selected: press Control and C to copy");
  }
}

function prepare(root) {
  for (const line of root.querySelectorAll(".now-line")) {
    const frame = line.closest(".figure-scroll"); // narrow windows begin with the present
    frame.scrollLeft = frame.scrollWidth;
  }
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  if (dialog.open && event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
});

// A menu closes when somebody goes on elsewhere.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.more[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("focusin", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.more[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// Questions: their page's form is shown in the dialog.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target === dialog && !dialog.open) dialog.showModal();
  prepare(document);
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target === dialog && event.detail.xhr.responseText) {
    event.detail.shouldSwap = true; // a refusal is told there, too
    event.detail.isError = false;
  }
});
dialog.addEventListener("close", () => dialog.replaceChildren());

// What is wrong with what is being written is told beside its field, too.
function mark(form, found) {
  for (const slot of form.querySelectorAll(".error")) slot.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const wrong of found.querySelectorAll("[data-field]")) {
    const field = form.elements.namedItem(wrong.dataset.field);
    const slot = field?.closest?.(".field")?.querySelector(".error");
    if (!slot) continue;
    slot.textContent = wrong.textContent;
    field.setAttribute("aria-invalid", "true");
  }
}

document.addEventListener("htmx:afterSwap", (event) => {
  const found = event.target.querySelector("[data-errors]");
  if (found) mark(document.getElementById("editor"), found);
});

// Moments stay true while a page is open.
const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

function apart(seconds) {
  for (const [name, unit] of UNITS) {
    if (seconds >= unit) {
      const count = Math.round(seconds / unit);
      return `${count} ${name}${count === 1 ? "" : "s"}`;
    }
  }
  return "a moment";
}

const skew = Date.parse(document.documentElement.dataset.now ?? "") - Date.now() || 0;
setInterval(() => {
  for (const time of document.querySelectorAll("time[title]")) {
    const away = (Date.parse(time.dateTime) - Date.now() - skew) / 1000;
    time.textContent = away > 0 ? `in ${apart(away)}` : `${apart(-away)} ago`;
  }
}, 15000);

// Figures tell what is pointed at, or focused; the arrow keys go from one to the next.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("role", "tooltip");

function show(about) {
  const spot = about.getBoundingClientRect();
  (document.querySelector("dialog[open]") ?? document.body).append(tip);
  tip.textContent = about.dataset.tip;
  tip.hidden = false;
  const left = Math.min(spot.left + spot.width / 2 - tip.offsetWidth / 2, innerWidth - tip.offsetWidth - 8);
  const above = spot.top - tip.offsetHeight - 8;
  place(Math.max(left, 8), above > 8 ? above : spot.bottom + 8);
}

// Set through the object model, which the policy allows; a style attribute it would not.
function place(left, top) {
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

for (const type of ["pointerover", "focusin"]) {
  document.addEventListener(type, (event) => {
    const about = event.target.closest?.("[data-tip]");
    if (about) show(about);
    else if (!document.activeElement?.matches("[data-tip]")) tip.hidden = true;
  });
}
document.addEventListener("focusout", () => (tip.hidden = true));
document.addEventListener("scroll", () => (tip.hidden = true), true);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
  const figure = event.target.closest?.("[data-figure]");
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!figure || !step || !event.target.matches("[data-tip]")) return;
  const all = [...figure.querySelectorAll("[data-tip]")];
  const next = all[all.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
});

// Live pages: the server says that something has changed, the page asks for its parts anew.
// Not while somebody answers a question or writes, and not in a tab that nobody sees.
let stream;
let waits = false;

function refresh() {
  const busy = dialog.open || document.activeElement?.closest("[data-live] form, [data-live] a, [data-live] button");
  waits = Boolean(busy);
  if (!busy) document.body.dispatchEvent(new Event("live"));
}

function listen() {
  const about = document.querySelector("[data-listens]");
  if (document.hidden || !about) {
    stream?.close();
    stream = undefined;
  } else if (!stream) {
    stream = new EventSource(about.dataset.listens);
    stream.addEventListener("changed", refresh);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !stream) refresh();
  listen();
});
document.addEventListener("focusout", () => setTimeout(() => waits && refresh(), 200));

// What was done is said once: a reload does not say it again.
const here = new URL(location.href);
if (here.searchParams.has("done")) {
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}

prepare(document);
listen();
