import { useMemo, useState } from "preact/hooks";

import { post } from "../../api/client";
import type { RunFeed } from "../../live/feed";
import { say } from "../../parts/notices";
import { whyNotOperator } from "../../session";
import { type Asked, isSending, send } from "./asking";
import { type Control, type RunControl, runReason, type StepControl, stepReason } from "./possible";
import { LABELS } from "./words";

export interface Controls {
  /** What the dialog that is open is about. */
  asked: Asked | null;
  askRun: (control: RunControl) => void;
  askStep: (control: StepControl, key: string) => void;
  close: () => void;
}

/** Controls of a run: some are asked about in a dialog, those that lose nothing are sent at once. */
export function useControls(feed: RunFeed): Controls {
  const [asked, setAsked] = useState<Asked | null>(null);
  const acts = useMemo(() => ({
    askRun(control: RunControl) {
      const state = feed.state.peek();
      if (!state) return;
      const reason = runReason(control, state, whyNotOperator.peek());
      if (reason !== null) return refuse(control, reason);
      if (control === "pause" || control === "resume") void sendAtOnce(feed, control);
      else setAsked({ control, step: null });
    },
    askStep(control: StepControl, key: string) {
      const state = feed.state.peek();
      const step = state?.steps.find((one) => one.key === key);
      // A step outside of the window of a long run is judged by the server alone.
      const reason = state && step ? stepReason(control, step, state, whyNotOperator.peek()) : whyNotOperator.peek();
      if (reason !== null) return refuse(control, reason);
      setAsked({ control, step: key });
    },
    close: () => setAsked(null),
  }), [feed]);
  return { asked, ...acts };
}

async function sendAtOnce(feed: RunFeed, control: "pause" | "resume"): Promise<void> {
  const asked: Asked = { control, step: null };
  if (isSending(feed.runId, asked)) return;
  const path = control === "pause" ? "/workflow/pause" : "/workflow/resume";
  const sent = await send(feed, asked, control, () => post(path, { body: { workflow_id: feed.runId } }));
  if ("problem" in sent) say(sent.problem, "failed");
}

const refuse = (control: Control, reason: string): void => say(`${LABELS[control]}: ${reason}`);
