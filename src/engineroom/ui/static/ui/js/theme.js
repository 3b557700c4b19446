// The reader's choice of light, dark or the system's. Kept in a cookie, so that the server writes it into the
// page and nothing flashes; no script runs before the page is drawn.
const root = document.documentElement;

for (const choice of document.querySelectorAll("input[name=theme]")) {
  choice.closest("fieldset").hidden = false;
  choice.checked = choice.value === (root.dataset.theme || "");
  choice.addEventListener("change", () => {
    const year = 31536000;
    document.cookie = `theme=${choice.value}; path=/; max-age=${choice.value ? year : 0}; samesite=lax` +
      (location.protocol === "https:" ? "; secure" : "");
    if (choice.value) root.dataset.theme = choice.value;
    else delete root.dataset.theme;
  });
}
