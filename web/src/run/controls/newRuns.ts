// A control that makes a new run gives it its id, so that one run is made however often it is sent.
import { Problem } from "../../api/client";
import { isUnanswered } from "../../start/problems";
import { newRunId } from "../../start/submission";

const given = new Map<string, string>();

/**
 * Send what makes a new run. The id is the same for all tries of what is called `name`, until it is known whether there is a
 * run of it: of a try that was refused nobody knows what became of the one before, so a refusal does not change it.
 * Throws what `act` throws; `Unanswered`; and `BegunOtherwise` when an earlier try made a run.
 */
export async function once<T>(name: string, act: (newId: string) => Promise<T>): Promise<T> {
  const id = given.get(name) ?? newRunId();
  given.set(name, id);
  try {
    const answer = await act(id);
    given.delete(name);
    return answer;
  } catch (error) {
    if (error instanceof Problem && error.code === "run_exists") {
      given.delete(name);
      throw new BegunOtherwise(id);
    }
    throw isUnanswered(error) ? new Unanswered() : error;
  }
}

/** The run that an earlier try made of what was written then, which is not what was sent now. */
export class BegunOtherwise extends Error {
  constructor(readonly runId: string) {
    super("an earlier try, whose answer was lost, began a run with what was written then. Sent again, this begins another one.");
  }
}

/** Nothing says whether the run was made. */
export class Unanswered extends Error {
  constructor() {
    super("no answer came. Sending it again does no harm: only one run begins.");
  }
}
