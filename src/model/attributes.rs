// SPDX-License-Identifier: GPL-2.0

//! DOS file attributes, [MS-FSCC] 2.6: which exist, which a client may set, how they read for a file.

use smb_proto::status::NtStatus;

/// A set of file attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub u32);

impl Attributes {
    /// No attribute; in a request: leave them as they are.
    pub const NONE: Attributes = Attributes(0);
    /// FILE_ATTRIBUTE_READONLY.
    pub const READONLY: Attributes = Attributes(0x0001);
    /// FILE_ATTRIBUTE_HIDDEN.
    pub const HIDDEN: Attributes = Attributes(0x0002);
    /// FILE_ATTRIBUTE_SYSTEM.
    pub const SYSTEM: Attributes = Attributes(0x0004);
    /// FILE_ATTRIBUTE_DIRECTORY.
    pub const DIRECTORY: Attributes = Attributes(0x0010);
    /// FILE_ATTRIBUTE_ARCHIVE.
    pub const ARCHIVE: Attributes = Attributes(0x0020);
    /// FILE_ATTRIBUTE_NORMAL: has no other attribute.
    pub const NORMAL: Attributes = Attributes(0x0080);
    /// FILE_ATTRIBUTE_TEMPORARY.
    pub const TEMPORARY: Attributes = Attributes(0x0100);
    /// FILE_ATTRIBUTE_SPARSE_FILE.
    pub const SPARSE_FILE: Attributes = Attributes(0x0200);
    /// FILE_ATTRIBUTE_REPARSE_POINT.
    pub const REPARSE_POINT: Attributes = Attributes(0x0400);
    /// FILE_ATTRIBUTE_COMPRESSED.
    pub const COMPRESSED: Attributes = Attributes(0x0800);
    /// FILE_ATTRIBUTE_OFFLINE.
    pub const OFFLINE: Attributes = Attributes(0x1000);
    /// FILE_ATTRIBUTE_NOT_CONTENT_INDEXED.
    pub const NOT_CONTENT_INDEXED: Attributes = Attributes(0x2000);
    /// FILE_ATTRIBUTE_ENCRYPTED.
    pub const ENCRYPTED: Attributes = Attributes(0x4000);

    /// What a CREATE may carry; the other bits are refused ([MS-FSA] 2.1.5.1).
    pub const VALID_IN_CREATE: Attributes = Attributes(0x7FB7);

    /// What a client decides, and the server stores. The rest follows from what the file is.
    pub const SETTABLE: Attributes = Attributes(
        Self::READONLY.0
            | Self::HIDDEN.0
            | Self::SYSTEM.0
            | Self::ARCHIVE.0
            | Self::TEMPORARY.0
            | Self::OFFLINE.0
            | Self::NOT_CONTENT_INDEXED.0,
    );

    /// What follows from the file and cannot be set by FileBasicInformation.
    const DERIVED: Attributes = Attributes(
        Self::DIRECTORY.0
            | Self::SPARSE_FILE.0
            | Self::REPARSE_POINT.0
            | Self::COMPRESSED.0
            | Self::ENCRYPTED.0,
    );

    /// Whether it has all of `other`.
    pub const fn contains(self, other: Attributes) -> bool {
        self.0 & other.0 == other.0
    }

    /// The attributes of either.
    #[must_use]
    pub const fn union(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }

    /// The attributes in both.
    #[must_use]
    pub const fn intersection(self, other: Attributes) -> Attributes {
        Attributes(self.0 & other.0)
    }

    /// The attributes that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Attributes) -> Attributes {
        Attributes(self.0 & !other.0)
    }

    /// As a client reads it: NORMAL if nothing else is set, and never beside something else ([MS-FSCC] 2.6).
    #[must_use]
    pub const fn normalised(self) -> Attributes {
        let rest = self.without(Self::NORMAL);
        if rest.0 == 0 {
            Self::NORMAL
        } else {
            rest
        }
    }

    /// The attributes to store for a file that a CREATE makes or overwrites: a file gets ARCHIVE, [MS-FSA] 2.1.5.1.1 and
    /// 2.1.5.1.2.
    #[must_use]
    pub const fn for_new(self, is_directory: bool) -> Attributes {
        let kept = self.intersection(Self::SETTABLE);
        if is_directory {
            return kept.without(Self::TEMPORARY);
        }
        kept.union(Self::ARCHIVE)
    }

    /// Whether overwriting a file that has `self` with a request for `new` must be refused: HIDDEN and SYSTEM must not
    /// be lost ([MS-FSA] 2.1.5.1.2, STATUS_ACCESS_DENIED).
    pub const fn forbids_overwrite_with(self, new: Attributes) -> bool {
        let guarded = self.intersection(Attributes(Self::HIDDEN.0 | Self::SYSTEM.0));
        !new.contains(guarded)
    }
}

/// Checks the attributes of a FileBasicInformation and gives those to store; `None` if they stay as they are
/// ([MS-FSA] 2.1.5.15.2).
///
/// # Errors
///
/// `STATUS_INVALID_PARAMETER` for DIRECTORY on a file or TEMPORARY on a directory.
pub fn set_basic(
    requested: Attributes,
    is_directory: bool,
) -> Result<Option<Attributes>, NtStatus> {
    if requested == Attributes::NONE {
        return Ok(None);
    }
    let wrong = if is_directory {
        Attributes::TEMPORARY
    } else {
        Attributes::DIRECTORY
    };
    if requested.contains(wrong) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(Some(requested.intersection(Attributes::SETTABLE)))
}

/// What kind of file it is, as far as its attributes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Is a directory.
    pub directory: bool,
    /// Has holes, or was made sparse.
    pub sparse: bool,
    /// Is a reparse point (a symbolic link or special file shown as one).
    pub reparse_point: bool,
    /// The file system compresses it.
    pub compressed: bool,
    /// The file system encrypts it.
    pub encrypted: bool,
}

/// The attributes as a reply tells them: those stored, and those that follow from the file.
pub fn shown(stored: Attributes, facts: Facts) -> Attributes {
    let mut all = stored.without(Attributes::DERIVED);
    let parts = [
        (facts.directory, Attributes::DIRECTORY),
        (facts.sparse, Attributes::SPARSE_FILE),
        (facts.reparse_point, Attributes::REPARSE_POINT),
        (facts.compressed, Attributes::COMPRESSED),
        (facts.encrypted, Attributes::ENCRYPTED),
    ];
    for (is, attribute) in parts {
        if is {
            all = all.union(attribute);
        }
    }
    all.normalised()
}

/// How the attributes of a file without stored ones follow from its mode and name, as `smb.conf` names the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// `map archive`: ARCHIVE from the owner's execute bit.
    pub archive: bool,
    /// `map system`: SYSTEM from the group's execute bit.
    pub system: bool,
    /// `map hidden`: HIDDEN from the others' execute bit.
    pub hidden: bool,
    /// `map readonly`: READONLY where no write bit of the owner is set.
    pub read_only: bool,
    /// `hide dot files`: HIDDEN for names that begin with a dot.
    pub hide_dot_files: bool,
}

/// Attributes for a file that has none stored. `mode` is its permission bits.
pub fn derived(mode: u32, name: &str, is_directory: bool, rules: Derivation) -> Attributes {
    let mut found = Attributes::NONE;
    if rules.hide_dot_files && name.starts_with('.') && name != "." && name != ".." {
        found = found.union(Attributes::HIDDEN);
    }
    if rules.read_only && mode & 0o200 == 0 {
        found = found.union(Attributes::READONLY);
    }
    if is_directory {
        return found;
    }
    let bits = [
        (rules.archive, 0o100, Attributes::ARCHIVE),
        (rules.system, 0o010, Attributes::SYSTEM),
        (rules.hidden, 0o001, Attributes::HIDDEN),
    ];
    for (mapped, bit, attribute) in bits {
        if mapped && mode & bit != 0 {
            found = found.union(attribute);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_stands_alone() {
        assert_eq!(Attributes::NONE.normalised(), Attributes::NORMAL);
        assert_eq!(Attributes(0x82).normalised(), Attributes::HIDDEN);
    }

    #[test]
    fn what_a_new_file_gets() {
        assert_eq!(Attributes::NORMAL.for_new(false), Attributes::ARCHIVE);
        assert_eq!(Attributes(0x7FB7).for_new(false), Attributes(0x3127));
        assert_eq!(Attributes::DIRECTORY.for_new(true), Attributes::NONE);
        assert_eq!(
            shown(
                Attributes::NONE,
                Facts {
                    directory: true,
                    ..Facts::default()
                }
            ),
            Attributes::DIRECTORY
        );
        assert_eq!(
            shown(Attributes::NONE, Facts::default()),
            Attributes::NORMAL
        );
        assert_eq!(
            shown(
                Attributes(0x12),
                Facts {
                    sparse: true,
                    ..Facts::default()
                }
            ),
            Attributes(0x202),
            "a stored DIRECTORY does not make a directory"
        );
    }

    #[test]
    fn overwriting_keeps_hidden_and_system() {
        assert!(Attributes::HIDDEN.forbids_overwrite_with(Attributes::NORMAL));
        assert!(!Attributes::HIDDEN.forbids_overwrite_with(Attributes(6)));
        assert!(!Attributes::ARCHIVE.forbids_overwrite_with(Attributes::NONE));
    }

    #[test]
    fn setting() {
        assert_eq!(set_basic(Attributes::NONE, false), Ok(None));
        assert_eq!(
            set_basic(Attributes::NORMAL, false),
            Ok(Some(Attributes::NONE))
        );
        assert_eq!(
            set_basic(Attributes::DIRECTORY, false),
            Err(NtStatus::INVALID_PARAMETER)
        );
        assert_eq!(
            set_basic(Attributes(0x12), true),
            Ok(Some(Attributes::HIDDEN))
        );
        assert_eq!(
            set_basic(Attributes::TEMPORARY, true),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }

    #[test]
    fn from_mode() {
        let all = Derivation {
            archive: true,
            system: true,
            hidden: true,
            read_only: true,
            hide_dot_files: true,
        };
        assert_eq!(derived(0o511, "a", false, all), Attributes(0x27));
        assert_eq!(derived(0o755, ".a", true, all), Attributes::HIDDEN);
        let none = Derivation {
            archive: false,
            system: false,
            hidden: false,
            read_only: false,
            hide_dot_files: false,
        };
        assert_eq!(derived(0o111, ".a", false, none), Attributes::NONE);
    }
}
