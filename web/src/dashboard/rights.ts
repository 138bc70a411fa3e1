import { computed } from "@preact/signals";

import { may, me, whyNotOperator } from "../session";

/** Why what only admins may do is off for this person, null when it is not. */
export const whyNotAdmin = computed(() => {
  if (me.value === null || !may("operator")) return whyNotOperator.value;
  return may("admin") ? null : "Only admins set breakers; your role is operator.";
});
