// SPDX-License-Identifier: GPL-2.0

//! Names of files: which are valid, their components and streams, and their 8.3 forms.
//!
//! [MS-FSCC] 2.1.5 (path names), 2.1.5.2 (components), 2.1.5.3 (streams), 2.1.5.2.1 (8.3 names); [MS-SMB2] 3.3.5.9.
//!
//! A [`Path`] is checked as a whole when it is made. Whoever walks its components can rely on each being one plain name:
//! never empty, `.` or `..`, with no `/` and no NUL, so that it cannot leave the share.

use crate::wildcard::{folded, upcase};
use core::iter::FusedIterator;
use smb_proto::status::NtStatus;

/// Longest component or stream name, in UTF-16 code units.
pub const MAX_COMPONENT: usize = 255;

/// What separates components on the wire.
pub const SEPARATOR: u8 = b'\\';

/// Whose rules a name obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// [MS-FSCC] 2.1.5.
    Windows,
    /// The open asked for POSIX semantics: anything but the separators and NUL, and no streams.
    Posix,
}

/// What of a file a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork<'a> {
    /// The file or directory itself.
    Whole,
    /// The unnamed data stream, by its full name `::$DATA`: never a directory.
    Data,
    /// A named data stream.
    Stream(&'a str),
    /// `:$I30:$INDEX_ALLOCATION` or `::$INDEX_ALLOCATION`: the directory itself, never a file.
    Directory,
}

/// A checked path below the root of a share.
///
/// Invariant: `path` is empty or consists of valid components with single separators between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    path: &'a str,
    fork: Fork<'a>,
    ends_in_separator: bool,
}

impl<'a> Path<'a> {
    /// Checks a name as a CREATE or a rename carries it, converted to UTF-8. The empty name is the root.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` if it begins with a separator, `STATUS_OBJECT_PATH_SYNTAX_BAD` if a component is `..`,
    /// `STATUS_OBJECT_NAME_INVALID` for everything else that is not a name.
    pub fn parse(name: &'a str, rules: Rules) -> Result<Self, NtStatus> {
        if name.as_bytes().first() == Some(&SEPARATOR) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let (name, ends_in_separator) = match name.strip_suffix('\\') {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let (path, fork) = match rules {
            Rules::Windows => split_fork(name)?,
            Rules::Posix => (name, Fork::Whole),
        };
        if !path.is_empty() {
            for component in split(path) {
                check_component(component, rules)?;
            }
        } else if ends_in_separator {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        if ends_in_separator && fork != Fork::Whole {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        Ok(Path {
            path,
            fork,
            ends_in_separator,
        })
    }

    /// Whether it is the share's root directory, or a stream of it.
    pub fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// The path without the stream, with separators as on the wire.
    pub fn as_str(&self) -> &'a str {
        self.path
    }

    /// What of the file it names.
    pub fn fork(&self) -> Fork<'a> {
        self.fork
    }

    /// Whether it can only mean a directory.
    pub fn must_be_directory(&self) -> bool {
        self.ends_in_separator || self.fork == Fork::Directory
    }

    /// The components from the root on; none for the root.
    pub fn components(&self) -> Components<'a> {
        split(self.path)
    }

    /// The directory's path and the last component; `None` for the root.
    pub fn split_last(&self) -> Option<(&'a str, &'a str)> {
        if self.path.is_empty() {
            return None;
        }
        Some(cut_last(self.path, SEPARATOR).unwrap_or(("", self.path)))
    }

    /// The last component; empty for the root.
    pub fn last(&self) -> &'a str {
        self.split_last().map_or("", |(_, last)| last)
    }
}

/// The components of a path, in order.
#[derive(Clone, Debug)]
pub struct Components<'a>(Option<&'a str>);

impl<'a> Iterator for Components<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0?;
        let (component, rest) = match cut_first(rest, SEPARATOR) {
            Some((component, rest)) => (component, Some(rest)),
            None => (rest, None),
        };
        self.0 = rest;
        Some(component)
    }
}

impl FusedIterator for Components<'_> {}

fn split(path: &str) -> Components<'_> {
    Components(if path.is_empty() { None } else { Some(path) })
}

// The searching methods of `str` are not used here: they leave panicking calls in the object.

/// What stands before and after the first `separator`, a character of ASCII.
fn cut_first(text: &str, separator: u8) -> Option<(&str, &str)> {
    let mut at = 0usize;
    for byte in text.as_bytes() {
        if *byte == separator {
            return cut(text, at);
        }
        at = at.wrapping_add(1);
    }
    None
}

/// What stands before and after the last `separator`, a character of ASCII.
fn cut_last(text: &str, separator: u8) -> Option<(&str, &str)> {
    let mut found = None;
    let mut at = 0usize;
    for byte in text.as_bytes() {
        if *byte == separator {
            found = Some(at);
        }
        at = at.wrapping_add(1);
    }
    cut(text, found?)
}

fn cut(text: &str, at: usize) -> Option<(&str, &str)> {
    Some((text.get(..at)?, text.get(at.wrapping_add(1)..)?))
}

fn has_any(text: &str, wanted: &[u8]) -> bool {
    text.as_bytes()
        .iter()
        .any(|byte| wanted.iter().any(|w| w == byte))
}

/// Checks the new name of a stream: the `FileName` of a rename whose target begins with a colon,
/// [MS-FSA] 2.1.5.15.11. `::$DATA` is the unnamed stream.
///
/// # Errors
///
/// `STATUS_OBJECT_NAME_INVALID`, also for what is no data stream.
pub fn stream_rename_target(name: &str) -> Result<Fork<'_>, NtStatus> {
    match split_fork(name)? {
        ("", fork @ (Fork::Data | Fork::Stream(_))) => Ok(fork),
        _ => Err(NtStatus::OBJECT_NAME_INVALID),
    }
}

/// Splits `name` at the first colon of its last component and reads what follows, [MS-FSCC] 2.1.5.3.
fn split_fork(name: &str) -> Result<(&str, Fork<'_>), NtStatus> {
    let Some((path, suffix)) = cut_first(name, b':') else {
        return Ok((name, Fork::Whole));
    };
    if has_any(suffix, &[SEPARATOR, b'/']) {
        // Only the last component can have a stream.
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    let (stream, kind) = match cut_first(suffix, b':') {
        Some((stream, kind)) => (stream, Some(kind)),
        None => (suffix, None),
    };
    let fork = match kind {
        None if stream.is_empty() => return Err(NtStatus::OBJECT_NAME_INVALID),
        None => Fork::Stream(stream),
        Some(kind) if kind.eq_ignore_ascii_case("$DATA") => {
            if stream.is_empty() {
                Fork::Data
            } else {
                Fork::Stream(stream)
            }
        }
        Some(kind) if kind.eq_ignore_ascii_case("$INDEX_ALLOCATION") => {
            if !stream.is_empty() && !stream.eq_ignore_ascii_case("$I30") {
                return Err(NtStatus::OBJECT_NAME_INVALID);
            }
            Fork::Directory
        }
        Some(_) => return Err(NtStatus::OBJECT_NAME_INVALID),
    };
    if has_any(stream, &[0]) || utf16_len(stream) > MAX_COMPONENT {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok((path, fork))
}

/// Checks one component.
///
/// # Errors
///
/// `STATUS_OBJECT_PATH_SYNTAX_BAD` for `..`, `STATUS_OBJECT_NAME_INVALID` for anything else that is not a name.
pub fn check_component(component: &str, rules: Rules) -> Result<(), NtStatus> {
    if component == ".." {
        return Err(NtStatus::OBJECT_PATH_SYNTAX_BAD);
    }
    let valid = match rules {
        // What may not stand in a name is of ASCII.
        Rules::Windows => component
            .bytes()
            .all(|byte| !byte.is_ascii() || is_valid_char(char::from(byte))),
        Rules::Posix => !has_any(component, &[b'/', 0]),
    };
    // No character takes more code units than bytes.
    let is_long = component.len() > MAX_COMPONENT && utf16_len(component) > MAX_COMPONENT;
    if component.is_empty() || component == "." || !valid || is_long {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(())
}

/// Whether a component may have this character, [MS-FSCC] 2.1.5.2.
pub fn is_valid_char(c: char) -> bool {
    c >= ' ' && !matches!(c, '"' | '*' | '/' | ':' | '<' | '>' | '?' | '\\' | '|')
}

/// Length in UTF-16 code units.
pub fn utf16_len(text: &str) -> usize {
    text.chars()
        .fold(0usize, |len, c| len.saturating_add(c.len_utf16()))
}

/// An 8.3 name, [MS-FSCC] 2.1.5.2.1: at most 12 characters of ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortName {
    bytes: [u8; 12],
    len: usize,
}

impl ShortName {
    /// The 8.3 name of `name`; `None` if the name is an 8.3 name itself.
    ///
    /// It follows from the name alone, so that a directory need not be read to find it: two characters of the name, `~`,
    /// five digits of a hash of the whole name without regard to case, and three characters of the extension.
    pub fn of(name: &str) -> Option<ShortName> {
        if is_short(name) {
            return None;
        }
        let mut short = ShortName::default();
        let (base, extension) = match cut_last(name, b'.') {
            Some((base, extension)) if !base.is_empty() => (base, extension),
            _ => (name, ""),
        };
        short.push_some(base, 2);
        short.push(b'~');
        short.push_hash(hash(name));
        if extension.chars().any(|c| short_char(c).is_some()) {
            short.push(b'.');
            short.push_some(extension, 3);
        }
        Some(short)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..self.len)
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len = self.len.wrapping_add(1);
        }
    }

    fn push_some(&mut self, text: &str, most: usize) {
        for byte in text.chars().filter_map(short_char).take(most) {
            self.push(byte);
        }
    }

    fn push_hash(&mut self, mut hash: u64) {
        for _ in 0..5 {
            let digit = u8::try_from(hash % 36).unwrap_or(0);
            self.push(if digit < 10 {
                b'0'.wrapping_add(digit)
            } else {
                b'A'.wrapping_sub(10).wrapping_add(digit)
            });
            hash /= 36;
        }
    }
}

/// Whether a name fits the 8.3 form as it is. Lower case does.
pub fn is_short(name: &str) -> bool {
    let (base, extension) = cut_first(name, b'.').unwrap_or((name, "x"));
    let fits = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.chars().all(|c| short_char(c).is_some())
    };
    fits(base, 8) && fits(extension, 3)
}

/// A character as it stands in an 8.3 name; `None` if it is left out there.
fn short_char(c: char) -> Option<u8> {
    let upper = c.to_ascii_uppercase();
    if !upper.is_ascii_alphanumeric()
        && !matches!(
            upper,
            '$' | '%'
                | '\''
                | '-'
                | '_'
                | '@'
                | '~'
                | '`'
                | '!'
                | '('
                | ')'
                | '{'
                | '}'
                | '^'
                | '#'
                | '&'
        )
    {
        return None;
    }
    u8::try_from(upper).ok()
}

/// Makes the slashes of a name with POSIX semantics the separators that names have otherwise.
pub fn separate_posix(name: &mut [u8]) {
    for byte in name.iter_mut().filter(|byte| **byte == b'/') {
        *byte = SEPARATOR;
    }
}

/// FNV-1a over the upper case of a name.
fn hash(name: &str) -> u64 {
    let mixed = folded(name).fold(0xcbf2_9ce4_8422_2325_u64, |hash, c| {
        (hash ^ u64::from(u32::from(c))).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The low bits of FNV are the weak ones.
    mixed ^ mixed.wrapping_shr(29)
}

/// Whether a name has the form of those that [`ShortName::of`] makes.
pub fn may_be_short(name: &str) -> bool {
    let is_so_from = |start: usize| {
        let tail = name.as_bytes().get(start..).unwrap_or_default();
        let Some((b'~', tail)) = tail.split_first() else {
            return false;
        };
        tail.split_first_chunk::<5>().is_some_and(|(hash, tail)| {
            hash.iter().all(u8::is_ascii_alphanumeric)
                && matches!((tail.first(), tail.len()), (None, _) | (Some(b'.'), 2..=4))
        })
    };
    has_any(name, b"~") && (0..=2).any(is_so_from)
}

/// Whether `name` is the 8.3 name of `long`, without regard to case. For a lookup by a short name, over the directory's
/// entries.
pub fn is_short_name_of(name: &str, long: &str) -> bool {
    has_any(name, b"~")
        && ShortName::of(long)
            .is_some_and(|short| name.chars().map(upcase).eq(short.as_str().chars()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(name: &str) -> Result<Path<'_>, NtStatus> {
        Path::parse(name, Rules::Windows)
    }

    #[test]
    fn paths() {
        let path = parse("a\\b c\\d.txt").unwrap();
        assert_eq!(path.components().collect::<Vec<_>>(), ["a", "b c", "d.txt"]);
        assert_eq!(path.split_last(), Some(("a\\b c", "d.txt")));
        assert_eq!(parse("a").unwrap().split_last(), Some(("", "a")));
        let root = parse("").unwrap();
        assert!(root.is_root());
        assert_eq!(root.components().next(), None);
        assert_eq!(root.split_last(), None);
        assert!(parse("a\\").unwrap().must_be_directory());
    }

    #[test]
    fn refused_paths() {
        assert_eq!(parse("\\a"), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(parse("\\"), Err(NtStatus::INVALID_PARAMETER));
        for name in ["..", "a\\..", "..\\a", "a\\..\\b"] {
            assert_eq!(parse(name), Err(NtStatus::OBJECT_PATH_SYNTAX_BAD), "{name}");
        }
        for name in [
            "a\\\\b", "a\\\\", ".", "a\\.", "a/b", "a\0b", "a*", "a?", "a\u{1f}", "a|", "<", ">",
            "\"", "a:b\\c",
        ] {
            assert_eq!(parse(name), Err(NtStatus::OBJECT_NAME_INVALID), "{name:?}");
        }
        assert!(parse(&"a".repeat(255)).is_ok());
        assert!(parse(&"a".repeat(256)).is_err());
        assert!(parse(&"\u{1F600}".repeat(127)).is_ok());
        assert!(parse(&"\u{1F600}".repeat(128)).is_err());
        assert!(parse("a.").is_ok() && parse(" a ").is_ok() && parse("...").is_ok());
    }

    #[test]
    fn streams() {
        for (name, path, fork) in [
            ("d\\a:s", "d\\a", Fork::Stream("s")),
            ("a:s:$DATA", "a", Fork::Stream("s")),
            ("a:s:$data", "a", Fork::Stream("s")),
            ("a::$DATA", "a", Fork::Data),
            (":s", "", Fork::Stream("s")),
            ("d::$INDEX_ALLOCATION", "d", Fork::Directory),
            ("d:$I30:$INDEX_ALLOCATION", "d", Fork::Directory),
            ("a:*?<>|\"", "a", Fork::Stream("*?<>|\"")),
        ] {
            let parsed = parse(name).unwrap();
            assert_eq!((parsed.as_str(), parsed.fork()), (path, fork), "{name}");
        }
        for name in [
            "a:",
            "a::",
            "a:s:",
            "a:s:$FOO",
            "a:s:$DATA:x",
            "a:s/t",
            "a:s\\",
            "a:\0",
            "a:x:$INDEX_ALLOCATION",
        ] {
            assert_eq!(parse(name), Err(NtStatus::OBJECT_NAME_INVALID), "{name:?}");
        }
        assert_eq!(stream_rename_target(":new"), Ok(Fork::Stream("new")));
        assert_eq!(stream_rename_target("::$DATA"), Ok(Fork::Data));
        assert_eq!(
            stream_rename_target("a:new"),
            Err(NtStatus::OBJECT_NAME_INVALID)
        );
        assert_eq!(
            stream_rename_target("new"),
            Err(NtStatus::OBJECT_NAME_INVALID)
        );
    }

    #[test]
    fn posix_names() {
        let path = Path::parse("a:b*\\c?", Rules::Posix).unwrap();
        assert_eq!(path.components().collect::<Vec<_>>(), ["a:b*", "c?"]);
        assert!(Path::parse("a/b", Rules::Posix).is_err());
        let mut name = *b"a/b/c:";
        separate_posix(&mut name);
        let path = Path::parse(core::str::from_utf8(&name).unwrap(), Rules::Posix).unwrap();
        assert_eq!(path.split_last(), Some(("a\\b", "c:")));
        assert_eq!(
            Path::parse("a\\..", Rules::Posix),
            Err(NtStatus::OBJECT_PATH_SYNTAX_BAD)
        );
    }

    proptest! {
        #[test]
        fn components_never_escape(name in "[a.\\\\/:\\x00*$]{0,12}", posix: bool) {
            let rules = if posix { Rules::Posix } else { Rules::Windows };
            if let Ok(path) = Path::parse(&name, rules) {
                for component in path.components() {
                    prop_assert!(!matches!(component, "" | "." | ".."));
                    prop_assert!(!component.contains(['/', '\\', '\0']));
                }
                let joined = path.components().collect::<Vec<_>>().join("\\");
                prop_assert_eq!(joined.as_str(), path.as_str());
            }
        }

        #[test]
        fn short_names_are_short(name in "\\PC{1,40}") {
            if let Some(short) = ShortName::of(&name) {
                prop_assert!(is_short(short.as_str()), "{} {}", name, short.as_str());
                prop_assert!(is_short_name_of(&short.as_str().to_lowercase(), &name));
                prop_assert!(may_be_short(&short.as_str().to_lowercase()));
            }
        }
    }

    #[test]
    fn short_names() {
        for name in ["README", "readme.txt", "A-B.C", "12345678.123"] {
            assert_eq!(ShortName::of(name), None, "{name}");
        }
        for name in [
            "123456789",
            "a.text",
            ".profile",
            "a b",
            "a.b.c",
            "é",
            "a.",
            "con:",
        ] {
            assert!(ShortName::of(name).is_some(), "{name}");
        }
        for name in [
            "",
            "~",
            "a~b",
            "~$letter.doc",
            "notes.txt~",
            "~wrd0001.tmp",
            "abc~12345",
            "a~12345.",
            "a~12345.html",
        ] {
            assert!(!may_be_short(name), "{name}");
        }
        let short = ShortName::of("Long File Name.html").unwrap();
        assert!(short.as_str().starts_with("LO~") && short.as_str().ends_with(".HTM"));
        assert_eq!(
            ShortName::of("LONG file name.HTML"),
            Some(short),
            "case does not matter"
        );
        assert_ne!(ShortName::of("Long File Name 2.html"), Some(short));
    }
}
