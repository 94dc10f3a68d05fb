// SPDX-License-Identifier: GPL-2.0

//! File attributes, [MS-FSCC] 2.6.

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
