"""The plot is a whole SVG document whose lines lie where the figures say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from bench.plot import growth_plot, series, ticks
from bench.results import Results

SVG = "{http://www.w3.org/2000/svg}"


def lines_of(document: str) -> list[list[tuple[float, float]]]:
    root = ElementTree.fromstring(document)
    return [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]  # type: ignore[misc]
        for line in root.iter(f"{SVG}polyline")
    ]


def test_a_flat_cost_is_a_level_line_and_a_growing_one_rises():
    document = growth_plot(
        {"flat": [(10, 2.0), (100, 2.0), (1000, 2.0)], "grows": [(10, 2.0), (100, 4.0), (1000, 8.0)]}
    )
    flat, grows = lines_of(document)
    assert len({y for _, y in flat}) == 1
    assert [x for x, _ in flat] == [x for x, _ in grows]
    heights = [y for _, y in grows]
    assert heights == sorted(heights, reverse=True)
    # Logarithmic: equal factors are equal distances.
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert flat[1][0] - flat[0][0] == pytest.approx(flat[2][0] - flat[1][0], abs=0.2)


def test_names_are_escaped_and_do_not_overlap():
    document = growth_plot({"a < b": [(10, 2.0), (100, 2.0)], "c": [(10, 2.0), (100, 2.01)]})
    texts = [
        element for element in ElementTree.fromstring(document).iter(f"{SVG}text") if element.text in ("a < b", "c")
    ]
    assert len(texts) == 2
    assert abs(float(texts[0].attrib["y"]) - float(texts[1].attrib["y"])) >= 14


def test_the_plot_has_no_background_and_no_script():
    document = growth_plot({"a": [(10, 2.0), (100, 2.0)]})
    assert not re.search(r"<(rect|script|style|image)", document)


def test_only_peers_with_several_lengths_are_drawn():
    found = Results()
    for steps, value in ((10, 2.0), (100, 3.0)):
        found.add("celery", f"growth-{steps}", 0, value)
    found.add("dbos", "growth-10", 0, 2.0)
    assert series(found, {"celery": "Celery alone", "dbos": "DBOS"}) == {"Celery alone": [(10.0, 2.0), (100.0, 3.0)]}


def test_nothing_measured_is_nothing_to_draw():
    with pytest.raises(ValueError):
        growth_plot({})


def test_ticks_enclose_the_range():
    assert ticks(3, 70) == [2, 5, 10, 20, 50, 100]
    assert ticks(2, 2) == [2]
