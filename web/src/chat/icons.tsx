// Small icons of the chat: 16 px, beside words or with a label.
import type { ComponentChildren } from "preact";

const Icon = ({ children }: { children: ComponentChildren }) => (
  <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{children}</svg>
);

export const SendIcon = () => <Icon><path d="M8 13V3M3.8 7.2L8 3l4.2 4.2" /></Icon>;
export const StopIcon = () => <Icon><rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" stroke="none" /></Icon>;
export const BeforeIcon = () => <Icon><path d="M9.8 3.8L5.6 8l4.2 4.2" /></Icon>;
export const NextIcon = () => <Icon><path d="M6.2 3.8L10.4 8l-4.2 4.2" /></Icon>;
export const DownIcon = () => <Icon><path d="M8 3v10M3.8 8.8L8 13l4.2-4.2" /></Icon>;
export const ChevronIcon = () => <Icon><path d="M4.5 6.3L8 9.8l3.5-3.5" /></Icon>;
export const EditIcon = () => <Icon><path d="M3 13l.6-2.8L10.4 3.4l2.2 2.2-6.8 6.8zM9 4.8L11.2 7" /></Icon>;
export const AgainIcon = () => <Icon><path d="M12.8 6.5A5 5 0 1 0 13 9.4M13 3.2v3.4H9.6" /></Icon>;
export const NewIcon = () => <Icon><path d="M8 3v10M3 8h10" /></Icon>;
export const SettingsIcon = () => <Icon><path d="M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6" /><circle cx="10" cy="5" r="1.6" /><circle cx="6" cy="11" r="1.6" /></Icon>;
export const TickIcon = () => <Icon><path d="M3 8.5l3.2 3.2L13 4.8" /></Icon>;
export const MoreIcon = () => <Icon><path d="M3.5 8h.01M8 8h.01M12.5 8h.01" stroke-width="2.4" /></Icon>;
