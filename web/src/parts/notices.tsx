// Short messages about what was done: read by screen readers, gone after a while, never above what is being read.
import { signal } from "@preact/signals";
import "./notices.css";

export interface Notice {
  id: number;
  text: string;
  kind: "said" | "failed";
  /** What can be done next. */
  link?: { label: string; href: string };
}

const SHOWN_MS = 8000;
let last = 0;
const notices = signal<Notice[]>([]);

/** Say that something was done, or why it was not. A failure stays until it is closed. */
export function say(text: string, kind: Notice["kind"] = "said", link?: Notice["link"]): void {
  const notice: Notice = { id: ++last, text, kind, ...(link ? { link } : {}) };
  notices.value = [...notices.value.slice(-2), notice];
  if (kind === "said") setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <div key={notice.id} class={`notice notice-${notice.kind}`}>
          <span>{notice.text}</span>
          {notice.link && <a class="link" href={notice.link.href}>{notice.link.label}</a>}
          <button type="button" class="button plain icon" aria-label="Close this message" onClick={() => dismiss(notice.id)}>×</button>
        </div>
      ))}
    </div>
  );
}
