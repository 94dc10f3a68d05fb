# SPDX-License-Identifier: GPL-2.0
"""The crates that the programs are made of: may they be linked into a program under GPL-2.0, and where do they come from?

Reads what cargo knows already, so it needs no network once the crates are there. `cargo deny` with ../../../deny.toml asks more (known
faults of crates), where it is installed and its database can be reached.
"""

import json
import re
import shutil
import subprocess

import build

# Licences that GPL-2.0-only is compatible with. Apache-2.0 alone is not.
COMPATIBLE = {
    "0BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "GPL-2.0", "GPL-2.0-only", "GPL-2.0-or-later", "ISC", "LGPL-2.1-or-later", "MIT",
    "MIT-0", "Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "Zlib", "BSL-1.0", "Apache-2.0 WITH LLVM-exception",
}
# Used to build (bindgen reads C headers with it), never a part of what is built: that is checked too.
BUILD_ONLY = {"clang-sys": "Apache-2.0"}
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"


def tokens(expression):
    """The words of an SPDX expression; a licence and its exception are one word, a slash is an old way to write OR."""
    words = re.findall(r"[()/]|[^\s()/]+", expression)
    joined = []
    for word in words:
        if joined and (word == "WITH" or joined[-1].endswith(" WITH")):
            joined[-1] += f" {word}"
        else:
            joined.append("OR" if word == "/" else word)
    return joined


def is_compatible(expression):
    """Whether an SPDX expression leaves a choice that GPL-2.0-only is compatible with. AND binds tighter than OR."""
    words = tokens(expression)

    def alternatives():
        result = parts()
        while words and words[0] == "OR":
            words.pop(0)
            result = parts() or result
        return result

    def parts():
        result = one()
        while words and words[0] == "AND":
            words.pop(0)
            result = one() and result
        return result

    def one():
        if not words:
            return False
        word = words.pop(0)
        if word == "(":
            result = alternatives()
            return bool(words) and words.pop(0) == ")" and result
        return word in COMPATIBLE

    return alternatives() and not words


def linked(metadata):
    """The ids of the packages that are parts of programs or tests: all but those that only build scripts use."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, left = set(), list(metadata["workspace_members"])
    while left:
        package = left.pop()
        if package not in found:
            found.add(package)
            left += [dep["pkg"] for dep in nodes[package]["deps"] if any(kind["kind"] != "build" for kind in dep["dep_kinds"])]
    return found


def workspace():
    """What cargo says of every package that the workspace needs, its tests included."""
    args = ["cargo", "metadata", "--format-version", "1", *build.locked()]
    for extra in (["--offline"], []):
        result = subprocess.run([*args, *extra], cwd=build.SRC, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return json.loads(result.stdout)
    raise build.Stop(f"cargo cannot list the crates: {result.stderr.strip().splitlines()[-1] if result.stderr.strip() else result.returncode}")


def self_check():
    """The judge itself, on expressions whose verdict is known."""
    known = {
        "MIT": True, "MIT OR Apache-2.0": True, "MIT/Apache-2.0": True, "Apache-2.0": False, "(MIT OR Apache-2.0) AND Unicode-3.0": True,
        "MIT AND Apache-2.0": False, "Apache-2.0 WITH LLVM-exception OR Apache-2.0": True, "GPL-3.0-only": False, "": False, "(MIT": False, "MIT MIT": False,
    }
    return [f"the licence judge says {not want} of {text!r}" for text, want in known.items() if is_compatible(text) != want]


def problems():
    found = self_check()
    metadata = workspace()
    parts = linked(metadata)
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        licence = package.get("license") or ""
        is_tool = package["id"] not in parts and BUILD_ONLY.get(package["name"]) == licence
        if not is_tool and not is_compatible(licence):
            found.append(f"{name}: the licence {package.get('license')!r} is not compatible with GPL-2.0-only")
        if package.get("source") not in (None, SOURCE):
            found.append(f"{name} comes from {package['source']}, not from crates.io")
    return found + deny()


def deny():
    """cargo deny, if it is there: licences, sources, duplicates; the database of faults only if it was fetched before."""
    if not shutil.which("cargo-deny"):
        return []
    result = subprocess.run(
        ["cargo", "deny", "--offline", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
        cwd=build.SRC, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    return [] if result.returncode == 0 else result.stdout.splitlines()[-20:]
