import { duration } from "../format/durations";
import type { QueueFigures } from "./answer";
import { Nothing } from "./Part";
import { countedTo, rate } from "./words";

/** The queues now: what waits in them, since when, and for whom. */
export function Queues({ queues, atMost }: { queues: readonly QueueFigures[]; atMost: number }) {
  if (queues.length === 0) return <Nothing>No queue yet: the first worker or step brings one.</Nothing>;
  return (
    <div class="card dash-table">
      <table>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col" class="dash-number" title="Steps that a worker may take now">Ready</th>
            <th scope="col" class="dash-number">Oldest waits</th>
            <th scope="col" class="dash-number">In progress</th>
            <th scope="col" class="dash-number dash-wide" title="Messages in the broker that say that a step is ready. Losing one loses no step.">Messages</th>
            <th scope="col" class="dash-number dash-wide" title="Steps that ended, a minute">A minute</th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.name}>
              <th scope="row"><span class="mono">{queue.name}</span><span class={`dash-under${queue.workers === 0 && queue.ready > 0 ? " dash-bad" : ""}`}>{queue.workers === 0 ? "no worker" : `${queue.workers} ${queue.workers === 1 ? "worker" : "workers"}`}</span></th>
              <td class={`dash-number${queue.ready ? "" : " dash-zero"}`}>{countedTo(queue.ready, atMost)}</td>
              <td class={`dash-number${queue.oldestMs === null ? " dash-zero" : ""}`}>{queue.oldestMs === null ? "none" : duration(queue.oldestMs)}</td>
              <td class={`dash-number${queue.inProgress ? "" : " dash-zero"}`}>{countedTo(queue.inProgress, atMost)}</td>
              <td class={`dash-number dash-wide${queue.messages ? "" : " dash-zero"}`}>{queue.messages === null ? "not known" : queue.messages.toLocaleString("en")}</td>
              <td class={`dash-number dash-wide${queue.figures?.perMinute ? "" : " dash-zero"}`}>{rate(queue.figures?.perMinute ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
