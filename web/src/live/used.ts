/** What is begun with the first who uses it and ended with the last; `over` says so besides. Call it to use, and what it gives to end that. */
export function whileUsed(begin: () => () => void, over: () => void = () => {}): () => () => void {
  let users = 0;
  let end: (() => void) | null = null;
  return () => {
    users += 1;
    end ??= begin();
    return () => {
      users -= 1;
      if (users > 0) return;
      end?.();
      end = null;
      over();
    };
  };
}
