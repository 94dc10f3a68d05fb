# SPDX-License-Identifier: GPL-2.0
"""The servers' figures side by side: as a table, as JSON, and as the rows in which ours is behind."""

import json
import os

BASELINE = "c"
OURS = ("ours", "ours-module")
# Two figures nearer than this are the same: what repeated runs differ by where timers interfere.
TOLERANCE = 0.01
# A case that repeats worse than this says nothing: its own spread is not allowed to excuse more.
MOST_TOLERANCE = 0.05
# A ratio between figures that repeat worse than this is marked: its last digit means nothing.
ROUGH = 0.05
# Waits below this part of the time are not worth a word.
NOTABLE_WAIT = 0.02


def ratio(row, one, other):
    """How much better `one` is than `other`: above 1 is better, whichever way the unit counts."""
    if not one or not other or min(one, other) <= 0:
        return None
    return one / other if row.larger_is_better else other / one


def figure(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def percent(part):
    return "" if part is None else f"{part * 100:.1f} %" if part < 0.1 else f"{part * 100:.0f} %"


def in_columns(table):
    """Lines of words in columns, the first two to the left; the first line is a head."""
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(word.ljust(width) if column < 2 else word.rjust(width) for column, (word, width) in enumerate(zip(line, widths))).rstrip() for line in table]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


class Comparison:
    """All servers' figures of the rows that were asked for; ours against each of the others."""

    def __init__(self, every, wanted):
        self.every, self.wanted = every, wanted
        self.ours = next((one for one in every if one.server in OURS), None)
        self.others = [one for one in every if one is not self.ours] if self.ours else []

    def ratios(self, row):
        """{other server: ours against it}."""
        return {other.server: ratio(row, self.ours.mean(row), other.mean(row)) for other in self.others}

    def spread(self, row):
        return max(one.spread(row) for one in self.every)

    def _cell(self, one, row):
        if row.name in one.unsupported:
            return "n/a"
        mean = one.mean(row)
        return "-" if mean is None else figure(mean)

    def _waits(self, row):
        """Who waits, and for which part of the time: a figure that is mostly waiting says little of work."""
        parts = {one.title: one.part("waited", row) for one in self.every}
        return ", ".join(f"{title} {part * 100:.0f} %" for title, part in parts.items() if part and part > NOTABLE_WAIT)

    def text(self):
        """The table. A row is a case, and holds nothing that was not measured."""
        head = ["case", "unit", *[one.title for one in self.every], *[f"ours/{one.title}" for one in self.others], "spread", "client", "waits"]
        table = [head]
        for row in self.wanted:
            rough = "~" if self.spread(row) > ROUGH else ""
            shown = [f"{rough}{value:.{2 if value >= 0.1 else 3}f}" if value else "" for value in self.ratios(row).values()]
            client = max((part for one in self.every if (part := one.part("client", row)) is not None), default=None)
            table.append([row.name, row.unit, *[self._cell(one, row) for one in self.every], *shown, percent(self.spread(row)) if any(one.mean(row) for one in self.every) else "", percent(client), self._waits(row)])
        return in_columns(table)

    def below(self, text_limit):
        """The rows in which our module is slower than the baseline by more than the figures repeat, or was not measured though the baseline was.
        The module's size has a limit of its own, `text_limit` bytes."""
        base = next((one for one in self.others if one.server == BASELINE), None)
        if not base:
            return ["there is nothing to compare: the servers must be c and ours"]
        bad = []
        for row in self.wanted:
            mean, worth = self.ours.mean(row), ratio(row, self.ours.mean(row), base.mean(row))
            if row.group == "host":
                if mean >= text_limit:
                    bad.append(f"{row.name}: {mean} bytes, not below {text_limit}")
            elif worth is None:
                if not (mean and row.name in base.unsupported):
                    bad.append(f"{row.name}: not measured for both servers")
            else:
                allowed = min(MOST_TOLERANCE, max(TOLERANCE, self.ours.spread(row), base.spread(row)))
                if worth < 1 - allowed:
                    bad.append(f"{row.name}: {worth:.3f} is below 1 - {allowed:.3f}")
        return bad

    def save(self, path, about):
        """Everything that was measured, as JSON. `about` tells of what and on what: words by name."""
        document = {
            **about,
            "machine": "qemu tcg, icount shift=0, one processor, tmpfs share, loopback; cifs.ko without caches, or the load generator",
            "servers": {one.server: {"notes": one.notes, "failures": one.failures, "unsupported": one.unsupported} for one in self.every},
            "rows": [
                {
                    "case": row.name, "title": row.title, "unit": row.unit, "larger_is_better": row.larger_is_better,
                    "values": {one.server: one.values.get(row.name, []) for one in self.every},
                    **{part: {one.server: one.parts[part].get(row.name, []) for one in self.every} for part in ("client", "waited")},
                    "ratio": self.ratios(row), "spread": self.spread(row),
                }
                for row in self.wanted
            ],
        }
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
        os.rename(f"{path}.tmp", path)
