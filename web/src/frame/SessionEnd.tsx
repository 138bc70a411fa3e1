import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { call, Problem, sessionEnded } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { me, readSession, readSessionOnWake } from "../session";

// Somebody else must not go on in this one's page: then all of it is loaded anew.
let known: string | null = null;
effect(() => {
  const name = me.value?.name ?? null;
  if (known !== null && name !== null && name !== known) location.reload();
  known = name ?? known;
});

/**
 * Asks to sign in again when the session has ended. It stands above the page, which keeps what was typed; closed, a line
 * below the top bar is left.
 */
export function SessionEnd() {
  const [asked, setAsked] = useState(true);
  const ended = sessionEnded.value;
  useEffect(() => {
    if (!ended) return;
    setAsked(true);
    return readSessionOnWake();
  }, [ended]);
  if (!ended) return null;
  if (asked) return <SignInAgain close={() => setAsked(false)} />;
  return (
    <div class="session-end" role="alert">
      <span>You are signed out. What is shown is the last that was known.</span>
      <button type="button" class="button" onClick={() => setAsked(true)}>Sign in</button>
    </div>
  );
}

function SignInAgain({ close }: { close: () => void }) {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (token.trim() === "") return setFault("Paste a token first.");
    setBusy(true);
    setFault(null);
    try {
      await call("post", "/auth/exchange", { body: { token: token.trim() } });
      await readSession();
      if (sessionEnded.peek()) setFault("Signed in, but the server does not answer yet. Try once more.");
    } catch (error) {
      setFault(error instanceof Problem && error.status === 401 ? "This token is not valid: it was mistyped or deleted, or its time is over." : messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title="Sign in again" close={close}>
      <p>Your session has ended. Runs go on without you, and what you typed here is kept.</p>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <div class="field">
          <label for="session-end-token">Access token</label>
          <input
            id="session-end-token" type="password" autocomplete="current-password" spellcheck={false} value={token} autofocus
            aria-invalid={fault !== null} aria-describedby="session-end-fault" onInput={(event) => setToken(event.currentTarget.value)}
          />
          <span class="fault" id="session-end-fault" role="alert">{fault}</span>
        </div>
        <p class="muted small">
          Or run <code>perdure open</code> where the server runs and open the link that it prints, in any tab: this page goes on by itself
          when you come back to it.
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>Not now</button>
          <button type="submit" class="button primary" disabled={busy}>{busy ? "Signing in" : "Sign in"}</button>
        </div>
      </form>
    </Dialog>
  );
}
