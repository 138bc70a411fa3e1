import { Command } from "./Command";

/** Where Celery's own page is, and how one gets in. */
export function FlowerHint({ port }: { port: number | null }) {
  if (port === null) return null;
  const near = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return (
    <details class="card flower-hint">
      <summary>Tasks as Celery sees them: Flower</summary>
      <div class="flower-hint-body">
        <p class="small">
          Flower listens on the server itself only, at port {port}. This prints its address, user and password:
        </p>
        <Command text="perdure open flower" />
        {near ? (
          <p class="small">Then open <a class="link" href={`http://127.0.0.1:${port}/`} target="_blank" rel="noreferrer">127.0.0.1:{port}</a>.</p>
        ) : (
          <>
            <p class="small">From here, through a tunnel; then open <span class="mono">http://127.0.0.1:{port}/</span>:</p>
            <Command text={`ssh -N -L ${port}:127.0.0.1:${port} ${location.hostname}`} />
          </>
        )}
      </div>
    </details>
  );
}
