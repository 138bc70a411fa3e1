// Exchanges the code in the address's fragment, which never reaches a server log, or a token typed in, for a session.
"use strict";

const state = document.getElementById("state");

function say(text, bad) {
  state.textContent = text;
  state.className = bad ? "bad" : "";
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
    location.replace("/");
  } catch {
    say("The server cannot be reached.", true);
  }
}

function exchangeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    // A used code is worth nothing, but it need not stay in the history either.
    history.replaceState(null, "", location.pathname);
    exchange({ code });
  }
}

document.getElementById("with-token").addEventListener("submit", (event) => {
  event.preventDefault();
  exchange({ token: document.getElementById("token").value.trim() });
});
window.addEventListener("hashchange", exchangeCode);
exchangeCode();
