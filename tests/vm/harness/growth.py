# SPDX-License-Identifier: GPL-2.0
"""How the cost of a name grows with the size of its directory, as an SVG: a panel for each kind of work and client, a line for each server,
both axes logarithmic, so that a constant is level and what is proportional to the size rises by one decade a decade."""

import math
import sys

from xml.sax.saxutils import escape

sys.path.insert(0, "/src/tests/vm/guest")

from benchmark.case import DIRECTORIES, NAMERS, NAMES  # noqa: E402

WIDE, HIGH, LEFT, TOP, GAP_X, GAP_Y = 270, 130, 60, 60, 70, 50
COLOURS = {"C": "#2060a0", "ours": "#c03030", "Samba": "#808080"}


def _series(measured, names):
    """[(files, figure)] of one server's rows."""
    return [(size, sum(values) / len(values)) for size, name in names.items() if (values := measured.values.get(name)) and min(values) > 0]


class Panel:
    """One plot, its left upper corner at (x, y)."""

    def __init__(self, x, y, series):
        self.x, self.y, self.series = x, y, series
        every = [value for points in series.values() for _, value in points]
        self.low, self.high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
        self.high = max(self.high, self.low + 1)
        sizes = [math.log10(size) for size in DIRECTORIES]
        self.first, self.last = sizes[0], sizes[-1]

    def _across(self, size):
        return self.x + WIDE * (math.log10(size) - self.first) / (self.last - self.first)

    def _up(self, value):
        return self.y + HIGH - HIGH * (math.log10(value) - self.low) / (self.high - self.low)

    def lines(self, title, unit):
        yield f'<rect x="{self.x}" y="{self.y}" width="{WIDE}" height="{HIGH}" fill="#fafafa" stroke="#ccc"/>'
        yield f'<text x="{self.x}" y="{self.y - 6}">{escape(title)}</text>'
        for power in range(self.low, self.high + 1):
            at = self._up(10.0**power)
            yield f'<line x1="{self.x}" x2="{self.x + WIDE}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e4e4e4"/>'
            yield f'<text x="{self.x - 5}" y="{at + 4:.1f}" text-anchor="end" fill="#666">{10.0**power:g} {unit}</text>'
        for size in DIRECTORIES:
            yield f'<text x="{self._across(size):.1f}" y="{self.y + HIGH + 14}" text-anchor="middle" fill="#666">{size:,}</text>'
        for server, points in self.series.items():
            colour = COLOURS.get(server, "#208040")
            path = " ".join(f"{self._across(size):.1f},{self._up(value):.1f}" for size, value in points)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
            for size, value in points:
                yield f'<circle cx="{self._across(size):.1f}" cy="{self._up(value):.1f}" r="2.5" fill="{colour}"><title>{escape(server)}, {size:,} files: {value:.1f} {unit}</title></circle>'


def write(path, every, wanted):
    """Plots what was measured of directories; whether there was anything."""
    chosen = {row.name for row in wanted}
    lines = []
    for down, (step, ((unit, _), what)) in enumerate(NAMES.items()):
        for across, (namer, who) in enumerate(NAMERS.items()):
            names = {size: name for size in DIRECTORIES if (name := f"{namer}-{step}-{size}") in chosen}
            series = {one.title: points for one in every if (points := _series(one, names))}
            if series:
                panel = Panel(LEFT + across * (WIDE + GAP_X), TOP + down * (HIGH + GAP_Y), series)
                lines += panel.lines(f"{what}: {who}", unit)
    if not lines:
        return False
    width, height = LEFT + len(NAMERS) * (WIDE + GAP_X), TOP + len(NAMES) * (HIGH + GAP_Y)
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">Cost by files in the directory (lower is better)</text>',
    ]
    for index, one in enumerate(every):
        head.append(f'<text x="{LEFT + 340 + index * 70}" y="20" font-size="14" fill="{COLOURS.get(one.title, "#208040")}">{escape(one.title)}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*head, *lines, "</svg>"]) + "\n")
    return True
