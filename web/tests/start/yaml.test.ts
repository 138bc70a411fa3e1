import { describe, expect, it } from "vitest";

import type { Json } from "../../src/api/types";
import { toYaml } from "../../src/start/yaml";

describe("YAML", () => {
  it("writes a workflow as people do", () => {
    const workflow: Json = {
      name: "Nightly scan",
      steps: [
        { key: "scan", action: "noop", params: { files: ["a", "b"], deep: [["x"], []] } },
        { key: "report", action: "noop", needs: ["scan"], params: { read: "{{ steps.scan.result.files }}" } },
      ],
      params: {},
      step_delay_s: 0.5,
    };
    expect(toYaml(workflow)).toBe(
      [
        "name: Nightly scan",
        "steps:",
        "  - key: scan",
        "    action: noop",
        "    params:",
        "      files:",
        "        - a",
        "        - b",
        "      deep:",
        "        - - x",
        "        - []",
        "  - key: report",
        "    action: noop",
        "    needs:",
        "      - scan",
        "    params:",
        '      read: "{{ steps.scan.result.files }}"',
        "params: {}",
        "step_delay_s: 0.5",
        "",
      ].join("\n"),
    );
  });

  it.each(["yes", "No", "on", "null", "True", "~", "", "1", "1e3", "0x1f", "12:30", "2026-11-21", "- a", "a: b", "a #b", "a:", "*a", "&a",
    "!a", "%a", "@a", "`a", "[a", "{a", "a ", " a", "'a", '"a', "? a", "| a", ".5", "=", "<<", "a\tb", "a\u0000", "a\u2028b", "\ufeffa"])(
    "puts %j in quotes", (text) => {
      const written = toYaml(text).trimEnd();
      expect(written).toMatch(/^".*"$/);
      expect(JSON.parse(written)).toBe(text);
    });

  it.each(["a", "two words", "~/venv", "/usr/bin", "ssh.test_ssh", "root@host", "x-1_2.3+4", "éa"])("keeps %j readable", (text) => {
    expect(toYaml(text).trimEnd().replace(/^"|"$/g, "")).toBe(text);
  });

  it("escapes what YAML does not take as it stands, and only that", () => {
    expect(toYaml("\u0085\ud800x😀")).toBe('"\\u0085\\ud800x😀"\n');
  });

  it("writes texts of several lines as blocks", () => {
    expect(toYaml({ script: "set -e\n  make all\n" })).toBe("script: |\n  set -e\n    make all\n");
    expect(toYaml({ script: "a\nb" })).toBe("script: |-\n  a\n  b\n");
    expect(toYaml({ script: "a\n\n", next: 1 })).toBe("script: |+\n  a\n\nnext: 1\n");
    expect(toYaml(["  a\nb"])).toBe("- |2-\n    a\n  b\n");
    expect(toYaml({ script: "a\n\nb" })).toBe("script: |-\n  a\n\n  b\n");
    expect(toYaml({ script: "a\r\nb" })).toBe('script: "a\\r\\nb"\n');
    expect(toYaml({ script: "\n\n" })).toBe('script: "\\n\\n"\n');
    expect(toYaml({ script: "a\n  \nb" })).toBe('script: "a\\n  \\nb"\n');
  });

  it("writes numbers that are numbers to all readers", () => {
    expect(toYaml([1, -2.5, 1e21, 1e-7, 1.5e300])).toBe("- 1\n- -2.5\n- 1.0e+21\n- 1.0e-7\n- 1.5e+300\n");
    expect(toYaml([true, null, {}, []])).toBe("- true\n- null\n- {}\n- []\n");
  });

  it("quotes names as it quotes texts", () => {
    expect(toYaml({ "a b": 1, yes: 2, "x:y": 3, "": 4 })).toBe('a b: 1\n"yes": 2\n"x:y": 3\n"": 4\n');
  });
});
