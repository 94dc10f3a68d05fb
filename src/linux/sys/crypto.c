// SPDX-License-Identifier: GPL-2.0
#include <linux/build_bug.h>
#include <linux/vmalloc.h>
#include <crypto/aead.h>
#include <crypto/skcipher.h>
#include "crypto.h"

#define KSMBD_ALIGNED(type) static_assert(__alignof__(type) <= 16)
KSMBD_ALIGNED(struct aes_cmac_key);
KSMBD_ALIGNED(struct aes_cmac_ctx);
KSMBD_ALIGNED(struct aes_gcm_key);
KSMBD_ALIGNED(struct aes_gcm_ctx);
KSMBD_ALIGNED(struct aes_ccm_key);
KSMBD_ALIGNED(struct aes_ccm_ctx);
KSMBD_ALIGNED(struct md5_ctx);
KSMBD_ALIGNED(struct hmac_md5_ctx);
KSMBD_ALIGNED(struct sha256_ctx);
KSMBD_ALIGNED(struct sha512_ctx);
KSMBD_ALIGNED(struct hmac_sha256_key);
KSMBD_ALIGNED(struct hmac_sha256_ctx);
KSMBD_ALIGNED(struct arc4_ctx);

void ksmbd_memzero(void *at, size_t len)
{
	memzero_explicit(at, len);
}

bool ksmbd_mem_differ(const void *a, const void *b, size_t len)
{
	return crypto_memneq(a, b, len) != 0;
}

void ksmbd_md5_init(void *ctx)
{
	md5_init(ctx);
}

void ksmbd_md5_update(void *ctx, const u8 *data, size_t len)
{
	md5_update(ctx, data, len);
}

void ksmbd_md5_final(void *ctx, u8 *out)
{
	md5_final(ctx, out);
}

void ksmbd_hmac_md5_init(void *ctx, const u8 *key, size_t key_len)
{
	hmac_md5_init_usingrawkey(ctx, key, key_len);
}

void ksmbd_hmac_md5_update(void *ctx, const u8 *data, size_t len)
{
	hmac_md5_update(ctx, data, len);
}

void ksmbd_hmac_md5_final(void *ctx, u8 *out)
{
	hmac_md5_final(ctx, out);
}

void ksmbd_sha256_init(void *ctx)
{
	sha256_init(ctx);
}

void ksmbd_sha256_update(void *ctx, const u8 *data, size_t len)
{
	sha256_update(ctx, data, len);
}

void ksmbd_sha256_final(void *ctx, u8 *out)
{
	sha256_final(ctx, out);
}

void ksmbd_sha512_init(void *ctx)
{
	sha512_init(ctx);
}

void ksmbd_sha512_update(void *ctx, const u8 *data, size_t len)
{
	sha512_update(ctx, data, len);
}

void ksmbd_sha512_final(void *ctx, u8 *out)
{
	sha512_final(ctx, out);
}

void ksmbd_hmac_sha256_key(void *key, const u8 *raw, size_t raw_len)
{
	hmac_sha256_preparekey(key, raw, raw_len);
}

void ksmbd_hmac_sha256_init(void *ctx, const void *key)
{
	hmac_sha256_init(ctx, key);
}

void ksmbd_hmac_sha256_update(void *ctx, const u8 *data, size_t len)
{
	hmac_sha256_update(ctx, data, len);
}

void ksmbd_hmac_sha256_final(void *ctx, u8 *out)
{
	hmac_sha256_final(ctx, out);
}

int ksmbd_arc4_key(void *ctx, const u8 *key, unsigned int key_len)
{
	return arc4_setkey(ctx, key, key_len);
}

void ksmbd_arc4_crypt(void *ctx, u8 *out, const u8 *in, unsigned int len)
{
	arc4_crypt(ctx, out, in, len);
}

int ksmbd_cmac_key(void *key, const u8 *raw, size_t raw_len)
{
	return aes_cmac_preparekey(key, raw, raw_len);
}

void ksmbd_cmac_init(void *ctx, const void *key)
{
	aes_cmac_init(ctx, key);
}

void ksmbd_cmac_update(void *ctx, const u8 *data, size_t len)
{
	aes_cmac_update(ctx, data, len);
}

void ksmbd_cmac_final(void *ctx, u8 *out)
{
	aes_cmac_final(ctx, out);
}

int ksmbd_gcm_key(void *key, const u8 *raw, size_t raw_len, size_t tag_len)
{
	return aes_gcm_preparekey(key, raw, raw_len, tag_len);
}

void ksmbd_gcm_init(void *ctx, const u8 *nonce, const void *key)
{
	aes_gcm_init(ctx, nonce, key);
}

void ksmbd_gcm_auth(void *ctx, const u8 *ad, size_t len)
{
	aes_gcm_auth_update(ctx, ad, len);
}

void ksmbd_gcm_encrypt(void *ctx, u8 *dst, const u8 *src, size_t len)
{
	aes_gcm_encrypt_update(ctx, dst, src, len);
}

void ksmbd_gcm_decrypt(void *ctx, u8 *dst, const u8 *src, size_t len)
{
	aes_gcm_decrypt_update(ctx, dst, src, len);
}

void ksmbd_gcm_encrypt_final(void *ctx, u8 *tag)
{
	aes_gcm_encrypt_final(ctx, tag);
}

int ksmbd_gcm_decrypt_final(void *ctx, const u8 *tag)
{
	return aes_gcm_decrypt_final(ctx, tag);
}

int ksmbd_ccm_key(void *key, const u8 *raw, size_t raw_len, size_t tag_len)
{
	return aes_ccm_preparekey(key, raw, raw_len, tag_len);
}

int ksmbd_ccm_init(void *ctx, u64 data_len, u64 ad_len, const u8 *nonce, size_t nonce_len, const void *key)
{
	return aes_ccm_init(ctx, data_len, ad_len, nonce, nonce_len, key);
}

void ksmbd_ccm_auth(void *ctx, const u8 *ad, size_t len)
{
	aes_ccm_auth_update(ctx, ad, len);
}

void ksmbd_ccm_encrypt(void *ctx, u8 *dst, const u8 *src, size_t len)
{
	aes_ccm_encrypt_update(ctx, dst, src, len);
}

void ksmbd_ccm_decrypt(void *ctx, u8 *dst, const u8 *src, size_t len)
{
	aes_ccm_decrypt_update(ctx, dst, src, len);
}

void ksmbd_ccm_encrypt_final(void *ctx, u8 *tag)
{
	aes_ccm_encrypt_final(ctx, tag);
}

int ksmbd_ccm_decrypt_final(void *ctx, const u8 *tag)
{
	return aes_ccm_decrypt_final(ctx, tag);
}

void *ksmbd_aead_alloc(const char *name)
{
	return crypto_alloc_aead(name, 0, CRYPTO_ALG_ASYNC);
}

void ksmbd_aead_free(void *tfm)
{
	crypto_free_aead(tfm);
}

int ksmbd_aead_key(void *tfm, const u8 *key, unsigned int key_len)
{
	return crypto_aead_setkey(tfm, key, key_len);
}

int ksmbd_aead_tag_size(void *tfm, unsigned int tag_len)
{
	return crypto_aead_setauthsize(tfm, tag_len);
}

size_t ksmbd_aead_request_size(void *tfm)
{
	return sizeof(struct aead_request) + crypto_aead_reqsize(tfm);
}

static struct aead_request *prepared(struct aead_request *request, void *tfm, struct scatterlist *src, struct scatterlist *dst,
				     unsigned int len, unsigned int ad_len, u8 *nonce)
{
	aead_request_set_tfm(request, tfm);
	aead_request_set_callback(request, CRYPTO_TFM_REQ_MAY_SLEEP, NULL, NULL);
	aead_request_set_crypt(request, src, dst, len, nonce);
	aead_request_set_ad(request, ad_len);
	return request;
}

int ksmbd_aead_encrypt(void *request, void *tfm, struct scatterlist *src, struct scatterlist *dst, unsigned int len, unsigned int ad_len, u8 *nonce)
{
	return crypto_aead_encrypt(prepared(request, tfm, src, dst, len, ad_len, nonce));
}

int ksmbd_aead_decrypt(void *request, void *tfm, struct scatterlist *src, struct scatterlist *dst, unsigned int len, unsigned int ad_len, u8 *nonce)
{
	return crypto_aead_decrypt(prepared(request, tfm, src, dst, len, ad_len, nonce));
}

void *ksmbd_skcipher_alloc(const char *name)
{
	return crypto_alloc_sync_skcipher(name, 0, 0);
}

void ksmbd_skcipher_free(void *tfm)
{
	crypto_free_sync_skcipher(tfm);
}

/* Whether it goes from block to block through a cipher: drivers of whole modes have names without parentheses. */
bool ksmbd_skcipher_is_template(void *tfm)
{
	return strchr(crypto_tfm_alg_driver_name(crypto_sync_skcipher_tfm(tfm)), '(');
}

int ksmbd_skcipher_key(void *tfm, const u8 *key, unsigned int key_len)
{
	return crypto_sync_skcipher_setkey(tfm, key, key_len);
}

int ksmbd_skcipher_encrypt(void *tfm, u8 *dst, const u8 *src, unsigned int len, u8 *iv)
{
	SYNC_SKCIPHER_REQUEST_ON_STACK(request, tfm);
	struct scatterlist from, to;

	sg_init_one(&from, src, len);
	sg_init_one(&to, dst, len);
	skcipher_request_set_callback(request, CRYPTO_TFM_REQ_MAY_SLEEP, NULL, NULL);
	skcipher_request_set_crypt(request, &from, src == dst ? &from : &to, len, iv);
	return crypto_skcipher_encrypt(request);
}

void ksmbd_sg_set(struct scatterlist *sg, const void *at, unsigned int len)
{
	*sg = (struct scatterlist) {};
	sg_set_buf(sg, at, len);
}

void ksmbd_sg_end(struct scatterlist *sg)
{
	sg_mark_end(sg);
}

/* Where the byte at an address is in the direct mapping, or in the image of the kernel. */
void *ksmbd_linear_address(const void *at)
{
	struct page *page;

	if (likely(!is_vmalloc_or_module_addr(at)))
		return (void *)at;
	page = vmalloc_to_page(at);
	return page ? page_address(page) + offset_in_page(at) : NULL;
}

struct page *ksmbd_alloc_page(gfp_t gfp)
{
	return alloc_page(gfp);
}

unsigned long ksmbd_alloc_pages(gfp_t gfp, unsigned int count, struct page **pages)
{
	return alloc_pages_bulk(gfp, count, pages);
}

void *ksmbd_page_address(const struct page *page)
{
	return page_address(page);
}

void ksmbd_get_page(struct page *page)
{
	get_page(page);
}

void ksmbd_put_page(struct page *page)
{
	put_page(page);
}

/* Bytes from the start of this page to the end of the folio that it is part of. */
size_t ksmbd_page_room(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_size(folio) - folio_page_idx(folio, page) * PAGE_SIZE;
}

u32 ksmbd_hash(const void *data, size_t len, const unsigned long *key)
{
	const hsiphash_key_t words = { .key = { key[0], key[1] } };

	return hsiphash(data, len, &words);
}
