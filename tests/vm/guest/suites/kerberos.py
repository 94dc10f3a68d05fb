# SPDX-License-Identifier: GPL-2.0
"""Kerberos logins against a real KDC: cifs.ko, smbclient, tickets that no KDC gives, and NTLM beside it."""

import filecmp
import os
import time

from lib import client, kdc, machine
from lib.proc import Failure, check, run, wait_for
from lib.registry import Suite

suite = Suite("kerberos", cost=60, cpus=1)
ROOT = "/srv/smb/share"
LOGON_FAILURE = 0xC000006D
SESSION_EXPIRED = 0xC000035C
STOCK = {
    "ours-module": "Debian builds the stock ksmbd.mountd without Kerberos",
    "c": "Debian builds the stock ksmbd.mountd without Kerberos",
    "samba": "it is not joined to the realm",
}
NARROW = {**STOCK, "ours-tools": "the C module makes 256-bit keys of 16 bytes of the ticket's"}
C_MODULE = {**STOCK, "ours-tools": "the C module does not do this"}


def start_server(server, **keys):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs").mount(ROOT)
        os.chmod(ROOT, 0o777)
    keys = {"kerberos_support": "yes", "kerberos_keytab_file": kdc.KEYTAB, **keys}
    server.start({"share": {"path": ROOT}}, **keys)


# What the host, which reads the names of the tests here, does not have: start() imports it.
rawsmb = tickets = None


@suite.before
def start(server):
    global rawsmb, tickets
    from lib import rawsmb, tickets

    kdc.start()
    start_server(server)


def mounted(host=kdc.HOST, **options):
    options = {"sec": "krb5", "ip": "127.0.0.1", "cruid": "0", "username": machine.USER, **options}
    return client.mounted("share", user=None, host=host, **options)


def uid_of(user):
    return int(run("id", "-u", user).output)


def write_and_read(where, user=machine.USER):
    data = os.urandom(300_001)
    with open(f"{where}/of-kerberos", "wb") as file:
        file.write(data)
    check(os.stat(f"{ROOT}/of-kerberos").st_uid == uid_of(user), f"the file is not {user}'s")
    run("sh", "-c", "echo 3 >/proc/sys/vm/drop_caches")
    with open(f"{where}/of-kerberos", "rb") as file:
        check(file.read() == data, "the data read back differ")
    os.unlink(f"{where}/of-kerberos")


def mount_case(**options):
    def run_case(_server):
        with kdc.tickets(), mounted(**options) as where:
            seen = client.connection()
            if options.get("seal"):
                check(seen["sealed"], f"the share is not encrypted: {seen['text']}")
            elif options.get("sec") == "krb5i":
                check("signed" in seen["session"], f"the session is not signed: {seen['text']}")
            write_and_read(where)

    return run_case


for _vers in ("2.1", "3.0", "3.1.1"):
    suite.add(f"mount.{_vers}.plain", mount_case(vers=_vers), lacks=STOCK)
    suite.add(f"mount.{_vers}.sign", mount_case(vers=_vers, sec="krb5i"), lacks=STOCK)
    if _vers != "2.1":
        suite.add(f"mount.{_vers}.seal", mount_case(vers=_vers, seal=True), lacks=STOCK)


def smbclient(*extra, host=kdc.HOST, ok=True, commands="ls"):
    return run("smbclient", f"//{host}/share", "--use-kerberos=required", "-m", "SMB3", *extra, "-c", commands, ok=ok, timeout=90)


def smbclient_case(*extra):
    def run_case(_server):
        source = "/tmp/source"
        with open(source, "wb") as file:
            file.write(os.urandom(300_000))
        with kdc.tickets():
            smbclient(*extra, commands=f"put {source} file; get file /tmp/back; del file")
        check(filecmp.cmp(source, "/tmp/back", shallow=False), "changed")

    return run_case


suite.add("smbclient.plain", smbclient_case(), lacks=STOCK)
suite.add("smbclient.sign", smbclient_case("--client-protection=sign"), lacks=STOCK)
suite.add("smbclient.seal", smbclient_case("--client-protection=encrypt"), lacks=STOCK)
# The key of these ciphers is made of all the bytes of the ticket's, not of its first 16.
suite.add(
    "smbclient.seal-256", smbclient_case("--client-protection=encrypt", "--option=client smb3 encryption algorithms=aes-256-gcm"), lacks=NARROW
)


@suite.test("two-users", lacks=STOCK)
def two_users(_server):
    with kdc.tickets(machine.OTHER, machine.OTHER_PASSWORD), mounted(username=machine.OTHER) as where:
        write_and_read(where, machine.OTHER)
    with kdc.tickets(), mounted() as where:
        write_and_read(where)


@suite.test("ntlm-beside")
def ntlm_beside(_server):
    """Who has no ticket logs in with a password, also where Kerberos is on offer."""
    with client.mounted("share", sec="ntlmssp") as where:
        if _server.kind == "samba":
            return
        write_and_read(where)
    client.smbclient("share", "ls")
    out = client.smbclient("share", "ls", password="wrong", ok=False).output
    check("NT_STATUS_LOGON_FAILURE" in out, f"a wrong password: {out}")


@suite.test("no-ticket", lacks=STOCK)
def no_ticket(_server):
    result = client.try_mount("share", user=None, host=kdc.HOST, sec="krb5", ip="127.0.0.1", cruid="0", username=machine.USER)
    check(result.status != 0, "mounted without a ticket")
    check(smbclient(ok=False).status != 0, "smbclient got in without a ticket")


@suite.test("unknown-user", lacks=STOCK)
def unknown_user(server):
    """A ticket proves a name; whether the name may log in is ksmbdpwd.db's to say."""
    with kdc.tickets(kdc.STRANGER, kdc.STRANGER_PASSWORD):
        out = smbclient(ok=False).output
        check("NT_STATUS_LOGON_FAILURE" in out or "NT_STATUS_ACCESS_DENIED" in out, f"a user who is not in ksmbdpwd.db: {out}")
        result = client.try_mount("share", user=None, host=kdc.HOST, sec="krb5", ip="127.0.0.1", cruid="0", username=kdc.STRANGER)
        check(result.status != 0, "a user who is not in ksmbdpwd.db mounted")
    check(kdc.STRANGER in server.diagnosis(), f"the daemon does not say who was refused: {server.diagnosis()}")


@suite.test("wrong-service", lacks=STOCK)
def wrong_service(server):
    """A ticket for a name whose key the keytab does not have; one for another name that it has; and with a name configured."""
    with kdc.tickets():
        out = smbclient(host=kdc.STRANGE_HOST, ok=False)
        check(out.status != 0, f"a ticket for another service was taken: {out.output}")
        smbclient(host=kdc.ALIAS)
        server.stop()
        start_server(server, kerberos_service_name=f"cifs/{kdc.HOST}")
        smbclient(host=kdc.HOST)
        check(smbclient(host=kdc.ALIAS, ok=False).status != 0, "a ticket for a name that is not the configured one was taken")
        server.stop()
        start_server(server, kerberos_service_name=f"cifs/{kdc.ALIAS}@{kdc.REALM}")
        smbclient(host=kdc.ALIAS)
        check(smbclient(host=kdc.HOST, ok=False).status != 0, "a ticket for a name that is not the configured one was taken")
        server.stop()
        start_server(server)


@suite.test("switched-off", lacks=C_MODULE)
def switched_off(server):
    """Without `kerberos support` nothing is offered, and a client that prefers Kerberos gets NTLM."""
    server.stop()
    start_server(server, kerberos_support="no")
    with kdc.tickets():
        check(smbclient(ok=False).status != 0, "Kerberos was taken although it is switched off")
    client.smbclient("share", "ls")
    raw = tickets.Client()
    token = tickets.init([tickets.MS_KRB5, tickets.KRB5, tickets.NTLMSSP], tickets.Ticket(machine.USER).token())
    answer = raw.present(token, rawsmb.MORE_PROCESSING)
    check(tickets.NTLMSSP in answer, f"the server did not choose NTLM: {answer.hex()}")
    raw.close_socket()
    server.stop()
    start_server(server)


@suite.test("no-keytab", lacks=STOCK)
def no_keytab(server):
    """The daemon starts, says what is wrong, and serves NTLM; a keytab that comes later counts at once."""
    server.stop()
    start_server(server, kerberos_keytab_file="/tmp/later.keytab")
    check("/tmp/later.keytab" in server.diagnosis(), f"the daemon does not name the keytab: {server.diagnosis()}")
    client.smbclient("share", "ls")
    with kdc.tickets():
        check(smbclient(ok=False).status != 0, "logged in without a keytab")
        run("cp", kdc.KEYTAB, "/tmp/later.keytab")
        smbclient()
    server.stop()
    start_server(server)


@suite.test("tokens.spnego", lacks=STOCK)
def tokens_spnego(_server):
    """Every way to send a ticket at once, and that the key is the right one."""
    ways = {
        "both numbers": lambda token: tickets.init([tickets.MS_KRB5, tickets.KRB5, tickets.NTLMSSP], token),
        "Windows 2000's number": lambda token: tickets.init([tickets.MS_KRB5], token),
        "the standard's number": lambda token: tickets.init([tickets.KRB5], token),
    }
    for what, wrap in ways.items():
        raw = tickets.Client()
        try:
            raw.log_on_with(tickets.Ticket(machine.USER), wrap)
            raw.connect_tree("share")
        except Exception as problem:
            raise type(problem)(f"{what}: {problem}") from problem
        raw.close_socket()


@suite.test("tokens.plain", lacks=C_MODULE)
def tokens_plain(_server):
    """Kerberos without SPNEGO."""
    raw = tickets.Client()
    raw.log_on_with(tickets.Ticket(machine.USER), lambda token: token)
    raw.connect_tree("share")
    raw.close_socket()


@suite.test("tokens.later", lacks=C_MODULE)
def tokens_later(_server):
    """The list of mechanisms first, the ticket when the server has chosen."""
    raw = tickets.Client()
    ticket = tickets.Ticket(machine.USER)
    answer = raw.present(tickets.init([tickets.KRB5, tickets.NTLMSSP]), rawsmb.MORE_PROCESSING)
    check(tickets.KRB5 in answer, f"the server did not choose Kerberos: {answer.hex()}")
    raw.present(tickets.resp(ticket.token()))
    raw.use(ticket.key.contents)
    raw.connect_tree("share")
    raw.close_socket()


@suite.test("tokens.large", lacks=C_MODULE)
def tokens_large(_server):
    """Tickets as large as an SMB2 message can carry, as with a PAC of thousands of groups."""
    for padding in (5_000, 20_000, 60_000, 64_000):
        raw = tickets.Client()
        ticket = tickets.Ticket(machine.USER, padding=padding)
        try:
            raw.log_on_with(ticket)
            raw.connect_tree("share")
        except Exception as problem:
            raise type(problem)(f"with {padding} bytes of authorization data: {problem}") from problem
        raw.close_socket()


@suite.test("tokens.refused", lacks=STOCK)
def tokens_refused(server):
    """What is wrong with a ticket is for the server's log, in one line; the client only learns that it may not log in."""
    def told():
        with open(server.daemon_log, encoding="utf-8") as file:
            return [line for line in file if "Kerberos login" in line and "refused" in line]

    wrong = {
        "has expired": tickets.Ticket(machine.USER, life=-30),
        "is not valid yet": tickets.Ticket(machine.USER, began=300),
        "is sealed with another key": tickets.Ticket(machine.USER, password="guess"),
        "is for a foreign realm's user of that name": tickets.Ticket(machine.USER, realm="ELSEWHERE.TEST"),
        "names nobody": tickets.Ticket("nobody-at-all"),
        "has too long a name": tickets.Ticket("n" * 60),
    }
    for what, ticket in wrong.items():
        before = len(told())
        raw = tickets.Client()
        token = tickets.init([tickets.KRB5], ticket.token())
        try:
            raw.present(token, LOGON_FAILURE)
        except Exception as problem:
            raise type(problem)(f"a ticket that {what}: {problem}") from problem
        raw.close_socket()
        lines = told()[before:]
        check(len(lines) == 1 and lines[0].split("refused", 1)[1].strip(": \n"), f"a ticket that {what} is told with {lines}")
        check(server.module == "c" or "from 127.0.0.1" in lines[0], f"the client's address is not told: {lines}")


@suite.test("tokens.replay", lacks=STOCK)
def tokens_replay(_server):
    """The same authenticator twice is somebody else's."""
    token = tickets.init([tickets.KRB5], tickets.Ticket(machine.USER).token())
    raw = tickets.Client()
    raw.present(token)
    raw.close_socket()
    raw = tickets.Client()
    raw.present(token, LOGON_FAILURE)
    raw.close_socket()


@suite.test("tokens.damaged", lacks=C_MODULE)
def tokens_damaged(_server):
    """Any byte changed or cut off: refused, and the server lives."""
    good = tickets.init([tickets.KRB5], tickets.Ticket(machine.USER).token())
    step = max(1, len(good) // 60)
    for at in range(0, len(good), step):
        for bad in (good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :], good[:at]):
            raw = tickets.Client()
            try:
                raw._session_setup(bad, 0)
            except Failure:
                pass
            raw.close_socket()
    raw = tickets.Client()
    raw.log_on_with(tickets.Ticket(machine.USER))
    raw.connect_tree("share")
    raw.close_socket()


@suite.test("expiry", lacks=C_MODULE)
def expiry(_server):
    """A session ends with its ticket; a new ticket renews it, with the keys and the tree connect that it had."""
    raw = tickets.Client()
    raw.log_on_with(tickets.Ticket(machine.USER, life=4))
    raw.connect_tree("share")
    file_id = raw.create("kept", access=0x001F01FF, disposition=3)

    def has_expired():
        try:
            raw.create("")
            return False
        except Failure as failure:
            check(f"{SESSION_EXPIRED:#010x}" in str(failure), f"after the ticket's end: {failure}")
            return True

    wait_for("the session to end with its ticket", has_expired, timeout=60, step=0.5)
    # Reauthentication is not hashed into new keys: the session keeps those it has.
    key, preauth = raw.signing_key, raw.preauth
    raw.present(tickets.init([tickets.KRB5], tickets.Ticket(machine.USER).token()))
    raw.signing_key, raw.preauth = key, preauth
    raw.close(file_id)
    raw.close(raw.create(""))
    # Giving back is possible without a ticket.
    raw.present(tickets.init([tickets.KRB5], tickets.Ticket(machine.USER, life=2).token()))
    file_id = raw.create("kept")
    wait_for("the session to end again", has_expired, timeout=60, step=0.5)
    raw.close(file_id)
    raw.log_off()
    raw.close_socket()
    os.unlink(f"{ROOT}/kept")


@suite.test("expiry.mount", timeout=180, lacks=C_MODULE)
def expiry_mount(_server):
    """cifs.ko on a ticket that ends: with a new one in the cache the mount goes on by itself."""
    with kdc.tickets(life="12s"), mounted() as where:
        write_and_read(where)
        time.sleep(12 + kdc.SKEW + 2)
        with kdc.tickets():

            def works():
                try:
                    os.stat(f"{where}/.")
                    write_and_read(where)
                    return True
                except OSError:
                    return False

            wait_for("the mount to go on with a new ticket", works, timeout=90, step=1)
