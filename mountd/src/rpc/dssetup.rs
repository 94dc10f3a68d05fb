// SPDX-License-Identifier: GPL-2.0

//! The directory services setup interface, [MS-DSSP]: what role the server has in a domain, which is none.

use super::ndr::{ndr_params, ndr_struct, Decoder, Encoder, Enum, EnumLevel, Unique, WStr};
use super::pdu::{fault, SyntaxId};
use super::srvsvc::{name, status};
use super::{Call, Fault, Interface};

/// DsRolerGetPrimaryDomainInformation, 3.2.5.1.
const GET_PRIMARY_DOMAIN: u16 = 0;
/// `DsRolePrimaryDomainInfoBasic`, 2.2.2.
const BASIC: u16 = 1;
/// `DsRole_RoleStandaloneServer`, 2.2.1.
const STANDALONE_SERVER: u16 = 2;

ndr_struct! {
    /// `DSROLER_PRIMARY_DOMAIN_INFO_BASIC`, 2.2.3.
    pub(super) struct Basic {
        role: Enum, flags: u32, flat: Unique<WStr>, dns: Unique<WStr>, forest: Unique<WStr>, guid: [u8; 16],
    }
}

ndr_params! {
    /// DsRolerGetPrimaryDomainInformation.
    pub(super) struct GetPrimaryDomain { level: Enum, }
}
ndr_params! {
    /// Its results.
    pub(super) struct PrimaryDomain { info: Unique<EnumLevel<Basic>>, status: u32, }
}

/// The interface.
pub(super) struct DsSetup;

impl Interface for DsSetup {
    fn id(&self) -> SyntaxId {
        SyntaxId::new(
            0x3919_286a,
            0xb10c,
            0x11d0,
            [0x9b, 0xa8, 0x00, 0xc0, 0x4f, 0xd9, 0x2e, 0xf5],
            0,
        )
    }

    fn call(
        &self,
        call: &Call<'_>,
        number: u16,
        input: &mut Decoder<'_>,
        output: &mut Encoder,
    ) -> Result<(), Fault> {
        if number != GET_PRIMARY_DOMAIN {
            return Err(Fault(fault::OPERATION_RANGE));
        }
        let GetPrimaryDomain { level } = input.params()?;
        let (info, status) = if level.0 == BASIC {
            let arm = basic(call);
            (Unique::To(EnumLevel { level, arm }), status::OK)
        } else {
            (Unique::Null, status::INVALID_PARAMETER)
        };
        output.params(&PrimaryDomain { info, status });
        Ok(())
    }
}

fn basic(call: &Call<'_>) -> Basic {
    Basic {
        role: Enum(STANDALONE_SERVER),
        flags: 0,
        flat: name(&call.server.state.settings().config.global.workgroup),
        dns: Unique::Null,
        forest: Unique::Null,
        guid: [0; 16],
    }
}
