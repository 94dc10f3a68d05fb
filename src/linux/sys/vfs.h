/* SPDX-License-Identifier: GPL-2.0 */
/* Paths, files, directories, attributes, ACLs, credentials, locks. Helpers: what is inline or a macro there. */
#ifndef KSMBD_SYS_VFS_H
#define KSMBD_SYS_VFS_H

#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/filelock.h>
#include <linux/posix_acl.h>

#endif
