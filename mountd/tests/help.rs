// SPDX-License-Identifier: GPL-2.0

//! What the daemon says of itself and of mistakes in its command line, word by word, as in the files of `golden/`. With
//! `UPDATE_GOLDEN=1` in the environment the files are written instead.

use std::path::PathBuf;
use std::process::{Command, Stdio};

const CASES: &[(&str, i32, &[&str])] = &[
    ("help", 0, &["--help"]),
    ("version", 0, &["-V"]),
    ("port-zero", 1, &["-p", "0"]),
    ("port-too-large", 1, &["--port=65536"]),
    ("detach-how", 1, &["-n2"]),
    ("unknown", 1, &["--conf=x"]),
    ("more", 1, &["more"]),
];

#[test]
fn everything_is_told_as_it_was() {
    for (name, status, arguments) in CASES {
        let output = Command::new(env!("CARGO_BIN_EXE_ksmbd-mountd"))
            .args(*arguments)
            .env_remove("KSMBD_LOG")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(*status), "{name}");
        let text = format!(
            "--- output\n{}--- messages\n{}",
            String::from_utf8_lossy(&output.stdout).replace(env!("CARGO_PKG_VERSION"), "VERSION"),
            String::from_utf8_lossy(&output.stderr)
        );
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, text).expect("the file is written");
            continue;
        }
        let wanted = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, wanted, "not as in {}", path.display());
    }
}
