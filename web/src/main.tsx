// The styles of all pages come first: those of components build on them.
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/scheme";

import { render } from "preact";

import { App } from "./app";
import { onKeyDown } from "./keys";
import { followLinks } from "./router";
import { readSession } from "./session";

// After an upgrade the server may no longer have the parts this page would load: it begins anew, at the same address. Not
// again and again: a part that is missing for another reason is then shown as failed.
window.addEventListener("vite:preloadError", (event) => {
  const since = Date.now() - Number(sessionStorage.getItem("reloaded_at") ?? 0);
  if (since < 60_000) return;
  sessionStorage.setItem("reloaded_at", String(Date.now()));
  event.preventDefault();
  location.reload();
});
document.addEventListener("click", followLinks);
document.addEventListener("keydown", onKeyDown);
void readSession();
render(<App />, document.getElementById("app")!);
