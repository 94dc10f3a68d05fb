// SPDX-License-Identifier: GPL-2.0

//! File and file system information, directory entries, extended attributes.

mod bytes;

use bytes::write;
use proptest::prelude::*;
use smb_proto::attributes::FileAttributes;
use smb_proto::directory::*;
use smb_proto::ea::{self, Ea, GetEa};
use smb_proto::entries::{Entries, EntryList};
use smb_proto::file_info::*;
use smb_proto::file_set::*;
use smb_proto::fs_info::*;
use smb_proto::layout::Fixed;
use smb_proto::posix::*;
use smb_proto::security::{AccessMask, Sid};
use smb_proto::time::FileTime;
use smb_proto::unicode::{Text, Utf16};
use smb_proto::wire::{Full, Malformed, Writer};

/// Bytes 1, 2, 3, …: any structure read from them and written again must be the same, save what is reserved.
fn fixed<T: Fixed + PartialEq + std::fmt::Debug>(size: usize, reserved: &[usize]) {
    let mut bytes: Vec<u8> = (1..=u8::try_from(size).unwrap()).collect();
    for at in reserved {
        bytes[*at] = 0;
    }
    assert_eq!(T::SIZE, size);
    let value = T::take(&mut smb_proto::wire::Reader::new(&bytes)).unwrap();
    assert_eq!(write(|w| value.put(w)), bytes);
    for len in 0..size {
        assert!(T::take(&mut smb_proto::wire::Reader::new(&bytes[..len])).is_err());
        assert_eq!(value.put(&mut Writer::new(&mut vec![0; len])), Err(Full));
    }
}

#[test]
fn sizes_of_fixed_structures() {
    fixed::<BasicInfo>(40, &[36, 37, 38, 39]);
    fixed::<InternalInfo>(8, &[]);
    fixed::<EaInfo>(4, &[]);
    fixed::<AccessInfo>(4, &[]);
    fixed::<PositionInfo>(8, &[]);
    fixed::<ModeInfo>(4, &[]);
    fixed::<AlignmentInfo>(4, &[]);
    fixed::<NetworkOpenInfo>(56, &[52, 53, 54, 55]);
    fixed::<AttributeTagInfo>(8, &[]);
    fixed::<CompressionInfo>(16, &[13, 14, 15]);
    fixed::<IdInfo>(24, &[]);
    fixed::<StatInfo>(72, &[]);
    fixed::<StatLxInfo>(96, &[]);
    fixed::<CaseSensitiveInfo>(4, &[]);
    fixed::<PipeInfo>(8, &[]);
    fixed::<PipeLocalInfo>(40, &[]);
    fixed::<PipeRemoteInfo>(12, &[]);
    fixed::<SizeInfo>(24, &[]);
    fixed::<FullSizeInfo>(32, &[]);
    fixed::<DeviceInfo>(8, &[]);
    fixed::<ControlInfo>(48, &[44, 45, 46, 47]);
    fixed::<ObjectIdInfo>(64, &[]);
    fixed::<SectorSizeInfo>(28, &[]);
    fixed::<PosixFsInfo>(56, &[]);
    assert_eq!((StandardInfo::SIZE, StandardLinkInfo::SIZE), (24, 12));
}

#[test]
fn standard_information_by_hand() {
    let info = StandardInfo {
        allocation_size: 4096,
        end_of_file: 5,
        links: 2,
        delete_pending: true,
        directory: false,
    };
    let bytes = write(|w| info.write(w));
    let by_hand = [
        0, 16, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0,
    ];
    assert_eq!(bytes, by_hand);
    assert_eq!(StandardInfo::parse(&bytes), Ok(info));
}

#[test]
fn all_information() {
    let info = AllInfo {
        standard: StandardInfo {
            links: 1,
            ..StandardInfo::default()
        },
        access: AccessInfo {
            access: AccessMask::FILE_ALL,
        },
        position: PositionInfo { offset: -1 },
        name: NameInfo {
            name: Text::Str("\\dir\\file"),
        },
        ..AllInfo::default()
    };
    let bytes = write(|w| info.write(w));
    assert_eq!(bytes.len(), 100 + 18);
    assert_eq!(AllInfo::parse(&bytes), Ok(info));
    assert_eq!(&bytes[96..100], [18, 0, 0, 0]);

    // Cut to what the client gives room for: the length stays, and tells how much there is.
    let mut buf = [0; 200];
    for (limit, len) in [(100, 100), (101, 100), (104, 104), (117, 116)] {
        let mut w = Writer::new(&mut buf);
        assert_eq!(info.write_clipped(&mut w, limit), Ok(false));
        assert_eq!(w.written(), &bytes[..len]);
    }
    let mut w = Writer::new(&mut buf);
    assert_eq!(info.write_clipped(&mut w, 118), Ok(true));
    assert_eq!(
        info.write_clipped(&mut Writer::new(&mut buf), 99),
        Err(Full)
    );
}

#[test]
fn classes_have_their_least_sizes() {
    assert_eq!(FileInfoClass::BASIC.min_query(), Some(40));
    assert_eq!(FileInfoClass::ALL.min_query(), Some(104));
    assert_eq!(FileInfoClass::RENAME.min_query(), None);
    assert_eq!(FileInfoClass(200).min_query(), None);
    assert_eq!(FileInfoClass::ALIGNMENT.min_set(), None);
    assert_eq!(FsInfoClass::SECTOR_SIZE.min_query(), Some(28));
    assert_eq!(FsInfoClass::LABEL.min_query(), None);
}

#[test]
fn rename_by_hand() {
    let mut bytes = vec![1, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA];
    bytes.extend([0; 8]);
    bytes.extend([4, 0, 0, 0, b'a', 0, b'b', 0]);
    let Ok(SetFile::Rename(to)) = SetFile::parse(FileInfoClass::RENAME, &bytes) else {
        panic!("no rename")
    };
    assert_eq!(to.flags, RenameFlags::REPLACE_IF_EXISTS);
    assert!(to.name.eq_str("ab"));

    let bad = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        SetFile::parse(FileInfoClass::RENAME, &bytes).map(|_| ())
    };
    assert_eq!(bad(8, 1), Err(SetFileError::Value), "root directory");
    assert_eq!(
        bad(16, 5),
        Err(SetFileError::Value),
        "name longer than the buffer"
    );
    assert_eq!(bad(16, 3), Err(SetFileError::Value), "odd name");
    assert_eq!(bad(16, 0), Err(SetFileError::Value), "no name");
    assert_eq!(bad(19, 0xFF), Err(SetFileError::Value), "4 GiB of name");
    assert_eq!(
        SetFile::parse(FileInfoClass::RENAME, &bytes[..19]),
        Err(SetFileError::Short)
    );
    assert_eq!(
        SetFile::parse(FileInfoClass::ALL, &bytes),
        Err(SetFileError::Class)
    );
    let negative = (-1i64).to_le_bytes();
    assert_eq!(
        SetFile::parse(FileInfoClass::END_OF_FILE, &negative),
        Err(SetFileError::Value)
    );
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 1..20).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn set_requests_round_trip(name in any_text(), number in 0u64..1 << 63, flags in any::<u32>()) {
        let new = NewName { flags: RenameFlags::from_bits(flags), name: Text::Str(&name) };
        let plain = NewName { flags: RenameFlags::from_bits(flags & 1), ..new };
        for (class, value) in [
            (FileInfoClass::BASIC, SetFile::Basic(BasicInfo { change: FileTime(number), ..BasicInfo::default() })),
            (FileInfoClass::POSITION, SetFile::Position(PositionInfo { offset: 7 })),
            (FileInfoClass::MODE, SetFile::Mode(ModeInfo { mode: flags })),
            (FileInfoClass::RENAME, SetFile::Rename(plain)),
            (FileInfoClass::RENAME_EX, SetFile::Rename(new)),
            (FileInfoClass::LINK, SetFile::Link(plain)),
            (FileInfoClass::LINK_EX, SetFile::Link(new)),
            (FileInfoClass::DISPOSITION, SetFile::Disposition(flags & 1 != 0)),
            (FileInfoClass::DISPOSITION_EX, SetFile::DispositionEx(DispositionFlags::from_bits(flags))),
            (FileInfoClass::END_OF_FILE, SetFile::EndOfFile(number)),
            (FileInfoClass::ALLOCATION, SetFile::Allocation(number)),
            (FileInfoClass::VALID_DATA_LENGTH, SetFile::ValidDataLength(number)),
            (FileInfoClass::SHORT_NAME, SetFile::ShortName(Text::Str(&name))),
            (FileInfoClass::PIPE, SetFile::Pipe(PipeInfo { read_mode: 1, completion_mode: flags })),
            (FileInfoClass::CASE_SENSITIVE, SetFile::CaseSensitive(CaseSensitiveInfo { flags })),
        ] {
            let bytes = write(|w| value.write(class, w));
            prop_assert_eq!(SetFile::parse(class, &bytes), Ok(value));
            prop_assert!(bytes.len() >= class.min_set().unwrap());
        }
    }

    #[test]
    fn random_set_requests(class in any::<u8>(), bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(value) = SetFile::parse(FileInfoClass(class), &bytes) {
            let again = write(|w| value.write(FileInfoClass(class), w));
            prop_assert_eq!(SetFile::parse(FileInfoClass(class), &again), Ok(value));
        }
    }

    #[test]
    fn random_answers(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = AllInfo::parse(&bytes);
        let _ = NameInfo::parse(&bytes);
        let _ = VolumeInfo::parse(&bytes);
        let _ = AttributeInfo::parse(&bytes);
        let _ = LabelInfo::parse(&bytes);
        let _ = PosixFileInfo::parse(&bytes);
        let _ = CreateReply::parse(&bytes);
        StreamInfo::list(&bytes).for_each(drop);
        if let Ok(links) = LinkEntry::list(&bytes) {
            links.for_each(drop);
        }
        for class in CLASSES {
            DirEntry::list(class, &bytes).for_each(drop);
        }
        Ea::list(&bytes).for_each(drop);
        GetEa::list(&bytes).for_each(drop);
    }
}

#[test]
fn streams_are_linked_and_aligned() {
    let streams = [
        StreamInfo {
            size: 5,
            allocation_size: 4096,
            name: Text::Str("::$DATA"),
        },
        StreamInfo {
            size: 1,
            allocation_size: 1,
            name: Text::Str(":a:$DATA"),
        },
        StreamInfo {
            size: 0,
            allocation_size: 0,
            name: Text::Str(":bc:$DATA"),
        },
    ];
    let bytes = write(|w| {
        let mut list = EntryList::new(w, 8, 1000);
        streams
            .iter()
            .try_for_each(|stream| stream.write(&mut list, w))
    });
    assert_eq!(bytes[..8], [40, 0, 0, 0, 14, 0, 0, 0]);
    let back: Vec<_> = StreamInfo::list(&bytes).map(Result::unwrap).collect();
    assert_eq!(back, streams);
    assert_eq!(bytes.len(), 40 + 40 + 24 + 18);
}

#[test]
fn hard_links_that_do_not_fit_are_counted() {
    let links = || {
        ["first", "second", "third"].map(|name| LinkEntry {
            parent_id: 9,
            name: Text::Str(name),
        })
    };
    let mut buf = [0; 200];
    let mut w = Writer::new(&mut buf);
    assert_eq!(
        LinkEntry::write_list(&mut w, 200, links().into_iter()),
        Ok(true)
    );
    let bytes = w.written().to_vec();
    assert_eq!(
        u32::from_le_bytes(bytes[..4].try_into().unwrap()),
        u32::try_from(bytes.len()).unwrap()
    );
    assert_eq!(bytes[4], 3);
    assert!(LinkEntry::list(&bytes)
        .unwrap()
        .map(Result::unwrap)
        .eq(links()));

    let mut w = Writer::new(&mut buf);
    assert_eq!(
        LinkEntry::write_list(&mut w, 64, links().into_iter()),
        Ok(false)
    );
    assert_eq!(w.written()[..4], bytes[..4], "the size of all");
    assert_eq!(w.written()[4], 1);
    assert_eq!(LinkEntry::list(w.written()).unwrap().count(), 1);
}

#[test]
fn volume_and_attribute_information() {
    let volume = VolumeInfo {
        creation: FileTime(9),
        serial: 0x1234_5678,
        supports_objects: false,
        label: Text::Str("share"),
    };
    let bytes = write(|w| volume.write(w));
    assert_eq!(bytes.len(), 28);
    assert_eq!(VolumeInfo::parse(&bytes), Ok(volume));
    let mut buf = [0; 64];
    let mut w = Writer::new(&mut buf);
    assert_eq!(volume.write_clipped(&mut w, 24), Ok(false));
    assert_eq!(w.written(), &bytes[..24]);

    let attribute = AttributeInfo {
        attributes: FsAttributes::NAMED_STREAMS | FsAttributes::UNICODE_ON_DISK,
        max_name_len: 255,
        name: Text::Str("NTFS"),
    };
    let bytes = write(|w| attribute.write(w));
    assert_eq!(
        bytes,
        [4, 0, 4, 0, 255, 0, 0, 0, 8, 0, 0, 0, b'N', 0, b'T', 0, b'F', 0, b'S', 0]
    );
    assert_eq!(AttributeInfo::parse(&bytes), Ok(attribute));
    assert_eq!(attribute.write(&mut Writer::new(&mut [0; 19])), Err(Full));

    let label = LabelInfo {
        label: Text::Str("neu"),
    };
    assert_eq!(LabelInfo::parse(&write(|w| label.write(w))), Ok(label));
}

const CLASSES: [DirClass; 13] = [
    DirClass::Directory,
    DirClass::FullDirectory,
    DirClass::BothDirectory,
    DirClass::Names,
    DirClass::IdFullDirectory,
    DirClass::IdBothDirectory,
    DirClass::IdExtdDirectory,
    DirClass::IdExtdBothDirectory,
    DirClass::Id64ExtdDirectory,
    DirClass::Id64ExtdBothDirectory,
    DirClass::IdAllExtdDirectory,
    DirClass::IdAllExtdBothDirectory,
    DirClass::Posix,
];

fn entry(name: &str) -> DirEntry<'_> {
    DirEntry {
        index: 3,
        creation: FileTime(0x1111),
        last_access: FileTime(0x2222),
        last_write: FileTime(0x3333),
        change: FileTime(0x4444),
        end_of_file: 0x5555,
        allocation_size: 0x6666,
        attributes: FileAttributes::ARCHIVE,
        ea_size: 0x7777,
        reparse_tag: ReparseTag::NONE,
        file_id: 0x8888,
        file_id_128: [0x99; 16],
        short_name: Text::Str("SHORT~1"),
        posix: PosixStat {
            device: 1,
            links: 2,
            mode: 0o100_644,
            owner: Sid::unix_user(1000),
            group: Sid::unix_group(100),
        },
        name: Text::Str(name),
    }
}

fn list(class: DirClass, names: &[&str]) -> Vec<u8> {
    write(|w| {
        let mut entries = EntryWriter::new(w, class, usize::MAX);
        for name in names {
            assert_eq!(entries.push(w, &entry(name)), Pushed::Added);
        }
        Ok(())
    })
}

#[test]
fn names_stand_where_each_class_wants_them() {
    for class in CLASSES {
        let bytes = list(class, &["q"]);
        let sids = if class == DirClass::Posix { 16 } else { 0 };
        assert_eq!(bytes.len(), class.fixed_size() + sids + 2, "{class:?}");
        assert_eq!(&bytes[bytes.len() - 2..], b"q\0");
        assert_eq!(DirClass::from_class(class.class()), Some(class));
    }
    assert_eq!(DirClass::from_class(FileInfoClass::BASIC), None);
}

#[test]
fn id_both_directory_entry_by_hand() {
    let bytes = list(DirClass::IdBothDirectory, &["q"]);
    assert_eq!(
        &bytes[56..64],
        [0x20, 0, 0, 0, 2, 0, 0, 0],
        "attributes, length of the name"
    );
    assert_eq!(
        &bytes[64..70],
        [0x77, 0x77, 0, 0, 14, 0],
        "EA size, length of the short name"
    );
    assert_eq!(&bytes[70..74], b"S\0H\0");
    assert_eq!(&bytes[84..94], [0; 10], "rest of the short name");
    assert_eq!(&bytes[96..104], [0x88, 0x88, 0, 0, 0, 0, 0, 0], "file id");
}

#[test]
fn entries_come_back() {
    for class in CLASSES {
        let names = ["a", "äöü", "a name that is long enough", "😀"];
        let bytes = list(class, &names);
        let back: Vec<_> = DirEntry::list(class, &bytes).map(Result::unwrap).collect();
        assert_eq!(back.len(), 4);
        for (entry, name) in back.iter().zip(names) {
            assert!(entry.name.eq_str(name));
            assert_eq!(entry.index, 3);
            if class.needs_stat() {
                assert_eq!(
                    (entry.change, entry.end_of_file),
                    (FileTime(0x4444), 0x5555)
                );
            }
            if class.has_ea_size() {
                assert_eq!(entry.ea_size, 0x7777);
            }
        }
        if class == DirClass::Posix {
            assert_eq!(back[0].posix, entry("a").posix);
            assert_eq!(back[0].file_id, 0x8888);
        }
        if class == DirClass::IdAllExtdBothDirectory {
            assert_eq!(
                back[1],
                DirEntry {
                    posix: PosixStat::default(),
                    ..entry("äöü")
                }
            );
        }
        // A list cut short ends in an error, never in a wrong entry.
        for len in 1..bytes.len() {
            let cut: Vec<_> = DirEntry::list(class, &bytes[..len]).collect();
            assert_eq!(cut.last(), Some(&Err(Malformed)), "{class:?} {len}");
        }
    }
}

#[test]
fn reparse_tag_takes_the_place_of_the_ea_size() {
    let link = DirEntry {
        attributes: FileAttributes::REPARSE_POINT,
        reparse_tag: ReparseTag::SYMLINK,
        ..entry("l")
    };
    for class in [DirClass::IdBothDirectory, DirClass::IdExtdDirectory] {
        let bytes = write(|w| {
            assert_eq!(
                EntryWriter::new(w, class, 1000).push(w, &link),
                Pushed::Added
            );
            Ok(())
        });
        let back = DirEntry::list(class, &bytes).next().unwrap().unwrap();
        assert_eq!(back.reparse_tag, ReparseTag::SYMLINK);
        assert_eq!(
            back.ea_size,
            if class == DirClass::IdExtdDirectory {
                0x7777
            } else {
                0
            }
        );
    }
}

#[test]
fn an_entry_that_does_not_fit_leaves_no_trace() {
    for class in CLASSES {
        let two = list(class, &["first", "second"]);
        let mut buf = vec![0xCC; 4096];
        for limit in 0..=two.len() {
            let mut w = Writer::new(&mut buf);
            let mut entries = EntryWriter::new(&w, class, limit);
            let first = entries.push(&mut w, &entry("first"));
            let one = list(class, &["first"]);
            if limit < one.len() {
                assert_eq!((first, w.len()), (Pushed::FirstTooLarge, 0));
                continue;
            }
            assert_eq!(first, Pushed::Added);
            let second = entries.push(&mut w, &entry("second"));
            if limit < two.len() {
                assert_eq!(second, Pushed::NoRoom);
                assert_eq!(w.written(), one, "NextEntryOffset of the last stays zero");
            } else {
                assert_eq!(second, Pushed::Added);
                assert_eq!(w.written(), two);
            }
        }
        // The output itself may be what is too small.
        let mut w = Writer::new(&mut buf[..two.len() - 1]);
        let mut entries = EntryWriter::new(&w, class, usize::MAX);
        assert_eq!(entries.push(&mut w, &entry("first")), Pushed::Added);
        assert_eq!(entries.push(&mut w, &entry("second")), Pushed::NoRoom);
        assert_eq!(w.written(), list(class, &["first"]));
    }
}

#[test]
fn links_of_lists_are_checked() {
    fn count(bytes: &[u8]) -> Vec<Result<&[u8], Malformed>> {
        Entries::new(bytes, 8).collect()
    }
    assert_eq!(count(&[]), []);
    assert_eq!(count(&[0, 0, 0]), [Err(Malformed)]);
    for next in [1u32, 4, 12, 16, 24, 0xFFFF_FFF8] {
        let mut bytes = vec![0; 16];
        bytes[..4].copy_from_slice(&next.to_le_bytes());
        assert_eq!(count(&bytes), [Err(Malformed)], "{next}");
    }
    let mut bytes = vec![0; 16];
    bytes[0] = 8;
    assert_eq!(count(&bytes), [Ok(&bytes[..8]), Ok(&bytes[8..])]);
}

#[test]
fn extended_attributes() {
    let list = [
        Ea {
            flags: 0,
            name: b"user.one",
            value: b"1",
        },
        Ea {
            flags: ea::NEED_EA,
            name: b"EMPTY",
            value: b"",
        },
        Ea {
            flags: 0,
            name: b"x",
            value: &[7; 300],
        },
    ];
    let bytes = write(|w| {
        let mut out = ea::list(w, 1000);
        list.iter().try_for_each(|ea| ea.write(&mut out, w))
    });
    assert_eq!(&bytes[..8], [20, 0, 0, 0, 0, 8, 1, 0]);
    assert_eq!(&bytes[8..18], b"user.one\x001");
    assert!(Ea::list(&bytes).map(Result::unwrap).eq(list));
    assert_eq!(list[0].size(), 18);
    for len in 1..bytes.len() {
        assert_eq!(
            Ea::list(&bytes[..len]).last(),
            Some(Err(Malformed)),
            "{len}"
        );
    }
    let mut bad = bytes.clone();
    bad[16] = b'x';
    assert_eq!(
        Ea::list(&bad).next(),
        Some(Err(Malformed)),
        "name without its NUL"
    );
    let mut bad = bytes.clone();
    bad[10] = 0;
    assert_eq!(Ea::list(&bad).next(), Some(Err(Malformed)), "NUL in a name");

    let names = [GetEa { name: b"user.one" }, GetEa { name: b"x" }];
    let bytes = write(|w| {
        let mut out = ea::list(w, 1000);
        names.iter().try_for_each(|name| name.write(&mut out, w))
    });
    assert!(GetEa::list(&bytes).map(Result::unwrap).eq(names));
    assert!(ea::is_valid_name(b"user.one"));
    for bad in [&b""[..], b"a\tb", b"a*", b"a:b", b"a\\b"] {
        assert!(!ea::is_valid_name(bad));
    }
}

#[test]
fn posix_structures() {
    let info = PosixFileInfo {
        end_of_file: 9,
        inode: 77,
        attributes: FileAttributes::NORMAL,
        stat: entry("").posix,
        ..PosixFileInfo::default()
    };
    let bytes = write(|w| info.write(w));
    assert_eq!(bytes.len(), PosixFileInfo::FIXED + 32);
    assert_eq!(&bytes[52..60], [77, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(PosixFileInfo::parse(&bytes), Ok(info));
    assert!((0..bytes.len()).all(|len| PosixFileInfo::parse(&bytes[..len]).is_err()));

    let reply = CreateReply {
        links: 1,
        reparse_tag: ReparseTag::NONE,
        mode: 0o644,
        owner: Sid::unix_user(0),
        group: Sid::unix_group(0),
    };
    let bytes = write(|w| reply.write(w));
    assert_eq!(bytes.len(), 44);
    assert_eq!(CreateReply::parse(&bytes), Ok(reply));
    assert_eq!(
        CreateMode::parse(&[0xFF, 1, 0, 0]),
        Ok(CreateMode { mode: 0o777 })
    );
    assert_eq!(CreateMode::parse(&[0xFF, 1, 0]), Err(Malformed));
}

#[test]
fn posix_modes() {
    for (st_mode, sent) in [
        (0o100_644, 0o644),
        (0o041_777, 0o11_777),
        (0o120_777, 0o20_777),
        (0o020_600, 0o30_600),
        (0o060_600, 0o40_600),
        (0o010_640, 0o50_640),
        (0o140_755, 0o60_755),
        (0o104_755, 0o4_755),
    ] {
        assert_eq!(mode_on_wire(st_mode), sent, "{st_mode:o}");
    }
}

#[test]
fn wire_names_are_written_as_they_are() {
    let lone = [0x00, 0xD8];
    let info = NameInfo {
        name: Text::Wire(Utf16(&lone)),
    };
    assert_eq!(write(|w| info.write(w)), [2, 0, 0, 0, 0, 0xD8]);
}
