const BROWSERS: readonly [RegExp, string][] = [
  // Those that name another one as well come first.
  [/\bEdgA?\//, "Edge"], [/\bOPR\//, "Opera"], [/\bSamsungBrowser\//, "Samsung Internet"], [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\bHeadlessChrome\//, "Chrome without a window"], [/\b(Chrome|CriOS)\//, "Chrome"], [/\bSafari\//, "Safari"], [/^curl\//, "curl"],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/\bAndroid\b/, "Android"], [/\biPad\b/, "iPad"], [/\biPhone\b/, "iPhone"], [/\bCrOS\b/, "ChromeOS"], [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "Mac"], [/\bLinux\b/, "Linux"],
];

/** `Firefox on Linux`, as far as a browser tells. */
export function device(userAgent: string | null): string {
  const browser = BROWSERS.find(([has]) => has.test(userAgent ?? ""))?.[1];
  const system = SYSTEMS.find(([has]) => has.test(userAgent ?? ""))?.[1];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? (userAgent ? userAgent.slice(0, 40) : "Unknown browser");
}
