# SPDX-License-Identifier: GPL-2.0
"""The daemon in trouble: killed, replaced, reloaded under load; broken files; messages from strangers; refusals that are told."""

import errno
import itertools
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
import uuid
from xml.etree import ElementTree

from lib import client, impostor, machine, netlink, procfs, rawsmb, servers
from lib.proc import Failure, check, run, wait_for
from lib.registry import Suite

suite = Suite("daemon", cost=120, cpus=1)
ROOT = "/srv/smb/share"
CONF = f"{servers.CONF_DIR}/ksmbd.conf"
USERS = f"{servers.CONF_DIR}/ksmbdpwd.db"
NO_TOOLS = {kind: "it is about this project's daemon" for kind in ("c", "samba", "ours-module")}
NO_MODULE = {**NO_TOOLS, "ours-tools": "the module is not ours"}
OUR_MODULE = {kind: "the module is not ours" for kind in ("c", "ours-tools", "samba")}
SHARES = {"share": {"path": ROOT}}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=400m").mount(ROOT)
    os.chmod(ROOT, 0o777)
    run("find", ROOT, "-mindepth", "1", "-delete")
    server.start(SHARES)


def worker(server):
    """The worker's process id: the child of the manager."""
    children = run("pgrep", "-P", str(server.daemon.pid), ok=False).output.split()
    return int(children[0]) if children else None


def connections(server):
    """The numbers of the connections; the C module does not tell them."""
    if server.module != "ours":
        return set()
    found = {entry["id"] for entry in json.loads(run(server.tool("control"), "--status", "--json").output)["connections"]}
    check(found, "a client has a mount and no connection")
    return found


class Writer(threading.Thread):
    """Writes and reads back files on a mount without pause; what goes wrong is kept."""

    def __init__(self, where):
        super().__init__()
        self.where, self.ended, self.rounds, self.problem = where, threading.Event(), 0, None

    def run(self):
        try:
            while not self.ended.is_set():
                path = f"{self.where}/{self.name}-{self.rounds % 5}"
                data = os.urandom(200_000)
                with open(path, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                with open(path, "rb") as file:
                    if file.read() != data:
                        raise OSError("another content came back")
                self.rounds += 1
        except OSError as problem:
            self.problem = problem

    def finish(self):
        self.ended.set()
        self.join(timeout=90)
        check(not self.is_alive(), "a writer hangs")
        check(self.problem is None, f"a writer failed after {self.rounds} rounds: {self.problem}")
        check(self.rounds > 0, "a writer did nothing")


def under_load(server, trouble, rounds):
    """Calls `trouble` again and again while two clients write; no write may fail, no connection end, and a new login must work afterwards."""
    with client.mounted("share") as where:
        before = connections(server)
        writers = [Writer(where) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            for number in range(rounds):
                trouble(number)
                time.sleep(0.5)
        finally:
            for writer in writers:
                writer.ended.set()
        for writer in writers:
            writer.finish()
        after = connections(server)
        check(before <= after, f"the client had to connect anew: {before} became {after}")
    wait_for("a new login", lambda: client.smbclient("share", "ls", ok=False).status == 0, timeout=60)


@suite.test("kill.worker", timeout=240, lacks=NO_TOOLS)
def kill_worker(server):
    """kill -9 of the worker: the manager starts another; clients notice nothing."""

    def trouble(_number):
        old = worker(server)
        os.kill(old, signal.SIGKILL)
        wait_for("another worker", lambda: worker(server) not in (None, old), timeout=60)

    under_load(server, trouble, 3)


@suite.test("kill.all", timeout=240, lacks=NO_TOOLS)
def kill_all(server):
    """kill -9 of manager and worker: clients work on, and the next daemon takes over what is left."""

    def trouble(_number):
        server.kill_daemon()
        server.start_daemon()

    under_load(server, trouble, 3)


@suite.test("kill.manager", timeout=240, lacks=NO_TOOLS)
def kill_manager(server):
    """kill -9 of a manager that is just starting its worker leaves no worker, which would answer beside the next daemon's."""
    server.kill_daemon()
    for delay in (0, 0, 0, 0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        server.start_daemon()
        manager = server.daemon.pid
        with open(f"/proc/{manager}/task/{manager}/children", encoding="ascii") as children:
            wait_for("a worker", lambda: children.seek(0) or children.read(), step=0)
        time.sleep(delay)
        os.kill(manager, signal.SIGKILL)
        server.daemon.wait(timeout=30)
        wait_for(f"the end of a worker whose manager was killed after {delay} s", server.daemon_gone, timeout=10)
    if server.module == "ours":
        said = run(server.tool("control"), "-s", ok=False)
        check(said.status == 1 and "does not run" in said.output and server.state() == "startup", f"{said}, and the server is {server.state()}")
    server.start(SHARES)


@suite.test("reload", timeout=240, lacks=NO_TOOLS)
def reload(server):
    """Reload under load, with shares that come and go and a configuration that is broken every other time."""
    good = servers.conf_text(servers.GLOBALS, {"share": {**servers.SHARE, "path": ROOT}})

    def trouble(number):
        machine.write(CONF, good + (f"[extra{number}]\n\tpath = {ROOT}\n" if number % 2 else "[global]\n\ttcp port = many\n"))
        run(server.tool("control"), "-r")
        if number % 2:
            wait_for("the new share", lambda: client.smbclient(f"extra{number}", "ls", ok=False).status == 0, timeout=30)

    under_load(server, trouble, 6)
    check("tcp port = many" in server.log_tail() or "reload refused" in open(server.daemon_log, encoding="utf-8").read(), "the broken configuration was not told")
    machine.write(CONF, good)
    run(server.tool("control"), "-r")


@suite.test("reload.globals", timeout=240, lacks=NO_MODULE)
def reload_globals(server):
    """Global keys act at once on those who come, by port, dialect, and encryption; who is there works on through all of it."""
    def configure(**keys):
        machine.write(CONF, servers.conf_text({**servers.GLOBALS, **keys}, {"share": {**servers.SHARE, "path": ROOT}}))
        run(server.tool("control"), "-r")

    def says(port=servers.PORT, *options):
        ask = ("smbclient", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}", f"-p{port}", *options, "-cls")
        return run(*ask, ok=False, timeout=60)

    old = ("-mSMB2_10", "--option=client min protocol=SMB2_10")
    with client.mounted("share") as where:
        writer = Writer(where)
        writer.start()
        before = connections(server)
        try:
            check(says(servers.PORT, *old).status == 0, "SMB 2.1 is not spoken to begin with")
            configure(**{"server min protocol": "SMB3_11"})
            wait_for("SMB 2.1 to be refused", lambda: says(servers.PORT, *old).status != 0)
            check(says().status == 0, "SMB 3.1.1 is refused")
            configure()
            wait_for("SMB 2.1 to be spoken again", lambda: says(servers.PORT, *old).status == 0)
            configure(**{"smb3 encryption": "mandatory"})
            wait_for("who cannot encrypt to be refused", lambda: says(servers.PORT, *old).status != 0)
            check(says(servers.PORT, "--client-protection=encrypt").status == 0, "encryption is refused")
            configure(**{"tcp port": "4450"})
            wait_for("the other port to be served", lambda: procfs.listens(4450) and not procfs.listens(servers.PORT))
            check(says(4450).status == 0, "the other port is not served")
            configure()
            wait_for("the first port to be served again", lambda: procfs.listens(servers.PORT) and not procfs.listens(4450))
            check(says(servers.PORT, *old).status == 0, "SMB 2.1 is still refused")
            check(before <= connections(server), "the client had to connect anew")
        finally:
            writer.ended.set()
        writer.finish()


@suite.test("half-written", lacks=NO_TOOLS)
def half_written(server):
    """Whatever part of a configuration or a user database is there: the running one stays, or the part is taken; never a crash."""
    for path in (CONF, USERS):
        with open(path, "rb") as file:
            whole = file.read()
        rng = random.Random(7)
        for cut in [0, 1, len(whole) // 2, len(whole) - 3] + [rng.randrange(len(whole)) for _ in range(4)]:
            for tail in (b"", b"\xff\xfe\x00[", b"\n=\n:::\n"):
                with open(path, "wb") as file:
                    file.write(whole[:cut] + tail)
                run(server.tool("control"), "-r")
                time.sleep(0.05)
        with open(path, "wb") as file:
            file.write(whole)
        run(server.tool("control"), "-r")
        wait_for("a login", lambda: client.smbclient("share", "ls", ok=False).status == 0, timeout=30)
    check(worker(server) is not None and server.daemon.poll() is None, "the daemon is gone")


@suite.test("broken-database", lacks=NO_TOOLS)
def broken_database(server):
    """A database that cannot be read keeps the daemon from starting, with the line; adduser leaves it as it is."""
    server.control_stop()
    with open(USERS, "rb") as file:
        whole = file.read()
    try:
        for bad in (b"nonsense\n", whole + b"alice:!!!!\n", whole + b":AAAA\n", b"\x00" * 4096):
            with open(USERS, "wb") as file:
                file.write(bad)
            said = run(server.tool("mountd"), "-n0", ok=False, timeout=60)
            check(said.status == 1 and USERS in said.output, f"{bad[:20]}: {said}")
            said = run(server.tool("adduser"), "-a", "-p", "x", "new", ok=False)
            check(said.status == 1, f"{said}")
            with open(USERS, "rb") as file:
                check(file.read() == bad, "the broken database was changed")
    finally:
        with open(USERS, "wb") as file:
            file.write(whole)
    server.start(SHARES)


@suite.test("netlink.module", lacks=NO_MODULE)
def netlink_module(_server):
    """Messages that are no daemon's: each is refused with an error, and the module serves on."""
    family = netlink.family_of(netlink.FAMILY)
    link = netlink.connected()
    rng = random.Random(11)
    taken = []
    for command in range(0, 32):
        for payload in (b"", b"\0" * 4, rng.randbytes(40), rng.randbytes(1500), b"\xff" * 4000):
            for data in (netlink.attribute(command, payload), payload, netlink.attribute(command, payload)[:6], netlink.attribute(200, payload)):
                link.send(netlink.message(family, command, data))
                code = netlink.answer(link)
                if code == 0:
                    taken.append((command, len(payload)))
    link.close()
    check(not taken, f"taken from a stranger: {taken}")
    check(client.smbclient("share", "ls").status == 0, "the server does not serve any more")
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        link = netlink.connected()
        link.send(netlink.message(family, 2, netlink.attribute(2, b"\0" * 300)))
        os._exit(0 if netlink.answer(link) == 1 else 1)
    check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "nobody's message was not refused with EPERM")


# What a daemon may say instead of the truth, as the pairs (command, payload) of what it sends for a request. First what is not an answer to
# it: the truth counts that comes with it.
STRAY = {
    "a handle that nobody has": (impostor.LOGIN, lambda handle, _, right: ((5, impostor.login(handle + 1000, "other")), (5, right))),
    "an answer to another command": (impostor.LOGIN, lambda handle, _, right: ((7, impostor.share(handle, b"share", ROOT)), (9, impostor.tree(handle, 9)), (5, right))),
    "a user for a share": (impostor.SHARE, lambda handle, _, right: ((5, impostor.login(handle)), (7, right))),
    "a share for a tree": (impostor.TREE, lambda handle, _, right: ((7, impostor.share(handle, b"share", "/")), (9, right))),
    "the same user twice": (impostor.LOGIN, lambda handle, _, right: ((5, right), (5, impostor.login(handle, "other")))),
    "the same tree twice": (impostor.TREE, lambda handle, _, right: ((9, right), (9, impostor.tree(handle, 9)))),
    "a user too short for a handle": (impostor.LOGIN, lambda _, __, right: ((5, b"\1\2"), (5, right))),
    "nothing at all": (impostor.SHARE, lambda _, __, right: ((7, b""), (7, right))),
}
# Then answers that cannot be taken.
BROKEN = {
    "a user that is cut off": (impostor.LOGIN, lambda _, __, right: ((5, right[:147]),)),
    "a user of a handle": (impostor.LOGIN, lambda _, __, right: ((5, right[:4]),)),
    "a hash beyond its field": (impostor.LOGIN, lambda handle, _, __: ((5, impostor.login(handle, hash_size=0xFFFF)),)),
    "a user's name without an end": (impostor.LOGIN, lambda handle, _, __: ((5, impostor.login(handle, account=b"a" * 48)),)),
    "groups beyond the message": (impostor.GROUPS, lambda handle, _, __: ((17, impostor.groups(handle, 1000, b"\1\0\0\0")),)),
    "a negative number of groups": (impostor.GROUPS, lambda handle, _, __: ((17, impostor.groups(handle, -1, b"\1\0\0\0")),)),
    "groups that are cut off": (impostor.GROUPS, lambda _, __, right: ((17, right[:135]),)),
    "a share that is cut off": (impostor.SHARE, lambda _, __, right: ((7, right[:535]),)),
    "a share without a path": (impostor.SHARE, lambda _, __, right: ((7, right[:536]),)),
    "a share's name without an end": (impostor.SHARE, lambda handle, _, __: ((7, impostor.share(handle, b"s" * 64, ROOT)),)),
    "a path beyond the message": (impostor.SHARE, lambda handle, request, __: ((7, impostor.share(handle, request[4:68], ROOT, payload_size=0xFFFFFFFF)),)),
    "patterns beyond the message": (impostor.SHARE, lambda handle, request, __: ((7, impostor.share(handle, request[4:68], ROOT, veto_size=0xFFFFFFFF)),)),
    "patterns up to its end": (impostor.SHARE, lambda handle, request, __: ((7, impostor.share(handle, request[4:68], ROOT, veto_size=len(ROOT) + 1)),)),
    "a tree that is cut off": (impostor.TREE, lambda _, __, right: ((9, right[:71]),)),
    "a pipe that is cut off": (impostor.RPC, lambda _, __, right: ((13, right[:11]),)),
    "a pipe's data beyond the message": (impostor.RPC, lambda handle, _, __: ((13, impostor.rpc(handle, size=0xFFFFFFFF)),)),
}


def visit(number):
    """Logs on, connects to a share that nobody has asked for yet, and opens a pipe. Gives the refusal, if any."""
    raw = rawsmb.Raw()
    try:
        raw.negotiate()
        raw.log_on(machine.USER, machine.PASSWORD)
        raw.connect_tree(f"share{number}")
        raw.close(raw.create("", access=0x00100081, options=1))
        raw.connect_tree("IPC$")
        raw.create("srvsvc", access=0x0012019F)
    except Failure as refusal:
        check("was answered with status" in str(refusal), f"the connection ends: {refusal}")
        return refusal
    finally:
        raw.close_socket()
    return None


@suite.test("netlink.answers", lacks=OUR_MODULE, timeout=180)
def netlink_answers(server):
    """A daemon that answers with what nobody asked for, too late, or what cannot be read: it is not believed, the module serves on, and the
    next daemon takes over."""
    server.control_stop()
    with impostor.Impostor(ROOT) as daemon:
        wait_for("the server to listen", servers.port_open)
        numbers = itertools.count()

        def lie(what, command, instead, is_refused):
            daemon.instead[command] = instead
            refusal = visit(next(numbers))
            check(not daemon.instead, f"{what}: the daemon was not asked")
            check((refusal is not None) == is_refused, f"{what}: {refusal or 'it is believed'}")

        check(visit(next(numbers)) is None, "a daemon that does not lie is not believed")
        for what, (command, instead) in STRAY.items():
            lie(what, command, instead, False)
        check(daemon.refused == [errno.EINVAL] * 2, f"what has no handle is answered with {daemon.refused}")
        daemon.extends_logins = True
        for what, (command, instead) in BROKEN.items():
            lie(what, command, instead, True)
            check(visit(next(numbers)) is None, f"{what}: nobody is served any more")
        late = []
        lie("an answer that is late", impostor.LOGIN, lambda _, __, right: late.append(right) or (), True)
        daemon.send(5, late[0])
        check(visit(next(numbers)) is None, "an answer that is late: nobody is served any more")
    server.start(SHARES)
    check(client.smbclient("share", "ls").status == 0, "the next daemon does not serve")


@suite.test("netlink.daemon", lacks=NO_TOOLS)
def netlink_daemon(server):
    """Messages to the daemon that are not the kernel's, or cannot be read, change nothing."""
    pid = worker(server)
    with open("/proc/net/netlink", encoding="ascii") as file:
        ports = [int(line.split()[2]) for line in file.readlines()[1:] if line.split()[1] == "16"]
    family = netlink.family_of(netlink.FAMILY)
    link = netlink.connected()
    rng = random.Random(13)
    for port in ports:
        if not port:
            continue
        for command in range(0, 20):
            for payload in (b"", rng.randbytes(rng.randrange(3000))):
                for data in (netlink.message(family, command, netlink.attribute(command, payload)), rng.randbytes(64), struct.pack("=IHHII", 0xFFFFFFFF, family, 0, 0, 0)):
                    try:
                        link.sendto(data, (port, 0))
                    except OSError:
                        pass
    link.close()
    check(client.smbclient("share", "ls").status == 0, "the server does not serve any more")
    check(worker(server) == pid, "the worker died")


@suite.test("refusals", lacks=NO_MODULE)
def refusals(server):
    """A refused login is one line with name, address and reason, and a flood of them is not a flood of lines."""
    def lines():
        return [line for line in run("dmesg").output.splitlines() if "refused:" in line]

    before = len(lines())
    client.smbclient("share", "ls", password="wrong", ok=False)
    client.smbclient("share", "ls", user="no\u00f6ne", ok=False)
    new = lines()[before:]
    check(len(new) == 2, f"{new}")
    check(f'"{machine.USER}" from 127.0.0.1' in new[0] and "wrong password" in new[0], new[0])
    check("there is no such user" in new[1], new[1])
    check("wrong password" not in server.log_tail(), "the daemon repeats it")
    flood = [subprocess.Popen(["smbclient", f"//{client.HOST}/share", "-Ux%y", "-mSMB3", "-cls"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(30)]
    for child in flood:
        child.wait(timeout=120)
    new = lines()[before:]
    check(len(new) < 30, f"{len(new)} lines of 32 refusals")
    machine.write(CONF, servers.conf_text(servers.GLOBALS, {"share": {**servers.SHARE, "path": ROOT, "valid users": machine.OTHER}}))
    run(server.tool("control"), "-r")
    time.sleep(0.5)
    client.smbclient("share", "ls", ok=False)
    with open(server.daemon_log, encoding="utf-8") as file:
        told = [line for line in file if "refused on [share]" in line]
    check(len(told) == 1 and "valid users" in told[0] and "127.0.0.1" in told[0], f"{told}")


@suite.test("startup", lacks=NO_TOOLS)
def startup(server):
    """As systemd starts it, with its words to systemd; as a script does, until it serves. The module is loaded if it is not, and taken over if it serves."""
    server.control_stop()
    server.unload()
    # A test before may have left another configuration.
    server.configure(SHARES, {machine.USER: machine.PASSWORD})
    where = "/tmp/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(server.daemon_log, "ab") as log:
        notify.bind(where)
        notify.settimeout(60)
        server.daemon = subprocess.Popen([server.tool("mountd"), "--nodetach=1"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": where})
        try:
            told = notify.recv(4096).decode()
            check(told == f"READY=1\nMAINPID={server.daemon.pid}", f"systemd is told {told!r}")
            check(servers.loaded("ksmbd") and servers.port_open(), "it says that it is ready and does not serve")
            os.kill(server.daemon.pid, signal.SIGHUP)
            told = [notify.recv(4096).decode() for _ in range(2)]
            check(told == ["RELOADING=1", "READY=1"], f"at a reload, systemd is told {told}")
            os.kill(server.daemon.pid, signal.SIGTERM)
            told = notify.recv(4096).decode()
            check(told == "STOPPING=1", f"at the end, systemd is told {told!r}")
            check(server.daemon.wait(timeout=30) == 0, f"it ended with {server.daemon.returncode}")
        finally:
            os.unlink(where)
    run(server.tool("mountd"), timeout=60)
    with open("/run/ksmbd.lock", encoding="ascii") as file:
        check(int(file.read()) in servers.daemons(), "the lock file does not name the manager")
    check(client.smbclient("share", "ls").status == 0, "it came back and does not serve")
    again = run(server.tool("mountd"), ok=False, timeout=60)
    check(again.status == 1 and "already running" in again.output, f"{again}")
    server.control_stop()
    server.start(SHARES)


@suite.test("systemd", timeout=300, lacks=NO_MODULE)
def systemd(server):
    """The unit under a systemd of its own: it loads the module and serves in its sandbox, is reloaded and stopped; the journal finds who was refused."""
    server.control_stop()
    server.unload()
    server.configure({**SHARES, "exclusive": {"path": ROOT, "valid users": machine.OTHER}}, {machine.USER: machine.PASSWORD})
    units = "/etc/systemd/system"
    os.makedirs(f"{units}/ksmbd.service.d", exist_ok=True)
    shutil.copy(f"{servers.OUR_TOOLS}/ksmbd.service", units)
    # Nothing else of a machine is started.
    machine.write(f"{units}/ksmbd.service.d/alone.conf", "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\nAfter=systemd-journald.service\n")
    if not os.path.ismount("/sys/fs/cgroup"):
        run("mount", "-t", "cgroup2", "none", "/sys/fs/cgroup")
    namespaces = ("unshare", "--pid", "--fork", "--mount", "--cgroup", "--mount-proc", "--kill-child")
    outer = subprocess.Popen(
        [*namespaces, "/lib/systemd/systemd", "--unit=ksmbd.service", "--log-target=kmsg"],
        env={**os.environ, "container": "test"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )

    def inside(*command, ok=True):
        inner = run("pgrep", "-P", str(outer.pid)).output.split()[0]
        return run("nsenter", "--target", inner, "--all", *command, ok=ok).output

    try:
        wait_for("the unit to serve", servers.port_open, timeout=120)
        wait_for("the unit to be up", lambda: inside("systemctl", "is-active", "ksmbd", ok=False).strip() == "active", timeout=60)
        check(client.smbclient("share", "put /etc/passwd x; del x").status == 0, "the unit does not serve")
        client.smbclient("exclusive", "ls", ok=False)
        told = wait_for("the journal", lambda: inside("journalctl", "--output=cat", "--no-pager", f"KSMBD_USER={machine.USER}", "KSMBD_SHARE=exclusive", ok=False).strip())
        check("valid users" in told, f"the journal says {told!r}")
        with open(CONF, "a", encoding="utf-8") as file:
            file.write(f"[later]\n\tpath = {ROOT}\n")
        inside("systemctl", "reload", "ksmbd")
        wait_for("the new share", lambda: client.smbclient("later", "ls", ok=False).status == 0)
        inside("systemctl", "stop", "ksmbd")
        check(not servers.port_open(), "the unit was stopped and serves")
        check(inside("systemctl", "show", "--property=Result", "ksmbd").strip() == "Result=success", inside("systemctl", "status", "ksmbd", ok=False))
    except Failure as failure:
        log = [line for line in run("dmesg").output.splitlines() if "ksmbd" in line]
        raise Failure(f"{failure}\n{inside('systemctl', 'status', '--no-pager', 'ksmbd', ok=False)}\n" + "\n".join(log[-10:])) from None
    finally:
        outer.kill()
        outer.wait(timeout=60)
        shutil.rmtree(f"{units}/ksmbd.service.d")
        os.unlink(f"{units}/ksmbd.service")
    wait_for("the daemon to be gone", server.daemon_gone, timeout=60)
    server.start(SHARES)


GROUP = ("239.255.255.250", 3702)
DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"


def soap(action, body, to="urn:schemas-xmlsoap-org:ws:2005:04:discovery"):
    """A message as Windows sends it."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" '
        f'xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wsd="{DISCOVERY}" xmlns:wsdp="http://schemas.xmlsoap.org/ws/2006/02/devprof">'
        f"<soap:Header><wsa:To>{to}</wsa:To><wsa:Action>{action}</wsa:Action><wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID></soap:Header>"
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def text_of(message, name):
    """The text of the first element of this name, whatever its name space."""
    return next((part.text for part in ElementTree.fromstring(message).iter() if part.tag.endswith("}" + name)), None)


def heard(link, kind):
    """Waits for a message of this kind."""
    while True:
        data, _ = link.recvfrom(65536)
        if text_of(data, "Action") == f"{DISCOVERY}/{kind}":
            return data


def asked(link, kind, body):
    """Asks everybody until somebody answers: UDP may lose what is sent."""
    for _ in range(20):
        link.sendto(soap(f"{DISCOVERY}/{kind}", body), GROUP)
        try:
            return heard(link, f"{kind}Matches")
        except TimeoutError:
            pass
    raise Failure(f"nobody answers a {kind}")


def network_view(where):
    """What the network view of Windows does: asks who is there, where he is, and what he is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(where))
        link.bind((where, 0))
        link.settimeout(3)
        endpoint = text_of(asked(link, "Probe", "<wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe>"), "Address")
        reference = f"<wsa:EndpointReference><wsa:Address>{endpoint}</wsa:Address></wsa:EndpointReference>"
        url = text_of(asked(link, "Resolve", f"<wsd:Resolve>{reference}</wsd:Resolve>"), "XAddrs")
    check(url.startswith(f"http://{where}:5357/"), url)
    get = soap("http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", "", to=endpoint)
    with urllib.request.urlopen(urllib.request.Request(url, get, {"Content-Type": "application/soap+xml"}), timeout=30) as answer:
        return text_of(answer.read(), "Computer")


@suite.test("ws-discovery", lacks=NO_TOOLS)
def ws_discovery(server):
    """Nothing by default; with `ws discovery register` a network view finds the server, on interfaces that come later too, until it is turned off."""
    def configure(**keys):
        machine.write(CONF, servers.conf_text({**servers.GLOBALS, "bind interfaces only": "no", **keys}, {"share": {**servers.SHARE, "path": ROOT}}))
        run(server.tool("control"), "-r")

    def is_open():
        return procfs.listens(5357)

    check(not is_open(), "discovery is on by default")
    run("modprobe", "dummy", "numdummies=0")
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(GROUP)
        listener.settimeout(30)
        configure(**{"ws discovery register": "yes", "workgroup": "House"})
        run("ip", "link", "add", "first0", "type", "dummy")
        run("ip", "addr", "add", "192.0.2.1/24", "dev", "first0")
        run("ip", "link", "set", "first0", "multicast", "on", "up")
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP[0]) + socket.inet_aton("192.0.2.1"))
        wait_for("discovery on the new interface", is_open)
        told = network_view("192.0.2.1")
        check(told == "KSMBD/Workgroup:HOUSE", f"it says that it is {told}")
        configure(workgroup="Garden")
        heard(listener, "Bye")
        wait_for("the ports to be closed", lambda: not is_open())
        configure(**{"ws discovery register": "yes", "workgroup": "Garden"})
        wait_for("discovery to be on again", is_open)
        told = network_view("192.0.2.1")
        check(told == "KSMBD/Workgroup:GARDEN", f"it says that it is {told}")
        os.kill(worker(server), signal.SIGKILL)
        wait_for("the next worker to do discovery", is_open, timeout=60)
        told = network_view("192.0.2.1")
        check(told == "KSMBD/Workgroup:GARDEN", f"the next worker says that it is {told}")
    finally:
        listener.close()
        run("ip", "link", "del", "first0", ok=False)
        configure()
    check(client.smbclient("share", "ls").status == 0, "the server does not serve any more")
