// Whether a page that is shown now was gone to, or gone back to.

export interface Arrival {
  /** The browser went back or forward; where to is told by `reached`. */
  wentBack: () => void;
  /** To be told each change of the address. True when this place is another one and was gone to. */
  reached: (place: string) => boolean;
}

export function arrivalFrom(place: string): Arrival {
  let went = place;
  let back = false;
  return {
    wentBack: () => { back = true; },
    reached: (next) => {
      const begins = next !== went && !back;
      went = next;
      // Going back within a place says nothing of the next way out of it.
      back = false;
      return begins;
    },
  };
}
