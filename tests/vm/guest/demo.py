# SPDX-License-Identifier: GPL-2.0
"""make run: the main job shown step by step. make shell: the same share, and a shell."""

import os
import subprocess
import sys
import time

from lib import client, events, machine, servers
from lib.proc import check, run, tail

ROOT = "/srv/smb/share"
START = time.monotonic()


def step(text):
    events.log(f"[{time.monotonic() - START:5.1f} s] {text}")


def show(text):
    for line in text.strip("\n").expandtabs().splitlines():
        events.log(f"            {line}".rstrip())


def bring_up(server):
    """Module, user, daemon, share."""
    machine.Disk("ext4").mount(ROOT)
    os.chmod(ROOT, 0o777)
    step(f"modprobe ksmbd, on the stock kernel {os.uname().release}")
    server.load()
    show(run("modinfo", "-F", "description", server.module_path()).output)
    step(f"ksmbd.adduser -a {machine.USER}, ksmbd.conf with a share, ksmbd.mountd")
    server.start({"share": {"path": ROOT, "comment": "a demonstration"}})
    show(f"the server is {server.state() if server.kind != 'samba' else 'running'}; port {servers.PORT} is open")


def run_steps(server):
    bring_up(server)
    step(f"mount -t cifs //127.0.0.1/share {client.MOUNT} -o vers=3.1.1,seal")
    with client.mounted("share", seal=True) as where:
        seen = client.connection()
        show(f"dialect {seen['dialect']:#x}, {seen['cipher']}")
        step("copying a source tree in")
        os.makedirs("/tmp/tree")
        run("tar", "-xf", "/host/data/small.tar", "-C", "/tmp/tree")
        count = len(run("find", "/tmp/tree", "-type", "f").output.splitlines())
        run("cp", "-r", "/tmp/tree", f"{where}/tree", timeout=600)
        show(f"{count} files")
    machine.write("/proc/sys/vm/drop_caches", "3")
    step("mounting again, reading it back and comparing")
    with client.mounted("share", seal=True) as where:
        run("diff", "-r", "/tmp/tree", f"{where}/tree", timeout=600)
        show(f"{count} files are the same, byte for byte")
    step("smbclient -L //127.0.0.1")
    listed = run("smbclient", "-L", "//127.0.0.1", "-U", f"{machine.USER}%{machine.PASSWORD}", "-m", "SMB3").output
    show(listed)
    check("a demonstration" in listed, "the share is not listed")
    step("ksmbd.control -s")
    server.control_stop()
    step("rmmod ksmbd")
    server.unload()
    check(not servers.loaded("ksmbd"), "the module is still loaded")
    step("done: the module is gone and nothing of it is left")


def run_demo(job):
    server = servers.make(job["server"])
    try:
        run_steps(server)
        events.send(event="end", verdict="pass")
    except Exception as problem:
        step(f"FAILED: {problem}{server.diagnosis()}")
        show(tail(run("dmesg").output, 15))
        events.send(event="end", verdict="fail")


def shell(job):
    """A shell on the console. Leaving it switches the machine off."""
    server = servers.make(job["server"])
    try:
        bring_up(server)
        os.makedirs(client.MOUNT, exist_ok=True)
        said = client.try_mount("share")
        status = f"the share is mounted at {client.MOUNT}" if said.status == 0 else f"the share could not be mounted: {said.output.strip()}"
    except Exception as problem:
        status = f"the server could not be started: {problem}"
    machine.write("/proc/sys/kernel/printk", "3")
    path = "/host/tools" if job["server"] != "c" else servers.C_TOOLS
    machine.write("/root/.bashrc", f"export PATH={path}:$PATH PS1='ksmbd-vm# '\n")
    sys.stdout.flush()
    fd = os.open("/dev/console", os.O_RDWR)
    os.write(fd, f"\r\n{status}.\r\nUser {machine.USER}, password {machine.PASSWORD}. Leave with exit or ^D.\r\n".encode())
    os.close(fd)
    subprocess.run(["setsid", "-c", "-w", "bash", "-c", "exec bash -i </dev/ttyS0 >/dev/ttyS0 2>&1"], check=False, cwd="/root")
