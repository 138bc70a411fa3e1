// Whether one works with fingers: then there is no Shift, and Enter is for new lines.
export const coarse = matchMedia("(pointer: coarse)");
