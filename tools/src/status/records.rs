// SPDX-License-Identifier: GPL-2.0

//! The form of the files below `/proc/fs/ksmbd`: records with an empty line after each, lines of a key, a colon, a tab and a value.

/// One record. Keys may occur more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(Vec<(String, String)>);

impl Record {
    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Every value of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// The records of a file. Lines of another form are passed over.
pub fn parse(bytes: &[u8]) -> Vec<Record> {
    let mut records = vec![Record::default()];
    for line in bytes.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        match text.split_once(":\t") {
            Some((key, value)) => {
                if let Some(record) = records.last_mut() {
                    record.0.push((key.to_owned(), unescape(value)));
                }
            }
            None if line.is_empty() => records.push(Record::default()),
            None => {}
        }
    }
    records.retain(|record| !record.0.is_empty());
    records
}

/// Undoes a backslash and three octal digits. What then is no UTF-8 stays visible as a replacement character.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind
            .get(..3)
            .filter(|digits| *first == b'\\' && digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_records() {
        let records = parse(
            b"Server\na:\t1\nb c:\tx: y\n\na:\t2\na:\t\n\n\nname:\ta\\012b\\134c\\303\\274\n",
        );
        assert_eq!(records.len(), 3);
        assert_eq!(records[0].get("b c"), Some("x: y"));
        assert_eq!(records[1].all("a").collect::<Vec<_>>(), ["2", ""]);
        assert_eq!(records[2].get("name"), Some("a\nb\\c\u{fc}"));
        assert!(parse(b"").is_empty());
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(unescape("\\9zz \\12"), "\\9zz \\12");
        assert_eq!(unescape("\\377"), "\u{fffd}");
        assert_eq!(unescape("\\+12"), "\\+12");
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
