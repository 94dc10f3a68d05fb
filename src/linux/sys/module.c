// SPDX-License-Identifier: GPL-2.0
/* What the `module!` macro cannot say: `ksmbd.control -c` reads /sys/module/ksmbd/version. */
#include <linux/module.h>

MODULE_VERSION("0.1.0");
