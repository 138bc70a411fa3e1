import { useState } from "preact/hooks";

import { Problem } from "../api/client";
import type { Role } from "../api/types";
import { Copy } from "../parts/Copy";
import { Dialog } from "../parts/Dialog";
import { messageOf } from "../parts/Failed";
import { makeToken, type CreatedToken } from "./answers";
import { RIGHTS } from "./rights";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const LENGTHS: readonly { days: string; word: string }[] = [
  { days: "1", word: "1 day" }, { days: "30", word: "30 days" }, { days: "90", word: "90 days" }, { days: "365", word: "1 year" }, { days: "", word: "Until it is deleted" },
];

/** Makes a token and shows its secret, this once. */
export function NewToken({ close, made }: { close: () => void; made: () => void }) {
  const [secret, setSecret] = useState<CreatedToken | null>(null);
  if (secret !== null) return <Secret made={secret} close={close} />;
  return <Form close={close} made={(token) => { setSecret(token); made(); }} />;
}

function Form({ close, made }: { close: () => void; made: (token: CreatedToken) => void }) {
  const [name, setName] = useState("");
  const [user, setUser] = useState("");
  const [role, setRole] = useState<Role>("operator");
  const [days, setDays] = useState("90");
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<{ where: "name" | "all"; text: string } | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!NAME.test(name)) return setFault({ where: "name", text: "Letters, digits, dots, dashes and underscores; it begins with a letter or digit." });
    setBusy(true);
    setFault(null);
    try {
      made(await makeToken({ name, role, ...(user.trim() ? { user_name: user.trim() } : {}), ...(days ? { days: Number(days) } : {}) }));
    } catch (error) {
      const text = error instanceof Problem && error.mend ? `${messageOf(error)}: ${error.mend}` : messageOf(error);
      setFault({ where: error instanceof Problem && error.status === 409 ? "name" : "all", text });
      setBusy(false);
    }
  };
  return (
    <Dialog title="New token" close={close}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <div class="field">
          <label for="token-name">Name</label>
          <input id="token-name" value={name} autofocus autocomplete="off" autocapitalize="off" spellcheck={false} maxLength={100} aria-invalid={fault?.where === "name"} aria-describedby="token-name-more" onInput={(event) => setName(event.currentTarget.value)} />
          <span id="token-name-more" class={fault?.where === "name" ? "fault" : "hint"}>{fault?.where === "name" ? fault.text : "What it is for, such as ci or anna-laptop."}</span>
        </div>
        <div class="field">
          <label for="token-user">Acts as</label>
          <input id="token-user" value={user} placeholder={name || "its name"} autocomplete="off" autocapitalize="off" spellcheck={false} maxLength={100} aria-describedby="token-user-more" onInput={(event) => setUser(event.currentTarget.value)} />
          <span id="token-user-more" class="hint">The person or program that runs and the audit record name. Several tokens may act as one.</span>
        </div>
        <fieldset class="account-roles">
          <legend>Role</legend>
          {RIGHTS.map((one) => (
            <label key={one.role}>
              <input type="radio" name="token-role" checked={role === one.role} onChange={() => setRole(one.role)} />
              <span><span class="account-right-role">{one.role}</span><span class="hint">{one.may}</span></span>
            </label>
          ))}
        </fieldset>
        <div class="field">
          <label for="token-days">Valid for</label>
          <select id="token-days" value={days} onChange={(event) => setDays(event.currentTarget.value)}>
            {LENGTHS.map((one) => <option key={one.days} value={one.days}>{one.word}</option>)}
          </select>
        </div>
        {fault?.where === "all" && <p class="account-fault" role="alert">Not made: {fault.text}</p>}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>Cancel</button>
          <button type="submit" class="button primary" disabled={busy}>{busy ? "Making" : "Make token"}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Secret({ made, close }: { made: CreatedToken; close: () => void }) {
  // Escape or a click beside it must not lose what is shown once.
  return (
    <Dialog title={`The token ${made.name}`} close={() => {}}>
      <p>This is its secret. It is shown this once and kept nowhere: copy it now.</p>
      <div class="account-secret">
        <code>{made.token}</code>
        <Copy text={() => made.token} className="button" />
      </div>
      <p class="muted small">Programs send it as <code>Authorization: Bearer …</code>, the command line reads it from <code>PERDURE_TOKEN</code>, and people paste it at the sign-in page.</p>
      <div class="dialog-actions"><button type="button" class="button primary" onClick={close}>I have kept it</button></div>
    </Dialog>
  );
}
