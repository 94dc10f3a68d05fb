// SPDX-License-Identifier: GPL-2.0

//! Tests of NDR and NDR64: what the documents lay out, and properties of every kind of value.

use super::*;
use proptest::prelude::*;

ndr_struct! {
    /// One of everything.
    struct Everything {
        small: u8,
        name: Unique<WStr>,
        wide: u64,
        kind: Enum,
        list: Unique<Array<u16>>,
        string: UnicodeString,
    }
}

fn everything() -> impl Strategy<Value = Everything> {
    let name = proptest::option::of("[^\0]{0,12}");
    let list = proptest::option::of(proptest::collection::vec(any::<u16>(), 0..5));
    (
        any::<u8>(),
        name,
        any::<u64>(),
        any::<u16>(),
        list,
        "[^\0]{0,9}",
    )
        .prop_map(|(small, name, wide, kind, list, string)| Everything {
            small,
            name: name.map_or(Unique::Null, |name| Unique::To(WStr(name))),
            wide,
            kind: Enum(kind),
            list: list.map_or(Unique::Null, |list| Unique::To(Array(list))),
            string: UnicodeString::new(&string),
        })
}

fn syntax() -> impl Strategy<Value = Syntax> {
    prop_oneof![Just(Syntax::Ndr), Just(Syntax::Ndr64)]
}

#[test]
fn ndr_as_the_document_lays_it_out() {
    let mut e = Encoder::new(Syntax::Ndr);
    e.param(&Unique::To(WStr("ab".into())));
    e.param(&7u32);
    assert_eq!(
        e.finish(),
        [
            0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, b'a', 0, b'b', 0, 0, 0, 0, 0, 7, 0, 0,
            0
        ]
    );
}

#[test]
fn ndr64_widens_pointers_and_counts() {
    let mut e = Encoder::new(Syntax::Ndr64);
    e.param(&Unique::To(Array(vec![1u16])));
    assert_eq!(
        e.finish(),
        [0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    );
}

#[test]
fn counted_strings_may_have_room() {
    let mut e = Encoder::new(Syntax::Ndr);
    e.param(&UnicodeString::with_room("ab"));
    assert_eq!(
        e.finish(),
        [4, 0, 6, 0, 0, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a', 0, b'b', 0]
    );
}

#[test]
fn narrow_arms_of_unions_stand_at_four_bytes() {
    let mut e = Encoder::new(Syntax::Ndr);
    e.param(&EnumLevel {
        level: Enum(6),
        arm: Enum(3),
    });
    e.param(&1u32);
    assert_eq!(e.finish(), [6, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn counts_beyond_the_data_are_refused() {
    let stub = [0, 0, 2, 0, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(
        Decoder::new(&stub, Syntax::Ndr).param::<Unique<Array<u8>>>(),
        Err(BadStub)
    );
}

proptest! {
    #[test]
    fn values_come_back(values in proptest::collection::vec(everything(), 0..4), syntax in syntax()) {
        let mut e = Encoder::new(syntax);
        e.param(&3u8);
        e.param(&Unique::To(Array(values.clone())));
        let stub = e.finish();
        let mut d = Decoder::new(&stub, syntax);
        prop_assert_eq!(d.param::<u8>(), Ok(3));
        prop_assert_eq!(d.param::<Unique<Array<Everything>>>(), Ok(Unique::To(Array(values))));
        prop_assert_eq!(d.remaining(), 0);
    }

    #[test]
    fn any_stub_gives_an_answer(stub: Vec<u8>, syntax in syntax()) {
        let _ = Decoder::new(&stub, syntax).param::<Unique<Array<Everything>>>();
        let _ = Decoder::new(&stub, syntax).param::<WStr>();
    }

    #[test]
    fn damaged_stubs_give_an_answer(value in everything(), at: prop::sample::Index, with: u8, syntax in syntax()) {
        let mut e = Encoder::new(syntax);
        e.param(&value);
        let mut stub = e.finish();
        let index = at.index(stub.len());
        stub[index] ^= with;
        let _ = Decoder::new(&stub, syntax).param::<Everything>();
    }
}
