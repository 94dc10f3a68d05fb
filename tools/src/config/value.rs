// SPDX-License-Identifier: GPL-2.0

//! Values: what the text of one may be, and what it means.

/// What a value should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(pub String);

/// Result of reading a value.
pub type Value<T> = Result<T, Expected>;

fn expected<T>(what: impl Into<String>) -> Value<T> {
    Err(Expected(what.into()))
}

/// A yes or a no.
///
/// # Errors
///
/// If it is neither.
pub fn boolean(text: &str) -> Value<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" | "on" | "enable" | "enabled" => Ok(true),
        "no" | "false" | "0" | "off" | "disable" | "disabled" => Ok(false),
        _ => expected("yes or no"),
    }
}

/// A setting with four states, such as `server signing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting {
    /// Off.
    #[default]
    Disabled,
    /// Offered.
    Enabled,
    /// As the client wants.
    Auto,
    /// Required.
    Mandatory,
}

/// A [`Setting`].
///
/// # Errors
///
/// If it is none.
pub fn setting(text: &str) -> Value<Setting> {
    match text.to_ascii_lowercase().as_str() {
        "disabled" | "off" | "no" => Ok(Setting::Disabled),
        "enabled" | "yes" => Ok(Setting::Enabled),
        "auto" | "default" | "desired" | "if_required" => Ok(Setting::Auto),
        "mandatory" | "required" => Ok(Setting::Mandatory),
        _ => expected("disabled, enabled, auto or mandatory"),
    }
}

/// A decimal number between `low` and `high`.
///
/// # Errors
///
/// If it is none, or outside.
pub fn number(text: &str, low: u32, high: u32) -> Value<u32> {
    match text.parse::<u32>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => expected(format!("a number from {low} to {high}")),
    }
}

/// A number of bytes or things, with an optional suffix K to E (powers of 1024) that may be followed by `B` or `iB`; `0x` and a
/// leading 0 give hexadecimal and octal.
///
/// # Errors
///
/// If it is none, or above `high`.
pub fn size(text: &str, high: u64) -> Value<u64> {
    let wanted = || {
        Expected(format!(
            "a number up to {high}, with a suffix K, M, G, T, P or E if you like"
        ))
    };
    let (radix, rest) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, text.get(2..).unwrap_or("")),
        [b'0', b'0'..=b'7', ..] => (8, text.get(1..).unwrap_or("")),
        _ => (10, text),
    };
    let end = rest
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(rest.len());
    let (digits, suffix) = rest.split_at_checked(end).ok_or_else(wanted)?;
    let number = u64::from_str_radix(digits, radix).map_err(|_| wanted())?;
    let suffix = suffix.trim_start().to_ascii_lowercase();
    let letter = suffix
        .strip_suffix("ib")
        .or_else(|| suffix.strip_suffix('b'))
        .unwrap_or(&suffix);
    let shift = match letter {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return Err(wanted()),
    };
    number
        .checked_mul(1 << shift)
        .filter(|size| *size <= high)
        .ok_or_else(wanted)
}

/// Permission bits in octal.
///
/// # Errors
///
/// If they are none.
pub fn mode(text: &str) -> Value<u16> {
    match u16::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8) {
        Ok(mode) if mode <= 0o7777 && !text.starts_with('+') => Ok(mode),
        _ => expected("permission bits in octal, such as 0755"),
    }
}

/// A list whose parts are separated by commas, tabs and spaces. A part that contains one of them stands in double quotes.
///
/// # Errors
///
/// If a quote has no end.
pub fn list(text: &str) -> Value<Vec<String>> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            ',' | ' ' | '\t' if !quoted => {
                if begun {
                    parts.push(std::mem::take(&mut part));
                }
                begun = false;
            }
            _ => {
                part.push(c);
                begun = true;
            }
        }
    }
    if quoted {
        return expected("a list whose quotes are closed");
    }
    if begun {
        parts.push(part);
    }
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

/// The names of `veto files`, which stand between slashes.
///
/// # Errors
///
/// If there is no slash before the first name.
pub fn veto(text: &str) -> Value<Vec<String>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        return expected("names between slashes, such as /lost+found/*.tmp/");
    };
    Ok(rest
        .split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Text of at most `most` bytes, as long as a field of the kernel's.
///
/// # Errors
///
/// If it is longer.
pub fn text(text: &str, most: usize) -> Value<String> {
    if text.len() > most {
        return expected(format!("at most {most} bytes of text"));
    }
    Ok(text.to_owned())
}

/// The dialects, lowest first, as the kernel names them.
pub const PROTOCOLS: [&str; 4] = ["SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"];

/// A dialect's name.
///
/// # Errors
///
/// If it is none.
pub fn protocol(text: &str) -> Value<&'static str> {
    let known = match text.to_ascii_uppercase().as_str() {
        "SMB2_10" | "SMB2.1" | "2.1" => Some("SMB2_10"),
        "SMB3" | "SMB3_11" | "SMB3.1.1" | "3.1.1" => Some("SMB3_11"),
        "SMB3_00" | "SMB3.0" | "3.0" => Some("SMB3_00"),
        "SMB3_02" | "SMB3.02" | "SMB3.0.2" | "3.0.2" => Some("SMB3_02"),
        _ => None,
    };
    known.ok_or_else(|| Expected("SMB2_10, SMB3_00, SMB3_02 or SMB3_11".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn booleans() {
        assert_eq!(boolean("Yes"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("maybe").is_err());
        assert!(boolean("").is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4MB", u64::MAX), Ok(4 << 20));
        assert_eq!(size("8192", u64::MAX), Ok(8192));
        assert_eq!(size("64k", u64::MAX), Ok(65536));
        assert_eq!(size("0x10", u64::MAX), Ok(16));
        assert_eq!(size("010", u64::MAX), Ok(8));
        assert_eq!(size("0", u64::MAX), Ok(0));
        assert_eq!(size("1 GiB", u64::MAX), Ok(1 << 30));
        assert_eq!(size("1E", u64::MAX), Ok(1 << 60));
        for bad in ["", "MB", "4X", "16E", "-1", "4MBs", "1.5M", "+3"] {
            assert!(size(bad, u64::MAX).is_err(), "{bad}");
        }
        assert!(size("5", 4).is_err());
    }

    #[test]
    fn modes() {
        assert_eq!(mode("0744"), Ok(0o744));
        assert_eq!(mode("7"), Ok(7));
        for bad in ["", "8", "+7", "10000", "rwx"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(list("a, b\tc,,d").unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(
            list("@\"domain users\", x").unwrap(),
            ["@domain users", "x"]
        );
        assert_eq!(list("").unwrap(), Vec::<String>::new());
        assert!(list("\"a").is_err());
    }

    #[test]
    fn vetoes() {
        assert_eq!(veto("/foo/*.t x/").unwrap(), ["foo", "*.t x"]);
        assert_eq!(veto("/a").unwrap(), ["a"]);
        assert!(veto("foo").is_err());
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "\\PC*") {
            let _ = (boolean(&text), setting(&text), number(&text, 0, 9), size(&text, 99), mode(&text));
            let _ = (list(&text), veto(&text), protocol(&text));
        }

        #[test]
        fn sizes_round_trip(number in 0u64..1 << 40) {
            prop_assert_eq!(size(&number.to_string(), u64::MAX), Ok(number));
        }
    }
}
