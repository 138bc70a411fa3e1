import { useId } from "preact/hooks";

import { notifying, turnNotificationsOff, turnNotificationsOn } from "./notify";

const REASONS = {
  on: "When a run you opened ends or needs an answer, and this page is not seen.",
  off: "When a run you opened ends or needs an answer, and this page is not seen.",
  blocked: "This browser was told to block them: allow them in its settings for this site.",
  unsupported: "This browser shows none for this address.",
} as const;

/** Quiet notifications on or off; turning them on asks the browser. */
export function NotificationSwitch() {
  const id = useId();
  const is = notifying.value;
  const possible = is === "on" || is === "off";
  return (
    <div class="switch-line">
      <div>
        <span class="switch-label" id={id}>Notifications</span>
        <span class="switch-hint" id={`${id}-why`}>{REASONS[is]}</span>
      </div>
      <button
        type="button" role="switch" class="switch" aria-checked={is === "on"} aria-labelledby={id} aria-describedby={`${id}-why`}
        disabled={!possible} onClick={() => (is === "on" ? turnNotificationsOff() : void turnNotificationsOn())}
      >
        <span class="switch-knob" />
      </button>
    </div>
  );
}
