import { useState } from "preact/hooks";

import { readTarget } from "./target";

/** The host as people write it, read while it is typed. */
export function ConnectionField({ value, onChange, fault, showAll, disabled = false, recent, required }: {
  value: string;
  onChange: (value: string) => void;
  /** What is wrong by the checks or the server. */
  fault: string | undefined;
  showAll: boolean;
  disabled?: boolean;
  /** Command lines of hosts that were worked on lately. */
  recent: readonly string[];
  required: boolean;
}) {
  const [typing, setTyping] = useState(false);
  const read = readTarget(value.trim());
  const target = "target" in read ? read.target : null;
  const empty = value.trim() === "";
  const own = target === null && !empty && "fault" in read ? read : null;
  // What typing on may mend is said in passing; what it cannot is a fault at once.
  const refused = own !== null && (!own.unfinished || !typing) ? own.fault : (showAll || target !== null) && fault !== undefined && !typing ? fault : null;
  const others = recent.filter((one) => one !== value.trim()).slice(0, 3);
  return (
    <div class="field start-connection" data-place="/connection">
      <label for="start-connection">SSH connection{!required && <span class="muted"> (no step needs one)</span>}</label>
      <input
        id="start-connection" type="text" class="mono" value={value} disabled={disabled} placeholder="ssh -p 2838 root@10.1.2.3" spellcheck={false} autocomplete="off" autocapitalize="off"
        aria-invalid={refused !== null || undefined} aria-describedby="start-connection-read"
        onInput={(event) => { setTyping(true); onChange(event.currentTarget.value); }}
        onBlur={() => setTyping(false)}
      />
      <p class={`start-connection-read ${refused === null ? "hint" : "fault"}`} id="start-connection-read" aria-live="polite">
        {refused ?? (target !== null ? (
          <>
            <span class="tone-green" aria-hidden="true">✓ </span>
            <b>{target.user}</b> at <b>{target.host}</b>, port <b>{target.port}</b>{target.key === null ? "" : <>, key <b>{target.key}</b></>}
          </>
        ) : own !== null ? own.fault : "The host to work on. It signs in with a key that the server keeps; no password is taken.")}
      </p>
      {others.length > 0 && !disabled && (
        <p class="start-recent">
          <span class="muted small">Recent</span>
          {others.map((one) => <button key={one} type="button" class="start-chip mono" onClick={() => { setTyping(false); onChange(one); }}>{one.replace(/^ssh /, "")}</button>)}
        </p>
      )}
    </div>
  );
}
