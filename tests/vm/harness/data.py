# SPDX-License-Identifier: GPL-2.0
"""Test data: archives of real source files from the kernel's tree."""

import os
import tarfile

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
    os.makedirs(FOLDER, exist_ok=True)
    for name, (count, folders) in TREES.items():
        target = f"{FOLDER}/{name}"
        if os.path.exists(target):
            continue
        files = pick(folders, count)
        assert len(files) >= count, f"{name}: only {len(files)} files"
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
