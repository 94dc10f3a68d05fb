// SPDX-License-Identifier: GPL-2.0

//! The configuration as text: sections, keys and values, and where each stands.
//!
//! A line is blank, a `[section]`, or `key = value`; `;` and `#` begin a comment anywhere. [`classify`] reads one line without
//! changing it, so that the editor can keep what it does not touch.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deepest chain of `include` lines.
const MAX_INCLUDE_DEPTH: usize = 8;
/// Most bytes of a configuration file.
const MAX_FILE: u64 = 16 << 20;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Number of the line, from 1.
    pub line: usize,
    /// Number of the character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line has no effect, or perhaps not the intended one.
    Warning,
    /// The share is left out.
    Error,
    /// The configuration is not used.
    Fatal,
}

/// Something to tell the administrator about the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where; `None` for the file as a whole.
    pub place: Option<Place>,
    /// How much it matters.
    pub severity: Severity,
    /// What, with the offending text and what is allowed.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error | Severity::Fatal => "error",
        };
        write!(f, "{severity}: {}", self.message)
    }
}

/// What one line is. Columns count bytes from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing but space or a comment.
    Blank,
    /// A section's head.
    Section {
        /// Its name.
        name: &'a str,
        /// Where the name begins.
        column: usize,
    },
    /// A key and its value.
    Entry {
        /// The key without space around it.
        key: &'a str,
        /// Where the key begins.
        key_column: usize,
        /// The value without space around it; may be empty.
        value: &'a str,
        /// Where the value begins.
        value_column: usize,
    },
    /// None of these.
    Bad {
        /// Where the fault lies.
        column: usize,
        /// What it is.
        reason: &'static str,
    },
}

/// Most bytes of a section's name.
pub const MAX_SECTION_NAME: usize = 63;

/// Says what a line is; `line` is without its line break.
pub fn classify(line: &str) -> Line<'_> {
    let content = line.split([';', '#']).next().unwrap_or("");
    let trimmed = content.trim_end();
    let start = trimmed.len() - trimmed.trim_start().len();
    let text = trimmed.trim_start();
    if text.is_empty() {
        return Line::Blank;
    }
    if let Some(inside) = text.strip_prefix('[') {
        let Some(name) = inside.strip_suffix(']') else {
            return Line::Bad {
                column: trimmed.len(),
                reason: "a section's head ends with `]`",
            };
        };
        let column = start + 1;
        if name.is_empty() || name.len() > MAX_SECTION_NAME {
            return Line::Bad {
                column,
                reason: "a section's name has 1 to 63 bytes",
            };
        }
        if name.contains([']', '[']) || name.chars().any(char::is_control) {
            return Line::Bad {
                column,
                reason: "a section's name cannot contain this character",
            };
        }
        return Line::Section { name, column };
    }
    let Some((key, value)) = text.split_once('=') else {
        return Line::Bad {
            column: start,
            reason: "expected `[section]` or `key = value`",
        };
    };
    let value_column = start + key.len() + 1 + (value.len() - value.trim_start().len());
    let key = key.trim_end();
    if key.is_empty() {
        return Line::Bad {
            column: start,
            reason: "there is no key before `=`",
        };
    }
    let value = value.trim();
    if key
        .chars()
        .chain(value.chars())
        .any(|c| c.is_control() && c != '\t')
    {
        return Line::Bad {
            column: start,
            reason: "control characters are not allowed",
        };
    }
    Line::Entry {
        key,
        key_column: start,
        value,
        value_column,
    }
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key as written.
    pub key: String,
    /// The value as written, without space around it.
    pub value: String,
    /// Where the key stands.
    pub key_at: Place,
    /// Where the value stands.
    pub value_at: Place,
}

/// A section; sections of one name are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name as first written.
    pub name: String,
    /// Where it first stands.
    pub at: Place,
    /// Its entries in order.
    pub entries: Vec<Entry>,
}

/// A whole configuration's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The sections in the order of their first appearance.
    pub sections: Vec<Section>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

/// The form of a section name by which names are compared.
pub fn fold_name(name: &str) -> String {
    name.to_lowercase()
}

/// The form of a key by which keys are compared: letter case and space do not matter.
pub fn fold_key(key: &str) -> String {
    key.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

impl Document {
    /// Reads the file at `path` and those that it includes.
    ///
    /// # Errors
    ///
    /// That of reading `path` itself. Everything else becomes a diagnostic.
    pub fn load(path: &Path) -> io::Result<Self> {
        let text = read_file(path)?;
        Ok(Document::parse(path, &text, &read_file))
    }

    /// Reads `text`, which stands at `path`. `read` gives the text of included files.
    pub fn parse(path: &Path, text: &str, read: &dyn Fn(&Path) -> io::Result<String>) -> Self {
        let mut builder = Builder {
            document: Document::default(),
            current: None,
            read,
        };
        builder.file(path, text, 0);
        builder.document
    }

    /// The section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        let name = fold_name(name);
        self.sections
            .iter()
            .find(|section| fold_name(&section.name) == name)
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is too large",
        ));
    }
    std::fs::read_to_string(path)
}

struct Builder<'a> {
    document: Document,
    current: Option<usize>,
    read: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl Builder<'_> {
    fn file(&mut self, path: &Path, text: &str, depth: usize) {
        let file: Arc<Path> = Arc::from(path);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let place = |column: usize| Place {
                file: Arc::clone(&file),
                line: index + 1,
                column: line
                    .get(..column)
                    .map_or(column, |before| before.chars().count())
                    + 1,
            };
            match classify(line) {
                Line::Blank => {}
                Line::Section { name, column } => self.section(name, place(column)),
                Line::Bad { column, reason } => {
                    self.fatal(place(column), format!("`{}`: {reason}", line.trim()));
                }
                Line::Entry {
                    key,
                    key_column,
                    value,
                    value_column,
                } => {
                    if fold_key(key) == "include" {
                        self.include(path, value, place(value_column), depth);
                        continue;
                    }
                    self.entry(key, value, place(key_column), place(value_column));
                }
            }
        }
    }

    fn section(&mut self, name: &str, at: Place) {
        let folded = fold_name(name);
        let known = self
            .document
            .sections
            .iter()
            .position(|section| fold_name(&section.name) == folded);
        self.current = Some(known.unwrap_or_else(|| {
            self.document.sections.push(Section {
                name: name.to_owned(),
                at,
                entries: Vec::new(),
            });
            self.document.sections.len() - 1
        }));
    }

    fn entry(&mut self, key: &str, value: &str, key_at: Place, value_at: Place) {
        let Some(section) = self
            .current
            .and_then(|index| self.document.sections.get_mut(index))
        else {
            self.fatal(
                key_at,
                format!("`{key}` stands before the first `[section]`"),
            );
            return;
        };
        section.entries.push(Entry {
            key: key.to_owned(),
            value: value.to_owned(),
            key_at,
            value_at,
        });
    }

    fn include(&mut self, from: &Path, value: &str, at: Place, depth: usize) {
        if value.is_empty() {
            return;
        }
        if depth >= MAX_INCLUDE_DEPTH {
            self.fatal(
                at,
                format!("`{value}` is included more than {MAX_INCLUDE_DEPTH} files deep"),
            );
            return;
        }
        let path: PathBuf = from.parent().unwrap_or(Path::new("")).join(value);
        match (self.read)(&path) {
            Ok(text) => self.file(&path, &text, depth + 1),
            Err(error) => self.fatal(at, format!("`{}` cannot be read: {error}", path.display())),
        }
    }

    fn fatal(&mut self, at: Place, message: String) {
        self.document.diagnostics.push(Diagnostic {
            place: Some(at),
            severity: Severity::Fatal,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Document {
        Document::parse(Path::new("ksmbd.conf"), text, &|path| match path.to_str() {
            Some("more.conf") => Ok("[extra]\n\tpath = /extra\n".into()),
            Some("loop.conf") => Ok("include = loop.conf\n".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn entries(document: &Document, section: &str) -> Vec<(String, String)> {
        let section = document.section(section).expect("section");
        section
            .entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.clone()))
            .collect()
    }

    #[test]
    fn reads_sections_keys_and_comments() {
        let document =
            parse("; c\n# d\n[Global]\n\tserver string = My  server ; why\n[share] # x\npath=/a\n");
        assert_eq!(document.diagnostics, []);
        assert_eq!(
            entries(&document, "GLOBAL"),
            [("server string".into(), "My  server".into())]
        );
        assert_eq!(entries(&document, "share"), [("path".into(), "/a".into())]);
    }

    #[test]
    fn joins_sections_of_one_name() {
        let document = parse("[A]\nx=1\n[b]\ny=2\n[a]\nz=3\n");
        assert_eq!(document.sections.len(), 2);
        assert_eq!(
            entries(&document, "a"),
            [("x".into(), "1".into()), ("z".into(), "3".into())]
        );
    }

    #[test]
    fn says_where_the_fault_is() {
        for (text, at, part) in [
            ("[global\n", "ksmbd.conf:1:8", "ends with `]`"),
            ("[]\n", "ksmbd.conf:1:2", "1 to 63"),
            ("[g]\n  nonsense\n", "ksmbd.conf:2:3", "expected"),
            ("  path = /x\n", "ksmbd.conf:1:3", "before the first"),
            ("[g]\n = 3\n", "ksmbd.conf:2:2", "no key"),
            (
                "[g]\ninclude = nowhere\n",
                "ksmbd.conf:2:11",
                "cannot be read",
            ),
        ] {
            let document = parse(text);
            let message = document.diagnostics.first().expect(text).to_string();
            assert!(
                message.starts_with(&format!("{at}: error: ")) && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn includes_in_place_and_to_a_bound() {
        let document = parse("[a]\nx=1\ninclude = more.conf\n");
        assert_eq!(document.diagnostics, []);
        assert_eq!(
            entries(&document, "extra"),
            [("path".into(), "/extra".into())]
        );
        let document = parse("[a]\ninclude = loop.conf\n");
        assert_eq!(document.diagnostics.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "(\\PC|\n|\t|\r|=|\\[|\\]|;)*") {
            let _ = parse(&text);
        }

        #[test]
        fn entries_come_back(key in "[a-z][a-z ]{0,10}[a-z]", value in "[a-zA-Z0-9/][a-zA-Z0-9/ ,]{0,20}[a-z]") {
            let document = parse(&format!("[s]\n \t{key} \t=\t {value} \r\n"));
            prop_assume!(key != "include");
            prop_assert_eq!(&document.diagnostics, &[]);
            prop_assert_eq!(entries(&document, "s"), vec![(key, value)]);
        }
    }
}
