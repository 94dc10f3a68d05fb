# SPDX-License-Identifier: GPL-2.0
"""kmemleak: memory that nothing refers to any more, of a kernel with CONFIG_DEBUG_KMEMLEAK."""

import collections
import os
import re
import time

from . import machine, module

CONTROL = "/sys/kernel/debug/kmemleak"
# It leaves objects alone that are younger, in seconds.
YOUNG = 6
ADDRESS = re.compile(r"^(\s+)(?:\[<)?(?:0x)?([0-9a-f]{16})(?:>\])?\s*$")


def available():
    return os.path.exists(CONTROL)


def records():
    """The objects found, after two scans: an object that was on its way in the first is found again by the second and taken back."""
    for _ in range(2):
        time.sleep(YOUNG)
        machine.write(CONTROL, "scan")
    with open(CONTROL, encoding="utf-8", errors="replace") as file:
        text = file.read()
    found = re.split(r"(?m)^(?=unreferenced object)", text)
    return [_placed(one) for one in found if one.startswith("unreferenced object")]


def _placed(record):
    """The record with the addresses of a module that is gone told as places in it."""
    lines = []
    for line in record.rstrip().splitlines():
        match = ADDRESS.match(line)
        where = match and module.place(int(match[2], 16))
        lines.append(f"{match[1]}{where}" if where else line)
    return "\n".join(lines)


def is_ours(record):
    """Whether the module allocated it, or a thread of its did."""
    return "[ksmbd]" in record or re.search(r'comm "ksmbd', record) is not None


def summary(found, limit=6):
    """A text of distinct leaks, each with how many there are of it."""
    by_stack = collections.OrderedDict()
    for record in found:
        stack = record.split("backtrace", 1)[-1].split("\n", 1)[-1]
        by_stack.setdefault(stack, []).append(record)
    parts = [f"{len(same)} of this kind:\n{same[0]}" for same in by_stack.values()]
    return "\n".join(parts[:limit]) + (f"\n... and {len(parts) - limit} more kinds" if len(parts) > limit else "")
