import { duration } from "../format/durations";
import type { Queue, Worker } from "./answer";
import { counted, listeners, plural } from "./overview";

/** The queues: what waits in them, since when, and who takes it. */
export function QueueTable({ queues, workers, atMost }: { queues: readonly Queue[]; workers: readonly Worker[]; atMost: number }) {
  if (queues.length === 0) return <p class="card workers-nothing">No queue yet: the first worker or step brings one.</p>;
  return (
    <div class="card queue-table">
      <table>
        <thead>
          <tr>
            <th scope="col">Queue</th>
            <th scope="col" class="queue-number" title="Steps that a worker may take now">Ready</th>
            <th scope="col" class="queue-number">In progress</th>
            <th scope="col" class="queue-number queue-messages" title="Messages in the broker that say that a step is ready. Losing one loses no step.">Messages</th>
            <th scope="col" class="queue-number">Oldest waits</th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={queue.name}>
              <th scope="row"><span class="mono">{queue.name}</span><span class="queue-heard">{heard(queue, workers)}</span></th>
              <td class={`queue-number${queue.ready === 0 ? " queue-zero" : ""}`}>{counted(queue.ready, atMost)}</td>
              <td class={`queue-number${queue.in_progress === 0 ? " queue-zero" : ""}`}>{counted(queue.in_progress, atMost)}</td>
              <td class={`queue-number queue-messages${queue.messages ? "" : " queue-zero"}`}>
                {queue.messages === null ? <span title="Valkey does not answer">not known</span> : queue.messages.toLocaleString("en")}
              </td>
              <td class={`queue-number${queue.oldest_s === null ? " queue-zero" : ""}`}>{queue.oldest_s === null ? "none" : duration(queue.oldest_s * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function heard(queue: Queue, workers: readonly Worker[]): string {
  const all = listeners(queue.name, workers);
  if (all === null) return "workers not told";
  return all.length === 0 ? "no worker" : plural(all.length, "worker");
}
