import { NotificationSwitch } from "../frame/NotificationSwitch";
import { SchemeChoice } from "../frame/SchemeChoice";
import { Boundary } from "../parts/Boundary";
import { me } from "../session";
import { Audit } from "./Audit";
import { includes, RIGHTS } from "./rights";
import { Sessions } from "./Sessions";
import { Tokens } from "./Tokens";
import "./account.css";

/** Who one is, what one may do, and where one is signed in; for admins tokens and the audit record. */
export default function AccountPage() {
  const who = me.value;
  return (
    <div class="account">
      <h1 class="sr-only">Account</h1>
      <section class="account-part" aria-labelledby="account-who">
        <h2 id="account-who">You</h2>
        <div class="card account-who">
          {who === null ? <span class="skeleton" style={{ width: "40%" }} /> : (
            <>
              <p class="account-name"><strong>{who.name}</strong><span class="tag">{who.role}</span></p>
              <ul class="account-rights">
                {RIGHTS.map(({ role, may }) => {
                  const has = includes(who.role, role);
                  return (
                    <li key={role} class={has ? "" : "account-right-none"}>
                      <svg width="16" height="16" viewBox="0 0 16 16" role="img" aria-label={has ? "allowed" : "not allowed"} fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">
                        <path d={has ? "M3 8.5l3.2 3.2L13 4.8" : "M4 8h8"} />
                      </svg>
                      <span class="account-right-role">{role}</span>
                      <span>{may}</span>
                    </li>
                  );
                })}
              </ul>
            </>
          )}
        </div>
      </section>
      <section class="account-part" aria-labelledby="account-browser">
        <h2 id="account-browser">This browser</h2>
        <div class="card account-browser"><SchemeChoice /><NotificationSwitch /></div>
      </section>
      <Boundary what="The list of sessions"><Sessions /></Boundary>
      {who?.role === "admin" && (
        <>
          <Boundary what="The list of tokens"><Tokens /></Boundary>
          <Boundary what="The audit record"><Audit /></Boundary>
        </>
      )}
    </div>
  );
}
