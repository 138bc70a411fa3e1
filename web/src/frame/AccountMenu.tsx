import { useEffect, useId, useRef, useState } from "preact/hooks";

import { post } from "../api/client";
import { messageOf } from "../parts/Failed";
import { say } from "../parts/notices";
import { paths, route } from "../router";
import { me } from "../session";
import { openKeys } from "./frame-keys";
import { ApiIcon, KeysIcon, PersonIcon, SignOutIcon } from "./icons";
import { NotificationSwitch } from "./NotificationSwitch";
import { SchemeChoice } from "./SchemeChoice";

/** Who is signed in, how the page looks, and signing out. Escape and a click elsewhere close it. */
export function AccountMenu() {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const away = (event: Event) => { if (!root.current?.contains(event.target as Node)) setOpen(false); };
    document.addEventListener("pointerdown", away);
    document.addEventListener("focusin", away);
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("focusin", away);
    };
  }, [open]);
  useEffect(() => setOpen(false), [route.value]);
  const who = me.value;
  return (
    <div
      class="account-menu" ref={root}
      onKeyDown={(event) => {
        if (!open || event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        setOpen(false);
        button.current?.focus();
      }}
    >
      <button
        type="button" class="account-menu-button" ref={button} aria-expanded={open} aria-controls={id}
        aria-label={who ? `Account: ${who.name}, ${who.role}` : "Account"} title={who ? `${who.name}, ${who.role}` : undefined} onClick={() => setOpen(!open)}
      >
        {who ? <span class="account-menu-initial" aria-hidden="true">{initial(who.name)}</span> : <PersonIcon />}
      </button>
      {open && (
        <section class="account-menu-panel" id={id} aria-label="Account and settings">
          {who && <p class="account-menu-who"><strong class="truncate">{who.name}</strong><span class="tag">{who.role}</span></p>}
          <div class="account-menu-settings">
            <SchemeChoice />
            <NotificationSwitch />
          </div>
          <ul>
            <li><a class="account-menu-item" href={paths.account()}><PersonIcon />{who?.role === "admin" ? "Account, tokens and audit" : "Account and sessions"}</a></li>
            <li><button type="button" class="account-menu-item" onClick={() => { setOpen(false); openKeys(); }}><KeysIcon />Keys<kbd>?</kbd></button></li>
            <li><a class="account-menu-item" href="/api"><ApiIcon />HTTP interface</a></li>
            <li><button type="button" class="account-menu-item" onClick={() => void signOut()}><SignOutIcon />Sign out</button></li>
          </ul>
        </section>
      )}
    </div>
  );
}

const initial = (name: string): string => [...name][0]?.toUpperCase() ?? "?";

/** End this session; runs go on. */
async function signOut(): Promise<void> {
  try {
    await post("/auth/sign-out");
    location.assign("/sign-in");
  } catch (error) {
    say(`Not signed out: ${messageOf(error)}`, "failed");
  }
}
