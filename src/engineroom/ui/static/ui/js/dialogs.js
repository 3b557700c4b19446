// Dialogs that ask first, and menus that close when one looks away.
// Buttons say what they do in HTML (command, commandfor); browsers that do not know it yet get it here.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (!dialog) return;
    if (button.getAttribute("command") === "show-modal") dialog.showModal();
    if (button.getAttribute("command") === "close") dialog.close();
  });
}

// data-confirm="Delete this draft?" on a form or on one of its buttons.
const agreed = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  const button = event.submitter;
  const question = button?.dataset.confirm ?? form.dataset.confirm;
  if (!question || agreed.delete(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(question, button?.textContent.trim() || "Yes", button?.className).then((yes) => {
    if (!yes) return;
    agreed.add(form);
    form.requestSubmit(button);
  });
}, true);

function ask(question, yes, kind) {
  const dialog = document.getElementById("ask");
  dialog.querySelector("h2").textContent = question;
  const go = dialog.querySelector("[value=yes]");
  go.textContent = yes;
  go.className = kind || "go";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A form that came back with errors: its page stands at its own address again, its dialog is open over the page,
// and reading starts where the errors are listed.
const address = document.querySelector('meta[name="address"]')?.content;
if (address) history.replaceState(null, "", address);
const refused = document.querySelector("dialog[open]");
if (refused) {
  refused.close();
  refused.showModal();
}
document.querySelector(".form-errors:not([data-shown] *)")?.focus();
