/* SPDX-License-Identifier: GPL-2.0 */
/* Slab caches of one's own. */
#ifndef KSMBD_SYS_MEMORY_H
#define KSMBD_SYS_MEMORY_H

#include <linux/slab.h>

struct kmem_cache *ksmbd_cache_create(const char *name, unsigned int size, void (*ctor)(void *object));
void *ksmbd_cache_alloc(struct kmem_cache *cache);

#endif
