// SPDX-License-Identifier: GPL-2.0

//! `ksmbd.subauth`: the three sub-authorities of the server's domain SID, as `u32:u32:u32` and a newline.
//!
//! They are made at random once; a server that lost them would give every user another SID.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What stands in the file.
pub type SubAuth = [u32; 3];

/// Reads the text of a sub-authority file; `None` if it is not three numbers.
pub fn parse(text: &str) -> Option<SubAuth> {
    let line = text.lines().next()?;
    let mut parts = line.trim().split(':').map(|part| {
        // `u32::from_str` would also take a sign.
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())
            .flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// The text of a sub-authority file.
pub fn format(subauth: SubAuth) -> String {
    let [a, b, c] = subauth;
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{a}:{b}:{c}");
    text
}

/// Where a file is put that cannot be read: what is left of the numbers in it may still be of use.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".broken");
    name.into()
}

/// Reads the file, or makes it if there is none or it holds none.
///
/// # Errors
///
/// Those of reading and writing the file, and of reading random numbers.
pub fn load_or_make(path: &Path) -> io::Result<SubAuth> {
    match std::fs::read(path) {
        Ok(bytes) => {
            if let Some(subauth) = std::str::from_utf8(&bytes).ok().and_then(parse) {
                return Ok(subauth);
            }
            let aside = aside(path);
            std::fs::rename(path, &aside)?;
            log::warn!(
                "{}: not three numbers; making new ones. The file is {} now",
                path.display(),
                aside.display()
            );
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let subauth = random()?;
    crate::atomic::replace(path, format(subauth).as_bytes(), 0o644)?;
    Ok(subauth)
}

fn random() -> io::Result<SubAuth> {
    let mut bytes = [0u8; 12];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut subauth = [0; 3];
    for (number, bytes) in subauth.iter_mut().zip(bytes.chunks_exact(4)) {
        // Other implementations read these numbers as signed.
        *number = bytes
            .iter()
            .fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte))
            >> 1;
    }
    Ok(subauth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        assert_eq!(
            parse(&format([1, 4_294_967_295, 0])),
            Some([1, 4_294_967_295, 0])
        );
    }

    #[test]
    fn refuses_anything_else() {
        for text in [
            "",
            "1:2",
            "1:2:3:4",
            "a:2:3",
            "+1:2:3",
            "1:2:",
            ":::",
            "1:2:4294967296",
            "-1:2:3",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn makes_a_missing_or_broken_file_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ksmbd.subauth");
        let made = load_or_make(&path).unwrap();
        assert_eq!(load_or_make(&path).unwrap(), made);
        for broken in [&b"garbage"[..], b"1:2:", b"", b"\xff\xfe1:2:3"] {
            std::fs::write(&path, broken).unwrap();
            let again = load_or_make(&path).unwrap();
            assert_eq!(load_or_make(&path).unwrap(), again);
            // What could not be read is not lost.
            assert_eq!(std::fs::read(aside(&path)).unwrap(), broken);
        }
    }
}
