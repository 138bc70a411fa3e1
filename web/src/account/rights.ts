import type { Role } from "../api/types";

/** What each role adds to the one before it. */
export const RIGHTS: readonly { role: Role; may: string }[] = [
  { role: "viewer", may: "See all runs, their logs and results, templates and workers." },
  { role: "operator", may: "Start, stop, pause, resume, retry, skip and answer runs; write templates." },
  { role: "admin", may: "Make and delete tokens, end anybody's sessions, read the audit record, start actions that are for admins only." },
];

const ORDER: readonly Role[] = RIGHTS.map((one) => one.role);
export const includes = (mine: Role, role: Role): boolean => ORDER.indexOf(mine) >= ORDER.indexOf(role);
