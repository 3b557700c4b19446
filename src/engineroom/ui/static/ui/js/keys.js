// The keyboard map. What a key does is said in HTML: data-key="g t" on a link, button or field. j and k walk
// the page's rows (a.row), Enter opens one as it opens any link, ? lists what this page knows.
const WAIT_MS = 1200; // between the two letters of "g t"
let before = "";
let timer = 0;

// Keys of one letter can be switched off (WCAG 2.1.4: speech input and stray touches press them too).
const choice = document.getElementById("keys-on");
choice.checked = localStorage.getItem("keys") !== "off";
choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable=true]");
const seen = (element) => element.checkVisibility();

function act(element) {
  if (element.matches("input, select, textarea")) {
    element.focus();
    element.select?.();
  } else element.click();
}

function walk(step) {
  const rows = [...document.querySelectorAll("main a.row")].filter(seen);
  if (!rows.length) return;
  const here = rows.findIndex((row) => row === document.activeElement || row.closest("tr")?.contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, here + step));
  rows[next].focus({ focusVisible: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

function word(element) {
  return element.dataset.keyLabel || element.getAttribute("aria-label") ||
    [...element.childNodes].filter((node) => node.nodeName !== "KBD").map((node) => node.textContent).join(" ").trim();
}

function list() {
  const dialog = document.getElementById("keys");
  if (dialog.open) return dialog.close();
  const known = new Map();
  for (const element of document.querySelectorAll("[data-key]"))
    if (!known.has(element.dataset.key)) known.set(element.dataset.key, word(element));
  if (document.querySelector("main a.row"))
    known.set("j", "Next row").set("k", "Row before").set("Enter", "Open the row");
  known.set("?", "These keys");
  const names = dialog.querySelector("dl");
  names.replaceChildren();
  for (const [keys, label] of known) {
    const dt = names.appendChild(document.createElement("dt"));
    for (const key of keys.split(" ")) dt.appendChild(document.createElement("kbd")).textContent = key;
    names.appendChild(document.createElement("dd")).textContent = label;
  }
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (!choice.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
  if (document.querySelector("dialog[open]") && event.key !== "?") return;
  clearTimeout(timer);
  const keys = before ? `${before} ${event.key}` : event.key;
  const find = (wanted) => document.querySelector(`[data-key="${CSS.escape(wanted)}"]`);
  const found = find(keys) ?? (before ? find(event.key) : null);
  const begins = document.querySelector(`[data-key^="${CSS.escape(event.key)} "]`);
  before = "";
  if (found) act(found);
  else if (event.key === "?") list();
  else if (event.key === "j") walk(1);
  else if (event.key === "k") walk(-1);
  else if (begins) {
    before = event.key;
    timer = setTimeout(() => { before = ""; }, WAIT_MS);
    return;
  } else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-keys-list]")) {
  button.hidden = false;
  button.addEventListener("click", list);
}
