# SPDX-License-Identifier: GPL-2.0
"""One session over several connections, by cifs.ko: data over all of them, plain, signed and sealed, and the loss of one."""

import hashlib
import os
import re
import threading

from lib import client, machine
from lib.proc import check, run, wait_for
from lib.registry import Suite

suite = Suite("multichannel", memory=2048, cost=60)
ROOT = "/srv/smb/share"
MIB = 1 << 20
CHANNELS = 4
FILES = 8


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=512m").mount(ROOT)
        os.chmod(ROOT, 0o777)
    # cifs.ko opens a channel to each address that the server names.
    for last in range(2, 2 + CHANNELS):
        run("ip", "addr", "add", f"127.0.0.{last}/8", "dev", "lo", ok=False)
    server.start({"share": {"path": ROOT}}, server_multi_channel_support="yes")


def channels():
    """How many connections cifs.ko says that the session has."""
    with open("/proc/fs/cifs/DebugData", encoding="utf-8") as file:
        found = re.search(r"Extra Channels: (\d+)", file.read())
    return 1 + int(found.group(1)) if found else 1


def connections():
    """Established connections as (client's port, server's address)."""
    lines = run("ss", "-Htn", "state", "established", "( dport = :445 )").output.splitlines()
    return [(line.split()[2].rsplit(":", 1)[1], line.split()[3]) for line in lines]


def content(index):
    return hashlib.sha256(str(index).encode()).digest() * (8 * MIB // 32)


def exchange(where, between=lambda: None):
    """Eight files are written at once and read again, all over all channels; `between` happens while they are written."""
    errors = []

    def guarded(work):
        def call(index):
            try:
                work(index)
            except Exception as problem:
                errors.append(f"file {index}: {problem!r}")

        return call

    def write(index):
        with open(f"{where}/file{index}", "wb") as file:
            data = content(index)
            for at in range(0, len(data), MIB):
                file.write(data[at : at + MIB])
            os.fsync(file.fileno())

    def read(index):
        with open(f"{where}/file{index}", "rb") as file:
            check(file.read() == content(index), "other bytes were read than written")

    for work, meanwhile in ((write, between), (read, lambda: None)):
        threads = [threading.Thread(target=guarded(work), args=(index,)) for index in range(FILES)]
        for thread in threads:
            thread.start()
        meanwhile()
        for thread in threads:
            thread.join()
        check(not errors, "; ".join(errors))
    for index in range(FILES):
        with open(f"{ROOT}/file{index}", "rb") as file:
            check(file.read() == content(index), f"file {index} is another one on the server")
        os.unlink(f"{where}/file{index}")


def bytes_sent():
    """Bytes that each connection of the client has sent, as far as ss knows."""
    out = run("ss", "-Htni", "state", "established", "( dport = :445 )").output
    return [int(number) for number in re.findall(r"bytes_sent:(\d+)", out)]


def over_channels(**options):
    with client.mounted("share", multichannel=True, max_channels=CHANNELS, cache="none", **options) as where:
        os.listdir(where)
        wait_for("all channels to be there", lambda: channels() == CHANNELS, timeout=60)
        exchange(where)
        all_sent = bytes_sent()
        used = [sent for sent in all_sent if sent > MIB]
        check(len(used) >= 2, f"data went over {len(used)} channels: {all_sent}")


@suite.test("plain")
def plain(_server):
    over_channels()


@suite.test("sign")
def sign(_server):
    over_channels(sec="ntlmsspi")


@suite.test("seal")
def seal(_server):
    over_channels(seal=True)


@suite.test("sealed-by-3.0")
def sealed_by_3_0(_server):
    over_channels(vers="3.0", seal=True)


@suite.test("loss-of-a-channel", timeout=180)
def loss_of_a_channel(_server):
    """A channel that breaks takes nothing with it: the session, its files and its data go on over the others."""
    with client.mounted("share", multichannel=True, max_channels=CHANNELS, cache="none") as where:
        os.listdir(where)
        wait_for("all channels to be there", lambda: channels() == CHANNELS, timeout=60)
        with open(f"{where}/held", "wb") as held:
            held.write(b"before")
            held.flush()
            # The last one is not the first: that one is known by the lowest port.
            port, _ = max(connections(), key=lambda one: int(one[0]))

            def kill():
                run("ss", "-K", "sport", "=", f":{port}")

            exchange(where, kill)
            held.write(b" and after")
        with open(f"{ROOT}/held", encoding="utf-8") as file:
            check(file.read() == "before and after", "the file that was open did not survive")
        os.unlink(f"{where}/held")
