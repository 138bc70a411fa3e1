// The words of the server, generated from its OpenAPI document (`make web`); the page has no other names for them.
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type State = Schemas["State"];
export type StepState = Schemas["StepState"];
export type StepProgress = NonNullable<StepState["progress"]>;
export type ProgressItem = NonNullable<StepProgress["items"]>[number];
export type StepResult = NonNullable<StepState["result"]>;
export type ErrorShown = Schemas["ErrorShown"];
export type Counts = Schemas["Counts"];
export type WaitReason = NonNullable<StepState["waiting_for"]>;
export type RunShown = Schemas["RunShown"];
export type StepInHand = Schemas["StepInHand"];
export type Attempt = Schemas["AttemptShown"];
export type WholeStep = Schemas["WholeStep"];
export type StepOfPage = Schemas["StepOfPage"];
export type LogPiece = Schemas["LogPiece"];
export type TraceEntry = Schemas["TraceEntry"];
export type TemplateHead = Schemas["TemplateHead"];
export type Template = Schemas["TemplateShown"];
export type Action = Schemas["ActionShown"];
export type Config = Schemas["ConfigAnswer"];
export type Me = Schemas["MeAnswer"];
export type Role = Me["role"];
export type Controlled = Schemas["ControlledAnswer"];
export type Started = Schemas["StartedAnswer"];
export type ProblemDocument = Schemas["Problem"];

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** Statuses as events carry them: those of the wire and the finer ones that the state document says by other fields. */
export type RunStatus = State["status"] | "cancelling";
export type StepStatus = StepState["status"] | "ready" | "waiting";

export interface RunEvent {
  type: "run";
  version: number;
  status: RunStatus;
  total: number;
  completed: number;
  failed: number;
  skipped: number;
}

export interface StepEvent {
  type: "step";
  version: number;
  index: number;
  key: string;
  status: StepStatus;
  attempt: number;
  waiting_for: WaitReason | null;
  due_at: string | null;
  message: string | null;
  error: ErrorShown | null;
}

export interface ProgressEvent {
  type: "progress";
  index: number;
  key: string;
  attempt: number;
  progress: StepProgress;
}

export interface LogEvent {
  type: "log";
  index: number;
  key: string;
  attempt: number;
  offset: number;
  level: string;
  text: string;
}

/** A piece of what a step writes: from `offset` code points on, its text is `text`, and there is no more of it yet. */
export interface TextEvent {
  type: "text";
  index: number;
  key: string;
  attempt: number;
  offset: number;
  text: string;
}

/** Something that people who watch should be told at once; nothing in the state depends on it. */
export interface NoticeEvent {
  type: "notice";
  notice: string;
  message: string;
  index: number | null;
  key: string | null;
  error: boolean;
}

export type LiveEvent = RunEvent | StepEvent | ProgressEvent | LogEvent | TextEvent | NoticeEvent;
