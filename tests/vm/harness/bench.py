# SPDX-License-Identifier: GPL-2.0
"""make bench: the same cases against several servers, each in a machine of its own with the same configuration and the instruction clock.

One instruction of the guest is one nanosecond there, so that a loaded host changes no figure. What that leaves out: cache misses, several
processors, real devices. Client and server share the guest, so the client's cost is in each row through cifs.ko; the raw rows leave it out.
"""

import fnmatch
import json
import os
import subprocess
import sys
import threading
import time

import build
import vm
from report import Stop, say

sys.path.insert(0, "/src/tests/vm/guest")

from benchmark.case import rows  # noqa: E402

BASELINE = "c"
DEFAULT_SERVERS = "c,ours-module"
TITLES = {"c": "C", "ours": "ours", "ours-module": "ours", "ours-tools": "C, our daemon", "samba": "Samba"}
RESULT = f"{build.BUILD}/bench.json"
# Two figures nearer than this are the same: what repeated runs differ by where timers interfere.
TOLERANCE = 0.01
# A case that repeats worse than this says nothing: its own spread is not allowed to excuse more.
MOST_TOLERANCE = 0.05
TEXT_LIMIT = 1 << 20
QUIET_SECONDS = 900


class Measured:
    """The figures of one server."""

    def __init__(self, server):
        self.server, self.values, self.notes, self.failures = server, {}, [], []
        self.seconds = 0.0

    def mean(self, row):
        values = self.values.get(row.name)
        return sum(values) / len(values) if values else None

    def spread(self, row):
        """The distance of the repeated figures, as a part of their mean."""
        values = self.values.get(row.name, [])
        return (max(values) - min(values)) / self.mean(row) if len(values) > 1 and self.mean(row) else 0.0


def chosen_rows(pattern):
    chosen = [row for row in rows() if not pattern or any(fnmatch.fnmatchcase(row.name, one) for one in pattern.split(","))]
    if not chosen:
        raise Stop(f"no case matches '{pattern}'; there are {', '.join(row.name for row in rows())}.")
    return chosen


def measure(measured, wanted, repeats):
    """Boots a machine for one server and collects what it sends."""
    server = measured.server
    job = {"mode": "bench", "groups": sorted({row.group for row in wanted}), "repeats": repeats}
    start = time.monotonic()
    heard = [start]
    with vm.Machine(f"bench-{server}", job, server, memory=3072, cpus=1, icount=True) as machine:
        for event in machine.listen(lambda: heard[0] + QUIET_SECONDS):
            heard[0] = time.monotonic()
            kind = event["event"]
            if kind == "group":
                say(f"[{heard[0] - start:4.0f} s] {server}: {event['group']}")
            elif kind == "result":
                measured.values.setdefault(event["row"], []).append(event["value"])
            elif kind in ("note", "log"):
                measured.notes.append(event["text"])
            elif kind == "failed":
                measured.failures.append(f"{event['group']}: {event['why']}")
            elif kind != "done":
                measured.failures.append(f"the machine ended ({kind}) {event.get('why', '')}; {machine.last_console()}")
    measured.seconds = time.monotonic() - start


def measure_all(servers, wanted, repeats):
    """Machines side by side: the host's load changes no figure."""
    every = [Measured(server) for server in servers]
    gate = threading.Semaphore(max(1, len(os.sched_getaffinity(0)) // 2))

    def worker(measured):
        with gate:
            try:
                measure(measured, wanted, repeats)
            except Exception as problem:
                measured.failures.append(f"the machine could not be run: {problem!r}")

    threads = [threading.Thread(target=worker, args=(measured,), daemon=True) for measured in every]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return every


def text_size(server):
    """Bytes of the module's text and read-only data, as `size` counts them."""
    if server == "samba":
        return None
    if server in ("ours", "ours-module"):
        module = f"{build.BUILD}/ksmbd.ko"
    else:
        packed = f"{build.KERNEL}/guest-modules/lib/modules/{build.release()}/kernel/fs/smb/server/ksmbd.ko.xz"
        module = "/tmp/ksmbd-c.ko"
        with open(module, "wb") as file:
            subprocess.run(["xz", "-dc", packed], stdout=file, check=True)
    return int(subprocess.run(["size", module], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1].split()[0])


def ratio(row, baseline, other):
    """How much better than the baseline: above 1 is better, whichever way the unit counts."""
    if not baseline or not other or min(baseline, other) <= 0:
        return None
    return other / baseline if row.larger_is_better else baseline / other


def figure(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}"


class Comparison:
    """The table of the servers against the baseline."""

    def __init__(self, every, wanted):
        self.every, self.wanted = every, wanted
        self.baseline = next((one for one in every if one.server == BASELINE), None)

    def lines(self):
        """Each row: (row, {server: mean}, {server: ratio}, worst spread)."""
        for row in self.wanted:
            means = {one.server: one.mean(row) for one in self.every}
            ratios = {}
            if self.baseline:
                for one in self.every:
                    if one is not self.baseline:
                        ratios[one.server] = ratio(row, means[BASELINE], means[one.server])
            yield row, means, ratios, max(one.spread(row) for one in self.every)

    def text(self):
        others = [one.server for one in self.every if one is not self.baseline] if self.baseline else []
        head = ["case", "unit", *[TITLES[one.server] for one in self.every], *[f"{TITLES[name]}/C" for name in others], "spread"]
        table = [head]
        for row, means, ratios, spread in self.lines():
            shown = [f"{ratios[name]:.2f}" if ratios[name] else "-" for name in others]
            table.append([row.name, row.unit, *[figure(means[one.server]) for one in self.every], *shown, f"{spread * 100:.1f} %"])
        widths = [max(len(line[column]) for line in table) for column in range(len(head))]
        out = []
        for index, line in enumerate(table):
            out.append("  ".join(word.ljust(width) if column < 2 else word.rjust(width) for column, (word, width) in enumerate(zip(line, widths))).rstrip())
            if index == 0:
                out.append("  ".join("-" * width for width in widths))
        return "\n".join(out)

    def below(self):
        """The rows in which our module is slower or larger than the baseline, or was not measured."""
        bad = []
        ours = [one for one in self.every if one.server in ("ours", "ours-module")]
        for row, means, ratios, _ in self.lines():
            for one in ours:
                if not self.baseline or ratios.get(one.server) is None:
                    bad.append(f"{row.name}: not measured for both servers")
                    continue
                allowed = min(MOST_TOLERANCE, max(TOLERANCE, one.spread(row), self.baseline.spread(row)))
                if ratios[one.server] < 1 - allowed:
                    bad.append(f"{row.name}: {ratios[one.server]:.3f} is below 1 - {allowed:.3f}")
        return bad


def save(comparison, sizes, path=RESULT):
    document = {
        "kernel": build.release(),
        "machine": "qemu tcg, icount shift=0, one processor, tmpfs share, loopback, cifs.ko vers=3.1.1 cache=none",
        "servers": {one.server: {"notes": one.notes, "failures": one.failures, "text": sizes[one.server]} for one in comparison.every},
        "rows": [
            {
                "case": row.name, "title": row.title, "unit": row.unit, "larger_is_better": row.larger_is_better,
                "values": {one.server: one.values.get(row.name, []) for one in comparison.every}, "ratio": ratios, "spread": spread,
            }
            for row, _means, ratios, spread in comparison.lines()
        ],
    }
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    os.rename(f"{path}.tmp", path)


def show(comparison, sizes):
    print(comparison.text())
    print("\nRatios are better the larger they are, whatever the unit; spread is the largest difference between the repeats of one server.")
    for one in comparison.every:
        print(f"\n{TITLES[one.server]} ({one.server}, {one.seconds:.0f} s of host time):")
        if sizes[one.server]:
            print(f"  module text {sizes[one.server]} bytes")
        for note in one.notes:
            print(f"  {note}")
        for failure in one.failures:
            print("  FAILED " + failure.strip().replace("\n", "\n    "))
    sys.stdout.flush()


def run(options):
    """Measures, shows, saves; the exit status tells of failed cases, and with --check of rows below 1."""
    wanted = chosen_rows(options.case)
    servers = [name for name in (options.servers or DEFAULT_SERVERS).split(",") if name]
    unknown = [name for name in servers if name not in TITLES]
    if unknown:
        raise Stop(f"there is no server {unknown[0]}; there are {', '.join(TITLES)}.")
    if any(name in ("ours", "ours-module") for name in servers):
        build.module()
    if any(name in ("ours", "ours-tools") for name in servers):
        build.tools()
    os.makedirs(vm.data.FOLDER, exist_ok=True)
    every = measure_all(servers, wanted, options.repeats)
    sizes = {one.server: text_size(one.server) for one in every}
    comparison = Comparison(every, wanted)
    save(comparison, sizes)
    show(comparison, sizes)
    status = 1 if any(one.failures for one in every) else 0
    if options.check:
        bad = comparison.below()
        bad += [f"module text of {name} is {size} bytes, not below {TEXT_LIMIT}" for name, size in sizes.items() if size and name.startswith("ours") and size >= TEXT_LIMIT]
        print("\n" + ("\n".join(f"BELOW {line}" for line in bad) if bad else "no row is below 1.0"), flush=True)
        status = 1 if bad else status
    return status
