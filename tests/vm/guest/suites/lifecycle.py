# SPDX-License-Identifier: GPL-2.0
"""Starting, stopping, unloading, limits and lost clients: what the server leaves behind is nothing."""

import os
import re
import socket
import struct
import subprocess
import time

from lib import client, machine, procfs, servers
from lib.proc import Failure, check, patient, run, tail, wait_for
from lib.registry import Suite

suite = Suite("lifecycle", cost=300, memory=1536)
ROOT = "/srv/smb/share"
# Of stopping and unloading under load; fewer where each takes a minute.
ROUNDS, FEW_ROUNDS = 20, 4
MIB = 1 << 20
NOT_C = {kind: "the C module differs here" for kind in ("c", "ours-tools")}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=400m").mount(ROOT)
    os.chmod(ROOT, 0o777)
    for name in os.listdir(ROOT):
        os.unlink(f"{ROOT}/{name}")
    server.start({"share": {"path": ROOT}})


def threads():
    """The names of the kernel threads that are the server's."""
    return procfs.kernel_threads("ksmbd")


def connections():
    return procfs.connections(servers.PORT)


def nothing_left(server):
    """After the module is gone: no thread, socket, device, file or process of it."""
    check(not servers.loaded("ksmbd"), "the module is still loaded")
    check(not threads(), f"threads are left: {threads()}")
    check(not servers.port_open(), "the port is still open")
    check(not os.path.exists(servers.CONTROL), "the sysfs class is still there")
    check(not os.path.exists("/proc/fs/ksmbd"), "/proc/fs/ksmbd is still there")
    check(server.daemon_gone(), "ksmbd.mountd still runs")


def rounds():
    return ROUNDS if patient(1) == 1 else FEW_ROUNDS


class Load:
    """Clients that work without pause: writers and listers over smbclient, and a kernel mount being written."""

    def __init__(self):
        with open("/tmp/load", "wb") as file:
            file.write(os.urandom(MIB))
        base = f"smbclient //{client.HOST}/share -U{machine.USER}%{machine.PASSWORD} -mSMB3 -t 5 -c"
        self.mount = client.try_mount("share", "/mnt/load", soft=True, retrans="1", echo_interval="1", nosharesock=True, timeout=60)
        check(self.mount.status == 0, f"the load's mount failed: {self.mount.output}")
        scripts = [
            f"while :; do {base} '{'put /tmp/load put; get put /dev/null; ls; del put; ' * 100}'; sleep 0.2; done",
            "while :; do dd if=/dev/zero of=/mnt/load/dd bs=1M count=4 conv=fsync; rm -f /mnt/load/dd; sleep 0.1; done",
        ]
        self.children = [
            subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            for script in scripts
        ]
        wait_for("the load to open connections", lambda: len(connections()) >= 2, timeout=30)

    def stop(self):
        for child in self.children:
            try:
                os.killpg(child.pid, 9)
            except ProcessLookupError:
                pass
        run("umount", "-f", "-l", "/mnt/load", ok=False)
        for child in self.children:
            child.wait(timeout=60)


@suite.test("states")
def states(server):
    """sysfs tells the state, the port and the daemon's age; the component mask toggles."""
    check(server.state() == "running", f"the state is {server.state()}")
    with open(f"{servers.CONTROL}/stats", encoding="utf-8") as file:
        words = file.read().split()
    check(words[0] == "2" and words[2] == str(servers.PORT) and words[3].isdigit(), f"stats says {words}")

    def mask():
        with open(f"{servers.CONTROL}/debug", encoding="utf-8") as file:
            return file.read().split()

    check([word.strip("[]") for word in mask()] == "smb auth vfs oplock ipc conn rdma".split(), f"debug says {mask()}")
    check(not any("[" in word for word in mask()), f"nothing should be enabled: {mask()}")
    run(server.tool("control"), "-d", "auth")
    check("[auth]" in mask(), f"auth should be enabled: {mask()}")
    run(server.tool("control"), "-d", "auth")
    check("[auth]" not in mask(), f"auth should be disabled again: {mask()}")
    run(server.tool("control"), "-d", "all")
    check(all("[" in word for word in mask()), f"all should be enabled: {mask()}")
    run(server.tool("control"), "-d", "all")


@suite.test("version", lacks=NOT_C)
def version(server):
    with open("/sys/module/ksmbd/version", encoding="utf-8") as file:
        text = file.read().strip()
    check(re.match(r"\d+\.\d+", text), f"the module's version is '{text}'")
    check(text in run(server.tool("control"), "-c").output, "ksmbd.control -c does not show it")


@suite.test("threads")
def thread_names(_server):
    """One listener an interface; one receiver a connection, which goes with it."""
    check("ksmbd-lo" in threads(), f"no listener for lo: {threads()}")
    with client.mounted("share"):
        wait_for("a receive thread ksmbd:<address>", lambda: any(name.startswith("ksmbd:") for name in threads()))
    wait_for("the receive thread to end with its connection", lambda: not any(name.startswith("ksmbd:") for name in threads()), timeout=60)


@suite.test("stop-and-start", timeout=180)
def stop_and_start(server):
    """ksmbd.control -s, unload, load and start again, with the share as it was."""
    with client.mounted("share") as where:
        machine.write(f"{where}/kept", "kept")
    server.stop()
    nothing_left(server)
    server.start({"share": {"path": ROOT}})
    with client.mounted("share") as where, open(f"{where}/kept", encoding="utf-8") as file:
        check(file.read() == "kept", "the file changed")


@suite.test("daemon-restart", timeout=180)
def daemon_restart(server):
    """control -s resets the module; a new daemon serves again without reloading it."""
    server.control_stop()
    wait_for("the module to be ready for a new daemon", lambda: server.state() in ("startup", "reset", "shutdown"))
    server.start_daemon()
    wait_for("the port", servers.port_open, timeout=60)
    with client.mounted("share") as where:
        os.listdir(where)


@suite.test("kill-server", timeout=180)
def kill_server(server):
    """Writing `hard` to kill_server closes everything, daemon or not."""
    check(server.kill_daemon(), "no daemon was running")
    machine.write(f"{servers.CONTROL}/kill_server", "hard")
    wait_for("the port to close", lambda: not servers.port_open())
    server.unload()
    nothing_left(server)
    server.reset()
    server.start({"share": {"path": ROOT}})


@suite.test("no-daemon", timeout=180)
def no_daemon(server):
    """With the daemon dead, logging in fails in bounded time, and a daemon that comes back serves."""
    check(server.kill_daemon(), "no daemon was running")
    result = client.smbclient("share", "ls", ok=False, timeout=90)
    check(result.status != 0, "a login succeeded without the daemon")
    server.reset()
    server.start({"share": {"path": ROOT}})
    client.smbclient("share", "ls")


@suite.test("killed-client", timeout=300)
def killed_client(server):
    """Clients killed in the middle of a write leave no connection, no open file and no lock; the server goes on."""
    with open("/tmp/big", "wb") as file:
        file.truncate(200 * MIB)
    for round_number in range(4):
        name = f"killed-{round_number}"
        child = subprocess.Popen(
            ["smbclient", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}", "-mSMB3", "-c", f"put /tmp/big {name}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_for("the write to be under way", lambda n=name: os.path.exists(f"{ROOT}/{n}") and os.path.getsize(f"{ROOT}/{n}") > 2 * MIB, timeout=60, step=0.01)
        child.kill()
        child.wait()
        check(os.path.getsize(f"{ROOT}/{name}") < 200 * MIB, "the client finished before it was killed")
        wait_for("the dead client's connection to go", lambda: not connections(), timeout=60)
        out = client.smbclient("share", f"del {name}", timeout=60).output
        check(not os.path.exists(f"{ROOT}/{name}"), f"its file cannot be deleted: {out}")
    os.unlink("/tmp/big")


@suite.test("cut-frames", timeout=180)
def cut_frames(_server):
    """Frames cut anywhere, absurd lengths, and garbage: the connection ends or waits, and the next client is served."""
    header = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ", 64, 0, 0, 0, 31, 0, 0, 1, 0, 0, 0) + bytes(16)
    cases = [b"", b"\0", b"\0\0\0", b"\0\0\0\x04", b"\0\xff\xff\xff", b"\0\0\0\x04abcd", b"\x85\0\0\0", b"\0\0\0\x40" + header, b"\0\0\0\x40" + header[:30],
             b"\0\0\0\0" * 50, b"GET / HTTP/1.0\r\n\r\n" * 4, bytes(4096), b"\xff" * 4096, b"\0\0\x10\0" + header + b"\xff" * 64]
    for data in cases:
        with socket.create_connection((client.HOST, servers.PORT), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            try:
                connection.settimeout(20)
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            except TimeoutError:
                raise Failure(f"the server did not close a connection that was cut after {data[:16]!r}") from None
    wait_for("the connections to go", lambda: not connections(), timeout=60)
    client.smbclient("share", "ls")


def is_refused(connection):
    """Whether the server has ended a connection on which nothing was said."""
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@suite.test("connection-limit", timeout=240, lacks=NOT_C)
def connection_limit(server):
    """`max ip connections` bounds what one address can hold; when they close, it is served again."""
    server.control_stop()
    server.unload()
    server.start({"share": {"path": ROOT}}, max_ip_connections="8")
    held = [socket.create_connection((client.HOST, servers.PORT), timeout=20) for _ in range(24)]
    for connection in held:
        connection.setblocking(False)
    wait_for("all but 8 connections to be refused", lambda: sum(map(is_refused, held)) >= 16)
    refused = sum(map(is_refused, held))
    check(24 - refused >= 1, "no connection at all was accepted")
    for connection in held:
        connection.close()
    wait_for("the connections to go", lambda: not connections(), timeout=60)
    client.smbclient("share", "ls")


@suite.test("interfaces", timeout=240)
def interfaces(server):
    """With `bind interfaces only`, an interface that comes is served and one that goes is given up."""
    server.control_stop()
    server.unload()
    run("modprobe", "dummy", "numdummies=0")
    server.start({"share": {"path": ROOT}}, interfaces="lo smbtest0")
    check("ksmbd-smbtest0" not in threads(), "a listener exists for an interface that does not")
    try:
        run("ip", "link", "add", "smbtest0", "type", "dummy")
        run("ip", "addr", "add", "10.99.0.1/24", "dev", "smbtest0")
        run("ip", "link", "set", "smbtest0", "up")
        wait_for("a listener for the new interface", lambda: "ksmbd-smbtest0" in threads(), timeout=30)
    finally:
        run("ip", "link", "del", "smbtest0", ok=False)
    wait_for("the listener to go with its interface", lambda: "ksmbd-smbtest0" not in threads(), timeout=30)
    client.smbclient("share", "ls")


@suite.test("stop-under-load", timeout=900)
def stop_under_load(server):
    """Again and again: ksmbd.control -s while clients work, then unload; nothing is left."""
    server.control_stop()
    server.unload()
    for number in range(rounds()):
        server.start({"share": {"path": ROOT}})
        load = Load()
        try:
            time.sleep(0.2 + 0.1 * (number % 8))
            server.control_stop()
            server.unload(timeout=90)
            nothing_left(server)
        except Failure as failure:
            raise Failure(f"round {number + 1} of {rounds()}: {failure}") from None
        finally:
            load.stop()
    server.start({"share": {"path": ROOT}})
    client.smbclient("share", "ls")


def unload_once(server):
    """modprobe -r with clients connected. The kernel may say that it is in use for a moment; never for long."""
    end = time.monotonic() + 90
    while True:
        result = run("modprobe", "-r", "ksmbd", ok=False, timeout=90)
        if not servers.loaded("ksmbd"):
            break
        if time.monotonic() > end:
            raise Failure(f"modprobe -r did not succeed within 90 s: {tail(result.output)}")
        time.sleep(0.2)
    server.kill_daemon()
    nothing_left(server)
    server.reset()


@suite.test("unload-under-load", timeout=900, lacks={kind: "the C module stays in use while clients are connected" for kind in ("c", "ours-tools")})
def unload_under_load(server):
    """Again and again: modprobe -r while clients work and the daemon runs; nothing is left."""
    server.control_stop()
    server.unload()
    for number in range(rounds()):
        server.start({"share": {"path": ROOT}})
        load = Load()
        try:
            time.sleep(0.2 + 0.1 * (number % 8))
            unload_once(server)
        except Failure as failure:
            raise Failure(f"round {number + 1} of {rounds()}: {failure}") from None
        finally:
            load.stop()
    server.start({"share": {"path": ROOT}})
    client.smbclient("share", "ls")
