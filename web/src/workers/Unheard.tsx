import { duration } from "../format/durations";
import type { Queue } from "./answer";
import { Command } from "./Command";
import { commandFor, counted } from "./overview";

/** Steps wait and nobody will take them: what to do about it. */
export function Unheard({ queue, atMost }: { queue: Queue; atMost: number }) {
  return (
    <div class="unheard" role="alert">
      <p>
        <strong>{counted(queue.ready, atMost)} {queue.ready === 1 ? "step waits" : "steps wait"} in the queue {queue.name}, and no worker takes steps from it.</strong>
        {queue.oldest_s !== null && <> The oldest has waited for at least {duration(queue.oldest_s * 1000)}.</>}
        {" "}A worker that takes them, in the project's directory with the server's settings:
      </p>
      <Command text={commandFor(queue.name)} />
    </div>
  );
}
