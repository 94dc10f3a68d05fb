// SPDX-License-Identifier: GPL-2.0

//! The workstation service, [MS-WKST]: what the machine is called.

use super::ndr::{ndr_params, ndr_struct, Decoder, Encoder, Enum, Unique, WStr};
use super::pdu::{fault, SyntaxId};
use super::srvsvc::{arm, name, output_status, status, GetInfo, PLATFORM_NT, VERSION};
use super::{Call, Fault, Interface};

/// NetrWkstaGetInfo, 3.2.4.1.
const GET_INFO: u16 = 0;
/// NetrGetJoinInformation, 3.2.4.14.
const GET_JOIN: u16 = 20;
/// `NetSetupWorkgroupName`, 2.2.3.1.
const IN_WORKGROUP: u16 = 2;

ndr_struct! {
    /// `WKSTA_INFO_100`, 2.2.5.1.
    pub(super) struct WkstaInfo100 { platform: u32, computer: Unique<WStr>, group: Unique<WStr>, major: u32, minor: u32, }
}
ndr_struct! {
    /// `WKSTA_INFO_101`, 2.2.5.2.
    pub(super) struct WkstaInfo101 {
        platform: u32, computer: Unique<WStr>, group: Unique<WStr>, major: u32, minor: u32, root: Unique<WStr>,
    }
}
ndr_struct! {
    /// `WKSTA_INFO_102`, 2.2.5.3.
    pub(super) struct WkstaInfo102 {
        platform: u32, computer: Unique<WStr>, group: Unique<WStr>, major: u32, minor: u32, root: Unique<WStr>, users: u32,
    }
}

ndr_params! {
    /// NetrGetJoinInformation.
    pub(super) struct GetJoin { server: Unique<WStr>, name: Unique<WStr>, }
}
ndr_params! {
    /// Its results.
    pub(super) struct Joined { name: Unique<WStr>, kind: Enum, status: u32, }
}

/// The interface.
pub(super) struct Wkssvc;

impl Interface for Wkssvc {
    fn id(&self) -> SyntaxId {
        SyntaxId::new(
            0x6bff_d098,
            0xa112,
            0x3610,
            [0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a],
            1,
        )
    }

    fn call(
        &self,
        call: &Call<'_>,
        number: u16,
        input: &mut Decoder<'_>,
        output: &mut Encoder,
    ) -> Result<(), Fault> {
        match number {
            GET_INFO => get_info(call, input, output),
            GET_JOIN => get_join(call, input, output),
            _ => Err(Fault(fault::OPERATION_RANGE)),
        }
    }
}

fn get_info(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let GetInfo { level, .. } = input.params()?;
    let settings = call.server.state.settings();
    let global = &settings.config.global;
    let (platform, (major, minor)) = (PLATFORM_NT, VERSION);
    let (computer, group, root) = (
        name(&global.netbios_name),
        name(&global.workgroup),
        name(""),
    );
    let result = match level {
        100 => arm(
            level,
            WkstaInfo100 {
                platform,
                computer,
                group,
                major,
                minor,
            },
            output,
        ),
        // The root directory and the number of users are for those who logged in.
        101 | 102 if call.is_restricted => Err(status::ACCESS_DENIED),
        101 => arm(
            level,
            WkstaInfo101 {
                platform,
                computer,
                group,
                major,
                minor,
                root,
            },
            output,
        ),
        102 => arm(
            level,
            WkstaInfo102 {
                platform,
                computer,
                group,
                major,
                minor,
                root,
                users: 0,
            },
            output,
        ),
        _ => Err(status::INVALID_LEVEL),
    };
    output_status(level, result, output);
    Ok(())
}

/// NetrGetJoinInformation: the server is in a workgroup, and in no domain.
fn get_join(call: &Call<'_>, input: &mut Decoder<'_>, output: &mut Encoder) -> Result<(), Fault> {
    let _asked: GetJoin = input.params()?;
    output.params(&Joined {
        name: name(&call.server.state.settings().config.global.workgroup),
        kind: Enum(IN_WORKGROUP),
        status: status::OK,
    });
    Ok(())
}
