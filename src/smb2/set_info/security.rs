// SPDX-License-Identifier: GPL-2.0

//! Setting a security descriptor, [MS-SMB2] 3.3.5.21.3 and [MS-FSA] 2.1.5.17.

use smb_model::access::security;
use smb_proto::security::{SecurityDescriptor, SecurityInfo};
use smb_proto::status::NtStatus;

use crate::files::security::Identities;

use super::Target;

/// Sets the parts of the descriptor that `information` names.
pub(super) fn set(target: &Target<'_>, information: u32, data: &[u8]) -> Result<(), NtStatus> {
    let file = target.file()?;
    target.require_writable()?;
    if !target.open.granted.contains(security::to_set(information)) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let descriptor =
        SecurityDescriptor::parse(data).map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
    let info = SecurityInfo::from_bits(information);
    let missing = |part, is_there: bool| info.contains(part) && !is_there;
    if missing(SecurityInfo::OWNER, descriptor.owner.is_some())
        || missing(SecurityInfo::GROUP, descriptor.group.is_some())
    {
        return Err(NtStatus::INVALID_SECURITY_DESCR);
    }
    let scope = target.tree.enter();
    let identities = Identities::new(&target.server.config());
    identities.set(&scope, &file.path, info, &descriptor)
}
