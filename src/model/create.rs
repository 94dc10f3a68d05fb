// SPDX-License-Identifier: GPL-2.0

//! What a CREATE asks for, and whether it may.
//!
//! [MS-SMB2] 2.2.13 and 3.3.5.9 (parameters), [MS-FSA] 2.1.5.1 (open of a file), 2.1.5.1.1 (creation of a new file),
//! 2.1.5.1.2 (open of an existing file).

use crate::access::Mask;
use crate::attributes::Attributes;
use crate::share_mode::Share;
use smb_proto::status::NtStatus;

/// `STATUS_BAD_IMPERSONATION_LEVEL`, [MS-ERREF] 2.3.
pub const BAD_IMPERSONATION_LEVEL: NtStatus = NtStatus(0xC000_00A5);

/// What is to happen with a name that exists, and with one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Replace or create.
    Supersede,
    /// Open, or fail.
    Open,
    /// Create, or fail.
    Create,
    /// Open or create.
    OpenIf,
    /// Empty an existing file, or fail.
    Overwrite,
    /// Empty or create.
    OverwriteIf,
}

impl Disposition {
    /// The field's value as a disposition.
    pub fn from_wire(value: u32) -> Option<Self> {
        Some(match value {
            0 => Self::Supersede,
            1 => Self::Open,
            2 => Self::Create,
            3 => Self::OpenIf,
            4 => Self::Overwrite,
            5 => Self::OverwriteIf,
            _ => return None,
        })
    }

    /// Whether it destroys the data of an existing file.
    pub fn overwrites(self) -> bool {
        matches!(self, Self::Supersede | Self::Overwrite | Self::OverwriteIf)
    }

    /// Whether it can make a file.
    pub fn may_create(self) -> bool {
        !matches!(self, Self::Open | Self::Overwrite)
    }

    /// What to do, given whether the name exists.
    ///
    /// # Errors
    ///
    /// `STATUS_OBJECT_NAME_COLLISION` or `STATUS_OBJECT_NAME_NOT_FOUND`.
    pub fn action(self, exists: bool) -> Result<Action, NtStatus> {
        match (self, exists) {
            (Self::Create, true) => Err(NtStatus::OBJECT_NAME_COLLISION),
            (Self::Open | Self::Overwrite, false) => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            (_, false) => Ok(Action::Created),
            (Self::Supersede, true) => Ok(Action::Superseded),
            (Self::Open | Self::OpenIf, true) => Ok(Action::Opened),
            (Self::Overwrite | Self::OverwriteIf, true) => Ok(Action::Overwritten),
        }
    }
}

/// What was done: the `CreateAction` field of the reply, [MS-SMB2] 2.2.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An existing file was replaced.
    Superseded,
    /// An existing file was opened.
    Opened,
    /// A file was made.
    Created,
    /// An existing file was emptied.
    Overwritten,
}

impl Action {
    /// The field's value.
    pub fn to_wire(self) -> u32 {
        match self {
            Self::Superseded => 0,
            Self::Opened => 1,
            Self::Created => 2,
            Self::Overwritten => 3,
        }
    }
}

/// The `CreateOptions` that were accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u32);

impl Options {
    /// FILE_DIRECTORY_FILE.
    pub const DIRECTORY_FILE: Options = Options(0x0000_0001);
    /// FILE_WRITE_THROUGH.
    pub const WRITE_THROUGH: Options = Options(0x0000_0002);
    /// FILE_SEQUENTIAL_ONLY.
    pub const SEQUENTIAL_ONLY: Options = Options(0x0000_0004);
    /// FILE_NO_INTERMEDIATE_BUFFERING.
    pub const NO_INTERMEDIATE_BUFFERING: Options = Options(0x0000_0008);
    /// FILE_NON_DIRECTORY_FILE.
    pub const NON_DIRECTORY_FILE: Options = Options(0x0000_0040);
    /// FILE_NO_EA_KNOWLEDGE.
    pub const NO_EA_KNOWLEDGE: Options = Options(0x0000_0200);
    /// FILE_RANDOM_ACCESS.
    pub const RANDOM_ACCESS: Options = Options(0x0000_0800);
    /// FILE_DELETE_ON_CLOSE.
    pub const DELETE_ON_CLOSE: Options = Options(0x0000_1000);
    /// FILE_OPEN_FOR_BACKUP_INTENT.
    pub const OPEN_FOR_BACKUP_INTENT: Options = Options(0x0000_4000);
    /// FILE_NO_COMPRESSION.
    pub const NO_COMPRESSION: Options = Options(0x0000_8000);
    /// FILE_OPEN_REPARSE_POINT.
    pub const OPEN_REPARSE_POINT: Options = Options(0x0020_0000);
    /// FILE_OPEN_NO_RECALL.
    pub const OPEN_NO_RECALL: Options = Options(0x0040_0000);

    /// Bits outside of what the document defines.
    const INVALID: u32 = 0xFF00_0000;
    /// FILE_RESERVE_OPFILTER, FILE_OPEN_BY_FILE_ID, FILE_CREATE_TREE_CONNECTION ([MS-SMB2] 3.3.5.9).
    const NOT_SUPPORTED: u32 = 0x0010_2080;
    /// FILE_SYNCHRONOUS_IO_ALERT and _NONALERT, FILE_COMPLETE_IF_OPLOCKED, FILE_OPEN_REMOTE_INSTANCE,
    /// FILE_OPEN_REQUIRING_OPLOCK, FILE_DISALLOW_EXCLUSIVE: a server ignores them.
    const IGNORED: u32 = 0x0003_0530;

    /// Checks the field by itself.
    ///
    /// # Errors
    ///
    /// `STATUS_INVALID_PARAMETER` for undefined bits, or both kinds of file at once; `STATUS_NOT_SUPPORTED` for what no
    /// SMB2 server does.
    pub fn from_wire(value: u32) -> Result<Self, NtStatus> {
        if value & Self::INVALID != 0 {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if value & Self::NOT_SUPPORTED != 0 {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        let options = Options(value & !Self::IGNORED);
        if options.contains(Self::DIRECTORY_FILE) && options.contains(Self::NON_DIRECTORY_FILE) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(options)
    }

    /// Whether it has all of `other`.
    pub fn contains(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }

    /// These without `other`.
    pub fn without(self, other: Options) -> Options {
        Options(self.0 & !other.0)
    }

    /// The bits, as FileModeInformation tells them.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// The fields of a CREATE request as they came.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// `ImpersonationLevel`.
    pub impersonation_level: u32,
    /// `DesiredAccess`.
    pub desired_access: u32,
    /// `FileAttributes`.
    pub file_attributes: u32,
    /// `ShareAccess`.
    pub share_access: u32,
    /// `CreateDisposition`.
    pub create_disposition: u32,
    /// `CreateOptions`.
    pub create_options: u32,
}

/// The checked parameters of a CREATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Rights, generic ones mapped; may have MAXIMUM_ALLOWED.
    pub access: Mask,
    /// Attributes for a file that is made or overwritten.
    pub attributes: Attributes,
    /// What others may do meanwhile.
    pub share: Share,
    /// What to do with the name.
    pub disposition: Disposition,
    /// How to open.
    pub options: Options,
}

impl Parameters {
    /// Checks a request for a file or directory, before the name is looked up.
    ///
    /// # Errors
    ///
    /// In the order in which they are found: [`BAD_IMPERSONATION_LEVEL`], `STATUS_INVALID_PARAMETER`,
    /// `STATUS_NOT_SUPPORTED`, `STATUS_ACCESS_DENIED`.
    pub fn check(fields: Fields) -> Result<Self, NtStatus> {
        if fields.impersonation_level > 3 {
            return Err(BAD_IMPERSONATION_LEVEL);
        }
        let disposition =
            Disposition::from_wire(fields.create_disposition).ok_or(NtStatus::INVALID_PARAMETER)?;
        let share = Share::from_wire(fields.share_access).ok_or(NtStatus::INVALID_PARAMETER)?;
        let options = Options::from_wire(fields.create_options)?;
        let access = Mask::desired(fields.desired_access)?;
        let attributes = Attributes(fields.file_attributes);
        if !Attributes::VALID_IN_CREATE.contains(attributes) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if options.contains(Options::DIRECTORY_FILE) && disposition.overwrites() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let parameters = Parameters {
            access,
            attributes,
            share,
            disposition,
            options,
        };
        parameters.check_delete_on_close()?;
        Ok(parameters)
    }

    /// How to open the file whose named stream is asked for: it is made if the stream can be, never emptied or deleted, may
    /// be a directory, and keeps nobody out ([MS-FSA] 2.1.5.1).
    pub fn of_stream_base(self) -> Self {
        let disposition = if self.disposition.may_create() {
            Disposition::OpenIf
        } else {
            Disposition::Open
        };
        let kinds = Options(Options::DIRECTORY_FILE.0 | Options::NON_DIRECTORY_FILE.0);
        Parameters {
            share: Share::READ.union(Share::WRITE).union(Share::DELETE),
            disposition,
            options: self
                .options
                .without(kinds)
                .without(Options::DELETE_ON_CLOSE),
            ..self
        }
    }

    /// For the unnamed stream by its full name, which a directory does not have.
    ///
    /// # Errors
    ///
    /// `STATUS_NOT_A_DIRECTORY` if a directory is asked for.
    pub fn of_unnamed_stream(self) -> Result<Self, NtStatus> {
        if self.makes_directory() {
            return Err(NtStatus::NOT_A_DIRECTORY);
        }
        let options = Options(self.options.0 | Options::NON_DIRECTORY_FILE.0);
        Ok(Parameters { options, ..self })
    }

    /// Deleting on close needs the right to delete; MAXIMUM_ALLOWED is judged when it is known what that grants
    /// ([`check_granted`](Self::check_granted)).
    fn check_delete_on_close(&self) -> Result<(), NtStatus> {
        let hopeful = Mask::DELETE.union(Mask::MAXIMUM_ALLOWED);
        if self.deletes_on_close() && !self.access.intersects(hopeful) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(())
    }

    /// Whether the file goes when the handle does.
    pub fn deletes_on_close(&self) -> bool {
        self.options.contains(Options::DELETE_ON_CLOSE)
    }

    /// Rights that the disposition needs beside those asked for, on an existing file: emptying it writes to it
    /// ([MS-FSA] 2.1.5.1.2.1). They are checked, and not part of what the handle is granted.
    pub fn implied_access(&self) -> Mask {
        match self.disposition {
            Disposition::Supersede => Mask::DELETE,
            Disposition::Overwrite | Disposition::OverwriteIf => Mask::WRITE_DATA,
            _ => Mask::NONE,
        }
    }

    /// Checks what the name turned out to be against what was asked for ([MS-SMB2] 3.3.5.9, [MS-FSA] 2.1.5.1.2).
    ///
    /// # Errors
    ///
    /// `STATUS_NOT_A_DIRECTORY`, `STATUS_FILE_IS_A_DIRECTORY`, `STATUS_OBJECT_NAME_COLLISION` or
    /// `STATUS_ACCESS_DENIED`.
    pub fn check_existing(&self, file: Existing) -> Result<Action, NtStatus> {
        let action = self.disposition.action(true)?;
        if file.is_directory {
            if self.options.contains(Options::NON_DIRECTORY_FILE) {
                return Err(NtStatus::FILE_IS_A_DIRECTORY);
            }
            if self.disposition.overwrites() {
                // A directory has no data to replace.
                return Err(NtStatus::OBJECT_NAME_COLLISION);
            }
            return self.check_read_only(file, action);
        }
        if self.options.contains(Options::DIRECTORY_FILE) {
            return Err(NtStatus::NOT_A_DIRECTORY);
        }
        if self.disposition.overwrites() && file.attributes.forbids_overwrite_with(self.attributes)
        {
            return Err(NtStatus::ACCESS_DENIED);
        }
        self.check_read_only(file, action)
    }

    fn check_read_only(&self, file: Existing, action: Action) -> Result<Action, NtStatus> {
        if !file.attributes.contains(Attributes::READONLY) {
            return Ok(action);
        }
        if self.deletes_on_close() {
            return Err(NtStatus::CANNOT_DELETE);
        }
        let writes = Mask::WRITE_DATA.union(Mask::APPEND_DATA);
        if !file.is_directory && (self.disposition.overwrites() || self.access.intersects(writes)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(action)
    }

    /// Checks a file that is about to be made ([MS-FSA] 2.1.5.1.1).
    ///
    /// # Errors
    ///
    /// `STATUS_CANNOT_DELETE` for a read-only file that would be deleted on close.
    pub fn check_new(&self) -> Result<Action, NtStatus> {
        let action = self.disposition.action(false)?;
        if self.attributes.contains(Attributes::READONLY) && self.deletes_on_close() {
            return Err(NtStatus::CANNOT_DELETE);
        }
        Ok(action)
    }

    /// Whether a name that does not exist is made as a directory.
    pub fn makes_directory(&self) -> bool {
        self.options.contains(Options::DIRECTORY_FILE)
    }

    /// Checks the rights that the handle was given in the end against its options.
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED` if it is to delete on close and lacks the right to delete.
    pub fn check_granted(&self, granted: Mask) -> Result<(), NtStatus> {
        if self.deletes_on_close() && !granted.contains(Mask::DELETE) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }

    /// Checks the request against a share that is read-only.
    ///
    /// # Errors
    ///
    /// `STATUS_ACCESS_DENIED` if it would change something, or asks for a right to. MAXIMUM_ALLOWED passes: it is
    /// cut down to what the share allows.
    pub fn check_read_only_share(&self, exists: bool) -> Result<(), NtStatus> {
        let changes = self.disposition.overwrites()
            || self.deletes_on_close()
            || (!exists && self.disposition.may_create());
        if changes || self.access.intersects(Mask::CHANGING) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }
}

/// What the name of a CREATE turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Existing {
    /// A directory, not a stream of one.
    pub is_directory: bool,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Existing {
    /// The most that MAXIMUM_ALLOWED can come to: the data of a read-only file stays as it is, whatever its security grants
    /// ([MS-FSA] 2.1.5.1.2.1).
    pub fn most(self) -> Mask {
        if self.is_directory || !self.attributes.contains(Attributes::READONLY) {
            return Mask::ALL_FILE;
        }
        Mask::ALL_FILE.without(Mask::WRITE_DATA.union(Mask::APPEND_DATA))
    }
}

/// Whether a handle may mark its file to be deleted: FileDispositionInformation, [MS-FSA] 2.1.5.15.3.
///
/// `is_empty` is whether a directory has no entries; it counts for directories alone.
///
/// # Errors
///
/// `STATUS_ACCESS_DENIED`, `STATUS_CANNOT_DELETE` or `STATUS_DIRECTORY_NOT_EMPTY`.
pub fn may_delete(granted: Mask, file: Existing, is_empty: bool) -> Result<(), NtStatus> {
    if !granted.contains(Mask::DELETE) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if file.attributes.contains(Attributes::READONLY) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    if file.is_directory && !is_empty {
        return Err(NtStatus::DIRECTORY_NOT_EMPTY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Fields = Fields {
        impersonation_level: 2,
        desired_access: 0x1f01ff,
        file_attributes: 0,
        share_access: 7,
        create_disposition: 3,
        create_options: 0,
    };

    const FILE: Existing = Existing {
        is_directory: false,
        attributes: Attributes::ARCHIVE,
    };
    const DIRECTORY: Existing = Existing {
        is_directory: true,
        attributes: Attributes::DIRECTORY,
    };

    fn status(fields: Fields) -> NtStatus {
        Parameters::check(fields).err().unwrap_or(NtStatus::SUCCESS)
    }

    fn mask(of: impl Fn(u32) -> bool) -> u32 {
        (0..32)
            .map(|bit| 1u32 << bit)
            .filter(|bit| of(*bit))
            .fold(0, |all, bit| all | bit)
    }

    #[test]
    fn every_option_bit() {
        let of = |bit| {
            status(Fields {
                create_options: bit,
                ..PLAIN
            })
        };
        assert_eq!(
            mask(|bit| of(bit) == NtStatus::INVALID_PARAMETER),
            0xff00_0000
        );
        assert_eq!(mask(|bit| of(bit) == NtStatus::NOT_SUPPORTED), 0x0010_2080);
        assert_eq!(mask(|bit| of(bit) == NtStatus::SUCCESS), 0x00ef_df7f);
        assert_eq!(of(0x41), NtStatus::INVALID_PARAMETER);
    }

    #[test]
    fn every_attribute_bit() {
        let of = |bit| {
            status(Fields {
                file_attributes: bit,
                ..PLAIN
            })
        };
        assert_eq!(
            mask(|bit| of(bit) == NtStatus::INVALID_PARAMETER),
            0xffff_8048
        );
        assert_eq!(mask(|bit| of(bit) == NtStatus::SUCCESS), 0x0000_7fb7);
    }

    #[test]
    fn other_fields() {
        assert_eq!(
            status(Fields {
                impersonation_level: 4,
                ..PLAIN
            }),
            BAD_IMPERSONATION_LEVEL
        );
        assert_eq!(
            status(Fields {
                create_disposition: 6,
                ..PLAIN
            }),
            NtStatus::INVALID_PARAMETER
        );
        assert_eq!(
            status(Fields {
                share_access: 8,
                ..PLAIN
            }),
            NtStatus::INVALID_PARAMETER
        );
        assert_eq!(
            status(Fields {
                desired_access: 0,
                ..PLAIN
            }),
            NtStatus::ACCESS_DENIED
        );
        for overwrites in [0, 4, 5] {
            let fields = Fields {
                create_options: 1,
                create_disposition: overwrites,
                ..PLAIN
            };
            assert_eq!(status(fields), NtStatus::INVALID_PARAMETER);
        }
    }

    #[test]
    fn delete_on_close() {
        let fields = Fields {
            create_options: 0x1000,
            desired_access: 1,
            ..PLAIN
        };
        assert_eq!(status(fields), NtStatus::INVALID_PARAMETER);
        let hopeful = Parameters::check(Fields {
            desired_access: 0x0200_0000,
            ..fields
        })
        .unwrap();
        assert_eq!(
            hopeful.check_granted(Mask::READ_DATA),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(hopeful.check_granted(Mask::DELETE), Ok(()));
        let read_only = Parameters::check(Fields {
            create_options: 0x1000,
            file_attributes: 1,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(read_only.check_new(), Err(NtStatus::CANNOT_DELETE));
    }

    #[test]
    fn dispositions() {
        use Action::*;
        let expected = [
            (0, Ok(Superseded), Ok(Created)),
            (1, Ok(Opened), Err(NtStatus::OBJECT_NAME_NOT_FOUND)),
            (2, Err(NtStatus::OBJECT_NAME_COLLISION), Ok(Created)),
            (3, Ok(Opened), Ok(Created)),
            (4, Ok(Overwritten), Err(NtStatus::OBJECT_NAME_NOT_FOUND)),
            (5, Ok(Overwritten), Ok(Created)),
        ];
        for (create_disposition, there, not_there) in expected {
            let parameters = Parameters::check(Fields {
                create_disposition,
                ..PLAIN
            })
            .unwrap();
            assert_eq!(parameters.check_existing(FILE), there);
            assert_eq!(parameters.check_new(), not_there);
        }
    }

    #[test]
    fn kinds_of_files() {
        let directory = Parameters::check(Fields {
            create_options: 1,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(
            directory.check_existing(FILE),
            Err(NtStatus::NOT_A_DIRECTORY)
        );
        assert_eq!(directory.check_existing(DIRECTORY), Ok(Action::Opened));
        assert!(directory.makes_directory());
        let file = Parameters::check(Fields {
            create_options: 0x40,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(
            file.check_existing(DIRECTORY),
            Err(NtStatus::FILE_IS_A_DIRECTORY)
        );
        let overwrite = Parameters::check(Fields {
            create_disposition: 5,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(
            overwrite.check_existing(DIRECTORY),
            Err(NtStatus::OBJECT_NAME_COLLISION)
        );
    }

    #[test]
    fn read_only_files() {
        let file = Existing {
            attributes: Attributes::READONLY,
            ..FILE
        };
        let write = Parameters::check(PLAIN).unwrap();
        assert_eq!(write.check_existing(file), Err(NtStatus::ACCESS_DENIED));
        let read = Parameters::check(Fields {
            desired_access: 1,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(read.check_existing(file), Ok(Action::Opened));
        let delete = Fields {
            desired_access: 0x10000,
            create_options: 0x1000,
            ..PLAIN
        };
        assert_eq!(
            Parameters::check(delete).unwrap().check_existing(file),
            Err(NtStatus::CANNOT_DELETE)
        );
        let overwrite = Fields {
            desired_access: 1,
            create_disposition: 5,
            ..PLAIN
        };
        assert_eq!(
            Parameters::check(overwrite).unwrap().check_existing(file),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn the_most_of_a_read_only_file() {
        let read_only = Existing {
            attributes: Attributes::READONLY,
            ..FILE
        };
        assert!(!read_only.most().intersects(Mask(6)));
        assert!(read_only.most().contains(Mask::DELETE));
        assert_eq!(FILE.most(), Mask::ALL_FILE);
        assert_eq!(DIRECTORY.most(), Mask::ALL_FILE);
    }

    #[test]
    fn read_only_shares() {
        let read = Parameters::check(Fields {
            desired_access: 0x0200_0000,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(read.check_read_only_share(true), Ok(()));
        assert_eq!(
            read.check_read_only_share(false),
            Err(NtStatus::ACCESS_DENIED)
        );
        let write = Parameters::check(Fields {
            desired_access: 2,
            ..PLAIN
        })
        .unwrap();
        assert_eq!(
            write.check_read_only_share(true),
            Err(NtStatus::ACCESS_DENIED)
        );
    }

    #[test]
    fn marking_for_deletion() {
        assert_eq!(
            may_delete(Mask::READ_DATA, FILE, false),
            Err(NtStatus::ACCESS_DENIED)
        );
        assert_eq!(may_delete(Mask::DELETE, FILE, false), Ok(()));
        assert_eq!(
            may_delete(Mask::DELETE, DIRECTORY, false),
            Err(NtStatus::DIRECTORY_NOT_EMPTY)
        );
        let read_only = Existing {
            attributes: Attributes::READONLY,
            ..FILE
        };
        assert_eq!(
            may_delete(Mask::DELETE, read_only, false),
            Err(NtStatus::CANNOT_DELETE)
        );
    }
}
