"""The growth of a step's cost with the length of its run, drawn as SVG that suits light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from bench.measures import GROWTH
from bench.results import Results

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 40, 52
# Readable on white and on black; dashes and the names at the ends tell the lines apart without colour.
COLOURS = ("#808080", "#2f7fd0", "#d0791f", "#8a63c8", "#1f9e8f", "#b0508a")
DASHES = ("", "", "", "6 3", "2 3", "8 3 2 3")

Point = tuple[float, float]


def series(results: Results, titles: Mapping[str, str]) -> dict[str, list[Point]]:
    """Steps and milliseconds a step by title, for each peer with at least two lengths."""
    found = {}
    for peer, title in titles.items():
        medians = [(steps, results.median(peer, f"growth-{steps}")) for steps in GROWTH]
        points = [(float(steps), value) for steps, value in medians if value is not None]
        if len(points) > 1:
            found[title] = points
    return found


def ticks(least: float, greatest: float) -> list[float]:
    """Powers of ten, and their double and fivefold, that enclose the range."""
    steps = [factor * 10.0**power for power in range(-4, 8) for factor in (1, 2, 5)]
    first = max((step for step in steps if step <= least), default=steps[0])
    last = min((step for step in steps if step >= greatest), default=steps[-1])
    return [step for step in steps if first <= step <= last]


def growth_plot(lines: Mapping[str, Sequence[Point]]) -> str:
    """An SVG document: both axes logarithmic, a line a peer.

    Raises: ValueError when there is nothing to draw.
    """
    points = [point for line in lines.values() for point in line]
    if not points:
        raise ValueError("no chains of several lengths were measured")
    across = ticks(min(x for x, _ in points), max(x for x, _ in points))
    up = ticks(min(y for _, y in points), max(y for _, y in points))

    def place(point: Point) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * _share(point[0], across)
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * _share(point[1], up)
        return round(x, 1), round(y, 1)

    parts = [*_grid(across, up, place)]
    ends = _apart([place(line[-1])[1] for line in lines.values()])
    for index, ((title, line), label_y) in enumerate(zip(lines.items(), ends, strict=True)):
        parts += _line(title, [place(point) for point in line], index, label_y)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Milliseconds a step by the length of the chain" font-family="sans-serif" font-size="12">\n'
        f'<text x="{LEFT}" y="22" fill="#808080" font-size="14">Time a step by the length of the chain</text>\n'
        f"{body}\n</svg>\n"
    )


def _share(value: float, scale: Sequence[float]) -> float:
    if len(scale) < 2:
        return 0.5
    return math.log(value / scale[0]) / math.log(scale[-1] / scale[0])


def _grid(across: Sequence[float], up: Sequence[float], place: Callable[[Point], Point]) -> list[str]:
    parts = []
    for step in across:
        x, _ = place((step, up[0]))
        if math.log10(step) == int(math.log10(step)):
            parts.append(_rule(x, TOP, x, HEIGHT - BOTTOM))
            parts.append(
                f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#808080">{step:,.0f}</text>'
            )
    for step in up:
        _, y = place((across[0], step))
        parts.append(_rule(LEFT, y, WIDTH - RIGHT, y))
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end" fill="#808080">{step:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" fill="#808080">steps in the chain</text>')
    parts.append(f'<text x="14" y="{TOP - 6}" fill="#808080">ms/step</text>')
    return parts


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#808080" stroke-opacity="0.25"/>'


def _line(title: str, places: Sequence[Point], index: int, label_y: float) -> list[str]:
    colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
    path = " ".join(f"{x},{y}" for x, y in places)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>']
    parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
    parts.append(f'<text x="{WIDTH - RIGHT + 10}" y="{label_y + 4}" fill="{colour}">{escape(title)}</text>')
    return parts


def _apart(heights: Sequence[float], gap: float = 15.0) -> list[float]:
    """The heights in their order, moved down where labels would overlap."""
    moved: dict[int, float] = {}
    lowest = -math.inf
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        lowest = max(heights[index], lowest + gap)
        moved[index] = lowest
    return [moved[index] for index in range(len(heights))]
