import { bytes } from "../format/bytes";
import { duration } from "../format/durations";
import type { Metrics } from "./answer";
import { Nothing } from "./Part";
import { usageOf, type UsageGroup } from "./usage";
import { UNKNOWN } from "./words";

/** Processor time, memory and network of the work that ended, by agent, host and action. */
export function Usage({ metrics }: { metrics: Metrics }) {
  const groups = usageOf(metrics);
  if (groups.length === 0) return <Nothing>No attempt was measured in this time: those of a few milliseconds are not.</Nothing>;
  return <div class="dash-usage">{groups.map((group) => <Group key={group.word} group={group} />)}</div>;
}

function Group({ group }: { group: UsageGroup }) {
  return (
    <div class="card dash-table">
      <table>
        <thead>
          <tr>
            <th scope="col">{group.word}</th>
            <th scope="col" class="dash-number" title="Of all attempts together">CPU time</th>
            <th scope="col" class="dash-number" title="Of the attempt with most">Memory</th>
            <th scope="col" class="dash-number" title="Over the network, as far as it was counted">Sent</th>
            <th scope="col" class="dash-number" title="Over the network, as far as it was counted">Received</th>
            {group.hasTokens && <th scope="col" class="dash-number" title="That models read, and wrote">Tokens</th>}
          </tr>
        </thead>
        <tbody>
          {group.rows.map((row) => (
            <tr key={row.name}>
              <th scope="row" class="mono">{row.name}</th>
              <td class={`dash-number${row.cpuMs > 0 ? "" : " dash-zero"}`}>{duration(row.cpuMs)}</td>
              <Bytes count={row.peakMemoryBytes ?? 0} />
              <Bytes count={row.sentBytes} />
              <Bytes count={row.receivedBytes} />
              {group.hasTokens && <td class="dash-number">{row.promptTokens.toLocaleString("en")} read, {row.completionTokens.toLocaleString("en")} written</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {group.more > 0 && <p class="muted small dash-more">{group.more} more used less</p>}
    </div>
  );
}

function Bytes({ count }: { count: number }) {
  return <td class={`dash-number${count > 0 ? "" : " dash-zero"}`}>{count > 0 ? bytes(count) : UNKNOWN}</td>;
}
