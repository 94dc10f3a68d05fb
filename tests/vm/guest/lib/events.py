# SPDX-License-Identifier: GPL-2.0
"""The channel to the host: JSON lines on the second serial port, which works while anything in the guest still runs."""

import json
import os
import termios

_fd = None


def open_channel():
    """Opens the port in raw mode: the host must read exactly what is written."""
    global _fd
    _fd = os.open("/dev/ttyS1", os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(_fd)
    mode[0] = mode[1] = mode[3] = 0
    termios.tcsetattr(_fd, termios.TCSANOW, mode)


def send(**event):
    """Sends one event. Fields: event = begin | end | log | done | broken | reboot, and what the host's vm.py reads."""
    data = (json.dumps(event) + "\n").encode()
    while data:
        data = data[os.write(_fd, data) :]


def log(text):
    """A line for the host to show."""
    send(event="log", text=text)
