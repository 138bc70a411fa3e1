// How high a row is: the style sheet (run-rows.css) makes it so at the same widths.
import { signal } from "@preact/signals";

const NARROW = matchMedia("(max-width: 760px)");
const COARSE = matchMedia("(pointer: coarse)");

const measure = () => (NARROW.matches ? 68 : COARSE.matches ? 44 : 32);

/** Pixels: 32 to the pointer, 44 to the finger, a card of two lines on a phone. */
export const rowHeight = signal(measure());

for (const media of [NARROW, COARSE]) media.addEventListener("change", () => (rowHeight.value = measure()));
