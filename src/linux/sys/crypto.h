/* SPDX-License-Identifier: GPL-2.0 */
/* Digests, ciphers, random numbers, pages. */
#ifndef KSMBD_SYS_CRYPTO_H
#define KSMBD_SYS_CRYPTO_H

#endif
