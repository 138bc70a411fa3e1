import { BeforeIcon, NextIcon } from "./icons";
import { leafBelow, type Place, type Tree } from "./tree";

/** Which of the messages that could stand here this is, and the way to the others. */
export function Branches({ place, tree, show }: { place: Place; tree: Tree; show: (leaf: string) => void }) {
  const { siblings, index } = place;
  if (siblings.length < 2) return null;
  const what = place.message.role === "user" ? "wording" : "answer";
  const step = (by: number) => {
    const to = siblings[index + by];
    if (to) show(leafBelow(tree, to.id));
  };
  return (
    <span class="chat-branches" role="group" aria-label={`Other ${what}s`}>
      <button type="button" class="button plain icon chat-small" aria-label={`The ${what} before`} disabled={index === 0} onClick={() => step(-1)}><BeforeIcon /></button>
      <span class="chat-branches-at">{index + 1} of {siblings.length}</span>
      <button type="button" class="button plain icon chat-small" aria-label={`The next ${what}`} disabled={index === siblings.length - 1} onClick={() => step(1)}><NextIcon /></button>
    </span>
  );
}
