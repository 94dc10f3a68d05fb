// SPDX-License-Identifier: GPL-2.0

//! Values as text in which no name can break a line.

use kernel::fmt;

/// Text that somebody else chose: what is not UTF-8, control characters and the backslash are written as a backslash and three
/// octal digits for each byte, as in `/proc/mounts`.
pub(super) struct Escaped<'a>(pub(super) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for part in chunk.valid().split_inclusive(must_escape) {
                let last = part.chars().next_back().filter(|c| must_escape(*c));
                let plain = last.map_or(Some(part), |c| part.strip_suffix(c));
                f.write_str(plain.unwrap_or(""))?;
                if let Some(c) = last {
                    octal(f, c.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
            }
            octal(f, chunk.invalid())?;
        }
        Ok(())
    }
}

fn must_escape(c: char) -> bool {
    c == '\\' || c.is_control()
}

fn octal(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        write!(f, "\\{byte:03o}")?;
    }
    Ok(())
}

/// Names of what is set, with commas between; `none` if nothing is.
pub(super) struct Flags<'a>(pub(super) &'a [(bool, &'a str)]);

impl fmt::Display for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in self.0.iter().filter(|(is_set, _)| *is_set) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// A yes or a no.
pub(super) fn yes_no(is_so: bool) -> &'static str {
    if is_so {
        "yes"
    } else {
        "no"
    }
}
