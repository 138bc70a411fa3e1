/** A sentence of the server's in which `names` stand between backticks. */
export function Marked({ text }: { text: string }) {
  return <>{text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}
