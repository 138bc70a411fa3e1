// The one thing of Node that these tests use: a real shell.
declare module "node:child_process" {
  export function execFileSync(file: string, args: string[], options: { env: Record<string, string>; encoding: "utf8" }): string;
}
