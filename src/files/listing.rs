// SPDX-License-Identifier: GPL-2.0

//! Where the enumeration of an open directory stands, [MS-SMB2] 3.3.1.10 `Open.EnumerationLocation`.

use kernel::prelude::*;

use linux::dir::DirPos;
use linux::file::File;

/// An enumeration under way.
pub(crate) struct Listing {
    /// The directory, open for reading.
    pub(crate) directory: File,
    /// The search pattern, UTF-8.
    pub(crate) pattern: KVec<u8>,
    /// Where to go on.
    pub(crate) next: DirPos,
    /// Whether any entry was returned since the enumeration began.
    pub(crate) any: bool,
}
