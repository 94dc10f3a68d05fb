# SPDX-License-Identifier: GPL-2.0
"""Remote procedure calls over IPC$: Samba's rpcclient, and impacket's clients, which also send what is broken."""

import os
import signal
import struct

from lib import machine
from lib.proc import Failure, check, run
from lib.registry import Suite

suite = Suite("rpc", cost=80, cpus=1)
ROOT = "/srv/smb/share"
STOCK = {"c": "the C tools do not have this call", "ours-module": "the C tools do not have this call", "samba": "its accounts are others"}


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs").mount(ROOT)
        os.chmod(ROOT, 0o777)
    server.start({"share": {"path": ROOT, "comment": "the first share"}, "hidden": {"path": ROOT, "browseable": "no"}})


def uid(user=machine.USER):
    return int(run("id", "-u", user).output)


def rpcclient(*commands, ok=True, user=machine.USER, password=machine.PASSWORD):
    who = f"{user}%{password}" if user else "%"
    return run("rpcclient", "127.0.0.1", "-U", who, "-c", "; ".join(commands), ok=ok, timeout=60).output


def says(command, *wanted, unwanted=()):
    """A test that runs one command of rpcclient's and looks for words in its answer."""

    def run_case(_server):
        out = rpcclient(command.format(uid=hex(uid())))
        for word in wanted:
            check(word.format(uid=uid(), uidx=f"{uid():#x}") in out, f"`{command}` does not say '{word}': {out}")
        for word in unwanted:
            check(word not in out, f"`{command}` says '{word}': {out}")

    return run_case


for _name, _command, _wanted in (
    ("srvsvc.server-101", "srvinfo 101", ("KSMBD", "platform_id")),
    ("srvsvc.server-102", "srvinfo 102", ("KSMBD", "ksmbd under test")),
    ("srvsvc.shares-1", "netshareenum 1", ("netname: share", "remark:\tthe first share")),
    ("srvsvc.shares-2", "netshareenum 2", ("netname: share", "path:\tC:\\share")),
    ("srvsvc.shares-502", "netshareenum 502", ("netname: share", "path:\tC:\\share")),
    ("srvsvc.shares-all", "netshareenumall 1", ("netname: share",)),
    ("srvsvc.share-1", "netsharegetinfo share 1", ("netname: share", "the first share")),
    ("srvsvc.share-2", "netsharegetinfo share 2", ("netname: share", "path:\tC:\\share")),
    ("srvsvc.share-502", "netsharegetinfo share 502", ("netname: share",)),
    ("srvsvc.share-1005", "netsharegetinfo share 1005", ("flags: 0x",)),
    ("srvsvc.name", "netnamevalidate share 9", ()),
    ("lsarpc.policy", "lsaquery", ("WORKGROUP",)),
    ("lsarpc.user", "getusername", ("testuser", "KSMBD")),
    ("lsarpc.security", "lsaquerysecobj", ("S-1-1-0", "READ_CONTROL")),
    (
        "lsarpc.privileges", "enumprivs; lsalookupprivvalue SeBackupPrivilege; getdispname SeBackupPrivilege",
        ("SeCreateSymbolicLinkPrivilege", "0:17", "Back up files and directories"),
    ),
    ("lsarpc.domains", "lookupnames KSMBD BUILTIN", ("S-1-5-32 (", "KSMBD S-1-5-21-")),
    ("lsarpc.names", "lookupnames testuser", ("testuser S-1-5-21-", "-{uid} (User: 1)")),
    ("lsarpc.names-level", "lookupnames_level 1 testuser", ("testuser S-1-5-21-",)),
    ("lsarpc.well-known", "lookupsids S-1-1-0 S-1-5-32-544", ("Everyone", "BUILTIN\\Administrators")),
    ("lsarpc.sids-level", "lookupsids_level 1 S-1-1-0", ("Everyone",)),
    ("dssetup.role", "dsroledominfo", ("Machine Role = [2]",)),
    ("wkssvc.info", "wkssvc_wkstagetinfo", ()),
    ("wkssvc.join", "wkssvc_getjoininformation", ("WORKGROUP",)),
    ("samr.domains", "enumdomains", ("name:[KSMBD]", "name:[Builtin]")),
    ("samr.domain", "lookupdomain KSMBD", ("S-1-5-21-",)),
    ("samr.users", "enumdomusers", ("user:[testuser] rid:[{uidx}]", "user:[other]")),
    ("samr.user", "queryuser {uid}", ("User Name   :\ttestuser",)),
    ("samr.user-groups", "queryusergroups {uid}", ("group rid:[0x201]",)),
    ("samr.user-aliases", "queryuseraliases domain S-1-1-0", ()),
    ("samr.names", "samlookupnames domain testuser", ("name testuser: {uidx} (1)",)),
    ("samr.ids", "samlookuprids domain {uid}", ("rid {uidx}: testuser (1)",)),
    ("samr.groups", "enumdomgroups", ("group:[None] rid:[0x201]",)),
    ("samr.aliases", "enumalsgroups builtin", ("group:[Administrators] rid:[0x220]",)),
    ("samr.aliases-own", "enumalsgroups domain", ()),
    ("samr.group", "querygroup 0x201", ("Group Name:\tNone",)),
    ("samr.group-members", "querygroupmem 0x201", ("rid:[{uidx}]",)),
    ("samr.alias-members", "queryaliasmem builtin 0x220", ()),
    ("samr.alias-users", "queryaliasmem builtin 0x221", ("S-1-5-21-", "-{uid}")),
    ("samr.alias-names", "samlookupnames builtin Users", ("0x221 (4)",)),
    ("samr.user-security", "samquerysecobj {uid}", ("S-1-1-0",)),
    ("samr.domain-classes", "querydominfo 7; querydominfo 9; querydominfo 11; querydominfo 13", ()),
    ("samr.display-classes", "querydispinfo 2; querydispinfo 4; querydispinfo 5; getdispinfoidx testuser 1", ("testuser", "None")),
    ("samr.domain-info", "querydominfo 2", ("Domain:\t\tKSMBD", "Total Users:\t2")),
    ("samr.domain-password", "querydominfo 1", ()),
    ("samr.domain-name", "querydominfo 5", ("KSMBD",)),
    ("samr.domain-lockout", "querydominfo 12", ()),
    ("samr.display", "querydispinfo 1", ("Account: testuser", "RID: {uidx}")),
    ("samr.display2", "querydispinfo2 1", ("Account: testuser",)),
    ("samr.display3", "querydispinfo3 3", ("Account: None",)),
    ("samr.password-policy", "getdompwinfo", ("min_password_length: 0",)),
    ("samr.user-password-policy", "getusrdompwinfo {uid}", ()),
):
    suite.add(_name, says(_command, *_wanted), lacks=STOCK)


@suite.test("sids-of-users", lacks=STOCK)
def sids_of_users(_server):
    """The SID of a name has that name."""
    out = rpcclient("lookupnames testuser")
    sid = next(word for word in out.split() if word.startswith("S-1-5-21-"))
    check("KSMBD\\testuser" in rpcclient(f"lookupsids {sid}"), "the name's SID has another name")


@suite.test("unknown", lacks=STOCK)
def unknown(_server):
    """What does not exist is said so, and not with success."""
    for command, wanted in (
        ("lookupnames no-such-user", "NONE_MAPPED"),
        ("queryuser 0x7fffffff", "NO_SUCH_USER"),
        ("querygroup 0x7fffffff", "NO_SUCH_GROUP"),
        ("lookupdomain NOWHERE", "NO_SUCH_DOMAIN"),
        ("netsharegetinfo no-such-share 1", "NETNAMENOTFOUND"),
        ("netnamevalidate a/b 9", "INVALID_NAME"),
        ("lookupsids_level 3 S-1-1-0", "*UNKNOWN*"),
        ("lookupnames4 testuser", "ACCESS_DENIED"),
        ("lookupsids3 S-1-1-0", "ACCESS_DENIED"),
        ("lsaenumacctrights S-1-1-0", "OBJECT_NAME_NOT_FOUND"),
        ("getdispname SeNothing", "NO_SUCH_PRIVILEGE"),
        ("createdomuser somebody", "NT_STATUS"),
        ("deletedomuser testuser", "NT_STATUS"),
    ):
        out = rpcclient(command, ok=False)
        check(wanted in out.upper(), f"`{command}`: {out}")


@suite.test("smbclient-L", lacks=STOCK)
def listed(_server):
    """smbclient shows the shares, as a grid and for scripts."""
    who = f"{machine.USER}%{machine.PASSWORD}"
    text = run("smbclient", "-L", "127.0.0.1", "-U", who, timeout=60).output
    check("the first share" in text and "IPC$" in text and "hidden" not in text, text)
    text = run("smbclient", "-gL", "127.0.0.1", "-U", who, timeout=60).output
    check("Disk|share|the first share" in text.splitlines(), text)


@suite.test("guest", lacks=STOCK)
def guest(server):
    """`restrict anonymous` keeps those who gave no name from shares and accounts."""
    server.stop()
    server.start({"share": {"path": ROOT}}, map_to_guest="bad user", restrict_anonymous="1")
    for command in ("netshareenum 1", "enumdomusers", "lookupnames testuser"):
        out = rpcclient(command, ok=False, user=None)
        check("testuser" not in out and "netname: share" not in out, f"a guest may `{command}`: {out}")
    server.stop()
    start(server)


NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")
NDR64 = ("71710533-BEBA-4937-8319-B5DBEF9CCC36", "1.0")


def connected(pipe, fragment=None):
    """impacket's DCE/RPC on a pipe."""
    from impacket.dcerpc.v5 import transport

    path = transport.DCERPCTransportFactory(f"ncacn_np:127.0.0.1[\\pipe\\{pipe}]")
    path.set_credentials(machine.USER, machine.PASSWORD, "", "", "")
    rpc = path.get_dce_rpc()
    rpc.connect()
    if fragment:
        rpc.set_max_fragment_size(fragment)
    return rpc


def over_both(name, pipe):
    """Adds the function as a test for each transfer syntax: it gets a pipe that it binds to its interface with `bind`."""

    def register(function):
        for label, syntax in (("", NDR), ("-ndr64", NDR64)):

            def run_case(_server, syntax=syntax):
                rpc = connected(pipe)
                function(rpc, lambda interface: rpc.bind(interface, transfer_syntax=syntax))
                rpc.disconnect()

            suite.add(f"impacket.{name}{label}", run_case, lacks=STOCK)
        return function

    return register


def refused(wanted, call, *args):
    """The call gives an error that has `wanted` in its name."""
    from impacket.dcerpc.v5.rpcrt import DCERPCException

    try:
        call(*args)
    except DCERPCException as problem:
        check(wanted in str(problem).upper(), f"{call.__name__}: {problem}")
        return
    raise Failure(f"{call.__name__}: success where {wanted} was expected")


@over_both("srvsvc", "srvsvc")
def impacket_srvsvc(rpc, bind):
    from impacket.dcerpc.v5 import srvs

    bind(srvs.MSRPC_UUID_SRVS)
    for level in (0, 1, 2, 501, 502, 503):
        shares = srvs.hNetrShareEnum(rpc, level)["InfoStruct"]["ShareInfo"][f"Level{level}"]["Buffer"]
        names = sorted(share[f"shi{level}_netname"][:-1] for share in shares)
        check(names == ["IPC$", "share"], f"level {level}: shares are {names}")
    for level in (0, 1, 2, 501, 502, 503, 1005):
        srvs.hNetrShareGetInfo(rpc, "share\0", level)
    for level in (100, 101, 102):
        srvs.hNetrServerGetInfo(rpc, level)
    now = srvs.hNetrRemoteTOD(rpc)["BufferPtr"]["tod_elapsedt"]
    here = int(run("date", "+%s").output)
    check(abs(now - here) < 60, f"the server's time is {now}, here it is {here}")


@over_both("wkssvc", "wkssvc")
def impacket_wkssvc(rpc, bind):
    from impacket.dcerpc.v5 import wkst

    bind(wkst.MSRPC_UUID_WKST)
    for level in (100, 101, 102):
        info = wkst.hNetrWkstaGetInfo(rpc, level)["WkstaInfo"][f"WkstaInfo{level}"]
        name = info[f"wki{level}_computername"][:-1]
        check(name == "KSMBD", f"level {level}: the server is called {name}")


@over_both("samr", "samr")
def impacket_samr(rpc, bind):
    from impacket.dcerpc.v5 import samr

    bind(samr.MSRPC_UUID_SAMR)
    for connect in (samr.hSamrConnect, samr.hSamrConnect2, samr.hSamrConnect4, samr.hSamrConnect5):
        server = connect(rpc)["ServerHandle"]
    sid = samr.hSamrLookupDomainInSamServer(rpc, server, "KSMBD")["DomainId"]
    domain = samr.hSamrOpenDomain(rpc, server, domainId=sid)["DomainHandle"]
    users = samr.hSamrEnumerateUsersInDomain(rpc, domain)["Buffer"]["Buffer"]
    names = sorted(user["Name"] for user in users)
    check(names == sorted([machine.USER, machine.OTHER]), f"users are {names}")
    handle = samr.hSamrOpenUser(rpc, domain, userId=uid())["UserHandle"]
    for number in (*range(1, 15), 16, 17, 20):
        samr.hSamrQueryInformationUser2(rpc, handle, samr.USER_INFORMATION_CLASS.enumItems(number))
    info = samr.hSamrQueryInformationUser2(rpc, handle, samr.USER_INFORMATION_CLASS.UserAllInformation)["Buffer"]["All"]
    check(info["UserName"] == machine.USER, f"the user is {info['UserName']}")
    refused("INVALID_INFO_CLASS", samr.hSamrQueryInformationUser2, rpc, handle, samr.USER_INFORMATION_CLASS.UserInternal1Information)
    for number in (*range(1, 10), 11, 12, 13):
        samr.hSamrQueryInformationDomain2(rpc, domain, samr.DOMAIN_INFORMATION_CLASS.enumItems(number))
    for query in (samr.hSamrQueryDisplayInformation, samr.hSamrQueryDisplayInformation2, samr.hSamrQueryDisplayInformation3):
        for number in range(1, 6):
            query(rpc, domain, samr.DOMAIN_DISPLAY_INFORMATION.enumItems(number))
    names = samr.hSamrLookupIdsInDomain(rpc, domain, (uid(), 513))["Names"]["Element"]
    check([name["Data"] for name in names] == [machine.USER, "None"], "the names of ids")
    group = samr.hSamrOpenGroup(rpc, domain, groupId=513)["GroupHandle"]
    samr.hSamrGetMembersInGroup(rpc, group)
    for number in range(1, 5):
        samr.hSamrQueryInformationGroup(rpc, group, samr.GROUP_INFORMATION_CLASS.enumItems(number))
    builtin = samr.hSamrLookupDomainInSamServer(rpc, server, "Builtin")["DomainId"]
    builtin = samr.hSamrOpenDomain(rpc, server, domainId=builtin)["DomainHandle"]
    alias = samr.hSamrOpenAlias(rpc, builtin, aliasId=544)["AliasHandle"]
    info = samr.hSamrQueryInformationAlias(rpc, alias)["Buffer"]["General"]
    check(info["Name"] == "Administrators", f"alias 544 is {info['Name']}")
    sids = samr.SAMPR_PSID_ARRAY()
    item = samr.PSAMPR_SID_INFORMATION()
    item["SidPointer"] = samr.hSamrRidToSid(rpc, domain, uid())["Sid"]
    sids["Sids"].append(item)
    found = samr.hSamrGetAliasMembership(rpc, builtin, sids)["Membership"]["Element"]
    check([entry["Data"] for entry in found] == [545], "the user's aliases")
    samr.hSamrQuerySecurityObject(rpc, handle, 7)
    samr.hSamrCloseHandle(rpc, handle)


@over_both("lsarpc", "lsarpc")
def impacket_lsarpc(rpc, bind):
    from impacket.dcerpc.v5 import lsad, lsat
    from impacket.dcerpc.v5.dtypes import MAXIMUM_ALLOWED

    bind(lsat.MSRPC_UUID_LSAT)
    policy = lsad.hLsarOpenPolicy2(rpc, MAXIMUM_ALLOWED)["PolicyHandle"]
    for lookup in (lsat.hLsarLookupNames, lsat.hLsarLookupNames2, lsat.hLsarLookupNames3):
        lookup(rpc, policy, (machine.USER,))
    for lookup in (lsat.hLsarLookupSids, lsat.hLsarLookupSids2):
        names = lookup(rpc, policy, ("S-1-1-0",))["TranslatedNames"]["Names"]
        check(names[0]["Name"] == "Everyone", f"S-1-1-0 is {names[0]['Name']}")
    for number in (*range(2, 8), 12, 13, 14):
        lsad.hLsarQueryInformationPolicy2(rpc, policy, lsad.POLICY_INFORMATION_CLASS.enumItems(number))
    value = lsad.hLsarLookupPrivilegeValue(rpc, policy, "SeBackupPrivilege")["Value"]
    check(lsad.hLsarLookupPrivilegeName(rpc, policy, value)["Name"] == "SeBackupPrivilege", "the privilege has another name")
    check(len(lsad.hLsarEnumeratePrivileges(rpc, policy)["EnumerationBuffer"]["Privileges"]) > 30, "few privileges")
    check(lsat.hLsarGetUserName(rpc)["UserName"] == machine.USER, "the caller has another name")
    for call in (lsad.hLsarEnumerateAccounts, lsad.hLsarEnumerateTrustedDomains, lsad.hLsarEnumerateTrustedDomainsEx):
        refused("NO_MORE_ENTRIES", call, rpc, policy)
    refused("NAME_NOT_FOUND", lsad.hLsarEnumerateAccountRights, rpc, policy, "S-1-5-32-544")
    refused("DENIED", lsat.hLsarLookupNames4, rpc, (machine.USER,))
    lsad.hLsarQuerySecurityObject(rpc, policy, 7)
    lsad.hLsarClose(rpc, policy)
    refused("CONTEXT", lsad.hLsarClose, rpc, policy)


@suite.test("impacket.fragments", lacks=STOCK)
def impacket_fragments(_server):
    """A request in many fragments, and an answer in many."""
    from impacket.dcerpc.v5 import lsad, lsat
    from impacket.dcerpc.v5.dtypes import MAXIMUM_ALLOWED

    rpc = connected("lsarpc", fragment=100)
    rpc.bind(lsat.MSRPC_UUID_LSAT)
    policy = lsad.hLsarOpenPolicy2(rpc, MAXIMUM_ALLOWED)["PolicyHandle"]
    answer = lsat.hLsarLookupNames3(rpc, policy, (machine.USER,) * 200)
    sids = answer["TranslatedSids"]["Sids"]
    check(len(sids) == 200, f"{len(sids)} of 200 names came back")
    rpc.disconnect()


@suite.test("impacket.alter-context", lacks=STOCK)
def impacket_alter_context(_server):
    """Two interfaces on one pipe."""
    from impacket.dcerpc.v5 import lsad, lsat
    from impacket.dcerpc.v5.dtypes import MAXIMUM_ALLOWED
    from impacket.uuid import uuidtup_to_bin

    rpc = connected("lsarpc")
    rpc.bind(lsat.MSRPC_UUID_LSAT)
    setup = rpc.alter_ctx(uuidtup_to_bin(("3919286a-b10c-11d0-9ba8-00c04fd92ef5", "0.0")))
    setup.call(0, struct.pack("<H", 1))
    role = struct.unpack_from("<H", setup.recv(), 8)[0]
    check(role == 2, f"the role is {role}, not a standalone server's")
    lsad.hLsarOpenPolicy2(rpc, MAXIMUM_ALLOWED)
    rpc.disconnect()


@suite.test("impacket.faults", lacks=STOCK)
def impacket_faults(_server):
    """Operations and parameters that do not exist."""
    from impacket.dcerpc.v5 import srvs
    from impacket.dcerpc.v5.rpcrt import DCERPCException

    def fault(rpc, number, stub):
        try:
            rpc.call(number, stub)
            rpc.recv()
        except DCERPCException as problem:
            return str(problem)
        raise Failure(f"operation {number} with {len(stub)} bytes was answered as if it were there")

    rpc = connected("srvsvc")
    rpc.bind(srvs.MSRPC_UUID_SRVS)
    check("nca_s_op_rng_error" in fault(rpc, 999, b""), "an operation that does not exist")
    for stub in (b"", b"\1", b"\xff" * 40, b"\0" * 7):
        fault(rpc, 16, stub)
    # The association lives on.
    srvs.hNetrServerGetInfo(rpc, 100)
    rpc.disconnect()


@suite.test("late-answer", lacks={"c": "it is about this project's module", "ours-tools": "the module is not ours", "samba": "it has no daemon of that kind"})
def late_answer(server):
    """A pipe is over when the daemon does not answer in time: what comes later would be taken for the answer to the next request."""
    from impacket.dcerpc.v5 import srvs
    from impacket.smbconnection import SessionError

    def broken():
        try:
            srvs.hNetrShareEnum(rpc, 1)
        except SessionError as problem:
            check("PIPE_DISCONNECTED" in str(problem), f"the pipe: {problem}")
            return
        raise Failure("the pipe is used on")

    rpc = connected("srvsvc")
    rpc.bind(srvs.MSRPC_UUID_SRVS)
    workers = [int(word) for word in run("pgrep", "-P", str(server.daemon.pid)).output.split()]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    try:
        broken()
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
    broken()
    rpc = connected("srvsvc")
    rpc.bind(srvs.MSRPC_UUID_SRVS)
    rpc.disconnect()
