import { query, setQuery } from "../router";
import type { Figures } from "./answer";
import { Nothing } from "./Part";
import { orderInAddress, orderOf, pressed, sorted, type Column, type Order } from "./sorting";
import { percent, rate, took } from "./words";

type Shown = Column<Figures> & { say: (row: Figures) => string; wide?: boolean; hint?: string };

const ended = (row: Figures): number => row.completed + row.fallbacks + row.failed;
const COLUMNS: readonly Shown[] = [
  { name: "ended", word: "Ended", value: ended, say: (row) => ended(row).toLocaleString("en"), falling: true, hint: "Steps that completed or failed" },
  { name: "rate", word: "A minute", value: (row) => row.perMinute, say: (row) => rate(row.perMinute), falling: true, wide: true },
  { name: "failed", word: "Failed", value: (row) => row.failureRate, say: (row) => percent(row.failureRate), falling: true, hint: "Share of the steps that ended" },
  { name: "retried", word: "Retries", value: (row) => row.retried, say: (row) => row.retried.toLocaleString("en"), falling: true, wide: true },
  { name: "p50", word: "Half take", value: (row) => row.p50Ms, say: (row) => took(row.p50Ms), falling: true, wide: true, hint: "At most so long" },
  { name: "p95", word: "95 % take", value: (row) => row.p95Ms, say: (row) => took(row.p95Ms), falling: true, hint: "At most so long" },
];
const NAME: Column<Figures> = { name: "name", word: "Action", value: (row) => row.name, falling: false };
const ALL: readonly Column<Figures>[] = [NAME, ...COLUMNS];
const USUAL: Order = { column: "ended", falling: true };

/** What each action did in the window; in the order of the column whose head was pressed, which is in the address. */
export function ActionTable({ actions }: { actions: readonly Figures[] }) {
  const order = orderOf(query.value.get("actions"), ALL, USUAL);
  if (actions.length === 0) return <Nothing>No step ended in this time.</Nothing>;
  return (
    <div class="card dash-table">
      <table>
        <thead><tr><Head column={NAME} order={order} />{COLUMNS.map((column) => <Head key={column.name} column={column} order={order} wide={column.wide ?? false} {...(column.hint ? { hint: column.hint } : {})} number />)}</tr></thead>
        <tbody>
          {sorted(actions, ALL, order).map((row) => (
            <tr key={row.name}>
              <th scope="row" class="mono">{row.name}</th>
              {COLUMNS.map((column) => (
                <td key={column.name} class={`dash-number${column.wide ? " dash-wide" : ""}${column.name === "failed" && row.failed > 0 ? " dash-bad" : column.value(row) ? "" : " dash-zero"}`}>{column.say(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head({ column, order, number = false, wide = false, hint }: { column: Column<Figures>; order: Order; number?: boolean; wide?: boolean; hint?: string }) {
  const chosen = order.column === column.name;
  return (
    <th scope="col" class={`${number ? "dash-number" : ""}${wide ? " dash-wide" : ""}`} aria-sort={chosen ? (order.falling ? "descending" : "ascending") : "none"}>
      <button type="button" class="dash-sort" title={hint} onClick={() => setQuery({ actions: orderInAddress(pressed(order, column), USUAL) })}>
        {column.word}<span class="dash-arrow" aria-hidden="true">{chosen ? (order.falling ? "↓" : "↑") : ""}</span>
      </button>
    </th>
  );
}
