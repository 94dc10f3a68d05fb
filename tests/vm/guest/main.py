#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The guest's main program: prepares the machine, then does the job that the host wrote into /host/job.json."""

import json
import os
import subprocess
import sys
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lib import events, machine, proc  # noqa: E402


def main():
    with open("/host/job.json", encoding="utf-8") as file:
        job = json.load(file)
    events.open_channel()
    proc.set_patience(job.get("patience", 1))
    try:
        machine.prepare()
        if job["mode"] == "tests":
            from lib import runner

            runner.run(job)
        elif job["mode"] == "demo":
            import demo

            demo.run_demo(job)
        elif job["mode"] == "shell":
            import demo

            demo.shell(job)
        elif job["mode"] == "soak":
            from soaking import rounds

            rounds.run_soak(job)
        elif job["mode"] == "bench":
            import bench

            bench.run(job)
        else:
            raise ValueError(f"unknown job mode {job['mode']}")
        events.send(event="done")
    except Exception:  # The host must learn of it whatever it is.
        events.send(event="broken", why=traceback.format_exc())
    subprocess.run(["sync"], check=False)


main()
