import { defineConfig } from "vite";

// The web process serves the page itself: what is built stands among its static files, where wheels and images take it up.
export default defineConfig({
  base: "/static/app/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
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
