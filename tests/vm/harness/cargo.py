# SPDX-License-Identifier: GPL-2.0
"""Unit and property tests of the crates that cargo can build, each under its own name."""

import os
import re
import subprocess
import time

import build

LINE = re.compile(r"^test (.+?) \.\.\. (ok|FAILED|ignored)")
CRATE = re.compile(r"^\s+(?:Running|Doc-tests) (?:unittests )?(.+)$")


def run(report):
    """`cargo test` over the workspace; a test's name is cargo.<crate>.<path>."""
    start = time.monotonic()
    if not os.path.exists(f"{build.SRC}/Cargo.toml"):
        report.verdict("cargo.build", "fail", why="there is no Cargo.toml in this tree")
        return
    child = subprocess.Popen(
        ["cargo", "test", "--workspace", "--no-fail-fast", *build.locked()],
        cwd=build.SRC, env={**os.environ, "CARGO_TARGET_DIR": f"{build.BUILD}/cargo", "PROPTEST_FAILURE_PERSISTENCE": "off"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )
    crate, lines, seen, failed = "", [], 0, []
    for line in child.stdout:
        lines.append(line.rstrip())
        if match := CRATE.match(line):
            crate = crate_name(match[1])
        elif match := LINE.match(line):
            name = f"cargo.{crate}.{match[1].replace(' - should panic', '')}"
            seen += 1
            if match[2] == "FAILED":
                failed.append((name, match[1]))
            else:
                report.verdict(name, {"ok": "pass", "ignored": "skip"}[match[2]])
    status = child.wait()
    for name, test in failed:
        report.verdict(name, "fail", why=panic_of(lines, test))
    if status != 0 and not failed:
        report.verdict("cargo.build", "fail", time.monotonic() - start, "\n".join(lines[-40:]))
    elif seen == 0:
        report.verdict("cargo.build", "fail", time.monotonic() - start, "cargo found no test at all")


def crate_name(text):
    """From `src/lib.rs (/build/cargo/debug/deps/smb_proto-0123abcd)` or a doc test's crate."""
    match = re.search(r"/([^/)]+)-[0-9a-f]{16}\)", text)
    return match[1] if match else f"{text.strip()}.doc"


def panic_of(lines, test):
    """What a failed test printed."""
    head = f"---- {test} stdout ----"
    if head not in lines:
        return "\n".join(lines[-20:])
    start = lines.index(head) + 1
    return "\n".join(lines[start : start + 25])
