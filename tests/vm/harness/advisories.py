# SPDX-License-Identifier: GPL-2.0
"""The crates of the lock files: was one of them taken back by its authors (yanked), is there word of a fault in one (RustSec)?

Whether a crate was taken back is in the registry's index, which cargo brings up to date and keeps. The advisories are in a git repository
of their own, which a machine with only a package archive and a crates registry cannot reach: then that test is skipped and says so.
KSMBD_ADVISORY_DB names another address to clone from; a copy that lies at build/advisory-db without being a clone is taken as it is.
"""

import glob
import json
import os
import re
import subprocess
import tomllib

import build
from report import Stop, say

LOCKS = ("Cargo.lock", "tests/fuzz/Cargo.lock")
SOURCE = "registry+https://github.com/rust-lang/crates.io-index"
DATABASE = "https://github.com/RustSec/advisory-db"
# Seconds that the network gets.
PATIENCE = 60


class Unknown(Exception):
    """It cannot be told here; the message says why."""


def locked():
    """{name: versions} of the crates from the registry, in every lock file."""
    found = {}
    for lock in LOCKS:
        with open(f"{build.SRC}/{lock}", "rb") as file:
            for package in tomllib.load(file)["package"]:
                if package.get("source") == SOURCE:
                    found.setdefault(package["name"], set()).add(package["version"])
    return found


def call(*args, **options):
    """A program's output; raises Unknown if it fails, with the last thing that it said."""
    try:
        result = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Unknown(f"`{' '.join(args[:3])}` did not end within {PATIENCE} s") from None
    if result.returncode != 0:
        raise Unknown((result.stdout.strip().splitlines() or [f"`{' '.join(args[:3])}` ended with {result.returncode}"])[-1].strip())
    return result.stdout


def entries(name):
    """What the index, as cargo keeps it, says of a crate: {version: whether it was taken back}. A file is a head, then version and JSON,
    each ended by a zero byte."""
    folder = {1: "1", 2: "2", 3: f"3/{name[:1]}"}.get(len(name), f"{name[:2]}/{name[2:4]}").lower()
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    found = {}
    for path in glob.glob(f"{home}/registry/index/*/.cache/{folder}/{name.lower()}"):
        with open(path, "rb") as file:
            for part in file.read().split(b"\0"):
                if part.startswith(b"{"):
                    entry = json.loads(part)
                    found[entry["vers"]] = entry["yanked"]
    return found


def yanked():
    """Crates that were taken back. cargo asks the registry for all of them anew, and changes nothing."""
    for lock in LOCKS:
        call("cargo", "update", "--dry-run", "--manifest-path", f"{build.SRC}/{os.path.dirname(lock) or '.'}/Cargo.toml")
    found, unknown = [], []
    for name, versions in sorted(locked().items()):
        told = entries(name)
        found += [f"{name} {version} was taken back by its authors (yanked)" for version in sorted(versions) if told.get(version)]
        unknown += [f"{name} {version}" for version in sorted(versions) if version not in told]
    if unknown:
        raise Unknown(f"cargo's index does not tell of {', '.join(unknown[:5])}")
    return found


def version(text):
    """A version, or the beginning of one, as something that can be compared. One before a release (1.0.0-beta) is less than it."""
    numbers, _, before = text.split("+")[0].strip().partition("-")
    parts = [int(part) for part in numbers.split(".")]
    parts += [0] * (3 - len(parts))
    words = [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in before.split(".")] if before else []
    return (*parts, not before, words)


def above(numbers):
    """The first version beyond what `^numbers` takes in: the first part that is not zero may not grow."""
    parts = [int(part) for part in numbers.split("-")[0].split(".")]
    at = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
    return ".".join(str(part) for part in [*parts[:at], parts[at] + 1])


def bounds(comparator):
    """[(operator, version)] that stand for one comparator of a requirement."""
    operator, numbers = re.fullmatch(r"\s*(>=|<=|>|<|=|\^|~|)\s*(\S+)\s*", comparator).groups()
    if operator in ("^", ""):
        return [(">=", numbers), ("<", above(numbers))]
    if operator == "~":
        parts = numbers.split("-")[0].split(".")[:2]
        return [(">=", numbers), ("<", ".".join([*parts[:-1], str(int(parts[-1]) + 1)]))]
    return [(operator, numbers)]


def fits(have, requirement):
    """Whether a version meets a requirement: comparators with commas between them."""
    compare = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b, "=": lambda a, b: a == b}
    return all(compare[operator](version(have), version(limit)) for comparator in requirement.split(",") for operator, limit in bounds(comparator))


def front_matter(text):
    """The TOML at the head of an advisory."""
    return tomllib.loads(re.match(r"```toml\n(.*?)\n```", text, re.DOTALL)[1])


def concerns(advisory, have):
    """Whether an advisory is about this version of its crate, and about a fault: that nobody cares for a crate any more is none."""
    if advisory["advisory"].get("withdrawn") or advisory["advisory"].get("informational") in ("unmaintained", "notice"):
        return False
    versions = advisory.get("versions", {})
    return not any(fits(have, requirement) for requirement in [*versions.get("patched", []), *versions.get("unaffected", [])])


def self_check():
    """The judge itself, on what is known."""
    requirements = {
        ("1.2.3", ">= 1.2.3"): True, ("1.2.3", "> 1.2.3"): False, ("1.2.3", "< 1.2.4, >= 1.0.0"): True, ("1.2.3", "< 1.2"): False, ("0.3.9", "^0.3.5"): True,
        ("0.4.0", "^0.3.5"): False, ("1.9.0", "^1.2"): True, ("2.0.0", "1.2"): False, ("1.2.9", "~1.2.3"): True, ("1.3.0", "~1.2.3"): False, ("0.0.4", "^0.0.3"): False,
        ("1.0.0-beta.2", "< 1.0.0"): True, ("1.0.0-beta.11", "> 1.0.0-beta.2"): True, ("1.0.0", "= 1.0.0"): True, ("1.0.0+build", "<= 1.0.0"): True,
    }
    wrong = [f"the judge says {not want} of {have} and {requirement}" for (have, requirement), want in requirements.items() if fits(have, requirement) != want]
    text = '```toml\n[advisory]\nid = "X"\n%s\n[versions]\npatched = [">= 1.4.2", "~1.2.9"]\nunaffected = ["< 1.1.0"]\n```\n\n# Title\n'
    for extra, have, want in (("", "1.3.0", True), ("", "1.4.2", False), ("", "1.2.9", False), ("", "1.0.9", False), ('withdrawn = "2020-01-01"', "1.3.0", False), ('informational = "unmaintained"', "1.3.0", False), ('informational = "unsound"', "1.3.0", True)):
        wrong += [f"the judge says {not want} of {have} with {extra!r}"] if concerns(front_matter(text % extra), have) != want else []
    return wrong


def database():
    """The folder with the advisories: a given one, or a clone of today."""
    given = os.environ.get("KSMBD_ADVISORY_DB") or DATABASE
    folder = f"{build.BUILD}/advisory-db"
    if os.path.isdir(f"{folder}/crates") and not os.path.isdir(f"{folder}/.git"):
        return folder
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    try:
        if os.path.isdir(f"{folder}/.git"):
            call("git", "-C", folder, "fetch", "--quiet", "--depth", "1", given, "HEAD", env=environment)
            call("git", "-C", folder, "reset", "--quiet", "--hard", "FETCH_HEAD", env=environment)
        else:
            call("git", "clone", "--quiet", "--depth", "1", given, folder, env=environment)
    except Unknown as reason:
        raise Unknown(f"the database of advisories cannot be had from {given}: {reason}") from None
    return folder


def advisories():
    """Faults that are known of the crates."""
    found = self_check()
    folder = database()
    seen = 0
    for name, versions in sorted(locked().items()):
        for path in sorted(glob.glob(f"{folder}/crates/{name}/*.md")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            advisory = front_matter(text)
            title = next((line[2:] for line in text.splitlines() if line.startswith("# ")), "")
            seen += 1
            found += [f"{name} {have}: {advisory['advisory']['id']}: {title}" for have in sorted(versions) if concerns(advisory, have)]
    if not os.listdir(f"{folder}/crates"):
        raise Unknown(f"{folder} has no advisories in it")
    say(f"{seen} advisories about these crates were looked at")
    return found


CHECKS = {"gate.yanked": yanked, "gate.advisories": advisories}


def run(report):
    """Each as a named test; skipped, with the reason, where it cannot be told."""
    for name, look in CHECKS.items():
        try:
            problems = look()
        except Unknown as reason:
            broken = self_check()
            report.verdict(name, "fail" if broken else "skip", why="\n".join(broken) or str(reason))
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            raise Stop(f"{name}: {problem!r}") from problem
        report.verdict(name, "fail" if problems else "pass", why="\n".join(problems))
