import { allBindings, type Binding } from "../keys";
import { Dialog } from "../parts/Dialog";
import { keysOpen } from "./frame-keys";
import { eachKeyOnce, keysShown } from "./keys-shown";

const ORDER: readonly Binding["group"][] = ["Run", "List", "Log", "Start", "Chat", "Everywhere"];

/** All keys that do something on the page that is shown. */
export function KeysHelp() {
  if (!keysOpen.value) return null;
  const all = eachKeyOnce(allBindings());
  const groups = ORDER.filter((group) => all.some((one) => one.group === group));
  const close = () => { keysOpen.value = false; };
  return (
    <Dialog title="Keys" close={close} wide={groups.length > 1}>
      {/* It has the focus, so that the list begins at its top and the arrows scroll it. */}
      <div class={groups.length > 1 ? "keys-help keys-help-many" : "keys-help"} tabIndex={-1} autofocus>
        {groups.map((group) => (
          <section key={group} class="keys-help-group">
            <h3>{group}</h3>
            <dl>
              {all.filter((one) => one.group === group).map((one) => (
                <div key={one.keys}>
                  <dt>{one.label}</dt>
                  <dd>{keysShown(one.keys).map((key, at) => <kbd key={at}>{key}</kbd>)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="muted small">While one types in a field, keys write and do nothing else.</p>
      <div class="dialog-actions"><button type="button" class="button" onClick={close}>Close</button></div>
    </Dialog>
  );
}
