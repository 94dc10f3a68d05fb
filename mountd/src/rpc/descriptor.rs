// SPDX-License-Identifier: GPL-2.0

//! Security descriptors of what the interfaces offer: everybody may read it, and nobody change it.

use smb_proto::security::{AccessMask, Ace, AceFlags, AceType, SdControl, SdWriter};
use smb_proto::sid::Sid;
use smb_proto::wire::{Full, Writer, Written};

use super::ndr::{ndr_struct, Array, Unique};

/// Room for a descriptor: a header, two SIDs, and a list of two entries.
const ROOM: usize = 256;

/// `SECURITY_INFORMATION`, [MS-DTYP] 2.4.7.
mod part {
    pub(super) const OWNER: u32 = 1;
    pub(super) const GROUP: u32 = 2;
    pub(super) const DACL: u32 = 4;
    pub(super) const SACL: u32 = 8;
}

ndr_struct! {
    /// `LSAPR_SR_SECURITY_DESCRIPTOR`, [MS-LSAD] 2.2.2.5, and `SAMPR_SR_SECURITY_DESCRIPTOR`, [MS-SAMR] 2.2.3.11.
    pub(super) struct Descriptor { length: u32, data: Unique<Array<u8>>, }
}

impl Descriptor {
    /// The descriptor whose self-relative form is `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Descriptor {
            length: u32::try_from(bytes.len()).unwrap_or(0),
            data: Unique::To(Array(bytes)),
        }
    }

    /// No descriptor.
    pub(super) fn none() -> Self {
        Descriptor {
            length: 0,
            data: Unique::Null,
        }
    }
}

/// The wanted parts of a descriptor that grants everybody `rights`; `None` if they are more than a caller may see: nothing is
/// audited here, and who asks for the SACL wants to know what is.
pub(super) fn readable(parts: u32, rights: u32) -> Option<Vec<u8>> {
    if parts & part::SACL != 0 {
        return None;
    }
    let mut buffer = vec![0; ROOM];
    let mut writer = Writer::new(&mut buffer);
    write(parts, rights, &mut writer).ok()?;
    let length = writer.len();
    buffer.truncate(length);
    Some(buffer)
}

fn write(parts: u32, rights: u32, w: &mut Writer<'_>) -> Written {
    let administrators = Sid::new(5, &[32, 544]).ok_or(Full)?;
    let everyone = Sid::new(1, &[0]).ok_or(Full)?;
    let mut descriptor = SdWriter::new(w, SdControl::SELF_RELATIVE)?;
    if parts & part::OWNER != 0 {
        descriptor.owner(&administrators)?;
    }
    if parts & part::GROUP != 0 {
        descriptor.group(&administrators)?;
    }
    if parts & part::DACL != 0 {
        descriptor.dacl(|list| {
            let mask = AccessMask::from_bits(rights);
            list.ace(&Ace::new(
                AceType::ALLOWED,
                AceFlags::from_bits(0),
                mask,
                everyone,
            ))
        })?;
    }
    descriptor.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smb_proto::security::SecurityDescriptor;

    #[test]
    fn everybody_may_read() {
        let all = readable(part::OWNER | part::GROUP | part::DACL, 0x20).expect("a descriptor");
        let read = SecurityDescriptor::parse(&all).expect("one that can be read");
        assert_eq!(
            read.owner.map(|sid| sid.to_string()),
            Some("S-1-5-32-544".into())
        );
        assert!(read.group.is_some());
        assert!(all.len() < ROOM);
        let none = readable(0, 0x20).expect("a descriptor");
        assert!(SecurityDescriptor::parse(&none)
            .expect("one")
            .owner
            .is_none());
        assert_eq!(readable(part::OWNER | part::SACL, 0x20), None);
    }
}
