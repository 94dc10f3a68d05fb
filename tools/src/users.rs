// SPDX-License-Identifier: GPL-2.0

//! `ksmbdpwd.db`: a line `name:hash` for each user, where the hash is Base64 of MD4 over the password in UTF-16LE.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::DecodePaddingMode;
use base64::{alphabet, Engine};
use md4::{Digest, Md4};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Most bytes of a user name.
pub const MAX_NAME: usize = 47;
/// Most bytes of a password.
pub const MAX_PASSWORD: usize = 128;

/// Reads hashes with and without padding, as other implementations do.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// MD4 of a password in UTF-16LE. Worth as much as the password: it is wiped when dropped and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct NtHash([u8; 16]);

impl NtHash {
    /// The hash of `password`.
    pub fn of(password: &str) -> Self {
        let utf16: Zeroizing<Vec<u8>> =
            Zeroizing::new(password.encode_utf16().flat_map(u16::to_le_bytes).collect());
        NtHash(Md4::digest(utf16.as_slice()).into())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(LENIENT.decode(text).ok()?);
        Some(NtHash(bytes.as_slice().try_into().ok()?))
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(..)")
    }
}

/// Why a name, a password or a database is refused.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The name has no bytes, or more than [`MAX_NAME`].
    #[error("a user name has 1 to {MAX_NAME} bytes; this one has {0}")]
    NameLength(usize),
    /// The name holds a character that the file cannot.
    #[error("a user name cannot contain {0:?}")]
    NameCharacter(char),
    /// The password has more than [`MAX_PASSWORD`] bytes.
    #[error("a password has at most {MAX_PASSWORD} bytes; this one has {0}")]
    PasswordLength(usize),
    /// A line of the database cannot be read.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The database.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

/// Checks a user name.
///
/// # Errors
///
/// [`UserError::NameLength`] and [`UserError::NameCharacter`].
pub fn check_name(name: &str) -> Result<(), UserError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(UserError::NameLength(name.len()));
    }
    match name.chars().find(|c| *c == ':' || c.is_control()) {
        Some(c) => Err(UserError::NameCharacter(c)),
        None => Ok(()),
    }
}

/// Checks a password.
///
/// # Errors
///
/// [`UserError::PasswordLength`].
pub fn check_password(password: &str) -> Result<(), UserError> {
    if password.len() > MAX_PASSWORD {
        return Err(UserError::PasswordLength(password.len()));
    }
    Ok(())
}

/// The users, in the file's order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Users {
    entries: Vec<(String, NtHash)>,
}

impl Users {
    /// Reads a database's text. Of two lines for one user the later counts.
    ///
    /// # Errors
    ///
    /// [`UserError::Line`] for the first line that is not a user; `path` is only for the message.
    pub fn parse(path: &Path, text: &str) -> Result<Self, UserError> {
        let mut users = Users::default();
        for (index, line) in text.lines().enumerate() {
            let line_error = |reason: String| UserError::Line {
                path: path.to_path_buf(),
                line: index.saturating_add(1),
                reason,
            };
            if line.is_empty() {
                continue;
            }
            // Only the name is quoted in messages: the rest is a secret.
            let (name, hash) = line
                .split_once(':')
                .ok_or_else(|| line_error("there is no `:`".into()))?;
            check_name(name).map_err(|error| line_error(error.to_string()))?;
            let hash = NtHash::decode(hash).ok_or_else(|| {
                line_error(format!(
                    "the password of `{name}` is not 16 bytes in Base64"
                ))
            })?;
            users.set(name, hash);
        }
        Ok(users)
    }

    /// Reads the database at `path`; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`UserError::Line`] and [`UserError::Io`].
    pub fn load(path: &Path) -> Result<Option<Self>, UserError> {
        match std::fs::read(path) {
            Ok(bytes) => Users::from_bytes(path, Zeroizing::new(bytes)).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(UserError::Io {
                path: path.to_path_buf(),
                cause,
            }),
        }
    }

    /// Reads a database's bytes, which must be UTF-8.
    ///
    /// # Errors
    ///
    /// [`UserError::Line`].
    pub fn from_bytes(path: &Path, bytes: Zeroizing<Vec<u8>>) -> Result<Self, UserError> {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Users::parse(path, text),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
                let line = before
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
                    .saturating_add(1);
                Err(UserError::Line {
                    path: path.to_path_buf(),
                    line,
                    reason: "not UTF-8".into(),
                })
            }
        }
    }

    /// The database's text.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for (name, hash) in &self.entries {
            text.push_str(name);
            text.push(':');
            STANDARD.encode_string(hash.bytes(), &mut text);
            text.push('\n');
        }
        text
    }

    /// The hash of a user's password.
    pub fn get(&self, name: &str) -> Option<&NtHash> {
        self.entries
            .iter()
            .find(|(entry, _)| entry == name)
            .map(|(_, hash)| hash)
    }

    /// Whether there is such a user.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a user or changes his password.
    pub fn set(&mut self, name: &str, hash: NtHash) {
        match self.entries.iter_mut().find(|(entry, _)| entry == name) {
            Some((_, old)) => *old = hash,
            None => self.entries.push((name.to_owned(), hash)),
        }
    }

    /// Removes a user; says whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(entry, _)| entry != name);
        self.entries.len() != before
    }

    /// The users, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NtHash)> {
        self.entries
            .iter()
            .map(|(name, hash)| (name.as_str(), hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Users, UserError> {
        Users::parse(Path::new("db"), text)
    }

    #[test]
    fn hashes_as_the_document_says() {
        // [MS-NLMP] 4.2.2.1.2: NTOWFv1 of "Password".
        assert_eq!(
            NtHash::of("Password").bytes(),
            &[
                0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca, 0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f,
                0xd8, 0x52
            ]
        );
    }

    #[test]
    fn reads_and_writes_the_file() {
        let text = "alice:pPScQGUQvcq2gk7nww/YUg==\nbob:MdbP4NFq6TG3PFnX4MCJwA==\n";
        let users = parse(text).unwrap();
        assert_eq!(users.get("alice"), Some(&NtHash::of("Password")));
        assert_eq!(users.get("bob"), Some(&NtHash::of("")));
        assert_eq!(users.text().as_str(), text);
    }

    #[test]
    fn takes_missing_padding_and_blank_lines() {
        let users = parse("\nalice:pPScQGUQvcq2gk7nww/YUg\n\n").unwrap();
        assert!(users.contains("alice"));
    }

    #[test]
    fn later_line_counts_and_keeps_its_place() {
        let users = parse(
            "a:MdbP4NFq6TG3PFnX4MCJwA==\nb:MdbP4NFq6TG3PFnX4MCJwA==\na:pPScQGUQvcq2gk7nww/YUg==\n",
        )
        .unwrap();
        assert_eq!(users.get("a"), Some(&NtHash::of("Password")));
        assert_eq!(
            users.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }

    #[test]
    fn names_the_line_and_never_the_hash() {
        for (text, line) in [
            ("alice\n", 1),
            (":pPScQGUQvcq2gk7nww/YUg==\n", 1),
            ("a:MdbP4NFq6TG3PFnX4MCJwA==\nb:short\n", 2),
            ("a:\n", 1),
            ("a:pPScQGUQvcq2gk7nww/YUg==x\n", 1),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.starts_with(&format!("db:{line}: ")), "{message}");
            assert!(
                !message.contains("short") && !message.contains("pPSc"),
                "{message}"
            );
        }
    }

    #[test]
    fn debug_does_not_show_the_hash() {
        assert_eq!(format!("{:?}", NtHash::of("x")), "NtHash(..)");
    }

    #[test]
    fn checks_lengths_in_bytes() {
        assert!(check_name(&"a".repeat(47)).is_ok());
        assert!(check_name(&"a".repeat(48)).is_err());
        assert!(check_name(&"é".repeat(24)).is_err());
        assert!(check_name("").is_err());
        assert!(check_name("a:b").is_err());
        assert!(check_name("a\nb").is_err());
        assert!(check_password(&"a".repeat(128)).is_ok());
        assert!(check_password(&"a".repeat(129)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn any_bytes_give_an_answer(bytes: Vec<u8>) {
            let _ = Users::from_bytes(Path::new("db"), Zeroizing::new(bytes));
        }

        #[test]
        fn round_trips(entries in proptest::collection::vec(("[a-zA-Z0-9é$._-]{1,20}", "\\PC{0,20}"), 0..8)) {
            let mut users = Users::default();
            for (name, password) in &entries {
                users.set(name, NtHash::of(password));
            }
            prop_assert_eq!(&parse(&users.text()).unwrap(), &users);
        }
    }
}
