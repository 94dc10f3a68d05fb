# SPDX-License-Identifier: GPL-2.0
"""What goes wrong gives the client the right error, by both clients."""

import errno
import os

from lib import client, machine
from lib.proc import check, run, wait_for
from lib.registry import Suite

suite = Suite("errors", cost=40, cpus=1)
ROOT = "/srv/smb"


@suite.before
def start(server):
    for name, size in (("share", "64m"), ("small", "8m"), ("ro", "8m"), ("public", "8m")):
        where = f"{ROOT}/{name}"
        if not os.path.ismount(where):
            machine.Disk("tmpfs", f"size={size}").mount(where)
            os.chmod(where, 0o777)
    machine.write(f"{ROOT}/ro/present", "present\n")
    server.start(
        {
            "share": {"path": f"{ROOT}/share"},
            "small": {"path": f"{ROOT}/small"},
            "ro": {"path": f"{ROOT}/ro", "read only": "yes"},
            "public": {"path": f"{ROOT}/public", "guest ok": "yes"},
            "exclusive": {"path": f"{ROOT}/share", "valid users": machine.OTHER},
            "gone": {"path": f"{ROOT}/does-not-exist"},
        }
    )


def refused(result, number, words):
    """A mount that must have failed with errno `number`, which mount.cifs prints."""
    if result.status == 0:
        client.umount()
    check(result.status != 0, "the mount succeeded")
    check(f"mount error({number})" in result.output, f"{words}: expected mount error({number}), got: {result.output.strip()}")


def expect_errno(number, action, words):
    """`action()` must raise OSError with exactly this errno."""
    try:
        action()
    except OSError as error:
        check(error.errno == number, f"{words}: {errno.errorcode[number]} expected, got {errno.errorcode.get(error.errno, error.errno)}")
        return
    check(False, f"{words}: it succeeded")


def says(share, status, commands="ls", **who):
    """smbclient must fail naming exactly this NTSTATUS."""
    result = client.smbclient(share, commands, ok=False, **who)
    check(status in result.output, f"smbclient should say {status}, says: {result.output.strip()}")


@suite.test("wrong-password")
def wrong_password(_server):
    refused(client.try_mount("share", password="wrong"), errno.EACCES, "wrong password")
    says("share", "NT_STATUS_LOGON_FAILURE", password="wrong")


@suite.test("empty-password")
def empty_password(_server):
    says("share", "NT_STATUS_LOGON_FAILURE", password="")


@suite.test("unknown-user")
def unknown_user(_server):
    """With `map to guest = never` an unknown user is refused as a wrong password is: which users exist must not show."""
    refused(client.try_mount("share", user="nosuchuser"), errno.EACCES, "unknown user")
    says("share", "NT_STATUS_LOGON_FAILURE", user="nosuchuser")


@suite.test("right-password-after-wrong")
def recovers(_server):
    refused(client.try_mount("share", password="wrong"), errno.EACCES, "wrong password")
    with client.mounted("share") as where:
        os.listdir(where)


@suite.test("guest-disabled")
def guest_disabled(_server):
    """Neither an anonymous nor a guest session reaches a share without `guest ok`."""
    result = client.try_mount("share", user=None, guest=True)
    if result.status == 0:
        client.umount()
    check(result.status != 0, "a guest mounted a share without `guest ok`")
    result = client.smbclient("share", "ls", user=None, ok=False)
    check(result.status != 0 and "blocks of size" not in result.output, f"an anonymous client listed the share: {result.output}")


@suite.test("unknown-share", lacks={kind: "the C module signs this refusal wrongly" for kind in ("c", "ours-tools")})
def unknown_share(_server):
    refused(client.try_mount("nosuchshare"), errno.ENOENT, "unknown share")
    says("nosuchshare", "NT_STATUS_BAD_NETWORK_NAME")


@suite.test("share-without-folder")
def share_without_folder(_server):
    """A share whose folder does not exist: an error for the client, whichever, and the server goes on."""
    result = client.try_mount("gone")
    if result.status == 0:
        client.umount()
    check(result.status != 0, "a share whose folder does not exist was mounted")
    with client.mounted("share") as where:
        os.listdir(where)


@suite.test("not-a-valid-user")
def not_a_valid_user(_server):
    refused(client.try_mount("exclusive"), errno.EACCES, "a user who is not in `valid users`")
    says("exclusive", "NT_STATUS_ACCESS_DENIED")
    client.smbclient("exclusive", "ls", user=machine.OTHER, password=machine.OTHER_PASSWORD)


@suite.test("read-only-share")
def read_only_share(_server):
    with client.mounted("ro") as where:
        with open(f"{where}/present", encoding="utf-8") as file:
            check(file.read() == "present\n", "a read-only share must be readable")
        for words, action in (
            ("create", lambda: open(f"{where}/new", "w", encoding="utf-8").close()),
            ("overwrite", lambda: open(f"{where}/present", "w", encoding="utf-8").close()),
            ("unlink", lambda: os.unlink(f"{where}/present")),
            ("mkdir", lambda: os.mkdir(f"{where}/folder")),
            ("rename", lambda: os.rename(f"{where}/present", f"{where}/other")),
        ):
            try:
                action()
            except OSError as error:
                check(error.errno in (errno.EACCES, errno.EROFS), f"{words} on a read-only share gives {error}")
            else:
                check(False, f"{words} on a read-only share succeeded")
    check(sorted(os.listdir(f"{ROOT}/ro")) == ["present"], f"the read-only share changed: {os.listdir(f'{ROOT}/ro')}")
    check(os.path.getsize(f"{ROOT}/ro/present") == 8, "a file of the read-only share changed")


@suite.test("full-disk")
def full_disk(_server):
    """Writing past the end of the disk gives ENOSPC, and what fits can be read again."""
    with client.mounted("small", cache="none") as where:

        def fill():
            with open(f"{where}/fill", "wb", buffering=0) as file:
                for _ in range(64):
                    file.write(b"x" * (1 << 18))

        expect_errno(errno.ENOSPC, fill, "filling the disk")
        os.unlink(f"{where}/fill")
        wait_for("the space to be free again", lambda: os.statvfs(f"{ROOT}/small").f_bfree > 1000)
        with open(f"{where}/again", "wb") as file:
            file.write(b"y" * 100000)
        os.unlink(f"{where}/again")
    machine.write("/tmp/twelve", "z" * (12 << 20))
    result = client.smbclient("small", "put /tmp/twelve twelve", ok=False)
    check("NT_STATUS_DISK_FULL" in result.output, f"smbclient should say NT_STATUS_DISK_FULL: {result.output}")
    for name in os.listdir(f"{ROOT}/small"):
        os.unlink(f"{ROOT}/small/{name}")


@suite.test("permissions")
def permissions(_server):
    """Access is checked as the session's user, by the file system's own rules."""
    secret = f"{ROOT}/share/secret"
    machine.write(secret, "secret\n")
    os.chmod(secret, 0o600)
    os.makedirs(f"{ROOT}/share/closed", exist_ok=True)
    os.chmod(f"{ROOT}/share/closed", 0o700)
    with client.mounted("share", noperm=True) as where:
        expect_errno(errno.EACCES, lambda: open(f"{where}/secret", encoding="utf-8").read(), "reading root's file")
        expect_errno(errno.EACCES, lambda: open(f"{where}/secret", "a", encoding="utf-8").close(), "writing root's file")
        expect_errno(errno.EACCES, lambda: open(f"{where}/closed/x", "w", encoding="utf-8").close(), "creating in root's folder")
    says("share", "NT_STATUS_ACCESS_DENIED", "get secret /tmp/secret")


@suite.test("names")
def names(_server):
    """What is not there, what is there already, what is not empty, what is not a folder."""
    with client.mounted("share") as where:
        expect_errno(errno.ENOENT, lambda: os.stat(f"{where}/nothing"), "stat of nothing")
        expect_errno(errno.ENOENT, lambda: os.stat(f"{where}/no/thing"), "stat below nothing")
        os.mkdir(f"{where}/full")
        open(f"{where}/full/x", "w", encoding="utf-8").close()
        expect_errno(errno.EEXIST, lambda: os.mkdir(f"{where}/full"), "mkdir of what exists")
        expect_errno(errno.EEXIST, lambda: os.open(f"{where}/full/x", os.O_CREAT | os.O_EXCL), "exclusive create of what exists")
        expect_errno(errno.ENOTEMPTY, lambda: os.rmdir(f"{where}/full"), "rmdir of what is not empty")
        expect_errno(errno.ENOTDIR, lambda: os.listdir(f"{where}/full/x"), "listing a file")
        os.unlink(f"{where}/full/x")
        os.rmdir(f"{where}/full")


@suite.test("escape")
def escape(_server):
    """No spelling of a name leaves the share."""
    machine.write(f"{ROOT}/outside", "outside\n")
    for name in ("..\\outside", "..\\..\\etc\\passwd", "a\\..\\..\\outside", "\\..\\outside"):
        for command in (f'get "{name}" /tmp/escaped', f'allinfo "{name}"', f'del "{name}"'):
            client.smbclient("share", command, ok=False)
        check(not os.path.exists("/tmp/escaped"), f"{name} was read from outside the share")
    check(os.path.exists(f"{ROOT}/outside"), "a file outside the share was deleted")
    link = f"{ROOT}/share/link"
    os.symlink("/etc/passwd", link)
    client.smbclient("share", "get link /tmp/escaped", ok=False)
    check(not os.path.exists("/tmp/escaped"), "a symbolic link led out of the share")
    os.unlink(link)
