# SPDX-License-Identifier: GPL-2.0
"""The programs beside the C ones: the same commands over the same files, each going on with what the other wrote."""

import os
import re
import shutil
import time

from lib import client, machine, servers
from lib.proc import check, run, wait_for
from lib.registry import Suite

suite = Suite("tools", cost=80, cpus=1)
ONLY_OURS = {kind: "it compares this project's programs with the C ones" for kind in ("c", "samba", "ours-module", "ours-tools")}
PROGRAMS = {"ours": servers.OUR_TOOLS, "c": servers.C_TOOLS}
WORK = "/tmp/tools"
ROOT = "/srv/smb/share"


def call(kind, folder, program, *args, given=""):
    """Runs a program of `kind` on the files in `folder`; gives its Result."""
    files = ["-C", f"{folder}/ksmbd.conf", "-P", f"{folder}/ksmbdpwd.db"] if program in ("adduser", "addshare") else []
    return run(f"{PROGRAMS[kind]}/ksmbd.{program}", *files, *args, ok=False, input=given, timeout=30)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def users(folder):
    """The database's lines; no file is an empty one."""
    return sorted(read(f"{folder}/ksmbdpwd.db").splitlines())


def shares(folder):
    """What the configuration says, without layout, comments and order."""
    sections, keys = {}, None
    for line in read(f"{folder}/ksmbd.conf").splitlines():
        line = re.split("[;#]", line)[0].strip()
        if line.startswith("["):
            keys = sections.setdefault(line[1:-1].lower(), {})
        elif "=" in line:
            key, value = line.split("=", 1)
            if value.strip():
                keys[key.strip().lower()] = value.strip()
    return {name: keys for name, keys in sections.items() if keys or name != "global"}


CONF = "[global]\n\tworkgroup = WORKGROUP\n"

# Steps of one case: program, arguments, what it is given on standard input.
CASES = {
    "user.add": [("adduser", "-a", "-p", "pw", "alice")],
    "user.add-twice": [("adduser", "-a", "-p", "pw", "alice"), ("adduser", "-a", "-p", "other", "alice")],
    "user.add-or-update": [("adduser", "-p", "pw", "alice"), ("adduser", "-p", "other", "alice")],
    "user.update": [("adduser", "-a", "-p", "pw", "alice"), ("adduser", "-u", "-p", "other", "alice")],
    "user.update-missing": [("adduser", "-u", "-p", "pw", "alice")],
    "user.delete": [("adduser", "-a", "-p", "pw", "alice"), ("adduser", "-a", "-p", "pw", "bob"), ("adduser", "-d", "alice")],
    "user.delete-missing": [("adduser", "-d", "alice")],
    "user.case": [("adduser", "-a", "-p", "pw", "alice"), ("adduser", "-a", "-p", "pw", "Alice")],
    "user.colon": [("adduser", "-a", "-p", "pw", "a:b")],
    "user.empty-name": [("adduser", "-a", "-p", "pw", "")],
    "user.longest-name": [("adduser", "-a", "-p", "pw", "x" * 47)],
    "user.too-long-name": [("adduser", "-a", "-p", "pw", "x" * 48)],
    "user.empty-password": [("adduser", "-a", "-p", "", "alice")],
    "user.longest-password": [("adduser", "-a", "-p", "p" * 128, "alice")],
    "user.too-long-password": [("adduser", "-a", "-p", "p" * 129, "alice")],
    "user.unicode": [("adduser", "-a", "-p", "p\u00e4\u20ac\U0001f600", "\u00e4\u20ac")],
    "user.stdin": [("adduser", "-a", "alice", "<pw\npw\n")],
    "user.no-stdin": [("adduser", "-a", "alice")],
    "user.two-actions": [("adduser", "-a", "-d", "alice")],
    "user.none": [("adduser", "-a")],
    "user.many": [("adduser", "-a", "-p", f"pw{n}", f"user{n:03}") for n in range(20)] + [("adduser", "-d", "user007")],
    "share.add": [("addshare", "-a", "-o", "path = /tmp", "s")],
    "share.add-twice": [("addshare", "-a", "-o", "path = /tmp", "s"), ("addshare", "-a", "-o", "path = /", "S")],
    "share.add-or-update": [("addshare", "-o", "path = /tmp", "s"), ("addshare", "-o", "comment = x y", "s")],
    "share.update": [("addshare", "-a", "-o", "path = /tmp", "-o", "read only = no", "s"), ("addshare", "-u", "-o", "read only = yes", "S")],
    "share.update-missing": [("addshare", "-u", "-o", "path = /tmp", "s")],
    "share.delete": [("addshare", "-a", "-o", "path = /tmp", "s"), ("addshare", "-a", "-o", "path = /", "t"), ("addshare", "-d", "S")],
    "share.delete-missing": [("addshare", "-d", "s")],
    "share.unset": [("addshare", "-a", "-o", "path = /tmp", "-o", "comment = x", "s"), ("addshare", "-u", "-o", "comment =", "s")],
    "share.longest-name": [("addshare", "-a", "-o", "path = /tmp", "x" * 63)],
    "share.too-long-name": [("addshare", "-a", "-o", "path = /tmp", "x" * 64)],
    "share.bad-name": [("addshare", "-a", "-o", "path = /tmp", "a]b")],
    "share.unknown-option": [("addshare", "-a", "-o", "frob = x", "-o", "path = /tmp", "s")],
    "share.global-option": [("addshare", "-a", "-o", "tcp port = 5", "-o", "path = /tmp", "s")],
    "share.no-option": [("addshare", "-a", "-o", "nonsense", "-o", "path = /tmp", "s")],
    "share.no-path": [("addshare", "-a", "-o", "comment = x", "s"), ("addshare", "-u", "-o", "path = /tmp", "s")],
    "share.global-add": [("addshare", "-a", "-o", "path = /tmp", "global")],
    "share.global-update": [("addshare", "-u", "-o", "guest ok = yes", "global")],
    "share.pipes": [("addshare", "-a", "-o", "comment = pipes", "ipc$")],
    "share.no-input": [("addshare", "-a", "s")],
    "share.lists": [("addshare", "-a", "-o", "path = /tmp", "-o", "valid users = alice, bob", "-o", "veto files = /*.tmp/x y/", "-o", "create mask = 0640", "s")],
    "control.nothing": [("control",)],
    "control.unknown": [("control", "-x")],
    "control.extra": [("control", "-l", "more")],
    "control.no-daemon": [("control", "-r"), ("control", "-l")],
    "help": [("adduser", "-h"), ("addshare", "--help"), ("control", "-h"), ("mountd", "--help")],
    "version": [("adduser", "-V"), ("addshare", "--version"), ("control", "-V"), ("mountd", "--version")],
}


def play(kinds, folder, steps):
    """Runs the steps, each with the program of the next kind; gives the exit statuses."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    machine.write(f"{folder}/ksmbd.conf", CONF)
    statuses = []
    for number, (program, *args) in enumerate(steps):
        given = args.pop()[1:] if args and args[-1].startswith("<") else ""
        statuses.append(call(kinds[number % len(kinds)], folder, program, *args, given=given).status)
    return statuses


def same(steps):
    """A test: the same statuses and content from ours alone, C alone, and both in turns."""

    def run_case(_server):
        want = play(["c"], f"{WORK}/c", steps)
        for kinds in (["ours"], ["ours", "c"], ["c", "ours"]):
            got = play(kinds, f"{WORK}/other", steps)
            check(got == want, f"{'+'.join(kinds)} ended with {got}, C with {want}")
            check(users(f"{WORK}/other") == users(f"{WORK}/c"), f"{'+'.join(kinds)}: users {users(f'{WORK}/other')}, C {users(f'{WORK}/c')}")
            check(shares(f"{WORK}/other") == shares(f"{WORK}/c"), f"{'+'.join(kinds)}: {shares(f'{WORK}/other')}, C {shares(f'{WORK}/c')}")

    return run_case


for _name, _steps in CASES.items():
    suite.add(f"same.{_name}", same(_steps), lacks=ONLY_OURS)


@suite.test("better", lacks=ONLY_OURS)
def better(_server):
    """Where ours differs on purpose: layout stays, what would break the server is refused, the database is private, one line is enough."""
    folder = f"{WORK}/better"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    text = "# the house\n[global]\n\tworkgroup = X ; why\n\n[b]\n  path=/b\n\n; last\n[a]\n\tpath = /a\n"
    machine.write(f"{folder}/ksmbd.conf", text)
    check(call("ours", folder, "addshare", "-u", "-o", "comment = new", "b").status == 0, "the update failed")
    check(read(f"{folder}/ksmbd.conf") == text.replace("  path=/b\n", "  path=/b\n  comment = new\n"), read(f"{folder}/ksmbd.conf"))
    said = call("ours", folder, "addshare", "-u", "-o", "read only = maybe", "b")
    check(said.status == 1 and "yes or no" in said.output, f"{said}")
    check(call("ours", folder, "adduser", "-a", "alice", given="pw\n").status == 0, "one line was not enough")
    check(os.stat(f"{folder}/ksmbdpwd.db").st_mode & 0o777 == 0o600, "the database can be read by others")


def start(kind):
    server = servers.make(kind)
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs").mount(ROOT)
    os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT}, "Zwei": {"path": ROOT, "browseable": "no"}})
    return server


def control(kind):
    """The control program of one kind on a daemon of the other: list, reload, debug, version, shutdown."""

    def run_case(_server):
        server = start("ours" if kind == "c" else "ours-module")
        try:
            path = f"{PROGRAMS[kind]}/ksmbd.control"
            listed = run(path, "-l").output
            mine = run(f"{PROGRAMS['ours' if kind == 'c' else 'c']}/ksmbd.control", "-l").output
            names = [sorted(line.split()[0].lower() for line in text.splitlines() if line.strip() and "Comment" not in line and "INFO" not in line) for text in (listed, mine)]
            check(names[0] == names[1] and "share" in names[0], f"{listed!r} and {mine!r}")
            version = run(path, "-c").output
            check("ksmbd version : 0.1.0" in version, version)
            toggled = run(path, "-d", "conn").output
            check("[conn]" in toggled and "[smb]" not in toggled, toggled)
            run(path, "-d", "conn")
            check(run(path, "-d", "nothing", ok=False).status == 1, "an unknown component was toggled")
            with open(f"{servers.CONF_DIR}/ksmbd.conf", "a", encoding="utf-8") as file:
                file.write(f"[later]\n\tpath = {ROOT}\n")
            run(path, "-r")
            wait_for("the new share", lambda: client.smbclient("later", "ls", ok=False).status == 0, timeout=30)
            run(path, "-s", timeout=120)
            wait_for("the daemon to end", server.daemon_gone, timeout=60)
            check(not servers.port_open(), "the port is still open")
        finally:
            server.reset()

    return run_case


suite.add("control.c-with-our-daemon", control("c"), timeout=240, lacks=ONLY_OURS)
suite.add("control.ours-with-c-daemon", control("ours"), timeout=240, lacks=ONLY_OURS)


def crossed(kind):
    """A daemon of one kind serves what the programs of the other wrote while it runs: a changed password, a new share, one that goes."""

    def run_case(_server):
        server = start("ours" if kind == "c" else "ours-module")
        password = "Crossed-1"
        sees = lambda share: client.smbclient(share, "ls", password=password, ok=False).status == 0  # noqa: E731
        try:
            tools = PROGRAMS[kind]
            run(f"{tools}/ksmbd.adduser", "-u", "-p", password, machine.USER)
            run(f"{tools}/ksmbd.addshare", "-a", "-o", f"path = {ROOT}", "-o", "read only = no", "crossed")
            run(f"{tools}/ksmbd.control", "-r")
            wait_for("the share and the password that the other's programs wrote", lambda: sees("crossed"), timeout=30)
            check(client.smbclient("crossed", "ls", ok=False).status != 0, "the old password is still good")
            run(f"{tools}/ksmbd.addshare", "-d", "crossed")
            run(f"{tools}/ksmbd.control", "-r")
            wait_for("the share to go", lambda: not sees("crossed"), timeout=30)
            check(sees("share"), "the other share went with it")
        finally:
            server.reset()

    return run_case


suite.add("crossed.c-with-our-daemon", crossed("c"), timeout=240, lacks=ONLY_OURS)
suite.add("crossed.ours-with-c-daemon", crossed("ours"), timeout=240, lacks=ONLY_OURS)


@suite.test("daemon.twice", lacks=ONLY_OURS)
def daemon_twice(_server):
    """A second daemon of either kind does not start beside the first, whichever that is."""
    for first in ("ours", "ours-module"):
        server = start(first)
        try:
            time.sleep(1)
            for kind, folder in PROGRAMS.items():
                second = run(f"{folder}/ksmbd.mountd", "-n0", ok=False, timeout=60)
                check(second.status != 0, f"a daemon of {kind} started beside {first}")
            check(servers.port_open() and not server.daemon_gone(), "the first one is gone")
        finally:
            server.reset()
