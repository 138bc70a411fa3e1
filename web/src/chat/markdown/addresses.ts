// Where links may lead and images may come from. What a model writes may have been put into its mouth.
import { decoded } from "./entities";

/** A link's address if it may be one: http or https, written out. Null: only its words are shown. */
export function linkTo(href: string): string | null {
  const url = parsed(decoded(href).trim());
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") ? url.href : null;
}

/** An image's address if it comes from our own origin; asking another host would tell it what is read here. */
export function imageAt(src: string, origin: string): string | null {
  const written = decoded(src).trim();
  const url = parsed(written) ?? (written.startsWith("/") ? parsed(written, origin) : null);
  return url !== null && url.origin === origin && url.username === "" ? url.href : null;
}

function parsed(text: string, base?: string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
