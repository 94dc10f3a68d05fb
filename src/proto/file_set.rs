// SPDX-License-Identifier: GPL-2.0

//! What SET_INFO takes for files: [MS-FSCC] 2.4. FileBasicInformation, FilePositionInformation and FileModeInformation are
//! in [`crate::file_info`]: they are the same both ways.

use crate::file_info::{put_name, take_name, BasicInfo, FileInfoClass, ModeInfo, PositionInfo};
use crate::layout::{fixed_flags, Fixed};
use crate::unicode::Text;
use crate::wire::{Malformed, Parsed, Reader, Writer, Written};

flags! {
    /// Flags of FileRenameInformationEx.
    pub struct RenameFlags: u32 {
        /// Replace what has the new name.
        REPLACE_IF_EXISTS = 0x0000_0001;
        /// Replace it even while it is open.
        POSIX_SEMANTICS = 0x0000_0002;
        /// Suppress storage reserve inheritance.
        SUPPRESS_PIN_STATE_INHERITANCE = 0x0000_0004;
        /// Suppress storage reserve inheritance.
        SUPPRESS_STORAGE_RESERVE_INHERITANCE = 0x0000_0008;
        /// No free space is to be taken.
        NO_INCREASE_AVAILABLE_SPACE = 0x0000_0010;
        /// No free space is to be given.
        NO_DECREASE_AVAILABLE_SPACE = 0x0000_0020;
        /// Replace a read-only file as well.
        IGNORE_READONLY_ATTRIBUTE = 0x0000_0040;
    }
}

flags! {
    /// Flags of FileDispositionInformationEx.
    pub struct DispositionFlags: u32 {
        /// Delete on close; without it, do not.
        DELETE = 0x0000_0001;
        /// The name goes at this handle's close, whoever else has the file open.
        POSIX_SEMANTICS = 0x0000_0002;
        /// Image sections are to be checked.
        FORCE_IMAGE_SECTION_CHECK = 0x0000_0004;
        /// Set the handle's own delete on close.
        ON_CLOSE = 0x0000_0008;
        /// Delete a read-only file as well.
        IGNORE_READONLY_ATTRIBUTE = 0x0000_0010;
    }
}

fixed_flags!(u32: RenameFlags, DispositionFlags);

/// The new name of a rename or a hard link: FileRenameInformation for SMB2, FileRenameInformationEx,
/// FileLinkInformation for SMB2 and FileLinkInformationEx.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewName<'a> {
    /// In the plain classes at most `REPLACE_IF_EXISTS`.
    pub flags: RenameFlags,
    /// New name, from the root of the share.
    pub name: Text<'a>,
}

impl<'a> NewName<'a> {
    /// Reads the structure of one of the plain classes.
    ///
    /// # Errors
    ///
    /// `Malformed`, also for a root directory handle, which has no meaning over the wire.
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let replace = r.u8()? != 0;
        r.skip(7)?;
        let flags = if replace {
            RenameFlags::REPLACE_IF_EXISTS
        } else {
            RenameFlags::NONE
        };
        Self::parse_rest(flags, &mut r)
    }

    /// Reads the structure of one of the Ex classes.
    ///
    /// # Errors
    ///
    /// As [`NewName::parse`].
    pub fn parse_ex(bytes: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(bytes);
        let flags = RenameFlags::take(&mut r)?;
        r.skip(4)?;
        Self::parse_rest(flags, &mut r)
    }

    fn parse_rest(flags: RenameFlags, r: &mut Reader<'a>) -> Parsed<Self> {
        if r.u64()? != 0 {
            return Err(Malformed);
        }
        let name = take_name(r)?;
        if name.is_empty() {
            return Err(Malformed);
        }
        Ok(NewName { flags, name })
    }

    /// Appends the structure of a plain class.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, w: &mut Writer<'_>) -> Written {
        w.u8(u8::from(
            self.flags.contains(RenameFlags::REPLACE_IF_EXISTS),
        ))?;
        w.zeros(15)?;
        self.write_name(w)
    }

    /// Appends the structure of an Ex class.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write_ex(&self, w: &mut Writer<'_>) -> Written {
        self.flags.put(w)?;
        w.zeros(12)?;
        self.write_name(w)
    }

    /// The structure has at least 24 bytes, and some servers count.
    fn write_name(&self, w: &mut Writer<'_>) -> Written {
        put_name(w, &self.name)?;
        w.zeros(4usize.saturating_sub(self.name.wire_len()))
    }
}

/// A SET_INFO request on a file, by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFile<'a> {
    /// FileBasicInformation.
    Basic(BasicInfo),
    /// FilePositionInformation.
    Position(PositionInfo),
    /// FileModeInformation.
    Mode(ModeInfo),
    /// FileRenameInformation or FileRenameInformationEx.
    Rename(NewName<'a>),
    /// FileLinkInformation or FileLinkInformationEx.
    Link(NewName<'a>),
    /// FileDispositionInformation: `DELETE` or nothing.
    Disposition(bool),
    /// FileDispositionInformationEx.
    DispositionEx(DispositionFlags),
    /// FileEndOfFileInformation: bytes, at most `i64::MAX`.
    EndOfFile(u64),
    /// FileAllocationInformation: bytes, at most `i64::MAX`.
    Allocation(u64),
    /// FileValidDataLengthInformation: bytes, at most `i64::MAX`.
    ValidDataLength(u64),
    /// FileFullEaInformation: a list for [`crate::ea`].
    FullEa(&'a [u8]),
    /// FileShortNameInformation.
    ShortName(Text<'a>),
    /// FilePipeInformation.
    Pipe(crate::file_info::PipeInfo),
    /// FileCaseSensitiveInformation.
    CaseSensitive(crate::file_info::CaseSensitiveInfo),
}

/// Why a SET_INFO request on a file was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetFileError {
    /// The class cannot be set: `STATUS_INVALID_INFO_CLASS`.
    Class,
    /// The buffer is shorter than the class needs: `STATUS_INFO_LENGTH_MISMATCH`.
    Short,
    /// A value is impossible: `STATUS_INVALID_PARAMETER`.
    Value,
}

impl FileInfoClass {
    /// Fewest bytes that a SET_INFO of this class brings; `None` for one that cannot be set.
    pub fn min_set(self) -> Option<usize> {
        let size = match self {
            Self::BASIC => BasicInfo::SIZE,
            Self::RENAME | Self::LINK | Self::RENAME_EX | Self::LINK_EX => 20,
            Self::DISPOSITION => 1,
            Self::MODE | Self::DISPOSITION_EX | Self::CASE_SENSITIVE | Self::SHORT_NAME => 4,
            Self::POSITION | Self::ALLOCATION | Self::END_OF_FILE => 8,
            Self::VALID_DATA_LENGTH | Self::PIPE => 8,
            // Nothing at all asks for nothing.
            Self::FULL_EA => 0,
            _ => return None,
        };
        Some(size)
    }
}

impl<'a> SetFile<'a> {
    /// Reads the buffer of a SET_INFO request.
    ///
    /// # Errors
    ///
    /// [`SetFileError`].
    pub fn parse(class: FileInfoClass, buffer: &'a [u8]) -> Result<Self, SetFileError> {
        let min = class.min_set().ok_or(SetFileError::Class)?;
        if buffer.len() < min {
            return Err(SetFileError::Short);
        }
        Self::parse_sized(class, buffer).map_err(|_| SetFileError::Value)
    }

    fn parse_sized(class: FileInfoClass, buffer: &'a [u8]) -> Parsed<Self> {
        let mut r = Reader::new(buffer);
        Ok(match class {
            FileInfoClass::BASIC => SetFile::Basic(Fixed::take(&mut r)?),
            FileInfoClass::POSITION => SetFile::Position(Fixed::take(&mut r)?),
            FileInfoClass::MODE => SetFile::Mode(Fixed::take(&mut r)?),
            FileInfoClass::RENAME => SetFile::Rename(NewName::parse(buffer)?),
            FileInfoClass::RENAME_EX => SetFile::Rename(NewName::parse_ex(buffer)?),
            FileInfoClass::LINK => SetFile::Link(NewName::parse(buffer)?),
            FileInfoClass::LINK_EX => SetFile::Link(NewName::parse_ex(buffer)?),
            FileInfoClass::DISPOSITION => SetFile::Disposition(Fixed::take(&mut r)?),
            FileInfoClass::DISPOSITION_EX => SetFile::DispositionEx(Fixed::take(&mut r)?),
            FileInfoClass::END_OF_FILE => SetFile::EndOfFile(size(&mut r)?),
            FileInfoClass::ALLOCATION => SetFile::Allocation(size(&mut r)?),
            FileInfoClass::VALID_DATA_LENGTH => SetFile::ValidDataLength(size(&mut r)?),
            FileInfoClass::FULL_EA => SetFile::FullEa(buffer),
            FileInfoClass::SHORT_NAME => SetFile::ShortName(take_name(&mut r)?),
            FileInfoClass::PIPE => SetFile::Pipe(Fixed::take(&mut r)?),
            FileInfoClass::CASE_SENSITIVE => SetFile::CaseSensitive(Fixed::take(&mut r)?),
            _ => return Err(Malformed),
        })
    }

    /// Appends the buffer of a SET_INFO request of `class`. Names go out in the layout of the class, Ex or plain.
    ///
    /// # Errors
    ///
    /// `Full`.
    pub fn write(&self, class: FileInfoClass, w: &mut Writer<'_>) -> Written {
        match self {
            SetFile::Basic(info) => info.write(w),
            SetFile::Position(info) => info.write(w),
            SetFile::Mode(info) => info.write(w),
            SetFile::Rename(name) | SetFile::Link(name) => match class {
                FileInfoClass::RENAME_EX | FileInfoClass::LINK_EX => name.write_ex(w),
                _ => name.write(w),
            },
            SetFile::Disposition(delete) => delete.put(w),
            SetFile::DispositionEx(flags) => flags.put(w),
            SetFile::EndOfFile(size)
            | SetFile::Allocation(size)
            | SetFile::ValidDataLength(size) => w.u64(*size),
            SetFile::FullEa(list) => w.bytes(list),
            SetFile::ShortName(name) => put_name(w, name),
            SetFile::Pipe(info) => info.write(w),
            SetFile::CaseSensitive(info) => info.write(w),
        }
    }
}

/// A size is a signed number on the wire, and never negative.
fn size(r: &mut Reader<'_>) -> Parsed<u64> {
    let size = r.u64()?;
    if size > 0x7FFF_FFFF_FFFF_FFFF {
        return Err(Malformed);
    }
    Ok(size)
}
