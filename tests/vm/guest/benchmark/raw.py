# SPDX-License-Identifier: GPL-2.0
"""What the server alone costs: single requests of the raw client, timed from sending to having the answer."""

import os

from lib import machine, rawsmb

from .measure import MIB, PAGE, ROOT

CYCLES, REQUESTS, LARGE = 20, 300, 24
READ_WRITE = 0x0012019F


def _cycle():
    """One life of a connection; its nanoseconds."""
    connection = rawsmb.session("share", machine.USER, machine.PASSWORD)
    connection.log_off()
    connection.close_socket()
    return connection.waited


def _per_request(connection, count, function):
    connection.waited = 0
    for index in range(count):
        function(index)
    return connection.waited / count / 1e3


def run(repeats, result, _note):
    """Rows connect and raw-*."""
    for _ in range(3):
        _cycle()
    for _ in range(repeats):
        result("connect", sum(_cycle() for _ in range(CYCLES)) / CYCLES / 1e3)
    with open(f"{ROOT}/raw", "wb") as file:
        file.write(os.urandom(MIB))
    os.chmod(f"{ROOT}/raw", 0o666)
    connection = rawsmb.session("share", machine.USER, machine.PASSWORD)
    file_id = connection.create("raw", READ_WRITE)
    small, large = bytes(PAGE), bytes(MIB)
    cases = {
        "raw-echo": (REQUESTS, lambda _: connection.echo()),
        "raw-open-close": (REQUESTS, lambda _: connection.close(connection.create("raw"))),
        "raw-read-4k": (REQUESTS, lambda index: connection.read(file_id, index * 37 % 256 * PAGE, PAGE)),
        "raw-read-1m": (LARGE, lambda _: connection.read(file_id, 0, MIB)),
        "raw-write-4k": (REQUESTS, lambda index: connection.write(file_id, index * 37 % 256 * PAGE, small)),
        "raw-write-1m": (LARGE, lambda _: connection.write(file_id, 0, large)),
    }
    for name, (count, function) in cases.items():
        _per_request(connection, 10, function)
        for _ in range(repeats):
            result(name, _per_request(connection, count, function))
    connection.close(file_id)
    connection.log_off()
    connection.close_socket()
    os.unlink(f"{ROOT}/raw")
