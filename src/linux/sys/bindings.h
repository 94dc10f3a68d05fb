/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Rust bindings of ksmbd are made from: one header a topic, with the kernel headers that the `kernel` crate does
 * not bind, and `ksmbd_` helpers for what is inline or a macro there (bodies in the .c file of the same name).
 */
#include "net.h"
#include "vfs.h"
#include "crypto.h"
#include "memory.h"
