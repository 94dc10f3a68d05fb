# SPDX-License-Identifier: GPL-2.0
"""Tells the places in a kernel log's stacks by function, file and line, where the module was built with line tables."""

import os
import re
import subprocess

import build

# What the kernel prints for an address in the module: symbol+offset/size [ksmbd].
PLACE = re.compile(r"([\w.$]+)\+0x([0-9a-f]+)/0x[0-9a-f]+ \[ksmbd\]")


def table(module):
    """{symbol: (section, value)} of the module's functions."""
    lines = subprocess.run(["readelf", "-W", "-S", module], capture_output=True, text=True, check=True).stdout.splitlines()
    sections = {int(found[1]): found[2] for found in (re.match(r"\s*\[\s*(\d+)\]\s+(\S+)", line) for line in lines) if found}
    symbols = {}
    for line in subprocess.run(["readelf", "-W", "-s", module], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if len(words) == 8 and words[3] in ("FUNC", "NOTYPE") and words[6].isdigit():
            symbols.setdefault(words[7], (sections.get(int(words[6]), ""), int(words[1], 16)))
    return symbols


def lookup(module, symbols, name, offset):
    """`function at file:line`, the inlined ones first; empty if it cannot be told."""
    # Of a module that is gone, kmemleak's stacks tell the place in the section (guest's lib/module.py).
    section, value = (name, 0) if name.startswith((".text", ".init.text", ".exit.text")) else symbols.get(name, ("", 0))
    if not section:
        return ""
    # A stack holds return addresses: the call is the instruction before.
    address = value + max(offset - 1, 0)
    said = subprocess.run(["addr2line", "-e", module, "-j", section, "-i", "-f", "-C", hex(address)], capture_output=True, text=True, check=False).stdout.splitlines()
    pairs = [(function, place) for function, place in zip(said[::2], said[1::2]) if function != "??"]
    pairs = [(function, re.sub(r"^.*/module/", "", place)) for function, place in pairs]
    # What was inlined of the standard library and the kernel crate says little.
    own = [pair for pair in pairs if pair[1].startswith("src/")]
    return " < ".join(f"{function} at {place}" for function, place in own or pairs[:1])


def told(text):
    """`text` with the places of the module named below the lines that have them."""
    module = f"{build.MODULE_DIR}/ksmbd.ko"
    if not text or not PLACE.search(text) or not os.path.exists(module):
        return text
    symbols = table(module)
    out = []
    for line in text.splitlines():
        out.append(line)
        for name, offset in PLACE.findall(line):
            place = lookup(module, symbols, name, int(offset, 16))
            if place:
                out.append(f"      -> {place}")
    return "\n".join(out)
