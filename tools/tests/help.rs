// SPDX-License-Identifier: GPL-2.0

//! What the programs say of themselves and of mistakes in their command lines, word by word, as in the files of `golden/`. With
//! `UPDATE_GOLDEN=1` in the environment the files are written instead.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Command lines that are none, by name: no file and no daemon is looked for before they are refused.
const MISTAKES: &[(&str, &str, &[&str])] = &[
    ("adduser-no-user", "adduser", &["-a"]),
    ("adduser-two-actions", "adduser", &["-a", "-d", "alice"]),
    ("adduser-two-users", "adduser", &["-a", "alice", "bob"]),
    ("addshare-no-share", "addshare", &["-a"]),
    ("addshare-two-actions", "addshare", &["-u", "-d", "share"]),
    ("addshare-option-without-value", "addshare", &["-o"]),
    ("control-nothing", "control", &[]),
    ("control-two-actions", "control", &["-l", "-r"]),
    ("control-json-alone", "control", &["--json"]),
    ("control-top-of-nothing", "control", &["--top=0"]),
    ("control-disconnect-nobody", "control", &["--disconnect"]),
    ("control-unknown", "control", &["--statsu"]),
    ("control-more", "control", &["-l", "more"]),
];

fn program(name: &str) -> &'static str {
    match name {
        "adduser" => env!("CARGO_BIN_EXE_ksmbd-adduser"),
        "addshare" => env!("CARGO_BIN_EXE_ksmbd-addshare"),
        _ => env!("CARGO_BIN_EXE_ksmbd-control"),
    }
}

/// Exit status and everything that a program prints.
fn said(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name))
        .args(arguments)
        .env_remove("KSMBD_LOG")
        .env_remove("JOURNAL_STREAM")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    format!(
        "status {}\n--- output\n{}--- messages\n{}",
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Compares with a file of `golden/`, or writes it.
fn check(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the file is written");
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "not as in {}", path.display());
}

#[test]
fn help_is_as_it_was() {
    for name in ["adduser", "addshare", "control"] {
        check(&format!("{name}-help"), &said(name, &["--help"]));
        assert_eq!(said(name, &["-h"]), said(name, &["--help"]), "{name}");
    }
}

#[test]
fn mistakes_are_told_as_they_were() {
    for (file, name, arguments) in MISTAKES {
        let text = said(name, arguments);
        assert!(text.starts_with("status 1\n"), "{file}: {text}");
        check(file, &text);
    }
}
