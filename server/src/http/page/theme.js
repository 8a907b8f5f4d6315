// The theme: that of the system, unless the reader has chosen one. This is no module, so that it runs before the page is
// drawn.

"use strict";

const THEME_KEY = "echo-theme";

function storedTheme() {
  try {
    return localStorage.getItem(THEME_KEY) ?? "system";
  } catch {
    return "system";
  }
}

function storeTheme(theme) {
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // A browser may forbid it; the theme then lasts as long as the page.
  }
}

function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function connectThemeControl() {
  for (const input of document.querySelectorAll("input[name=theme]")) {
    input.checked = input.value === storedTheme();
    input.addEventListener("change", () => {
      applyTheme(input.value);
      storeTheme(input.value);
    });
  }
}

applyTheme(storedTheme());
document.addEventListener("DOMContentLoaded", connectThemeControl);
