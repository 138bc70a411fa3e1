// Every call to the server goes through here: paths, queries, bodies and answers are typed by its OpenAPI document.
import { signal } from "@preact/signals";

import type { paths } from "./schema.gen";
import type { ProblemDocument } from "./types";

/** What the server refused, in its own words (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly document: Partial<ProblemDocument> & { message?: string },
    readonly retryAfterS: number | null = null,
  ) {
    super(document.message ?? document.detail ?? `the server answered ${status}`);
  }

  get code(): string {
    return this.document.code ?? `http_${this.status}`;
  }

  /** What to do about it, if the server knows. */
  get mend(): string | null {
    return this.document.mend ?? null;
  }

  /** The place in the body that is meant, a JSON pointer. */
  get where(): string | null {
    return this.document.where ?? null;
  }
}

/** No answer came: the server is away, or this device is offline. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

/** Whether the session is still good. When it ends the frame asks to sign in again, above what was being done. */
export const sessionEnded = signal(false);

/** How far the server's clock is before this device's, in milliseconds; 0 when they agree within what can be told. */
export const clockSkew = signal(0);

type Method = "get" | "post" | "put" | "patch" | "delete";
type With<M extends Method> = { [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P][M];
type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? Q : never;
type PathOf<O> = O extends { parameters: { path: infer P } } ? P : never;
type BodyOf<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type AnswerOf<O> = O extends { responses: { 200: { content: { "application/json": infer A } } } } ? A : unknown;

export interface Options<O> {
  query?: QueryOf<O>;
  path?: PathOf<O>;
  body?: BodyOf<O>;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** The same for what is done alike for all paths. */
interface Loose {
  query?: object;
  path?: object;
  body?: object;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

const TIMEOUT_MS = 15_000;

/** Ask, and read the answer. Throws: Problem for a refusal, Unreachable when there is no answer. */
export async function call<M extends Method, P extends With<M>>(
  method: M,
  path: P,
  options: Options<Operation<P, M>> = {},
): Promise<AnswerOf<Operation<P, M>>> {
  const loose = options as Loose;
  const answer = await send(method, address(path, loose.path, loose.query), loose);
  return (await json(answer)) as AnswerOf<Operation<P, M>>;
}

export const get = <P extends With<"get">>(path: P, options: Options<Operation<P, "get">> = {}) =>
  call("get", path, options);
export const post = <P extends With<"post">>(path: P, options: Options<Operation<P, "post">> = {}) =>
  call("post", path, options);

export interface Tagged<T> {
  /** Null: what is known under this tag still holds. */
  answer: T | null;
  tag: string | null;
}

/** Ask for what may be known already: `tag` is the ETag of what is shown. */
export async function getTagged<P extends With<"get">>(
  path: P,
  tag: string | null,
  options: Options<Operation<P, "get">> = {},
): Promise<Tagged<AnswerOf<Operation<P, "get">>>> {
  const loose = options as Loose;
  const headers = { ...loose.headers, ...(tag === null ? {} : { "If-None-Match": tag }) };
  const answer = await send("get", address(path, loose.path, loose.query), { ...loose, headers });
  if (answer.status === 304) return { answer: null, tag };
  return { answer: (await json(answer)) as AnswerOf<Operation<P, "get">>, tag: answer.headers.get("ETag") };
}

/** The address of a path with its parameters, for links as well. Lists give a parameter several times. */
export function address(path: string, inPath?: object, query?: object): string {
  let text = path;
  for (const [name, value] of Object.entries(inPath ?? {})) text = text.replace(`{${name}}`, encodeURIComponent(String(value)));
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) pairs.append(name, String(one));
    }
  }
  const search = pairs.toString();
  return search === "" ? text : `${text}?${search}`;
}

async function send(method: Method, url: string, options: Loose): Promise<Response> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const askedAt = Date.now();
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: method.toUpperCase(),
      headers: { Accept: "application/json", ...(method === "get" ? {} : { "Content-Type": "application/json" }), ...options.headers },
      body: method === "get" ? null : JSON.stringify(options.body ?? {}),
      signal: options.signal ? AbortSignal.any([limit, options.signal]) : limit,
      credentials: "same-origin",
      // The tag is kept by who asks: a browser that revalidates by itself turns a 304 into a 200.
      cache: "no-store",
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable();
  }
  noteClock(answer.headers.get("Date"), askedAt, Date.now());
  if (answer.ok || answer.status === 304) return answer;
  if (answer.status === 401) sessionEnded.value = true;
  const after = Number(answer.headers.get("Retry-After"));
  throw new Problem(answer.status, await problemOf(answer), Number.isFinite(after) && after > 0 ? after : null);
}

/** The header names whole seconds; a difference that may come from that, or from the way, is none. */
function noteClock(date: string | null, askedAt: number, answeredAt: number): void {
  const server = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(server) || answeredAt - askedAt > 1000) return;
  const skew = server + 500 - (askedAt + answeredAt) / 2;
  if (Math.abs(skew - clockSkew.peek()) > 1500) clockSkew.value = Math.abs(skew) > 1500 ? Math.round(skew) : 0;
}

async function problemOf(answer: Response): Promise<Partial<ProblemDocument>> {
  try {
    return (await answer.json()) as Partial<ProblemDocument>;
  } catch {
    return {};
  }
}

async function json(answer: Response): Promise<unknown> {
  try {
    return await answer.json();
  } catch {
    // The answer was cut short.
    throw new Unreachable();
  }
}
