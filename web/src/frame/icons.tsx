// The frame's icons: 20 px, drawn with the text's colour. They stand beside words, which say what they mean.
import type { ComponentChildren } from "preact";

function Icon({ children, size = 20 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg
      class="icon" width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.5"
      stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false"
    >
      {children}
    </svg>
  );
}

export const RunsIcon = () => <Icon><path d="M3 5.2l1.3 1.3L6.8 4M3 14.2l1.3 1.3 2.5-2.5M10 5.5h7M10 14.5h7M3.5 10H17" /></Icon>;
export const StartIcon = () => <Icon><circle cx="10" cy="10" r="7" /><path d="M8.4 7.1v5.8l4.6-2.9z" /></Icon>;
export const ChatIcon = () => <Icon><path d="M3.5 5.5a2 2 0 0 1 2-2h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H9l-3.6 3v-3a2 2 0 0 1-1.9-2z" /><path d="M7 7.3h6M7 10h3.6" /></Icon>;
export const DashboardIcon = () => <Icon><path d="M3.2 14.5a7 7 0 1 1 13.6 0" /><path d="M10 13.2l3.4-4.6" /><circle cx="10" cy="13.6" r="1.3" /></Icon>;
export const AlertsIcon = () => <Icon><path d="M5 13.5V9a5 5 0 0 1 10 0v4.5l1.3 1.5H3.7z" /><path d="M8.3 17.2a2 2 0 0 0 3.4 0M10 4V2.6" /></Icon>;
export const WorkersIcon = () => (
  <Icon><rect x="3" y="3.5" width="14" height="5.5" rx="1.5" /><rect x="3" y="11" width="14" height="5.5" rx="1.5" /><path d="M6 6.25h.01M6 13.75h.01M9.5 6.25H14M9.5 13.75H14" /></Icon>
);
export const SearchIcon = ({ size }: { size?: number }) => <Icon {...(size ? { size } : {})}><circle cx="8.8" cy="8.8" r="5.3" /><path d="M12.8 12.8L17 17" /></Icon>;
export const PersonIcon = () => <Icon><circle cx="10" cy="7" r="3.2" /><path d="M3.8 16.8c.7-3 3.2-4.6 6.2-4.6s5.5 1.6 6.2 4.6" /></Icon>;
export const KeysIcon = () => <Icon><rect x="2.5" y="5" width="15" height="10" rx="2" /><path d="M5.5 8h.01M8.5 8h.01M11.5 8h.01M14.5 8h.01M7 12h6" /></Icon>;
export const SignOutIcon = () => <Icon><path d="M11.5 3.5H5.5a1.5 1.5 0 0 0-1.5 1.5v10a1.5 1.5 0 0 0 1.5 1.5h6M9 10h8M14 7l3 3-3 3" /></Icon>;
export const GoIcon = () => <Icon><path d="M4 10h11M10.5 5.5L15 10l-4.5 4.5" /></Icon>;
export const CommandIcon = () => <Icon><path d="M4.5 5.5L9 10l-4.5 4.5M10.5 15H16" /></Icon>;
export const ApiIcon = () => <Icon><path d="M7.5 4.5L3 10l4.5 5.5M12.5 4.5L17 10l-4.5 5.5" /></Icon>;

/** The mark of the project, as in its icon. */
export const PerdureMark = () => <img class="perdure-mark" src="/static/mark.svg" width="22" height="22" alt="" />;
