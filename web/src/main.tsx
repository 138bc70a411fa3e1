// The styles of all pages come first: those of components build on them.
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/scheme";

import { render } from "preact";

import { App } from "./app";
import { onKeyDown } from "./keys";
import { followLinks } from "./router";
import { readSession } from "./session";

document.addEventListener("click", followLinks);
document.addEventListener("keydown", onKeyDown);
void readSession();
render(<App />, document.getElementById("app")!);
