"""The table: a row a measure, a line a peer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.measures import MEASURES, Measure
from bench.results import Results


def number(value: float) -> str:
    """A figure with three digits that mean something."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def lines(results: Results, titles: Mapping[str, str], baseline: str) -> Iterable[str]:
    """Median, spread (least to greatest of the rounds), rounds, and the ratio to the baseline of the same round."""
    head = ("", "median", "least", "greatest", "rounds", f"x {titles.get(baseline, baseline)}")
    for name, measure in MEASURES.items():
        rows = [_row(results, name, peer, title, baseline) for peer, title in titles.items() if results.of(peer, name)]
        if rows:
            yield from _block(measure, head, rows)


def _row(results: Results, measure: str, peer: str, title: str, baseline: str) -> tuple[str, ...]:
    samples = results.of(peer, measure)
    middle = results.median(peer, measure)
    assert middle is not None
    ratio = results.ratio(peer, measure, baseline)
    figures = (number(middle), number(min(samples)), number(max(samples)), str(len(samples)))
    return (title, *figures, "" if ratio is None or peer == baseline else f"{ratio:.2f}")


def _block(measure: Measure, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterable[str]:
    better = "higher is better" if measure.higher_is_better else "lower is better"
    yield f"{measure.title} ({measure.unit}, {better})"
    widths = (34, 10, 10, 10, 8, 16)
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  " + "".join(cells).rstrip()
    yield ""
