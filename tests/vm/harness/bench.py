# SPDX-License-Identifier: GPL-2.0
"""make bench: the same cases against several servers, each in a machine of its own with the same configuration and the instruction clock.

One instruction of the guest is one nanosecond there, so that a loaded host changes no figure. What that leaves out: cache misses, several
processors, real devices. Client and server share the guest: rows through cifs.ko hold the client's cost, that of the load generator is
subtracted.
"""

import fnmatch
import os
import subprocess
import sys
import threading
import time

import build
import growth
import vm
from comparison import Comparison
from report import Stop, say

sys.path.insert(0, "/src/tests/vm/guest")

from benchmark.case import rows  # noqa: E402

DEFAULT_SERVERS = "c,ours-module,samba"
TITLES = {"c": "C", "ours": "ours", "ours-module": "ours", "ours-tools": "C, our daemon", "samba": "Samba"}
RESULT = f"{build.BUILD}/bench"
TEXT_LIMIT = 1 << 20
QUIET_SECONDS = 1800


class Measured:
    """The figures of one server."""

    def __init__(self, server):
        self.server, self.title = server, TITLES[server]
        self.values, self.unsupported = {}, {}
        # Parts of the time, by row: the client's own, and nobody's.
        self.parts = {"client": {}, "waited": {}}
        self.notes, self.failures = [], []
        self.seconds = 0.0

    def take(self, event):
        """An event of the guest that says something of its figures."""
        kind = event["event"]
        if kind == "result":
            self.values.setdefault(event["row"], []).append(event["value"])
            for part, found in self.parts.items():
                if event[part] is not None:
                    found.setdefault(event["row"], []).append(event[part])
        elif kind == "unsupported":
            self.unsupported[event["row"]] = event["why"]
        elif kind in ("note", "log"):
            self.notes.append(event["text"])
        elif kind == "failed":
            self.failures.append(f"{event['group']}: {event['why']}")

    def mean(self, row):
        values = self.values.get(row.name)
        return sum(values) / len(values) if values else None

    def spread(self, row):
        """The distance of the repeated figures, as a part of their mean."""
        values = self.values.get(row.name, [])
        return (max(values) - min(values)) / self.mean(row) if len(values) > 1 and self.mean(row) else 0.0

    def part(self, kind, row):
        """The mean part of the time that was the client's own (`client`) or nobody's (`waited`), where it was measured."""
        parts = self.parts[kind].get(row.name)
        return sum(parts) / len(parts) if parts else None


def chosen_rows(pattern):
    chosen = [row for row in rows() if not pattern or any(fnmatch.fnmatchcase(row.name, one) for one in pattern.split(","))]
    if not chosen:
        raise Stop(f"no case matches '{pattern}'; there are {', '.join(row.name for row in rows())}.")
    return chosen


def chosen_servers(text):
    servers = [name for name in (text or DEFAULT_SERVERS).split(",") if name]
    unknown = [name for name in servers if name not in TITLES]
    if unknown:
        raise Stop(f"there is no server {unknown[0]}; there are {', '.join(TITLES)}.")
    return servers


def listen(measured, job, machine_options, rows_in_all):
    """Boots a machine for one server and collects what it sends."""
    start = time.monotonic()
    heard = [start]
    with vm.Machine(f"bench-{measured.server}", {"mode": "bench", **job}, measured.server, memory=3072, **machine_options) as machine:
        for event in machine.listen(lambda: heard[0] + QUIET_SECONDS):
            heard[0] = time.monotonic()
            measured.take(event)
            if event["event"] == "group":
                known = len(measured.values) + len(measured.unsupported)
                say(f"[{heard[0] - start:4.0f} s] {measured.server}: {known} of {rows_in_all} rows; {event['group']}")
            elif event["event"] in ("dead", "hung", "broken"):
                measured.failures.append(f"the machine ended ({event['event']}) {event.get('why', '')}; {machine.last_console()}")
    measured.seconds += time.monotonic() - start


def measure_all(servers, wanted, repeats, at_a_time):
    """Machines side by side: the host's load changes no figure."""
    every = [Measured(server) for server in servers]
    gate = threading.Semaphore(at_a_time or max(1, len(os.sched_getaffinity(0)) - 1))
    job = {"rows": [row.name for row in wanted], "repeats": repeats}

    def worker(measured):
        with gate:
            try:
                listen(measured, job, {"cpus": 1, "icount": True}, len(wanted))
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
    if server in ("ours", "ours-module"):
        module = f"{build.BUILD}/ksmbd.ko"
    else:
        packed = f"{build.KERNEL}/guest-modules/lib/modules/{build.release()}/kernel/fs/smb/server/ksmbd.ko.xz"
        module = "/tmp/ksmbd-c.ko"
        with open(module, "wb") as file:
            subprocess.run(["xz", "-dc", packed], stdout=file, check=True)
    return int(subprocess.run(["size", module], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1].split()[0])


def measure_modules(every):
    """The row that needs no machine."""
    for measured in every:
        if measured.server == "samba":
            measured.unsupported["module-text"] = "it is no module"
        else:
            measured.values["module-text"] = [text_size(measured.server)]


def circumstances():
    """What was measured, with what, and when: words by name."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "kernel": build.release(),
        "host": next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"),
        "qemu": _said("qemu-system-x86_64", "--version").split("version ")[-1],
        "rustc": _said("rustc", "--version").removeprefix("rustc "),
    }


def _commit():
    """The commit that is checked out, with a plus if files differ from it."""
    git = ("git", "-c", "safe.directory=*", "-C", "/src")
    changes = _said(*git, "status", "--porcelain", "--untracked-files=no")
    return _said(*git, "rev-parse", "--short=12", "HEAD") + ("" if changes in ("", "unknown") else "+")


def _said(*command):
    """The first line that a command prints, if any; `unknown` if it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.partition("\n")[0]


def _lines(path):
    with open(path, encoding="utf-8") as file:
        return file.readlines()


def show(comparison, every, about):
    print(comparison.text())
    print("\nRatios are better the larger they are, whatever the unit. spread: the largest difference between the repeats of one server, of their")
    print("mean; ~ marks the ratios where it is above 5 %. client: the load generator's own part of the time, subtracted. waits: the part in which")
    print("nothing ran, for each server above 2 %. n/a: not supported, -: not measured.")
    print("\n" + "; ".join(f"{name} {value}" for name, value in about.items()))
    for one in every:
        print(f"\n{one.title} ({one.server}, {one.seconds:.0f} s of host time):")
        for note in [*one.notes, *(f"n/a: {count} rows: {why}" for why, count in counted(one.unsupported.values()))]:
            print(f"  {note}")
        for failure in one.failures:
            print("  FAILED " + failure.strip().replace("\n", "\n    "))
    sys.stdout.flush()


def counted(words):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts.items()


def prepare(servers):
    """Builds what the machines run."""
    build.clients()
    if any(name in ("ours", "ours-module") for name in servers):
        build.module()
    if any(name in ("ours", "ours-tools") for name in servers):
        build.tools()
    os.makedirs(vm.data.FOLDER, exist_ok=True)


def run(options):
    """Measures, shows, saves; the exit status tells of failed cases, and with --check of rows below 1."""
    wanted = chosen_rows(options.case)
    servers = chosen_servers(options.servers)
    prepare(servers)
    every = measure_all(servers, wanted, options.repeats, options.jobs)
    if any(row.group == "host" for row in wanted):
        measure_modules(every)
    comparison = Comparison(every, wanted)
    about = circumstances()
    comparison.save(f"{RESULT}.json", about)
    if growth.write(f"{RESULT}.svg", every, wanted):
        say("the growth over the size of a directory is plotted in build/bench.svg")
    show(comparison, every, about)
    say("the figures are in build/bench.json")
    status = 1 if any(one.failures for one in every) else 0
    if options.check:
        bad = comparison.below(TEXT_LIMIT)
        fine = f"no row is below the C module's by more than it repeats, and the module is smaller than {TEXT_LIMIT >> 10} KiB"
        print("\n" + ("\n".join(f"BELOW {line}" for line in bad) if bad else fine), flush=True)
        status = 1 if bad else status
    return status
