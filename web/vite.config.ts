import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { defineConfig, type Plugin } from "vite";

// Below this, a compressed file saves nothing.
const LEAST_BYTES = 512;

/** Beside each file a compressed one, made once and well: the server sends it as it is. */
function compressed(): Plugin {
  return {
    name: "compressed",
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle).filter((file) => /\.(js|css|svg|json)$/.test(file))) {
        const bytes = readFileSync(join(dir!, name));
        if (bytes.length >= LEAST_BYTES) writeFileSync(join(dir!, `${name}.gz`), gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

// The web process serves the page itself: what is built stands among its static files, where wheels and images take it up.
export default defineConfig({
  base: "/static/app/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [compressed()],
  build: {
    outDir: "../api/static/app",
    emptyOutDir: true,
    target: "es2022",
    assetsDir: "assets",
    // Nothing may be inlined: the page's policy allows files of this server only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
