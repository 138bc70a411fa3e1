import { useId } from "preact/hooks";

import { chooseScheme, scheme, SCHEMES } from "../theme/scheme";

/** Light, dark, or as the device says. */
export function SchemeChoice() {
  const name = useId();
  return (
    <fieldset class="scheme-choice">
      <legend>Appearance</legend>
      <div class="scheme-choice-all">
        {SCHEMES.map((one) => (
          <label key={one.scheme} class="scheme-choice-one">
            <input type="radio" name={name} value={one.scheme} checked={scheme.value === one.scheme} onChange={() => chooseScheme(one.scheme)} />
            <span>{one.word}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
