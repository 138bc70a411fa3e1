import { Component } from "preact";

import { clockTime, exactTime } from "../../format/times";
import type { Match } from "./find";
import { MAX_LINE, type Line } from "./lines";
import { segments } from "./segments";
import { look, PLAIN } from "./styles";

export interface LogLineProps {
  line: Line;
  number: number;
  href: string;
  marked: boolean;
  times: boolean;
  wrap: boolean;
  matches: readonly Match[];
  firstMatch: number;
  currentMatch: number;
  pick: (number: number, extend: boolean) => void;
}

/** One line with its number, which is a link to it. Drawn again only when something of it changed. */
export class LogLine extends Component<LogLineProps> {
  override shouldComponentUpdate(next: LogLineProps): boolean {
    const now = this.props;
    if (now.matches.length !== next.matches.length || now.matches.some((match, at) => match !== next.matches[at])) return true;
    return (["line", "number", "href", "marked", "times", "wrap", "firstMatch", "currentMatch", "pick"] as const).some((name) => now[name] !== next[name]);
  }

  override render() {
    const { line, number, href, marked, times, wrap, matches, firstMatch, currentMatch, pick } = this.props;
    return (
      <div class={`log-line log-${line.level}${marked ? " log-marked" : ""}${wrap ? " log-wrap" : ""}`}>
        <a
          class="log-number" href={href} aria-label={`Line ${number}`} data-number={number}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.altKey || event.button !== 0) return;
            event.preventDefault();
            pick(number, event.shiftKey);
          }}
        />
        {times && <Stamp line={line} />}
        <span class="log-text">
          {segments(line, matches, firstMatch).map((part, at) => {
            if (part.style === PLAIN && part.match < 0) return part.text;
            const { class: name, vars } = part.style === PLAIN ? { class: "", vars: undefined } : look(part.style);
            return part.match < 0
              ? <span key={at} class={name} style={vars}>{part.text}</span>
              : <mark key={at} class={`${name} log-match${part.match === currentMatch ? " log-match-here" : ""}`} style={vars}>{part.text}</mark>;
          })}
          {line.level === "error" && <span class="sr-only"> (error)</span>}
          {line.cut > 0 && <span class="log-cut"> … cut after {MAX_LINE.toLocaleString()} characters, {line.cut.toLocaleString()} more are in the download</span>}
        </span>
      </div>
    );
  }
}

function Stamp({ line }: { line: Line }) {
  if (line.at === null) return <span class="log-time" />;
  const about = line.received ? "~" : "";
  return (
    <time class="log-time" title={line.received ? `received ${exactTime(line.at)}` : `${exactTime(line.at)} · ${new Date(line.at).toISOString()}`}>
      {about}{clockTime(line.at)}
    </time>
  );
}
