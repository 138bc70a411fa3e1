/** `512 bytes`, `4.2 kB`, `3.1 MB`, `74.4 GB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)} kB`;
  if (count >= 1_000_000_000) return `${(count / 1_000_000_000).toFixed(1)} GB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}
