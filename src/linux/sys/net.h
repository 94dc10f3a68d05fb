/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets, threads, work queues, generic netlink, sysfs, network devices, time. */
#ifndef KSMBD_SYS_NET_H
#define KSMBD_SYS_NET_H

#endif
