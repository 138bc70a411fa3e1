// The looks that SGR escapes give to text: a bounded, theme-safe subset.

/** A palette colour 0 to 15, or `#rrggbb`; null: the theme's own. */
export type Colour = number | string | null;

/** Immutable, so that spans can be compared by identity. */
export interface Style {
  fg: Colour;
  bg: Colour;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  strike: boolean;
  inverse: boolean;
}

export const PLAIN: Style = { fg: null, bg: null, bold: false, dim: false, italic: false, underline: false, strike: false, inverse: false };

const known = new Map<string, Style>();

/** The style after an SGR escape with these parameters, such as `1;31`. What is not known is left out. */
export function applySgr(style: Style, parameters: string): Style {
  let next = { ...style };
  const groups = parameters.split(";");
  for (let at = 0; at < groups.length; at += 1) {
    // Colons separate the parts of one parameter (`38:2::r:g:b`); many programs write them as parameters of their own.
    const parts = groups[at]!.split(":").map(Number);
    const code = parts[0]!;
    if (code === 38 || code === 48) {
      const colons = parts.length > 1;
      const { colour, used } = extended(colons ? parts.slice(1) : groups.slice(at + 1, at + 5).map(Number), colons);
      if (colour !== undefined) next = code === 38 ? { ...next, fg: colour } : { ...next, bg: colour };
      if (!colons) at += used;
    } else {
      next = simple(next, code === 4 && parts[1] === 0 ? 24 : code);
    }
  }
  const name = Object.values(next).join("|");
  const shared = known.get(name);
  if (shared) return shared;
  // True colours are many; the styles of one page need not be kept for ever.
  if (known.size > 5000) known.clear();
  const kept = isPlain(next) ? PLAIN : next;
  known.set(name, kept);
  return kept;
}

function isPlain(style: Style): boolean {
  return (Object.keys(PLAIN) as (keyof Style)[]).every((name) => style[name] === PLAIN[name]);
}

function simple(style: Style, code: number): Style {
  switch (code) {
    case 0: return { ...PLAIN };
    case 1: return { ...style, bold: true };
    case 2: return { ...style, dim: true };
    case 3: return { ...style, italic: true };
    case 4: case 21: return { ...style, underline: true };
    case 7: return { ...style, inverse: true };
    case 9: return { ...style, strike: true };
    case 22: return { ...style, bold: false, dim: false };
    case 23: return { ...style, italic: false };
    case 24: return { ...style, underline: false };
    case 27: return { ...style, inverse: false };
    case 29: return { ...style, strike: false };
    case 39: return { ...style, fg: null };
    case 49: return { ...style, bg: null };
  }
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  return style;
}

function extended(parts: number[], colons: boolean): { colour?: Colour; used: number } {
  if (parts[0] === 5) return isByte(parts[1]) ? { colour: indexed(parts[1]), used: 2 } : { used: 2 };
  if (parts[0] === 2) {
    // With colons there may be a place for a colour space.
    const from = colons && parts.length > 4 ? 2 : 1;
    const rgb = parts.slice(from, from + 3);
    return rgb.length === 3 && rgb.every(isByte) ? { colour: hex(rgb), used: 4 } : { used: 4 };
  }
  return { used: 1 };
}

function isByte(part: number | undefined): part is number {
  return part !== undefined && part >= 0 && part <= 255;
}

function indexed(index: number): Colour {
  if (index < 16) return index;
  if (index >= 232) return hex([8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10]);
  const levels = [0, 95, 135, 175, 215, 255];
  const cube = index - 16;
  return hex([levels[Math.floor(cube / 36)]!, levels[Math.floor(cube / 6) % 6]!, levels[cube % 6]!]);
}

const hex = (parts: number[]): string => `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

/** The classes and, for colours beyond the palette, the variables of a style. */
export function look(style: Style): { class: string; vars: Record<string, string> | undefined } {
  const classes = ["ansi"];
  const vars: Record<string, string> = {};
  if (typeof style.fg === "number") classes.push(`ansi-fg-${style.fg}`);
  else if (style.fg !== null) { classes.push("ansi-fg-any"); vars["--ansi-fg"] = style.fg; }
  if (typeof style.bg === "number") classes.push(`ansi-bg-${style.bg}`);
  else if (style.bg !== null) { classes.push("ansi-bg-any"); vars["--ansi-bg"] = style.bg; }
  for (const name of ["bold", "dim", "italic", "underline", "strike", "inverse"] as const) {
    if (style[name]) classes.push(`ansi-${name}`);
  }
  return { class: classes.join(" "), vars: Object.keys(vars).length > 0 ? vars : undefined };
}
