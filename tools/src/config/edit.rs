// SPDX-License-Identifier: GPL-2.0

//! Changes to a configuration's text that keep comments, order and layout.

use super::document::{classify, fold_key, fold_name, Line};

/// A configuration's text, line by line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What some editors begin a file with; see [`BYTE_ORDER_MARK`].
    mark: &'static str,
    lines: Vec<String>,
}

/// It is no part of the first line: a section's head there is one.
const BYTE_ORDER_MARK: &str = "\u{feff}";

impl Text {
    /// Takes a text apart.
    pub fn new(text: &str) -> Self {
        let (mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (BYTE_ORDER_MARK, rest),
            None => ("", text),
        };
        Text {
            mark,
            lines: text.split_inclusive('\n').map(str::to_owned).collect(),
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        let lines = self.lines.iter().map(String::as_str);
        std::iter::once(self.mark).chain(lines).collect()
    }

    /// Whether there is such a section.
    pub fn has_section(&self, name: &str) -> bool {
        self.lines.iter().any(|line| is_head_of(line, name))
    }

    /// Adds an empty section at the end.
    pub fn add_section(&mut self, name: &str) {
        if let Some(last) = self.lines.last_mut() {
            if !last.ends_with('\n') {
                last.push('\n');
            }
        }
        if self
            .lines
            .last()
            .is_some_and(|line| !line.trim().is_empty())
        {
            self.lines.push("\n".into());
        }
        self.lines.push(format!("[{name}]\n"));
    }

    /// Removes a section, wherever its parts stand. Comments right above the next section are taken to belong to that one.
    pub fn remove_section(&mut self, name: &str) {
        let mut kept: Vec<String> = Vec::new();
        let mut held: Vec<String> = Vec::new();
        let mut removing = false;
        for line in std::mem::take(&mut self.lines) {
            if let Line::Section { name: found, .. } = classify(bare(&line)) {
                removing = fold_name(found) == fold_name(name);
                if !removing {
                    kept.append(&mut held);
                }
                held.clear();
            }
            if !removing {
                kept.push(line);
            } else if is_comment(&line) {
                held.push(line);
            } else {
                held.clear();
            }
        }
        self.lines = kept;
    }

    /// Gives a key of a section its value: in the key's own line if it has one, else in a new line after the section's last entry.
    /// Lines of the key that would then not count are removed. The section must exist.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        let places = self.places(section, key);
        let Some((first, rest)) = places.split_first() else {
            self.insert(section, key, value);
            return;
        };
        if let Some(line) = self.lines.get_mut(*first) {
            *line = with_value(line, value);
        }
        for index in rest.iter().rev() {
            self.lines.remove(*index);
        }
    }

    /// Removes a key of a section.
    pub fn unset(&mut self, section: &str, key: &str) {
        for index in self.places(section, key).iter().rev() {
            self.lines.remove(*index);
        }
    }

    /// The lines of a section that speak of `key`.
    fn places(&self, section: &str, key: &str) -> Vec<usize> {
        let key = fold_key(key);
        let mut within = false;
        let mut places = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            match classify(bare(line)) {
                Line::Section { name, .. } => within = fold_name(name) == fold_name(section),
                Line::Entry { key: found, .. } if within && fold_key(found) == key => {
                    places.push(index)
                }
                _ => {}
            }
        }
        places
    }

    fn insert(&mut self, section: &str, key: &str, value: &str) {
        let Some(head) = self.lines.iter().position(|line| is_head_of(line, section)) else {
            return;
        };
        let mut after = head;
        let mut indent = "\t".to_owned();
        for (index, line) in self.lines.iter().enumerate().skip(head + 1) {
            match classify(bare(line)) {
                Line::Section { .. } => break,
                Line::Entry { key_column, .. } => {
                    after = index;
                    indent = line.get(..key_column).unwrap_or("\t").to_owned();
                }
                Line::Blank | Line::Bad { .. } => {}
            }
        }
        if let Some(line) = self.lines.get_mut(after) {
            if !line.ends_with('\n') {
                line.push('\n');
            }
        }
        self.lines
            .insert(after + 1, format!("{indent}{key} = {value}\n"));
    }
}

fn bare(line: &str) -> &str {
    line.trim_end_matches(['\n', '\r'])
}

fn is_head_of(line: &str, section: &str) -> bool {
    matches!(classify(bare(line)), Line::Section { name, .. } if fold_name(name) == fold_name(section))
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with([';', '#'])
}

/// The line with another value and everything else as it was.
fn with_value(line: &str, value: &str) -> String {
    let Line::Entry {
        value: old,
        value_column,
        ..
    } = classify(bare(line))
    else {
        return line.to_owned();
    };
    let end = value_column + old.len();
    let (before, after) = (
        line.get(..value_column).unwrap_or(""),
        line.get(end..).unwrap_or("\n"),
    );
    let gap = if old.is_empty() && before.ends_with('=') {
        " "
    } else {
        ""
    };
    format!("{before}{gap}{value}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "# mine\n[global]\n  tcp port = 445 ; std\n\n; photos\n[Photos]\n    path = /p # here\n    read only=yes\n\n; last\n[z]\n\tpath = /z";

    #[test]
    fn changes_a_value_in_place() {
        let mut text = Text::new(TEXT);
        text.set("photos", "Path", "/q");
        text.set("photos", "read only", "no");
        assert_eq!(
            text.text(),
            TEXT.replace("/p #", "/q #").replace("=yes", "=no")
        );
    }

    #[test]
    fn a_section_behind_a_byte_order_mark_is_one() {
        let mut text = Text::new("\u{feff}[a]\n\tpath = /a\n[b]\n");
        assert!(text.has_section("a"));
        text.set("a", "path", "/new");
        assert_eq!(text.text(), "\u{feff}[a]\n\tpath = /new\n[b]\n");
        text.remove_section("a");
        assert_eq!(text.text(), "\u{feff}[b]\n");
    }

    #[test]
    fn adds_a_key_as_its_neighbours_stand() {
        let mut text = Text::new(TEXT);
        text.set("photos", "comment", "x");
        assert_eq!(
            text.text(),
            TEXT.replace("=yes\n", "=yes\n    comment = x\n")
        );
        let mut text = Text::new(TEXT);
        text.set("z", "comment", "x");
        assert_eq!(text.text(), format!("{TEXT}\n\tcomment = x\n"));
    }

    #[test]
    fn removes_a_section_but_not_the_next_ones_comment() {
        let mut text = Text::new(TEXT);
        text.remove_section("PHOTOS");
        assert_eq!(
            text.text(),
            "# mine\n[global]\n  tcp port = 445 ; std\n\n; photos\n; last\n[z]\n\tpath = /z"
        );
        assert!(!text.has_section("photos"));
    }

    #[test]
    fn adds_a_section_at_the_end() {
        let mut text = Text::new(TEXT);
        text.add_section("new");
        text.set("new", "path", "/n");
        assert_eq!(text.text(), format!("{TEXT}\n\n[new]\n\tpath = /n\n"));
        let mut text = Text::new("");
        text.add_section("new");
        assert_eq!(text.text(), "[new]\n");
    }

    #[test]
    fn duplicates_of_a_changed_key_go() {
        let mut text = Text::new("[a]\npath =\npath = /1\n[b]\n[A]\npath = /2\n");
        text.set("a", "path", "/3");
        assert_eq!(text.text(), "[a]\npath = /3\n[b]\n[A]\n");
    }

    proptest! {
        #[test]
        fn untouched_text_stays(text in "(\\PC|\n|\t|\\[|\\]|=|;)*") {
            prop_assert_eq!(Text::new(&text).text(), text);
        }

        #[test]
        fn set_then_read(lines in proptest::collection::vec("\\[[ab]\\]|[xy] = [0-9]|; c|", 0..12), value in "[a-z/]{1,9}") {
            let mut text = Text::new(&lines.join("\n"));
            if !text.has_section("a") {
                text.add_section("a");
            }
            text.set("a", "x", &value);
            let document = super::super::document::Document::parse(
                std::path::Path::new("t"), &text.text(), &|_| Err(std::io::ErrorKind::NotFound.into()));
            let section = document.section("a").expect("section");
            let found: Vec<_> = section.entries.iter().filter(|entry| entry.key == "x").collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&found[0].value, &value);
        }
    }
}
