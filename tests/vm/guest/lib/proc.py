# SPDX-License-Identifier: GPL-2.0
"""Running programs, with timeouts that say what was waited for, and the failures that tests raise."""

import os
import signal
import subprocess
import time


# What every time limit is multiplied with: a kernel with many checks takes long. Set once, at the start.
_patience = [1]


def set_patience(factor):
    _patience[0] = factor


def patient(seconds):
    """`seconds` of the stock kernel as seconds of this one."""
    return seconds * _patience[0]


class Failure(Exception):
    """A test's expectation did not hold."""


class Skip(Exception):
    """This server cannot do what the test asks for; the reason is the message."""


def check(condition, message):
    """Fails the test with `message` unless `condition` holds."""
    if not condition:
        raise Failure(message)


def tail(text, lines=12):
    """The last lines of `text`, for messages."""
    return "\n".join(text.strip().splitlines()[-lines:])


class Result:
    """A finished program: exit status and everything it said."""

    def __init__(self, args, status, output):
        self.args, self.status, self.output = args, status, output

    def __repr__(self):
        return f"{' '.join(self.args)} -> {self.status}: {tail(self.output)}"


def run(*args, timeout=120, ok=True, input=None, env=None, cwd=None):
    """Runs a program. With `ok`, a status other than 0 fails the test; a timeout (in seconds of the stock kernel) always does."""
    timeout = patient(timeout)
    args = [str(arg) for arg in args]
    child = subprocess.Popen(
        args,
        stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        errors="replace",
        env={**os.environ, **env} if env else None,
        cwd=cwd,
    )
    try:
        output, _ = child.communicate(input, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        try:
            output, _ = child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            output = "(it cannot even be killed)"
        raise Failure(f"'{' '.join(args)}' did not end within {timeout} s; it said: {tail(output)}") from None
    result = Result(args, child.returncode, output)
    if ok and result.status != 0:
        raise Failure(f"'{' '.join(args)}' ended with status {result.status}: {tail(output)}")
    return result


def sh(script, **options):
    """Runs a shell script; see run()."""
    return run("/bin/bash", "-euo", "pipefail", "-c", script, **options)


def wait_for(what, condition, timeout=30, step=0.1):
    """Waits until `condition()` is true; fails naming `what` otherwise. Returns its value. `timeout` as in run()."""
    timeout = patient(timeout)
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(step)
