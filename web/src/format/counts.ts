/** `1 step`, `2,000 steps`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** `3 of 8 steps`, `1 of 1 step`. */
export const countedOf = (part: number, whole: number, one: string, many?: string): string => `${part.toLocaleString("en")} of ${counted(whole, one, many)}`;
