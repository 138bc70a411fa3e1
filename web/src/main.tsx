import { render } from "preact";

import { App } from "./app";
import { onKeyDown } from "./keys";
import { followLinks } from "./router";
import { readSession } from "./session";
import "./theme/tokens.css";
import "./theme/base.css";

document.addEventListener("click", followLinks);
document.addEventListener("keydown", onKeyDown);
void readSession();
render(<App />, document.getElementById("app")!);
