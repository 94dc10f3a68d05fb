// SPDX-License-Identifier: GPL-2.0

//! Access masks and file attributes: [MS-SMB2] 2.2.13.1, [MS-FSCC] 2.6.

flags! {
    /// Access rights to a file, pipe or directory, 2.2.13.1. A bit that means one thing for a file and another for a
    /// directory has both names.
    pub struct AccessMask: u32 {
        /// Read data.
        FILE_READ_DATA = 0x0000_0001;
        /// List a directory.
        FILE_LIST_DIRECTORY = 0x0000_0001;
        /// Write data.
        FILE_WRITE_DATA = 0x0000_0002;
        /// Add a file to a directory.
        FILE_ADD_FILE = 0x0000_0002;
        /// Append data.
        FILE_APPEND_DATA = 0x0000_0004;
        /// Add a directory to a directory.
        FILE_ADD_SUBDIRECTORY = 0x0000_0004;
        /// Read extended attributes.
        FILE_READ_EA = 0x0000_0008;
        /// Write extended attributes.
        FILE_WRITE_EA = 0x0000_0010;
        /// Execute.
        FILE_EXECUTE = 0x0000_0020;
        /// Pass through a directory.
        FILE_TRAVERSE = 0x0000_0020;
        /// Delete what a directory holds.
        FILE_DELETE_CHILD = 0x0000_0040;
        /// Read attributes.
        FILE_READ_ATTRIBUTES = 0x0000_0080;
        /// Write attributes.
        FILE_WRITE_ATTRIBUTES = 0x0000_0100;
        /// Delete.
        DELETE = 0x0001_0000;
        /// Read the security descriptor, but not its SACL.
        READ_CONTROL = 0x0002_0000;
        /// Change the DACL.
        WRITE_DAC = 0x0004_0000;
        /// Change the owner.
        WRITE_OWNER = 0x0008_0000;
        /// Wait on the object; clients set it, servers ignore it.
        SYNCHRONIZE = 0x0010_0000;
        /// Read and change the SACL.
        ACCESS_SYSTEM_SECURITY = 0x0100_0000;
        /// All that the user may do.
        MAXIMUM_ALLOWED = 0x0200_0000;
        /// Everything.
        GENERIC_ALL = 0x1000_0000;
        /// What executing needs.
        GENERIC_EXECUTE = 0x2000_0000;
        /// What writing needs.
        GENERIC_WRITE = 0x4000_0000;
        /// What reading needs.
        GENERIC_READ = 0x8000_0000;
    }
}

impl AccessMask {
    /// What [`AccessMask::GENERIC_READ`] stands for on a file.
    pub const FILE_GENERIC_READ: AccessMask = AccessMask::from_bits(0x0012_0089);

    /// What [`AccessMask::GENERIC_WRITE`] stands for on a file.
    pub const FILE_GENERIC_WRITE: AccessMask = AccessMask::from_bits(0x0012_0116);

    /// What [`AccessMask::GENERIC_EXECUTE`] stands for on a file.
    pub const FILE_GENERIC_EXECUTE: AccessMask = AccessMask::from_bits(0x0012_00A0);

    /// What [`AccessMask::GENERIC_ALL`] stands for on a file: every specific and standard right.
    pub const FILE_ALL_ACCESS: AccessMask = AccessMask::from_bits(0x001F_01FF);

    /// The mask with generic rights replaced by what they stand for on a file.
    pub const fn map_generic(self) -> Self {
        let mut mapped = self;
        if self.contains(Self::GENERIC_READ) {
            mapped = mapped.union(Self::FILE_GENERIC_READ);
        }
        if self.contains(Self::GENERIC_WRITE) {
            mapped = mapped.union(Self::FILE_GENERIC_WRITE);
        }
        if self.contains(Self::GENERIC_EXECUTE) {
            mapped = mapped.union(Self::FILE_GENERIC_EXECUTE);
        }
        if self.contains(Self::GENERIC_ALL) {
            mapped = mapped.union(Self::FILE_ALL_ACCESS);
        }
        let generic = Self::GENERIC_READ
            .union(Self::GENERIC_WRITE)
            .union(Self::GENERIC_EXECUTE)
            .union(Self::GENERIC_ALL);
        mapped.without(generic)
    }
}

flags! {
    /// File attributes, [MS-FSCC] 2.6.
    pub struct FileAttributes: u32 {
        /// May not be written.
        READONLY = 0x0000_0001;
        /// Hidden from ordinary listings.
        HIDDEN = 0x0000_0002;
        /// Of the operating system.
        SYSTEM = 0x0000_0004;
        /// A directory.
        DIRECTORY = 0x0000_0010;
        /// Changed since the last backup.
        ARCHIVE = 0x0000_0020;
        /// No other attribute; valid alone only.
        NORMAL = 0x0000_0080;
        /// Temporary.
        TEMPORARY = 0x0000_0100;
        /// Sparse.
        SPARSE_FILE = 0x0000_0200;
        /// Has a reparse point.
        REPARSE_POINT = 0x0000_0400;
        /// Compressed.
        COMPRESSED = 0x0000_0800;
        /// Data are elsewhere.
        OFFLINE = 0x0000_1000;
        /// Not to be indexed.
        NOT_CONTENT_INDEXED = 0x0000_2000;
        /// Encrypted.
        ENCRYPTED = 0x0000_4000;
        /// Checked for integrity.
        INTEGRITY_STREAM = 0x0000_8000;
        /// Not to be scrubbed.
        NO_SCRUB_DATA = 0x0002_0000;
        /// Opening it fetches its data.
        RECALL_ON_OPEN = 0x0004_0000;
        /// To be kept here.
        PINNED = 0x0008_0000;
        /// Not to be kept here.
        UNPINNED = 0x0010_0000;
        /// Reading it fetches its data.
        RECALL_ON_DATA_ACCESS = 0x0040_0000;
    }
}
