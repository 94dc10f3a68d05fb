// SPDX-License-Identifier: GPL-2.0
#include "memory.h"

struct kmem_cache *ksmbd_cache_create(const char *name, unsigned int size, void (*ctor)(void *object))
{
	return kmem_cache_create(name, size, 0, SLAB_HWCACHE_ALIGN, ctor);
}

void *ksmbd_cache_alloc(struct kmem_cache *cache)
{
	return kmem_cache_alloc(cache, GFP_KERNEL);
}
