# SPDX-License-Identifier: GPL-2.0
"""Named tests and their verdicts, as the user sees them."""

import sys
import threading


class Stop(Exception):
    """Work cannot go on; the message is one sentence for the user."""


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


class Report:
    """Collects verdicts and prints each as it comes; usable from several threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self.passed, self.failed, self.skipped = [], [], []

    def verdict(self, name, verdict, seconds=None, why=""):
        """verdict is pass, fail or skip."""
        with self._lock:
            {"pass": self.passed, "fail": self.failed, "skip": self.skipped}[verdict].append(name)
            time = "" if seconds is None else f"  ({seconds:.1f} s)"
            reason = f": {why}" if why and verdict == "skip" else ""
            print(f"{verdict.upper() if verdict == 'fail' else verdict:4}  {name}{time}{reason}", flush=True)
            if why and verdict == "fail":
                print("\n".join("      | " + line for line in why.strip().splitlines()), flush=True)

    def note(self, text):
        with self._lock:
            print(f"      {text}", flush=True)

    def summary(self):
        """Prints the closing lines; returns the exit status."""
        if self.failed:
            print("\nfailed:\n" + "\n".join(f"  {name}" for name in self.failed))
        if self.skipped:
            print(f"\n{len(self.skipped)} skipped")
        print(f"\n{len(self.passed)} passed, {len(self.failed)} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
