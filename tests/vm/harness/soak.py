# SPDX-License-Identifier: GPL-2.0
"""make soak: hours of mixed clients, kills, restarts and reloads; what is left of them after each round is plotted, and must not grow."""

import json
import random
import statistics
import sys
import time

import build
import data
import plot
import symbols
import vm
from report import Stop, say

sys.path.insert(0, "/src/tests/vm/guest")

from soaking.kinds import KINDS  # noqa: E402

RESULT = f"{build.BUILD}/soak"
QUIET_SECONDS = 1800
# Until then caches fill and slabs find their size.
WARM_UP = 0.25
FEWEST = 8
# In less, the rounds that it takes to judge by are not done.
LEAST_MINUTES = 15


def listen(minutes, server, seed):
    """Runs the machine; returns (samples, marks, what went wrong)."""
    samples, marks, wrong = [], [], []
    job = {"mode": "soak", "minutes": minutes, "seed": seed}
    heard = [time.monotonic()]
    with vm.Machine("soak", job, server, memory=2048, disk="4G") as machine:
        for event in machine.listen(lambda: heard[0] + QUIET_SECONDS * vm.patience()):
            heard[0] = time.monotonic()
            kind = event["event"]
            if kind == "sample":
                samples.append(event)
                done = sum(turns[0] for turns in event["turns"].values())
                failed = sum(turns[1] for turns in event["turns"].values())
                values = event["values"]
                say(f"[{event['at']:6.0f} s] {done} turns, {failed} ended by a restart; kernel {values['kernel']} KiB, slab {values['Slab']} KiB, {values['files']} files")
            elif kind == "mark":
                marks.append((event["at"], event["what"]))
                say(f"[{event['at']:6.0f} s] {event['what']}")
            elif kind == "failed":
                wrong.append(symbols.told(event["why"]))
            elif kind in ("log", "note"):
                say(event["text"])
            elif kind != "done":
                wrong.append(f"the machine ended ({kind}) {event.get('why', '')}; {symbols.told(machine.last_console(60))}")
    return samples, marks, wrong


def growth(times, values):
    """How much the values grow from the first to the last of the times: by the median of the slopes of all pairs, which single odd
    values do not move."""
    slopes = [(after - before) / (late - early) for i, (early, before) in enumerate(zip(times, values)) for late, after in zip(times[i + 1 :], values[i + 1 :])]
    return statistics.median(slopes) * (times[-1] - times[0]) if slopes else 0.0


def judge(samples, kinds):
    """[(kind, unit, first, last, growth, allowed, whether it grew)]."""
    settled = samples[int(len(samples) * WARM_UP) :]
    times = [one["at"] for one in settled]
    rows = []
    for name, (unit, allowed) in kinds.items():
        values = [one["values"][name] for one in settled]
        more = growth(times, values)
        rows.append((name, unit, values[0], values[-1], more, allowed, more > allowed))
    return rows


def run(options):
    if options.minutes < LEAST_MINUTES:
        raise Stop(f"a soak takes at least {LEAST_MINUTES} minutes, and MINUTES is {options.minutes}: less has too few samples to judge by.")
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    build.for_server(options.server)
    data.prepare()
    say(f"soaking {options.server} for {options.minutes} minutes, seed {seed}")
    samples, marks, wrong = listen(options.minutes, options.server, seed)
    with open(f"{RESULT}.json", "w", encoding="utf-8") as file:
        json.dump({"seed": seed, "samples": samples, "marks": marks}, file)
    if len(samples) < FEWEST and not wrong:
        wrong.append(f"only {len(samples)} samples, too few to judge by")
    if len(samples) > 1:
        plot.write(f"{RESULT}.svg", samples, marks, KINDS)
        say(f"the samples are in build/soak.json, their plot in build/soak.svg ({len(samples)} of them)")
    if len(samples) >= FEWEST:
        print(f"{'kind':20}{'first':>10}{'last':>10}{'growth':>10}{'allowed':>10}")
        for name, unit, first, last, more, allowed, grew in judge(samples, KINDS):
            print(f"{name:20}{first:10}{last:10}{more:10.0f}{allowed:10}  {unit}{'  GROWS' if grew else ''}")
            if grew:
                wrong.append(f"{name} grows: by {more:.0f} {unit}, and {allowed} are allowed")
    for problem in wrong:
        print(f"FAIL  {problem}")
    print(f"soak: {'failed' if wrong else 'passed'}")
    return 1 if wrong else 0
