// SPDX-License-Identifier: GPL-2.0

//! Tests of reading and showing the status.

use super::*;
use std::fs;

/// A module's files, as the module writes them.
fn module() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("proc");
    fs::create_dir_all(root.join("sessions")).unwrap();
    fs::create_dir(dir.path().join("class")).unwrap();
    fs::write(dir.path().join("version"), "0.1.0\n").unwrap();
    let files = [
        ("server", "Server\nstate:\trunning\nnetbios:\tKSMBD\nmin_protocol:\tSMB2_10\nmax_protocol:\tSMB3_11\ntcp_port:\t445\n\
            signing:\tauto\nencryption:\tauto\nmax_connections:\t128\nmax_open_files:\t10000\nipc_last_active_seconds:\t3\n\
            clients:\t1\nsessions:\t1\nopen_files:\t2\n\n"),
        ("clients", "client:\t192.0.2.7\nport:\t50000\nserver:\t192.0.2.1\nconnection:\t1\ntransport:\ttcp\nstate:\tgood\n\
            dialect:\t0x0311\ncredits:\t512/8192\nsessions:\t1\nrequests_in_work:\t0\nmessages:\t12345\nbytes_received:\t9999\nbytes_sent:\t123456789\nfeatures:\tsign,encrypt\nsigning:\taes-gmac\n\
            encryption:\taes128-gcm\nidle_seconds:\t4\n\n"),
        ("sessions/sessions", "client:\t192.0.2.7\nconnection:\t1\nuser:\talice\naccount_type:\tuser\nuid:\t1000\nid:\t12297829382473034410\n\
            state:\tvalid\ndialect:\t0x0311\nmust_sign:\tyes\nmust_encrypt:\tno\nage_seconds:\t3725\nidle_seconds:\t4\nchannels:\t1\n\
            tree_connects:\t1\nopen_files:\t2\n\n"),
        ("trees", "share:\tsh\\303\\244re\nshare_type:\tdisk\nsession:\t12297829382473034410\ntree_id:\t1\nuser:\talice\nwritable:\tyes\nguest:\tno\n\n"),
        ("shares", "name:\tsh\\303\\244re\ntype:\tdisk\ntree_connects:\t1\nfile_mask:\t0o744\ndirectory_mask:\t0o755\nflags:\tavailable,oplocks\n\n"),
        ("files", "tree_id:\t0x1\npersistent_id:\t0x10\nvolatile_id:\t0x10\nsession:\t12297829382473034410\nuser:\talice\naccount_type:\tuser\n\
            share:\tsh\\303\\244re\ntype:\tfile\nstate:\topen\ndesired_access:\t0x0012019f\nshare_access:\t0x00000003\noplock:\tLEASE_RWH\nlocks:\t1\n\
            flags:\tnone\nname:\tdir/with\\012line \\033[2J\n\n"),
        ("locks", "volatile_id:\t0x10\nsession:\t12297829382473034410\nuser:\talice\nshare:\tsh\\303\\244re\ntype:\texclusive\noffset:\t0\n\
            length:\t18446744073709551615\nname:\tdir/f\n\n"),
    ];
    for (name, text) in files {
        fs::write(root.join(name), text).unwrap();
    }
    dir
}

#[test]
fn reads_what_the_module_writes() {
    let dir = module();
    let status = Source::at(dir.path()).read().unwrap();
    assert_eq!(status.server.daemon_silent_seconds, Some(3));
    let session = &status.sessions[0];
    assert_eq!(
        (session.id, session.user.as_str(), session.must_sign),
        (12297829382473034410, "alice", true)
    );
    assert_eq!(status.open_files[0].name, "dir/with\nline \x1b[2J");
    assert_eq!(status.open_files[0].access, 0x0012_019f);
    assert_eq!(status.locks[0].length, u64::MAX);
    assert_eq!(status.tree_connects[0].share, "sh\u{e4}re");
    assert_eq!(status.shares[0].flags, ["available", "oplocks"]);
}

#[test]
fn table_is_for_people() {
    let dir = module();
    let text = Source::at(dir.path()).read().unwrap().to_string();
    assert_eq!(
        text,
        "\
ksmbd 0.1.0, running on port 445, SMB2_10 to SMB3_11; 1 of 128 connections, 1 sessions, 2 of 10000 open files

Sessions
  ID                    User   Client     Dialect  Protection  Age    Idle  Shares  Files
  12297829382473034410  alice  192.0.2.7  SMB3_11  signed      1h02m  4s    1       2

Shares in use
  Share  User   Session               Access
  sh\u{e4}re  alice  12297829382473034410  read, write

Open files
  Share  User   Access  Shared  Caching    Locks  Type  Name
  sh\u{e4}re  alice  rw-     rw-     LEASE_RWH  1      file  dir/with\\nline \\u{1b}[2J

Locks
  Share  User   Type       Offset  Length                Name
  sh\u{e4}re  alice  exclusive  0       18446744073709551615  dir/f

Connections
  Client           Server     State  Dialect  Signing   Encryption  Credits   In work  Messages  Received  Sent  Idle
  192.0.2.7:50000  192.0.2.1  good   SMB3_11  aes-gmac  aes128-gcm  512/8192  0        12345     9999      117M  4s
"
    );
}

#[test]
fn json_is_for_programs() {
    let dir = module();
    let text = serde_json::to_string(&Source::at(dir.path()).read().unwrap()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["sessions"][0]["id"], "12297829382473034410");
    assert_eq!(value["open_files"][0]["type"], "file");
    assert_eq!(value["server"]["tcp_port"], 445);
    assert_eq!(value["connections"][0]["encryption"], "aes128-gcm");
    assert_eq!(value["connections"][0]["bytes_sent"], "123456789");
}

#[test]
fn says_why_there_is_none() {
    let dir = module();
    let source = Source::at(dir.path());
    // The C module has some of the files.
    fs::remove_file(dir.path().join("proc/trees")).unwrap();
    assert!(matches!(source.read(), Err(StatusError::NotTold)));
    assert!(matches!(source.sessions(), Err(StatusError::NotTold)));
    fs::remove_dir(dir.path().join("class")).unwrap();
    assert!(matches!(source.read(), Err(StatusError::NotLoaded)));
}

#[test]
fn what_is_missing_or_new_is_no_failure() {
    let dir = module();
    fs::write(
        dir.path().join("proc/clients"),
        "client:\t::1\nfuture:\tx\n\n",
    )
    .unwrap();
    let status = Source::at(dir.path()).read().unwrap();
    assert_eq!(status.connections.len(), 1);
    assert!(status.to_string().contains("[::1]:0"));
}
