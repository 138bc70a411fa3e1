import { setQuery } from "../router";
import { inAddress, WINDOWS, type Window } from "./windows";

/** How far back the figures go. */
export function WindowChoice({ chosen }: { chosen: Window }) {
  return (
    <fieldset class="window-choice">
      <legend class="sr-only">How far back</legend>
      {WINDOWS.map((one) => (
        <label key={one.name} class="window-one">
          <input type="radio" name="window" value={one.name} checked={one === chosen} onChange={() => setQuery({ window: inAddress(one) })} />
          {one.word}
        </label>
      ))}
    </fieldset>
  );
}
