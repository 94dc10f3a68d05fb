// SPDX-License-Identifier: GPL-2.0

//! ksmbd.conf(5) and the table of keys say the same; the programs' manual pages and completions are those in `golden/manual/`. With
//! `UPDATE_GOLDEN=1` in the environment the files there are written instead.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ksmbd_tools::config::keys::{Key, Lookup};

#[allow(dead_code, reason = "it is a program, and nobody calls its main")]
#[path = "../examples/manual.rs"]
mod generator;

const PAGE: &str = include_str!("../../Documentation/man/ksmbd.conf.5");

/// The arguments of a macro's line, quoted ones whole.
fn arguments(line: &str) -> Vec<&str> {
    let mut rest = line;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        if word.is_empty() && behind.is_empty() {
            return found;
        }
        found.push(word.trim_matches([' ', ',', ';', '.']));
        rest = behind;
    }
}

/// What the page documents: the heads of its paragraphs about keys, and the keys that it lists as having no effect yet.
fn documented() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut is_about_keys, mut lists_names, mut is_head) = (false, false, false);
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix(".SH ") {
            is_about_keys = title.contains("KEYS");
            lists_names = false;
        } else if let Some(title) = line.strip_prefix(".SS ") {
            is_about_keys = !title.contains("IPC");
            lists_names = title.contains("without effect");
        }
        let text = line.strip_prefix(".BR ");
        if is_about_keys && (is_head || lists_names) {
            if let Some(words) = text {
                let words = arguments(words);
                names.extend(words.iter().map(|word| (*word).to_owned()));
            } else if let Some(name) = line.strip_prefix(".B ") {
                names.insert(name.trim_matches('"').to_owned());
            }
        }
        is_head = line == ".TP";
    }
    names.retain(|name| !name.is_empty() && !name.starts_with('(') && !name.contains("opposite"));
    names
}

#[test]
fn every_key_has_its_paragraph() {
    let names = documented();
    let missing: Vec<&str> = Key::ALL
        .iter()
        .map(|key| key.name())
        .filter(|name| !names.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in ksmbd.conf(5): {missing:?}");
}

#[test]
fn every_paragraph_is_about_a_key() {
    let unknown: Vec<String> = documented()
        .into_iter()
        .filter(|name| !matches!(Key::lookup(name), Lookup::Known(_)))
        .collect();
    assert!(unknown.is_empty(), "in ksmbd.conf(5) only: {unknown:?}");
}

/// The names and texts of the files in `directory`, in the order of the names.
fn files(directory: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("a text");
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn pages_and_completions_are_as_they_were() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/manual");
    let made = tempfile::tempdir().expect("a folder");
    generator::write_all(made.path()).expect("pages");
    let mut made = files(made.path());
    for (_, text) in &mut made {
        *text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    }
    assert_eq!(
        made.len(),
        16,
        "a page and three completions of each program"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(&golden).expect("the folder is made");
        for (name, text) in &made {
            fs::write(golden.join(name), text).expect("the file is written");
        }
        return;
    }
    for (made, wanted) in made.iter().zip(files(&golden)) {
        assert_eq!(*made, wanted, "not as in {}", golden.display());
    }
    assert_eq!(
        made.len(),
        files(&golden).len(),
        "files in {}",
        golden.display()
    );
}
