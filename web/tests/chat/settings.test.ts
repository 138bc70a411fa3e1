import { describe, expect, it } from "vitest";

import { fieldAt, formOf, NONE, settingsOf, wordsOf, type Form, type Settings } from "../../src/chat/settings";

const form = (more: Partial<Form> = {}): Form => ({ ...formOf(NONE, ""), ...more });
const kept = (more: Partial<Form>, before: Settings = NONE, began = "") => {
  const found = settingsOf(form(more), before, began);
  return "settings" in found ? found.settings : null;
};
const faults = (more: Partial<Form>) => {
  const found = settingsOf(form(more), NONE, "");
  return "faults" in found ? found.faults : {};
};

describe("settings of a conversation", () => {
  it("come back from the form as they were", () => {
    const settings: Settings = { system: "Be brief.", parameters: { temperature: 0.2, max_tokens: 50, seed: 0, stop: ["END", "\n\n", "a\\n"] } };
    expect(settingsOf(formOf(settings, ""), settings, "")).toEqual({ settings });
    expect(formOf(settings, "").stop).toBe("END\n\\n\\n\na\\\\n");
  });

  it("are none where nothing was ever set, and say so where all was emptied", () => {
    expect(kept({})).toEqual(NONE);
    expect(kept({}, { system: "Be brief.", parameters: { temperature: 1 } })).toEqual({ system: "", parameters: {} });
  });

  it("leave the instructions that it began with, until others are written", () => {
    expect(formOf(NONE, "Be brief.").system).toBe("Be brief.");
    expect(kept({ system: "Be brief." }, NONE, "Be brief.")?.system).toBeNull();
    expect(kept({ system: "Be long." }, NONE, "Be brief.")?.system).toBe("Be long.");
    expect(kept({ system: "" }, NONE, "Be brief.")?.system).toBe("");
  });

  it("take numbers as people write them", () => {
    expect(kept({ temperature: " 0,7 ", top_p: ".5", presence_penalty: "-1" })?.parameters).toEqual({ temperature: 0.7, top_p: 0.5, presence_penalty: -1 });
  });

  it("say what is wrong with each", () => {
    expect(faults({ temperature: "hot", top_p: "1.5", max_tokens: "0", seed: "1.5", frequency_penalty: "1e1" })).toEqual({
      temperature: "“hot” is no number. Write one from 0 to 2, or leave it empty.",
      top_p: "A number from 0 to 1.",
      max_tokens: "A number from 1 to 1,000,000.",
      seed: "A whole number from 0 to 9,007,199,254,740,991.",
      frequency_penalty: "“1e1” is no number. Write one from -2 to 2, or leave it empty.",
    });
    expect(faults({ stop: "a\nb\nc\nd\ne\nf\ng\nh\ni" }).stop).toBe("At most 8, one a line; these are 9.");
    expect(faults({ stop: "x".repeat(201) }).stop).toContain("200");
    expect(faults({ system: "x".repeat(200_001) }).system).toContain("200,000");
    expect(faults({ stop: `${"😀".repeat(200)}\n\n` })).toEqual({});
  });

  it("are told in words, and found where the server means one", () => {
    expect(wordsOf(NONE)).toEqual([]);
    expect(wordsOf({ system: "x", parameters: { temperature: 0, stop: ["\n"] } })).toEqual(["instructions", "temperature 0", "stops at \\n"]);
    expect(fieldAt("/settings/parameters/stop/0")).toBe("stop");
    expect(fieldAt("/settings/system")).toBe("system");
    expect([fieldAt("/title"), fieldAt("/settings/parameters/heat"), fieldAt(null)]).toEqual([null, null, null]);
  });
});
