import { useEffect, useState } from "preact/hooks";

import { counted } from "../format/counts";
import { pollList } from "../live/list";
import { Failed, messageOf } from "../parts/Failed";
import { NEW_CHAT, paths } from "../router";
import { readRatings } from "./api";
import { BeforeIcon } from "./icons";
import { ModelName } from "./ModelName";
import { scaleOf } from "./ratings";
import type { Rating } from "./types";
import "./ratings.css";

/** How models did in the arena, by the votes of people who did not know who they were. */
export default function RatingsPage() {
  const [list] = useState(() => pollList(readRatings));
  useEffect(() => list.close, []);
  const found = list.data.value;
  const error = list.error.value;
  return (
    <div class="ratings">
      <header class="ratings-head">
        <a class="button plain icon" href={paths.chat()} aria-label="All conversations"><BeforeIcon /></a>
        <h1>Ratings</h1>
        {found !== null && <p class="muted small">{found.battles === 0 ? "nobody has voted yet" : `by ${counted(found.battles, "vote")}`}</p>}
      </header>
      {error !== null && found !== null && <p class="muted small" role="status">{messageOf(error)} The table is as it was last known.</p>}
      {found === null ? (error === null ? <p class="ratings-wait" aria-busy="true"><span class="skeleton" /></p> : <Failed error={error} retry={() => void list.refresh()} />)
        : found.ratings.length === 0 ? <Nothing /> : <Table ratings={found.ratings} />}
    </div>
  );
}

function Nothing() {
  return (
    <div class="empty">
      <p>There are no votes yet. In the arena, models answer side by side without names, and you say which answer is better.</p>
      <p><a class="button" href={paths.chat(NEW_CHAT)}>Begin a chat</a></p>
    </div>
  );
}

function Table({ ratings }: { ratings: readonly Rating[] }) {
  const { at, ticks } = scaleOf(ratings);
  return (
    <div class="card ratings-table" role="group" aria-label="Table of models" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col" class="ratings-plot-head"><span class="sr-only">Plot of the strength, </span><span class="ratings-axis" aria-hidden="true">{ticks.map((tick) => <span key={tick} style={{ left: `${at(tick) * 100}%` }}>{tick}</span>)}</span></th>
            <th scope="col" class="ratings-number" title="Bradley-Terry strength on the scale of Elo, from all votes at once; 1000 is average">Strength</th>
            <th scope="col" class="ratings-number" title="Elo after the votes in their order, K = 32, from 1000">Elo</th>
            <th scope="col" class="ratings-number">Battles</th>
            <th scope="col" class="ratings-number">Won</th>
            <th scope="col" class="ratings-number">Even</th>
            <th scope="col" class="ratings-number">Lost</th>
          </tr>
        </thead>
        <tbody>
          {ratings.map((one) => (
            <tr key={one.model}>
              <th scope="row"><ModelName name={one.model} /></th>
              <td class="ratings-plot" aria-hidden="true">
                <span class="ratings-line">
                  {ticks.map((tick) => <span key={tick} class="ratings-tick" style={{ left: `${at(tick) * 100}%` }} />)}
                  <span class="ratings-bar" style={{ left: `${Math.min(at(1000), at(one.rating)) * 100}%`, width: `${Math.abs(at(one.rating) - at(1000)) * 100}%` }} />
                  <span class="ratings-dot" style={{ left: `${at(one.rating) * 100}%` }} />
                </span>
              </td>
              <td class="ratings-number ratings-strength">{Math.round(one.rating)}</td>
              <td class="ratings-number">{Math.round(one.elo)}</td>
              <td class="ratings-number">{one.battles}</td>
              <td class="ratings-number">{one.wins}</td>
              <td class="ratings-number">{one.ties}</td>
              <td class="ratings-number">{one.losses}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
