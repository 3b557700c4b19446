// Short messages: those the server wrote into the page, and those an htmx answer sends along
// (header HX-Trigger: {"toast": {"text": "Saved", "kind": "done"}}).
const region = document.getElementById("toasts");
const STAYS_MS = 12000; // long enough to read twice; risks and whatever is looked at stay until dismissed

function settle(toast) {
  const button = toast.querySelector("[data-dismiss]");
  button.hidden = false;
  button.addEventListener("click", () => toast.remove());
  if (toast.classList.contains("risk") || toast.classList.contains("wait")) return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, STAYS_MS);
    else toast.remove();
  };
  setTimeout(leave, STAYS_MS);
}

export function show(text, kind = "done") {
  const toast = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  toast.classList.add(kind);
  toast.firstElementChild.classList.add(kind);
  toast.firstElementChild.textContent = text;
  toast.querySelector("[data-dismiss]").setAttribute("aria-label", `Dismiss: ${text}`);
  region.append(toast);
  settle(toast);
}

if (region) {
  for (const toast of region.querySelectorAll(".toast")) settle(toast);
  document.body.addEventListener("toast", (event) => show(event.detail.text, event.detail.kind));
  document.body.addEventListener("htmx:sendError", () => show("The server could not be reached", "risk"));
  document.body.addEventListener("htmx:responseError", (event) =>
    show(`That did not work (${event.detail.xhr.status}). Nothing was changed on this page.`, "risk"));
}
