# SPDX-License-Identifier: GPL-2.0
"""Samba's smbclient against the server: files, folders, listings, the share list."""

import filecmp
import os

from lib import client, machine
from lib.proc import check, run
from lib.registry import Suite

suite = Suite("smbclient", cost=40, cpus=1)
ROOT = "/srv/smb/share"


@suite.before
def start(server):
    if not os.path.ismount(ROOT):
        machine.Disk("tmpfs").mount(ROOT)
        os.chmod(ROOT, 0o777)
    server.start(
        {
            "share": {"path": ROOT, "comment": "the first share"},
            "second": {"path": ROOT, "comment": "the second"},
            "hidden": {"path": ROOT, "browseable": "no"},
        }
    )


def local(name, size):
    path = f"/tmp/{name}"
    with open(path, "wb") as file:
        file.write(os.urandom(size))
    return path


@suite.test("put-get")
def put_get(_server):
    for size in (0, 1, 65536, 65537, 9_000_001):
        source = local("source", size)
        client.smbclient("share", f"put {source} file; get file /tmp/back")
        check(filecmp.cmp(source, "/tmp/back", shallow=False), f"{size} bytes came back changed")
        check(filecmp.cmp(source, f"{ROOT}/file", shallow=False), f"{size} bytes arrived changed")
    client.smbclient("share", "del file")


@suite.test("dialects")
def dialects(_server):
    source = local("source", 300_000)
    for dialect in ("SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"):
        client.smbclient(
            "share", f"put {source} d; get d /tmp/back; del d", f"--option=client min protocol={dialect}", f"--option=client max protocol={dialect}"
        )
        check(filecmp.cmp(source, "/tmp/back", shallow=False), f"{dialect}: changed")


@suite.test("protections")
def protections(_server):
    source = local("source", 300_000)
    for protection in ("sign", "encrypt"):
        for dialect in ("SMB3_00", "SMB3_11"):
            client.smbclient(
                "share", f"put {source} d; get d /tmp/back; del d", f"--client-protection={protection}", f"--option=client max protocol={dialect}"
            )
            check(filecmp.cmp(source, "/tmp/back", shallow=False), f"{protection} with {dialect}: changed")


def algorithm_case(option, value):
    def run_case(_server):
        source = local("source", 300_000)
        protection = "encrypt" if "encryption" in option else "sign"
        client.smbclient("share", f"put {source} d; get d /tmp/back; del d", f"--client-protection={protection}", f"--option={option}={value}")
        check(filecmp.cmp(source, "/tmp/back", shallow=False), f"{value}: changed")

    return run_case


for _cipher in ("aes-128-gcm", "aes-128-ccm", "aes-256-gcm", "aes-256-ccm"):
    suite.add(f"encrypt.{_cipher}", algorithm_case("client smb3 encryption algorithms", _cipher))
for _signing in ("hmac-sha256", "aes-128-cmac", "aes-128-gmac"):
    lacks = {}
    if _signing == "aes-128-gmac":
        lacks = {kind: "the C module has no AES-GMAC" for kind in ("c", "ours-tools")}
    elif _signing == "hmac-sha256":
        lacks = {kind: "the C module signs with AES-CMAC whatever was negotiated" for kind in ("c", "ours-tools")}
    suite.add(f"sign.{_signing}", algorithm_case("client smb3 signing algorithms", _signing), lacks=lacks)


@suite.test("ls")
def ls(_server):
    folder = f"{ROOT}/listing"
    os.makedirs(folder)
    names = [f"file {n:03d} ä€😀" for n in range(200)]
    for name in names:
        machine.write(f"{folder}/{name}", "x")
    out = client.smbclient("share", 'cd listing; ls "*"').output
    for name in names:
        check(name in out, f"'{name}' is missing in the listing: {out[-500:]}")
    out = client.smbclient("share", 'cd listing; ls "file 01?*"').output
    check(sum(line.strip().startswith("file ") for line in out.splitlines()) == 10, f"the pattern 'file 01?*' should find 10: {out}")
    out = client.smbclient("share", 'cd listing; ls "nothing*"', ok=False).output
    check("NT_STATUS_NO_SUCH_FILE" in out, f"an empty match should be NT_STATUS_NO_SUCH_FILE: {out}")
    run("rm", "-r", folder)


@suite.test("folders")
def folders(_server):
    source = local("source", 1000)
    client.smbclient("share", f"mkdir a; mkdir a\\b; cd a\\b; put {source} f; cd \\; ls a\\b\\f")
    check(os.path.isfile(f"{ROOT}/a/b/f"), "the file is not where it should be")
    out = client.smbclient("share", "rmdir a", ok=False).output
    check("NT_STATUS_DIRECTORY_NOT_EMPTY" in out, f"rmdir of a full folder: {out}")
    client.smbclient("share", "del a\\b\\f; rmdir a\\b; rmdir a")
    check(not os.path.exists(f"{ROOT}/a"), "the folder is still there")


@suite.test("rename-delete")
def rename_delete(_server):
    source = local("source", 1000)
    client.smbclient("share", f"put {source} old; rename old new")
    check(os.path.exists(f"{ROOT}/new") and not os.path.exists(f"{ROOT}/old"), f"after rename: {os.listdir(ROOT)}")
    client.smbclient("share", f"put {source} other")
    out = client.smbclient("share", "rename new other", ok=False).output
    check("NT_STATUS_OBJECT_NAME_COLLISION" in out, f"rename onto an existing file: {out}")
    client.smbclient("share", "del new; del other")
    check(not os.listdir(ROOT), f"left: {os.listdir(ROOT)}")
    out = client.smbclient("share", "del new", ok=False).output
    check("NT_STATUS_NO_SUCH_FILE" in out or "NT_STATUS_OBJECT_NAME_NOT_FOUND" in out, f"deleting nothing: {out}")


@suite.test("case")
def case(_server):
    """Names are found whatever their case, and keep the case they were made with."""
    source = local("source", 1000)
    client.smbclient("share", f"put {source} MixedCase.Txt; get mIXEDcASE.tXT /tmp/back; mkdir Folder; cd fOLDER; put {source} In; cd \\; get FOLDER\\IN /tmp/back")
    check(sorted(os.listdir(ROOT)) == ["Folder", "MixedCase.Txt"], f"names are {os.listdir(ROOT)}")
    client.smbclient("share", "del MIXEDCASE.TXT; del folder\\in; rmdir FOLDER")
    check(not os.listdir(ROOT), f"left: {os.listdir(ROOT)}")


@suite.test("rename-case")
def rename_case(_server):
    """A rename that changes only the case keeps the file. (cifs.ko never sends one: to it both names are one file.)"""
    source = local("source", 1000)
    client.smbclient("share", f"put {source} name; rename name NAME")
    check(os.listdir(ROOT) == ["NAME"], f"after a rename of case only: {os.listdir(ROOT)}")
    client.smbclient("share", "del NAME")


@suite.test("attributes")
def attributes(_server):
    source = local("source", 1000)
    client.smbclient("share", f"put {source} f; setmode f +hsr")
    out = client.smbclient("share", "allinfo f").output
    check("attributes: RHSA" in out or "attributes: RHS" in out, f"attributes were not kept: {out}")
    client.smbclient("share", "setmode f -rhs; del f")
    check(not os.path.exists(f"{ROOT}/f"), "the file is still there")


@suite.test("recursive")
def recursive(_server):
    os.makedirs("/tmp/tree/one/two", exist_ok=True)
    for name in ("a", "one/b", "one/two/c"):
        local("x", 5000)
        os.replace("/tmp/x", f"/tmp/tree/{name}")
    client.smbclient("share", "recurse on; prompt off; lcd /tmp; mput tree")
    run("diff", "-r", "/tmp/tree", f"{ROOT}/tree")
    os.makedirs("/tmp/fetched", exist_ok=True)
    client.smbclient("share", "recurse on; prompt off; lcd /tmp/fetched; mget tree")
    run("diff", "-r", "/tmp/tree", "/tmp/fetched/tree")
    client.smbclient("share", "deltree tree")
    check(not os.path.exists(f"{ROOT}/tree"), "deltree left something")


@suite.test("share-list")
def share_list(_server):
    """smbclient -L: srvsvc NetShareEnumAll over the IPC$ pipe."""
    out = run("smbclient", "-L", f"//{client.HOST}", "-U", f"{machine.USER}%{machine.PASSWORD}", "-m", "SMB3").output
    for name, comment in (("share", "the first share"), ("second", "the second"), ("IPC$", "")):
        line = next((line for line in out.splitlines() if [word.lower() for word in line.split()[:1]] == [name.lower()]), None)
        check(line is not None, f"{name} is not listed: {out}")
        check(comment in line, f"{name} is listed without its comment: {line}")
    check("hidden" not in out, f"a share that is not browseable is listed: {out}")


@suite.test("volume")
def volume(_server):
    out = client.smbclient("share", "volume; du").output
    check("Volume:" in out and "blocks of size" in out, f"no volume information: {out}")
