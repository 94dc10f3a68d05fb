# SPDX-License-Identifier: GPL-2.0
"""Each half of this project with the other half of the stock one."""

import filecmp
import os

from lib import client, machine, servers
from lib.proc import check, run
from lib.registry import Suite

suite = Suite("interop", cost=40, cpus=1)
ROOT = "/srv/smb/share"
ONLY_OURS = {kind: "it mixes this project's halves with the stock ones" for kind in ("c", "samba", "ours-module", "ours-tools")}


def case(kind, vers, **options):
    """Mounts, copies, lists the shares, refuses a wrong password, and stops in order, with the halves that `kind` names."""

    def run_case(_server):
        server = servers.make(kind)
        if not os.path.ismount(ROOT):
            machine.Disk("tmpfs").mount(ROOT)
        os.chmod(ROOT, 0o777)
        for name in os.listdir(ROOT):
            os.unlink(f"{ROOT}/{name}")
        try:
            server.start({"share": {"path": ROOT, "comment": "mixed"}})
            with client.mounted("share", vers=vers, **options) as where:
                with open(f"{where}/file", "wb") as file:
                    file.write(os.urandom(2_000_003))
                check(filecmp.cmp(f"{where}/file", f"{ROOT}/file", shallow=False), "the file differs")
            listed = run("smbclient", "-L", f"//{client.HOST}", "-U", f"{machine.USER}%{machine.PASSWORD}", "-m", "SMB3").output
            check("mixed" in listed, f"the share is not listed: {listed}")
            check(client.try_mount("share", password="wrong").status != 0, "a wrong password was accepted")
            server.stop()
        finally:
            server.reset()

    return run_case


for _kind, _name in (("ours-module", "our-module.stock-tools"), ("ours-tools", "stock-module.our-tools")):
    suite.add(f"{_name}.plain", case(_kind, "3.1.1"), lacks=ONLY_OURS)
    suite.add(f"{_name}.seal", case(_kind, "3.1.1", seal=True), lacks=ONLY_OURS)
    suite.add(f"{_name}.2.1", case(_kind, "2.1"), lacks=ONLY_OURS)
