# SPDX-License-Identifier: GPL-2.0
"""What the module tells of its clients, the programs that show it, and sending clients away."""

import fcntl
import json
import os
import re
import subprocess
import threading
import time

from lib import client, machine, servers
from lib.proc import Skip, check, run, wait_for
from lib.registry import Suite

suite = Suite("status", cost=90, cpus=1)
ROOT = "/srv/smb/share"
PROC = "/proc/fs/ksmbd"
NOT_OURS = {kind: "the module is not ours" for kind in ("c", "ours-tools", "samba")}
NO_TOOLS = {**NOT_OURS, "ours-module": "the programs are not ours"}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs", "size=400m").mount(ROOT)
    os.chmod(ROOT, 0o777)
    run("find", ROOT, "-mindepth", "1", "-delete")
    server.start({"share": {"path": ROOT}, "other": {"path": ROOT, "oplocks": "no"}}, restrict_anonymous="0", admin_users=machine.USER)


def records(name):
    """The records of a file: lists of (key, value)."""
    with open(f"{PROC}/{name}", encoding="utf-8") as file:
        parts = file.read().split("\n\n")
    return [[tuple(line.split(":\t", 1)) for line in part.splitlines() if ":\t" in line] for part in parts if part.strip()]


def get(record, key):
    return next((value for name, value in record if name == key), None)


def status(server):
    return json.loads(run(server.tool("control"), "--status", "--json").output)


@suite.test("root-only", lacks=NOT_OURS)
def root_only(_server):
    """Nobody but root can read what the files say."""
    for name in ("server", "clients", "sessions/sessions", "trees", "shares", "files", "locks"):
        mode = os.stat(f"{PROC}/{name}").st_mode & 0o777
        check(mode == 0o400, f"{name} has mode {mode:o}")
        with open(f"{PROC}/{name}", encoding="utf-8") as file:
            file.read()
    said = run("setpriv", "--reuid", "65534", "--clear-groups", "cat", f"{PROC}/sessions/sessions", ok=False)
    check(said.status != 0, "nobody could read the sessions")
    said = run("setpriv", "--reuid", "65534", "--clear-groups", "cat", f"{servers.CONTROL}/disconnect", ok=False)
    check(said.status != 0, "nobody could read whom the administrator sent away")


@suite.test("files", lacks=NOT_OURS)
def files(server):
    """A client, its session, its share, its open file and its lock are told; strange names break no line."""
    # Under an oplock the client would keep its locks to itself.
    with client.mounted("other") as where:
        os.mkdir(f"{where}/dir")
        with open(f"{where}/dir/file", "w+b") as file:
            file.write(b"x" * 100)
            file.flush()
            fcntl.lockf(file, fcntl.LOCK_EX, 10, 20)
            # No client can choose such a name, but what is shared may have it.
            os.rename(f"{ROOT}/dir", f"{ROOT}/odd\nname\\ \x1b[2J")
            told = [record for record in records("files") if (get(record, "name") or "").startswith("odd")]
            check(len(told) >= 1, f"the open file is not told: {records('files')}")
            check(get(told[0], "name") == "odd\\012name\\134 \\033[2J/file", f"its name is {get(told[0], 'name')!r}")
            check(get(told[0], "user") == machine.USER and get(told[0], "share") == "other", f"{told[0]}")
            if server.tools == "ours":
                table = run(server.tool("control"), "--status").output
                check("odd\\nname\\ \\u{1b}[2J/file" in table, f"the table shows:\n{table}")
            locks = records("locks")
            check(any(get(lock, "offset") == "20" and get(lock, "length") == "10" and get(lock, "type") == "exclusive" for lock in locks), f"the lock is not told: {locks}")
        clients = [record for record in records("clients") if get(record, "client") == "127.0.0.1"]
        check(clients and get(clients[0], "dialect") == "0x0311" and get(clients[0], "state") == "good", f"clients: {clients}")
        sessions = [record for record in records("sessions/sessions") if get(record, "user") == machine.USER]
        check(sessions and get(sessions[0], "state") == "valid", f"sessions: {sessions}")
        trees = [record for record in records("trees") if get(record, "share") == "other"]
        check(trees and get(trees[0], "writable") == "yes", f"trees: {trees}")
        shares = [record for record in records("shares") if get(record, "name") == "other"]
        check(shares and int(get(shares[0], "tree_connects")) == len(trees), f"shares: {shares}")
    wait_for("the open files to be forgotten", lambda: not records("files"), timeout=30)


@suite.test("many", timeout=240, lacks=NOT_OURS)
def many(_server):
    """A list that is longer than a reader's buffer, read in pieces while it changes, has what stays exactly once."""
    with client.mounted("share") as where:
        kept = [open(f"{where}/kept-{n:04}-{'x' * 150}", "wb") for n in range(400)]
        stop = threading.Event()

        def churn():
            n = 0
            while not stop.is_set():
                with open(f"{where}/churn-{n % 7}", "wb"):
                    n += 1

        threads = [threading.Thread(target=churn) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for size in (100, 4096, 1 << 20):
                with open(f"{PROC}/files", "rb", buffering=0) as file:
                    text = b"".join(iter(lambda: file.read(size), b"")).decode()
                seen = re.findall(r"^name:\tkept-(\d+)-", text, re.MULTILINE)
                check(sorted(seen) == [f"{n:04}" for n in range(400)], f"read by {size}: {len(seen)} of 400, {len(set(seen))} different")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for file in kept:
                file.close()


@suite.test("table-and-json", lacks=NO_TOOLS)
def table_and_json(server):
    """ksmbd.control --status as a table and as JSON, and --top."""
    with client.mounted("share") as where:
        with open(f"{where}/report.txt", "wb") as file:
            file.write(b"x")
            file.flush()
            table = run(server.tool("control"), "--status").output
            for part in ("Sessions", "Shares in use", "Open files", "Connections", machine.USER, "report.txt", "SMB3_11"):
                check(part in table, f"{part!r} is missing in:\n{table}")
            told = status(server)
            check(any(entry["name"] == "report.txt" for entry in told["open_files"]), f"{told['open_files']}")
            check(told["server"]["state"] == "running" and told["version"], f"{told['server']}")
            conn = told["connections"][0]
            check(int(conn["messages"]) > 5 and int(conn["bytes_received"]) > 500 and int(conn["bytes_sent"]) > 500, f"the counters count nothing: {conn}")
            top = subprocess.Popen([server.tool("control"), "--top=1"], stdout=subprocess.PIPE, text=True)
            heads = 0
            for line in top.stdout:
                heads += line.startswith("ksmbd ")
                if heads == 2:
                    break
            top.kill()
            top.wait()
            check(heads == 2, "--top showed the status fewer than two times")


@suite.test("disconnect.session", lacks=NO_TOOLS)
def disconnect_session(server):
    """One session ends, the other client works on; asking again finds nobody."""
    with client.mounted("share", where="/mnt/a", nosharesock=True) as a, client.mounted("share", where="/mnt/b", nosharesock=True, user=machine.OTHER, password=machine.OTHER_PASSWORD) as b:
        with open(f"{a}/before", "wb") as file:
            file.write(b"x")
        session = next(entry["id"] for entry in status(server)["sessions"] if entry["user"] == machine.USER)
        said = run(server.tool("control"), "--disconnect", f"session:{session}").output
        check("1 disconnected" in said, said)
        check(session not in [entry["id"] for entry in status(server)["sessions"]], "the session is still told")
        again = run(server.tool("control"), "--disconnect", f"session:{session}", ok=False)
        check(again.status == 1 and "no such session" in again.output, f"{again}")
        os.listdir(b)
        # The client logs in anew by itself.
        wait_for("the client to come back", lambda: run("ls", a, ok=False, timeout=60).status == 0, timeout=60)


@suite.test("disconnect.client", lacks=NO_TOOLS)
def disconnect_client(server):
    """All connections of an address."""
    with client.mounted("share", nosharesock=True) as where:
        os.listdir(where)
        before = {entry["id"] for entry in status(server)["connections"]}
        said = run(server.tool("control"), "--disconnect", "127.0.0.1").output
        # A client of the test before may come back for a moment just now.
        count = re.fullmatch(r"(\d+) disconnected\s*", said)
        check(count and int(count[1]) >= len(before), f"{said} for {before}")
        wait_for("the connections to end", lambda: not before & {entry["id"] for entry in status(server)["connections"]}, timeout=30)
        nobody = run(server.tool("control"), "--disconnect", "192.0.2.99", ok=False)
        check(nobody.status == 1 and "no such connection" in nobody.output, f"{nobody}")
        wait_for("the client to come back", lambda: run("ls", where, ok=False, timeout=60).status == 0, timeout=60)


@suite.test("disconnect.share", lacks=NO_TOOLS)
def disconnect_share(server):
    """Everybody on one share; who uses another one works on, and keeps his file."""
    with client.mounted("share", where="/mnt/a", nosharesock=True) as a, client.mounted("other", where="/mnt/b", nosharesock=True) as b:
        with open(f"{b}/held", "w+b") as held:
            held.write(b"x" * 1000)
            os.listdir(a)
            said = run(server.tool("control"), "--disconnect", "share:SHARE").output
            check("1 disconnected" in said, said)
            shares = [entry["share"] for entry in status(server)["tree_connects"]]
            check("share" not in shares and "other" in shares, f"in use: {shares}")
            held.write(b"y" * 1000)
            held.flush()
            os.fsync(held.fileno())
        wait_for("the client to come back", lambda: run("ls", a, ok=False, timeout=60).status == 0, timeout=60)


@suite.test("disconnect.race", timeout=240, lacks=NOT_OURS)
def disconnect_race(_server):
    """Many who ask at a time for the same and for different things, under load: each gets his own answer, and one session ends once."""
    path = f"{servers.CONTROL}/disconnect"
    stop = threading.Event()
    base = ["smbclient", f"//{client.HOST}/share", f"-U{machine.USER}%{machine.PASSWORD}", "-mSMB3", "-t", "5", "-c"]

    def load():
        while not stop.is_set():
            subprocess.run([*base, "put /etc/passwd x; get x /dev/null; ls; del x"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    loads = [threading.Thread(target=load) for _ in range(2)]
    for thread in loads:
        thread.start()
    answers = {}

    def ask(number, what):
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{number} {what}")
        with open(path, encoding="ascii") as file:
            answers[number] = [int(line.split()[1]) for line in file.read().splitlines() if line.split()[0] == str(number)]

    try:
        for round_ in range(10):
            ids = [get(record, "id") for record in records("sessions/sessions")]
            asks = [threading.Thread(target=ask, args=(round_ * 100 + n, f"session {ids[0]}" if ids and n < 4 else ("share share", "client 127.0.0.1", "share nothing")[n % 3])) for n in range(8)]
            for thread in asks:
                thread.start()
            for thread in asks:
                thread.join()
            check(all(len(answers[round_ * 100 + n]) == 1 for n in range(8)), f"answers: {answers}")
            if ids:
                check(sum(answers[round_ * 100 + n][0] for n in range(4)) <= 1, f"the session ended more than once: {answers}")
            time.sleep(0.2)
    finally:
        stop.set()
        for thread in loads:
            thread.join()
    for bad in ("", "x", "1 session", "1 session x", "1 client x", "1 share ", "1 nothing y", "99999999999999999999 share x"):
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(bad or " ")
            check(False, f"{bad!r} was taken")
        except OSError:
            pass
    wait_for("the last sessions to end", lambda: not records("sessions/sessions"), timeout=60)


def srvsvc(user, password):
    """impacket's connection to the server service, and its calls."""
    from impacket.dcerpc.v5 import srvs, transport

    pipe = transport.SMBTransport(client.HOST, servers.PORT, r"\srvsvc", user, password)
    dce = pipe.get_dce_rpc()
    dce.connect()
    dce.bind(srvs.MSRPC_UUID_SRVS)
    return dce, srvs


def refused(function):
    """The Windows error that a call ends with."""
    from impacket.dcerpc.v5.rpcrt import DCERPCException

    try:
        function()
    except DCERPCException as problem:
        return problem.get_error_code()
    return 0


@suite.test("rpc.sessions", lacks=NO_TOOLS)
def rpc_sessions(_server):
    """NetSessEnum by rpcclient and impacket, at every level."""
    with client.mounted("share") as where:
        os.listdir(where)
        said = run("rpcclient", client.HOST, f"-U{machine.USER}%{machine.PASSWORD}", "-c", "netsessenum").output
        check("WERR" not in said and "NT_STATUS" not in said, said)
        dce, srvs = srvsvc(machine.USER, machine.PASSWORD)
        for level, tag in ((0, "Level0"), (1, "Level1"), (2, "Level2"), (10, "Level10"), (502, "Level502")):
            answer = srvs.hNetrSessionEnum(dce, "\0", "\0", level)
            entries = answer["InfoStruct"]["SessionInfo"][tag]["Buffer"]
            check(len(entries) >= 2, f"level {level} has {len(entries)} sessions")
            prefix = f"sesi{level}_"
            check(any(entry[f"{prefix}cname"].rstrip("\0") == "127.0.0.1" for entry in entries), f"level {level} does not name the client")
            if level:
                check(any(entry[f"{prefix}username"].rstrip("\0") == machine.USER for entry in entries), f"level {level} does not name the user")
        check(refused(lambda: srvs.hNetrSessionEnum(dce, "\0", "nobodyhere\0", 10)) == 2221, "a user who is not there is not said to be missing")
        dce.disconnect()


@suite.test("rpc.files", lacks=NO_TOOLS)
def rpc_files(_server):
    """NetFileEnum by rpcclient and impacket."""
    with client.mounted("share") as where, open(f"{where}/of-rpc.txt", "wb") as file:
        file.write(b"x")
        file.flush()
        said = run("rpcclient", client.HOST, f"-U{machine.USER}%{machine.PASSWORD}", "-c", "netfileenum").output
        check("of-rpc.txt" in said, said)
        dce, srvs = srvsvc(machine.USER, machine.PASSWORD)
        answer = srvs.hNetrFileEnum(dce, "\0", "\0", 3)
        paths = {entry["fi3_path_name"].rstrip("\0"): entry["fi3_username"].rstrip("\0") for entry in answer["InfoStruct"]["FileInfo"]["Level3"]["Buffer"]}
        check(paths.get("C:\\share\\of-rpc.txt") == machine.USER, f"{paths}")
        answer = srvs.hNetrFileEnum(dce, "\0", "\0", 2)
        check(len(answer["InfoStruct"]["FileInfo"]["Level2"]["Buffer"]) == len(paths), "level 2 has another number of files")
        dce.disconnect()


@suite.test("rpc.refused", lacks=NO_TOOLS)
def rpc_refused(_server):
    """Who is no administrator sees who is connected, and not what others do."""
    dce, srvs = srvsvc(machine.OTHER, machine.OTHER_PASSWORD)
    check(refused(lambda: srvs.hNetrFileEnum(dce, "\0", "\0", 3)) == 5, "anybody could list open files")
    check(refused(lambda: srvs.hNetrSessionEnum(dce, "\0", "\0", 502)) == 5, "anybody could list what sessions do")
    check(refused(lambda: srvs.hNetrSessionEnum(dce, "\0", "\0", 10)) == 0, "nobody could list who is connected")
    dce.disconnect()


@suite.test("without-module", lacks={**NO_TOOLS})
def without_module(server):
    """One clear sentence when there is nothing to ask."""
    server.stop()
    said = run(server.tool("control"), "--status", ok=False)
    check(said.status == 1 and "is not loaded" in said.output, f"{said}")
    start(server)


@suite.test("c-module", lacks={**NO_TOOLS})
def c_module(server):
    """One clear sentence each when it is the C module."""
    if machine.is_debug():
        raise Skip("the C module uses freed memory when it is stopped, and this kernel stops at that")
    server.stop()
    stock = servers.make("ours-tools")
    try:
        stock.start({"share": {"path": ROOT}})
        said = run(stock.tool("control"), "--status", ok=False)
        check(said.status == 1 and "does not tell its status" in said.output and len(said.output.splitlines()) == 1, f"{said}")
        said = run(stock.tool("control"), "--disconnect", "127.0.0.1", ok=False)
        check(said.status == 1 and "cannot disconnect" in said.output and len(said.output.splitlines()) == 1, f"{said}")
    finally:
        stock.reset()
    start(server)
