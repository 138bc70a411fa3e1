// References such as `{{ steps.scan.result.files }}`: the server puts the value in their place when the step runs.

const SLOT = /^\{\{[ \t]*([A-Za-z0-9_.-]{1,300})[ \t]*\}\}/;
const WORD = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const FORMS = "params.<name>, steps.<key>.result, steps.<key>.status or run.<name>";

export const hasReference = (text: string): boolean => text.includes("{{");

/** What is wrong with the references in a text; null when nothing is. The same rules as the server's. */
export function referenceFault(text: string): string | null {
  for (let at = text.indexOf("{{"); at >= 0; ) {
    const slot = SLOT.exec(text.slice(at));
    if (slot === null) return `After {{ comes a reference and }}: ${FORMS}.`;
    const words = slot[1]!.split(".");
    const [root, second, third] = words;
    const plain = words.every((word) => WORD.test(word));
    const known =
      root === "params" ||
      (root === "run" && second !== undefined) ||
      (root === "steps" && ((third === "status" && words.length === 3) || third === "result"));
    if (!plain || !known) return `{{ ${slot[1]} }} names nothing. Use ${FORMS}.`;
    at = text.indexOf("{{", at + slot[0].length);
  }
  return null;
}

/** Keys of the steps that a value reads. */
export function referencedSteps(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === "string") {
    for (const match of value.matchAll(/\{\{[ \t]*steps\.([A-Za-z0-9_-]+)\./g)) found.add(match[1]!);
  } else if (Array.isArray(value)) {
    for (const one of value) referencedSteps(one, found);
  } else if (value !== null && typeof value === "object") {
    for (const one of Object.values(value)) referencedSteps(one, found);
  }
  return found;
}
