import { useEffect, useState } from "preact/hooks";

import { ago, exactTime } from "../format/times";
import { pollList } from "../live/list";
import { now } from "../now";
import { Dialog } from "../parts/Dialog";
import { Failed, messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { deleteToken, readTokens, type Token } from "./answers";
import { NewToken } from "./NewToken";
import { Rows } from "./Rows";

/** The tokens there are; their secrets are shown nowhere but when one is made. */
export function Tokens() {
  const [list] = useState(() => pollList(readTokens, { everyMs: 15_000 }));
  useEffect(() => () => list.close(), []);
  const [making, setMaking] = useState(false);
  const [deleting, setDeleting] = useState<Token | null>(null);
  const tokens = list.data.value?.tokens ?? null;
  return (
    <section class="account-part" aria-labelledby="account-tokens">
      <div class="account-head">
        <h2 id="account-tokens">Tokens</h2>
        <button type="button" class="button" onClick={() => setMaking(true)}>New token</button>
      </div>
      <p class="muted small">For programs, and for people to sign in with. Each says who acts and with which role.</p>
      {tokens === null ? (list.error.value === null ? <Rows count={2} /> : <Failed error={list.error.value} retry={() => void list.refresh()} />) : (
        <ul class="card account-list">
          {tokens.map((token) => (
            <li key={token.name} class="account-line">
              <div class="account-line-what">
                <p class="account-line-name"><span class="mono truncate">{token.name}</span><span class="tag">{token.role}</span>{isOver(token) && <span class="tag account-tag-over">no longer valid</span>}</p>
                <p class="account-line-more">{token.user_name === token.name ? "made" : `acts as ${token.user_name}, made`} <span title={exactTime(token.created_at)}>{ago(token.created_at, now.value)}</span></p>
              </div>
              <p class="account-line-when">
                {token.last_used_at ? <span title={exactTime(token.last_used_at)}>used {ago(token.last_used_at, now.value)}</span> : <span>never used</span>}
                <span>{token.expires_at ? `until ${new Date(token.expires_at).toLocaleDateString()}` : "no end"}</span>
              </p>
              <button type="button" class="button danger" aria-label={`Delete the token ${token.name}`} onClick={() => setDeleting(token)}>Delete</button>
            </li>
          ))}
        </ul>
      )}
      {making && <NewToken close={() => setMaking(false)} made={() => void list.refresh()} />}
      {deleting && <DeleteToken token={deleting} close={() => setDeleting(null)} deleted={() => list.refresh()} />}
    </section>
  );
}

const isOver = (token: Token): boolean => token.expires_at !== null && new Date(token.expires_at).getTime() <= now.value;

function DeleteToken({ token, close, deleted }: { token: Token; close: () => void; deleted: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const confirm = async () => {
    setBusy(true);
    try {
      await deleteToken(token.name);
      await deleted();
      say(`Deleted the token ${token.name}.`);
      close();
    } catch (error) {
      setFault(messageOf(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Delete the token ${token.name}?`} close={close}>
      <p>Programs that use it are refused from now on, and browsers that were signed in with it are signed out. Runs go on.</p>
      {fault && <p class="account-fault" role="alert">Not deleted: {fault}</p>}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={close}>Keep it</button>
        <button type="button" class="button danger" disabled={busy} onClick={() => void confirm()}>{busy ? "Deleting" : "Delete token"}</button>
      </div>
    </Dialog>
  );
}
