# SPDX-License-Identifier: GPL-2.0
"""Plots series over time as an SVG: one small panel for each kind, with marks where something happened."""

from xml.sax.saxutils import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 900, 90, 130, 20, 30, 26
COLOURS = {"kill_daemon": "#d08000", "reset": "#a02020", "reload": "#6030a0"}


def _panel(name, unit, times, values, marks, top, span):
    low, high = min(values), max(values)
    room = max(high - low, 1)

    def x(at):
        return LEFT + (WIDTH - LEFT - RIGHT) * at / span

    def y(value):
        return top + PANEL - PANEL * (value - low) / room

    lines = [f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" fill="#fafafa" stroke="#ccc"/>']
    lines += [f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{top}" y2="{top + PANEL}" stroke="{COLOURS.get(what, "#888")}" stroke-dasharray="2 3"/>' for at, what in marks]
    points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in zip(times, values))
    lines.append(f'<polyline points="{points}" fill="none" stroke="#2060a0" stroke-width="1.5"/>')
    lines += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="2" fill="#2060a0"/>' for at, value in zip(times, values)]
    for value, where in ((high, top + 10), (low, top + PANEL)):
        lines.append(f'<text x="{LEFT - 6}" y="{where}" text-anchor="end">{value}</text>')
    lines.append(f'<text x="6" y="{top + PANEL / 2}">{escape(name)}</text><text x="6" y="{top + PANEL / 2 + 14}" fill="#888">{escape(unit)}</text>')
    return lines


def write(path, samples, marks, kinds):
    """`samples`: [{"at": seconds, "values": {kind: number}}]; `marks`: [(seconds, what)]; `kinds`: {kind: (unit, ...)}."""
    times = [one["at"] for one in samples]
    span = max(times[-1], 1)
    height = TOP + len(kinds) * (PANEL + GAP) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    across = LEFT
    for what, colour in COLOURS.items():
        lines.append(f'<text x="{across}" y="18" fill="{colour}">{what}</text>')
        across += 90
    for index, (name, kind) in enumerate(kinds.items()):
        lines += _panel(name, kind[0], times, [one["values"][name] for one in samples], marks, TOP + index * (PANEL + GAP), span)
    lines.append(f'<text x="{WIDTH - RIGHT}" y="{height - 6}" text-anchor="end">{span / 60:.0f} minutes</text></svg>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
