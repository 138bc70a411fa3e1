/** Lines that are being read for the first time. */
export function Rows({ count }: { count: number }) {
  return (
    <div class="card account-list" aria-busy="true">
      {Array.from({ length: count }, (_, at) => <div key={at} class="account-line"><span class="skeleton" style={{ width: at % 2 ? "32%" : "44%" }} /></div>)}
    </div>
  );
}
