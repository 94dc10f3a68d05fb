# SPDX-License-Identifier: GPL-2.0
"""Who is let in, and how: encryption that is mandatory, passwords that are guessed, administrators of a share, interfaces."""

import errno
import os
import struct
import threading
import time

from lib import client, machine, rawconn
from lib.proc import Failure, check, run, wait_for
from lib.registry import Suite

suite = Suite("policy", cost=60, cpus=1)
ROOT = "/srv/smb/share"
NOT_C = {kind: "the C module does not do it" for kind in ("c", "ours-tools")}
OURS_ONLY = {**NOT_C, "samba": "another configuration"}
ACCESS_DENIED = 0xC0000022
CANCEL = 12


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=64m").mount(ROOT)
        os.chmod(ROOT, 0o777)
    serve(server)


def serve(server, **keys):
    """(Re)starts the server with global keys of the test."""
    server.reset()
    server.start({"share": {"path": ROOT, "guest ok": "yes"}, "admin": {"path": ROOT, "admin users": machine.USER}}, **keys)


def refused(result, number):
    """A mount that must have failed with errno `number`."""
    if result.status == 0:
        client.umount()
    check(result.status != 0 and f"mount error({number})" in result.output, f"expected mount error({number}): {result.output.strip()}")


@suite.test("encryption-mandatory", lacks=OURS_ONLY, timeout=240)
def encryption_mandatory(server):
    """Nobody is served who cannot encrypt: not an old dialect, not a client without a cipher, not a guest."""
    serve(server, **{"smb3_encryption": "mandatory", "map_to_guest": "bad user"})
    with client.mounted("share", seal=True) as where:
        os.listdir(where)
    with client.mounted("share") as where:
        os.listdir(where)
    refused(client.try_mount("share", vers="2.1"), errno.EACCES)
    refused(client.try_mount("share", user="nosuchuser"), errno.EACCES)
    raw = rawconn.Pipelined()
    raw.negotiate()
    try:
        raw.log_on(machine.USER, machine.PASSWORD)
    except Failure as failure:
        check(f"{ACCESS_DENIED:#010x}" in str(failure), f"a client without a cipher: {failure}")
    else:
        check(False, "a client without a cipher logged in")
    raw.close_socket()
    serve(server, **{"map_to_guest": "bad user"})
    with client.mounted("share", user="nosuchuser") as where:
        os.listdir(where)


@suite.test("guest-writes", lacks=OURS_ONLY, timeout=120)
def guest_writes(server):
    """Guests hold less than users, and large writes of theirs work all the same."""
    serve(server, **{"map_to_guest": "bad user", "smb2_max_write": "8M"})
    with client.mounted("share", user="nosuchuser", cache="none") as where:
        run("dd", "if=/dev/zero", f"of={where}/zeros", "bs=8M", "count=4")
        check(os.path.getsize(f"{ROOT}/zeros") == 32 << 20, "the guest's file is not whole")
        with open(f"{where}/zeros", "rb") as file:
            check(file.read() == b"\0" * (32 << 20), "the guest reads other bytes")
    os.unlink(f"{ROOT}/zeros")


def seconds_to_fail(cancelled=False):
    """How long the server takes to refuse a wrong password; `cancelled`: although the client sends a CANCEL after a second."""
    raw = rawconn.Pipelined()
    raw.negotiate()
    # The message ids: 0 for NEGOTIATE, 1 and 2 for the login.
    cancel = threading.Timer(1, raw.post, (CANCEL, struct.pack("<HH", 4, 0)), {"message": 2, "sign": False, "credits": 0})
    start = time.monotonic()
    try:
        if cancelled:
            cancel.start()
        raw.log_on(machine.OTHER, "wrong")
    except Failure:
        return time.monotonic() - start
    finally:
        cancel.cancel()
        raw.close_socket()
    raise Failure("a wrong password was taken")


@suite.test("guessing-is-slow", lacks={**OURS_ONLY, "c": "it answers late as well, but by other means"}, timeout=180)
def guessing_is_slow(server):
    """An account that the daemon says was guessed at too often is refused late, and let in with the right password."""
    serve(server)
    for _ in range(14):
        seconds_to_fail()
    taken = seconds_to_fail(cancelled=True)
    check(taken > 4.5, f"the refusal came after {taken:.2f} s; the client cancelled after 1 s")
    raw = rawconn.Pipelined()
    raw.negotiate()
    raw.log_on(machine.USER, machine.PASSWORD)
    raw.close_socket()
    server.control_stop()


@suite.test("admin-users", lacks={**OURS_ONLY, "ours-module": "the C daemon does not tell who is an administrator"})
def admin_users(server):
    """Who is in `admin users` of a share acts as root there, and nowhere else."""
    serve(server)
    secret = f"{ROOT}/secret"
    machine.write(secret, "secret\n")
    os.chmod(secret, 0o600)
    result = client.smbclient("share", "get secret /tmp/secret", ok=False)
    check("NT_STATUS_ACCESS_DENIED" in result.output, f"root's file is read: {result.output}")
    client.smbclient("admin", "get secret /tmp/secret; put /tmp/secret made")
    check(os.stat(f"{ROOT}/made").st_uid == 0, "what an administrator makes is not root's")
    result = client.smbclient("admin", "get secret /tmp/secret", user=machine.OTHER, password=machine.OTHER_PASSWORD, ok=False)
    check("NT_STATUS_ACCESS_DENIED" in result.output, f"another user reads root's file: {result.output}")
    for name in ("secret", "made"):
        os.unlink(f"{ROOT}/{name}")


BIG = 100_007


@suite.test("shares", lacks={**OURS_ONLY, "ours-module": "the C daemon has not these keys"}, timeout=240)
def shares(server):
    """Keys of shares, each beside one that is without: addresses, ids beyond 16 bits, groups, encryption, continuous availability."""
    run("groupadd", "-g", str(BIG), "large")
    run("useradd", "-M", "-s", "/bin/false", "-u", str(BIG), "-g", "large", "large")
    server.reset()
    server.start({
        "plain": {"path": ROOT},
        "near": {"path": ROOT, "hosts allow": "127.0.0.0/8 EXCEPT 127.0.0.99", "hosts deny": "ALL"},
        "far": {"path": ROOT, "hosts allow": "127.0.0.0/8 EXCEPT 127.0.0.0/30"},
        "denied": {"path": ROOT, "hosts deny": "192.0.2. 127.0.0.1"},
        "large": {"path": ROOT, "force user": "large", "force group": "large"},
        "guests": {"path": ROOT, "guest ok": "yes", "guest account": "large"},
        "sealed": {"path": ROOT, "smb3 encryption": "mandatory"},
        "gone": {"path": f"{ROOT}/does-not-exist"},
        "available": {"path": ROOT, "continuous availability": "yes"},
    })
    for name, good in (("plain", True), ("near", True), ("far", False), ("denied", False)):
        result = client.smbclient(name, "ls", ok=False)
        check((result.status == 0) == good and (good or "NT_STATUS_ACCESS_DENIED" in result.output), f"{name}: {result}")
    check("far" in server.log_tail() or "hosts allow" in open(server.daemon_log, encoding="utf-8").read(), "the reason is not told")
    client.smbclient("large", "put /etc/passwd mine; mkdir folder")
    machine.write(f"{ROOT}/ours", "ours\n")
    os.chown(f"{ROOT}/ours", 0, BIG)
    os.chmod(f"{ROOT}/ours", 0o640)
    check("NT_STATUS_ACCESS_DENIED" in client.smbclient("plain", "get ours /tmp/ours", ok=False).output, "who is not in the group reads its file")
    run("usermod", "-aG", "large", machine.USER)
    client.smbclient("plain", "get ours /tmp/ours")
    run("gpasswd", "-d", machine.USER, "large")
    os.unlink(f"{ROOT}/ours")
    for name in ("mine", "folder"):
        made = os.stat(f"{ROOT}/{name}")
        check((made.st_uid, made.st_gid) == (BIG, BIG), f"{name} belongs to {made.st_uid}:{made.st_gid}")
    os.unlink(f"{ROOT}/mine")
    os.rmdir(f"{ROOT}/folder")
    for user in ("large", None):
        client.smbclient("guests", "put /etc/passwd guests", user=user, password="none")
        made = os.stat(f"{ROOT}/guests")
        check((made.st_uid, made.st_gid) == (BIG, BIG), f"what the guest {user} made belongs to {made.st_uid}:{made.st_gid}")
        os.unlink(f"{ROOT}/guests")
    client.smbclient("guests", "put /etc/passwd mine")
    check(os.stat(f"{ROOT}/mine").st_uid != BIG, "who has a password acts as a guest")
    os.unlink(f"{ROOT}/mine")

    def lines():
        return [line for line in run("dmesg").output.splitlines() if " refused on " in line]

    before = len(lines())
    result = client.smbclient("gone", "ls", ok=False)
    check("NT_STATUS_BAD_NETWORK_NAME" in result.output, f"a share without a folder: {result}")
    told = lines()[before:]
    check(len(told) == 1 and f'"{machine.USER}" from 127.0.0.1' in told[0] and 'refused on "gone": its folder' in told[0], f"{told}")
    check(client.smbclient("sealed", "ls").status == 0, "a client that can encrypt is refused")
    refused(client.try_mount("sealed", vers="2.1"), errno.EACCES)
    told = [line for line in lines()[before:] if '"sealed"' in line]
    check(told and "cannot encrypt" in told[0], f"{told}")
    told = {}
    for name in ("plain", "sealed", "available"):
        with client.mounted(name) as where:
            os.listdir(where)
            with open("/proc/fs/cifs/DebugData", encoding="utf-8") as file:
                text = file.read()
            told[name] = ("CONTINUOUS AVAILABILITY" in text, "ncrypted" in text)
    check([told[name][0] for name in ("plain", "sealed", "available")] == [False, False, True], f"continuous availability: {told}")
    check([told[name][1] for name in ("plain", "sealed", "available")] == [False, True, False], f"encryption: {told}")
    server.control_stop()


@suite.test("keys", lacks={**OURS_ONLY, "ours-module": "the C daemon has not all of these keys"}, timeout=240)
def keys(server):
    """Keys that shape what is seen and made on a share, each beside its default."""
    path = ROOT.removeprefix("/srv")
    server.reset()
    server.start({
        "plain": {"path": path, "create mask": "0744", "inherit owner": "no"},
        "masks": {"path": path, "create mask": "0640", "force create mode": "0004", "directory mask": "0700", "force directory mode": "0011"},
        "seen": {"path": path, "hide dot files": "no", "hide unreadable": "yes", "crossmnt": "no"},
        "veto": {"path": path, "veto files": "/*.tmp/secret/"},
        "reads": {"path": path, "read list": machine.USER},
        "writes": {"path": path, "read only": "yes", "write list": machine.USER},
        "owner": {"path": path, "inherit owner": "yes", "admin users": machine.USER},
        "only": {"path": path, "guest ok": "yes", "guest only": "yes"},
    }, root_directory="/srv")
    other = run("id", "-u", machine.OTHER).output.strip()
    nobody = int(run("id", "-u", "nobody").output)

    def told(share, commands, **who):
        return client.smbclient(share, commands, ok=False, **who).output

    def is_listed(share, name, flags=""):
        return any(line.split()[:1] == [name] and set(flags) <= set(line.split()[1]) for line in told(share, "ls").splitlines() if len(line.split()) > 2)

    try:
        told("masks", "put /etc/passwd made; mkdir folder")
        modes = [os.stat(f"{ROOT}/{name}").st_mode & 0o7777 for name in ("made", "folder")]
        check(modes[0] & ~0o644 == 0 and modes[0] & 0o604 == 0o604, f"a new file has mode {modes[0]:o}")
        check(modes[1] & ~0o711 == 0 and modes[1] & 0o711 == 0o711, f"a new folder has mode {modes[1]:o}")
        machine.write(f"{ROOT}/.dot", "")
        check(is_listed("plain", ".dot", "H") and is_listed("seen", ".dot") and not is_listed("seen", ".dot", "H"), "a name with a dot is hidden in the wrong place")
        machine.write(f"{ROOT}/locked", "")
        os.chmod(f"{ROOT}/locked", 0o600)
        check(is_listed("plain", "locked") and not is_listed("seen", "locked"), "what cannot be read is listed in the wrong place")
        os.mkdir(f"{ROOT}/mnt")
        run("mount", "-t", "tmpfs", "none", f"{ROOT}/mnt")
        machine.write(f"{ROOT}/mnt/inside", "x\n")
        check("NT_STATUS" not in told("plain", "get mnt/inside /tmp/inside"), "what is mounted is not reached")
        check("NT_STATUS" in told("seen", "get mnt/inside /tmp/inside"), "what is mounted is reached without `crossmnt`")
        machine.write(f"{ROOT}/old.tmp", "x\n")
        check(is_listed("plain", "old.tmp") and not is_listed("veto", "old.tmp"), "what has a veto is listed in the wrong place")
        for command in ("get old.tmp /tmp/old", "put /etc/passwd new.tmp", "mkdir secret", "rename made old2.tmp"):
            check("NT_STATUS" in told("veto", command), f"`{command}` has no veto")
        check("NT_STATUS" in told("reads", "put /etc/passwd list"), "who may only read writes")
        check("NT_STATUS" not in told("reads", "put /etc/passwd list", user=machine.OTHER, password=machine.OTHER_PASSWORD), "who may write cannot")
        os.unlink(f"{ROOT}/list")
        check("NT_STATUS" not in told("writes", "put /etc/passwd list"), "who may write cannot")
        check("NT_STATUS" in told("writes", "put /etc/passwd list2", user=machine.OTHER, password=machine.OTHER_PASSWORD), "who may only read writes")
        os.mkdir(f"{ROOT}/theirs")
        os.chown(f"{ROOT}/theirs", int(other), -1)
        told("owner", "put /etc/passwd theirs/made; mkdir theirs/folder")
        owners = [os.stat(f"{ROOT}/theirs/{name}").st_uid for name in ("made", "folder")]
        check(owners == [int(other)] * 2, f"what is made in a folder of {other} belongs to {owners}")
        told("only", "put /etc/passwd guest")
        check(os.stat(f"{ROOT}/guest").st_uid == nobody, "who is only a guest acts as himself")
    finally:
        run("umount", f"{ROOT}/mnt", ok=False)
        run("find", ROOT, "-mindepth", "1", "-delete")
    server.control_stop()


def listens_on(name):
    """Whether something listens on the SMB port of the interface `name`."""
    return f"%{name}:" in run("ss", "-Hltn", "sport = :445").output


@suite.test("interface-renamed", lacks=OURS_ONLY)
def interface_renamed(server):
    """An interface is known by its number: renamed while it is up it is listened on, and not any more when it goes."""
    serve(server, bind_interfaces_only=None, interfaces=None)
    run("ip", "link", "add", "first0", "type", "dummy")
    try:
        run("ip", "addr", "add", "192.0.2.1/24", "dev", "first0")
        run("ip", "link", "set", "first0", "up")
        wait_for("the new interface to be listened on", lambda: listens_on("first0"))
        run("ip", "link", "set", "first0", "name", "second0")
        check(listens_on("second0"), "the renamed interface is not listened on")
        run("ip", "link", "set", "second0", "down")
        wait_for("the interface that is down to be let go", lambda: not listens_on("second0"))
        run("ip", "link", "set", "second0", "up")
        wait_for("the interface to be listened on again", lambda: listens_on("second0"))
    finally:
        run("ip", "link", "del", "second0", ok=False)
        run("ip", "link", "del", "first0", ok=False)
    wait_for("the deleted interface to be let go", lambda: not listens_on("second0"))
    serve(server, bind_interfaces_only="yes", interfaces="lo third0")
    run("ip", "link", "add", "fourth0", "type", "dummy")
    try:
        run("ip", "link", "set", "fourth0", "up")
        check(not listens_on("fourth0"), "an interface that is not named is listened on")
        run("ip", "link", "set", "fourth0", "name", "third0")
        wait_for("an interface renamed to a named one to be listened on", lambda: listens_on("third0"))
        run("ip", "link", "set", "third0", "name", "fourth0")
        wait_for("an interface that has lost its name to be let go", lambda: not listens_on("fourth0"))
    finally:
        run("ip", "link", "del", "fourth0", ok=False)
        run("ip", "link", "del", "third0", ok=False)
