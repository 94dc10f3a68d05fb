# SPDX-License-Identifier: GPL-2.0
"""A real source tree through cifs.ko. A suite of its own because it takes as long as all others together."""

import os

from lib import client, machine
from lib.proc import check, run, sh
from lib.registry import Suite

suite = Suite("tree", disk="2G", cost=300, memory=1536, cpus=1)
ROOT = "/srv/smb/share"


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("ext4").mount(ROOT)
    sh(f"rm -rf {ROOT}/tree")
    os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}})


@suite.test("unpack-and-compare", timeout=4200)
def unpack_and_compare(_server):
    """More than 10,000 files (harness/data.py sees to the number) unpacked through the mount, and compared byte for byte after a remount."""
    with client.mounted("share") as where:
        os.mkdir(f"{where}/tree")
        # Owners, modes and times are the client's mount options' business.
        run("tar", "-xmf", "/host/data/large.tar", "-C", f"{where}/tree", "--no-same-owner", "--no-same-permissions", timeout=9000)
    machine.write("/proc/sys/vm/drop_caches", "3")
    with client.mounted("share") as where:
        count = int(sh(f"find {where}/tree -type f | wc -l", timeout=1800).output)
        packed = int(sh("tar -tf /host/data/large.tar | wc -l", timeout=900).output)
        check(count == packed, f"{count} of {packed} files arrived")
        result = run("tar", "-df", "/host/data/large.tar", "-C", f"{where}/tree", ok=False, timeout=9000)
        ours = ("Mode differs", "Uid differs", "Gid differs", "Mod time differs")
        wrong = [line for line in result.output.splitlines() if not line.endswith(ours)]
        check(not wrong, f"differences: {wrong[:10]}")
