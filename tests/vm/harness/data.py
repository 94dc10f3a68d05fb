# SPDX-License-Identifier: GPL-2.0
"""Test data: archives of real source files from the kernel's tree."""

import hashlib
import os
import tarfile

import build
from report import Stop, say

SOURCE = "/k/src"
FOLDER = "/build/data"
# name -> (files at least, folders to take them from)
TREES = {
    "small.tar": (300, ["rust/kernel", "samples/rust", "kernel/time", "kernel/sched", "kernel/trace", "kernel/bpf", "mm"]),
    "large.tar": (10_000, ["rust", "samples", "Documentation/devicetree", "tools/testing/selftests", "tools/perf", "include/dt-bindings", "Documentation/ABI", "mm", "kernel"]),
}
LARGEST = 48 * 1024


def pick(folders, count):
    """Ordinary files, in a fixed order; names that differ only in case cannot live on a case-insensitive share."""
    seen, chosen = set(), []
    for folder in folders:
        for path, directories, files in os.walk(f"{SOURCE}/{folder}"):
            directories.sort()
            for name in sorted(files):
                full = f"{path}/{name}"
                key = os.path.relpath(full, SOURCE).lower()
                if key in seen or os.path.islink(full) or os.path.getsize(full) > LARGEST:
                    continue
                seen.add(key)
                chosen.append(full)
                if len(chosen) >= count + 48:
                    return chosen
    return chosen


def prepare():
    """Makes what is missing, and everything anew when this file or the kernel's release changed."""
    with open(__file__, "rb") as file:
        stamp = f"{hashlib.sha256(file.read()).hexdigest()} {build.release()}"
    with build.alone():
        if os.path.exists(f"{FOLDER}/stamp"):
            with open(f"{FOLDER}/stamp", encoding="utf-8") as file:
                if file.read() == stamp:
                    return
        os.makedirs(FOLDER, exist_ok=True)
        say("packing source files for the tests")
        for name, (count, folders) in TREES.items():
            pack(f"{FOLDER}/{name}", count, folders)
        with open(f"{FOLDER}/stamp", "w", encoding="utf-8") as file:
            file.write(stamp)


def pack(target, count, folders):
    files = pick(folders, count)
    if len(files) < count:
        raise Stop(f"the kernel's source has only {len(files)} suitable files for {target}, not {count}.")
    with tarfile.open(f"{target}.tmp", "w", format=tarfile.PAX_FORMAT) as archive:
        for full in files:
            archive.add(full, os.path.relpath(full, SOURCE), filter=plain)
    os.rename(f"{target}.tmp", target)


def plain(info):
    """The same archive everywhere: no owner of the building host."""
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mtime = int(info.mtime)
    return info
