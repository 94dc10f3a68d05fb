// SPDX-License-Identifier: GPL-2.0

//! How much of a list one answer holds: what the client prefers, within what the server takes upon itself.

/// Most bytes of an answer's entries, whatever the client prefers: an answer is made in memory.
const MOST_BYTES: usize = 256 * 1024;

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page<'a, T> {
    /// The entries.
    pub(super) items: &'a [T],
    /// Nothing comes after them.
    pub(super) is_all: bool,
}

/// As many entries of `rest` as have room in `preferred` bytes, at least one of them, if there is any. `size` estimates the bytes
/// of an entry.
pub(super) fn of<T>(rest: &[T], preferred: u32, size: impl Fn(&T) -> usize) -> Page<'_, T> {
    let most = usize::try_from(preferred)
        .unwrap_or(MOST_BYTES)
        .min(MOST_BYTES);
    let mut bytes = 0usize;
    let fits = |entry: &&T| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(size(entry).max(1));
        is_first || bytes <= most
    };
    let count = rest.iter().take_while(fits).count();
    let items = rest.get(..count).unwrap_or(rest);
    Page {
        items,
        is_all: items.len() == rest.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_they_prefer_and_something_always() {
        let list = [10usize; 100];
        let pages = |preferred| {
            let page = of(&list, preferred, |size| *size);
            (page.items.len(), page.is_all)
        };
        assert_eq!(pages(0), (1, false));
        assert_eq!(pages(35), (3, false));
        assert_eq!(pages(1000), (100, true));
        assert_eq!(pages(u32::MAX), (100, true));
        let large = [MOST_BYTES / 2; 3];
        assert_eq!(of(&large, u32::MAX, |size| *size).items.len(), 2);
        assert!(of::<usize>(&[], 0, |size| *size).is_all);
    }
}
