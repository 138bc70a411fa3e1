// Which steps of a large run are shown as one node: those that need the same and are needed by the same.

export interface GraphStep {
  key: string;
  label: string;
  action: string;
  needs: readonly string[];
  /** How many it needs; the server names only the first twenty. */
  needs_total: number;
}

export interface GraphNode {
  id: string;
  label: string;
  /** Keys of the steps it stands for. */
  keys: string[];
  needs: string[];
}

const LEAST = 4;

/** A node a step. */
export function single(steps: readonly GraphStep[]): GraphNode[] {
  const known = new Set(steps.map((step) => step.key));
  return steps.map((step) => ({ id: step.key, label: step.label, keys: [step.key], needs: step.needs.filter((key) => known.has(key)) }));
}

/** The same with alike steps in one node, save for the groups that were opened. */
export function grouped(steps: readonly GraphStep[], opened: ReadonlySet<string>): GraphNode[] {
  const known = new Set(steps.map((step) => step.key));
  const needed = new Map<string, string[]>();
  // Of those that a step needs without naming them nothing is known, so what it names says nothing about the others either.
  for (const step of steps) if (step.needs_total <= step.needs.length) for (const key of step.needs) if (known.has(key)) (needed.get(key) ?? needed.set(key, []).get(key)!).push(step.key);
  const alike = new Map<string, GraphStep[]>();
  for (const step of steps) {
    const name = JSON.stringify([step.action, [...step.needs].sort(), (needed.get(step.key) ?? []).slice().sort()]);
    (alike.get(name) ?? alike.set(name, []).get(name)!).push(step);
  }
  const home = new Map<string, string>();
  const groups = new Map<string, GraphStep[]>();
  for (const members of alike.values()) {
    // Members that need each other are no group; having the same needs they cannot.
    const id = `group ${members[0]!.key}`;
    const together = members.length >= LEAST && !opened.has(id);
    for (const step of members) home.set(step.key, together ? id : step.key);
    if (together) groups.set(id, members);
  }
  const nodes: GraphNode[] = [];
  const done = new Set<string>();
  for (const step of steps) {
    const id = home.get(step.key)!;
    if (done.has(id)) continue;
    done.add(id);
    const members = groups.get(id) ?? [step];
    const needs = [...new Set(step.needs.filter((key) => known.has(key)).map((key) => home.get(key)!))];
    nodes.push({ id, label: groups.has(id) ? groupLabel(members) : step.label, keys: members.map((one) => one.key), needs });
  }
  return nodes;
}

function groupLabel(members: readonly GraphStep[]): string {
  const labels = members.map((one) => one.label);
  let shared = labels[0]!;
  for (const label of labels) while (!label.startsWith(shared)) shared = shared.slice(0, -1);
  shared = shared.replace(/[\s\-_.:#(\d]+$/, "");
  return shared.length >= 3 ? shared : members[0]!.action;
}
