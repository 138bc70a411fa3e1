// Exchanges the code in the address's fragment, which never reaches a server log, or a token typed in, for a session.
"use strict";

const state = document.getElementById("state");
const form = document.getElementById("with-token");

function say(text, bad) {
  state.textContent = text;
  state.className = bad ? "bad" : "";
}

// Where the visitor wanted to go: an address of this server, which the server has looked at. Browsers keep the fragment
// of the address that led here, so it is taken along.
function goOn() {
  location.replace(form.dataset.next + location.hash);
}

async function exchange(body) {
  say("Signing in.", false);
  try {
    const answer = await fetch("/auth/exchange", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const document_ = await answer.json();
    if (!answer.ok) {
      say(document_.message + (document_.mend ? ": " + document_.mend : "") + ".", true);
      return;
    }
    goOn();
  } catch {
    say("The server cannot be reached.", true);
  }
}

function exchangeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    // A used code is worth nothing, but it need not stay in the history either.
    history.replaceState(null, "", location.pathname + location.search);
    exchange({ code });
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  exchange({ token: document.getElementById("token").value.trim() });
});
window.addEventListener("hashchange", exchangeCode);
exchangeCode();
