# SPDX-License-Identifier: GPL-2.0
"""One turn of each client of `make soak`, and one count: that the long run, which nobody starts every day, can be started."""

import os
import struct

from lib import client, machine, servers
from lib.proc import check, wait_for
from lib.registry import Suite

suite = Suite("soak", cost=60, disk="1G")
NOT_OURS = {kind: "its lists are this project's" for kind in ("c", "ours-tools", "samba")}


@suite.before
def start(server):
    from soaking import rounds

    if not os.path.ismount(rounds.ROOT):
        rounds.set_up(server)
    else:
        server.start({"share": {"path": rounds.ROOT}})


@suite.test("turns", lacks=NOT_OURS, timeout=300)
def turns(server):
    """Every client does its work, and what is counted afterwards is all there, with nothing left of them."""
    # The host, which reads this file for its list of tests, lacks what these import.
    from lib import rawsmb
    from soaking import clients, sample
    from soaking.kinds import KINDS

    handles = ("connections", "sessions", "trees", "opens", "locks")
    # Counted first while there is one of each: what is counted wrongly is not found to be gone.
    raw = rawsmb.session("share", machine.USER, machine.PASSWORD)
    held = raw.create("held", access=0x0012019F, disposition=3)
    raw.call(10, struct.pack("<HHI16sQQII", 48, 1, 0, held, 10, 20, 0x12, 0))
    seen = sample.take(server)
    check(all(seen[name] == 1 for name in handles), f"one of each is there: {seen}")
    raw.close_socket()
    for worker in clients.everybody(1, clients.Disturbances()):
        worker.turn(worker.random)
    client.clean_up()
    wait_for("the connections to go", lambda: sample.connections() == 0, timeout=120)
    seen = sample.take(server)
    check(list(seen) == list(KINDS), f"what is counted is not what is plotted: {seen}")
    check(seen["kernel"] > 0, f"{seen}")
    check(all(seen[name] == 0 for name in handles), f"something is left: {seen}")
    check(servers.loaded("ksmbd"), "the module is gone")
