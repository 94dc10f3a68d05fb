/* SPDX-License-Identifier: GPL-2.0 */
/* Digests, ciphers, random numbers, pages. */
#ifndef KSMBD_SYS_CRYPTO_H
#define KSMBD_SYS_CRYPTO_H

#include <linux/mm.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <crypto/aes-cbc-macs.h>
#include <crypto/aes-ccm.h>
#include <crypto/aes-gcm.h>
#include <crypto/arc4.h>
#include <crypto/md5.h>
#include <crypto/sha2.h>
#include <crypto/utils.h>

/*
 * Keys and contexts pass as untyped memory, since their types do not exist on the Rust side; these say how much of it. None of
 * them needs a stricter alignment than 16, which crypto.c asserts.
 */
static const size_t KSMBD_CMAC_KEY_SIZE = sizeof(struct aes_cmac_key);
static const size_t KSMBD_CMAC_CTX_SIZE = sizeof(struct aes_cmac_ctx);
static const size_t KSMBD_GCM_KEY_SIZE = sizeof(struct aes_gcm_key);
static const size_t KSMBD_GCM_CTX_SIZE = sizeof(struct aes_gcm_ctx);
static const size_t KSMBD_CCM_KEY_SIZE = sizeof(struct aes_ccm_key);
static const size_t KSMBD_CCM_CTX_SIZE = sizeof(struct aes_ccm_ctx);
static const size_t KSMBD_MD5_CTX_SIZE = sizeof(struct md5_ctx);
static const size_t KSMBD_HMAC_MD5_CTX_SIZE = sizeof(struct hmac_md5_ctx);
static const size_t KSMBD_SHA256_CTX_SIZE = sizeof(struct sha256_ctx);
static const size_t KSMBD_SHA512_CTX_SIZE = sizeof(struct sha512_ctx);
static const size_t KSMBD_HMAC_SHA256_KEY_SIZE = sizeof(struct hmac_sha256_key);
static const size_t KSMBD_HMAC_SHA256_CTX_SIZE = sizeof(struct hmac_sha256_ctx);
static const size_t KSMBD_ARC4_CTX_SIZE = sizeof(struct arc4_ctx);

void ksmbd_memzero(void *at, size_t len);
bool ksmbd_mem_differ(const void *a, const void *b, size_t len);

void ksmbd_md5_init(void *ctx);
void ksmbd_md5_update(void *ctx, const u8 *data, size_t len);
void ksmbd_md5_final(void *ctx, u8 *out);
void ksmbd_hmac_md5_init(void *ctx, const u8 *key, size_t key_len);
void ksmbd_hmac_md5_update(void *ctx, const u8 *data, size_t len);
void ksmbd_hmac_md5_final(void *ctx, u8 *out);
void ksmbd_sha256_init(void *ctx);
void ksmbd_sha256_update(void *ctx, const u8 *data, size_t len);
void ksmbd_sha256_final(void *ctx, u8 *out);
void ksmbd_sha512_init(void *ctx);
void ksmbd_sha512_update(void *ctx, const u8 *data, size_t len);
void ksmbd_sha512_final(void *ctx, u8 *out);
void ksmbd_hmac_sha256_key(void *key, const u8 *raw, size_t raw_len);
void ksmbd_hmac_sha256_init(void *ctx, const void *key);
void ksmbd_hmac_sha256_update(void *ctx, const u8 *data, size_t len);
void ksmbd_hmac_sha256_final(void *ctx, u8 *out);
int ksmbd_arc4_key(void *ctx, const u8 *key, unsigned int key_len);
void ksmbd_arc4_crypt(void *ctx, u8 *out, const u8 *in, unsigned int len);

int ksmbd_cmac_key(void *key, const u8 *raw, size_t raw_len);
void ksmbd_cmac_init(void *ctx, const void *key);
void ksmbd_cmac_update(void *ctx, const u8 *data, size_t len);
void ksmbd_cmac_final(void *ctx, u8 *out);

int ksmbd_gcm_key(void *key, const u8 *raw, size_t raw_len, size_t tag_len);
void ksmbd_gcm_init(void *ctx, const u8 *nonce, const void *key);
void ksmbd_gcm_auth(void *ctx, const u8 *ad, size_t len);
void ksmbd_gcm_encrypt(void *ctx, u8 *dst, const u8 *src, size_t len);
void ksmbd_gcm_decrypt(void *ctx, u8 *dst, const u8 *src, size_t len);
void ksmbd_gcm_encrypt_final(void *ctx, u8 *tag);
int ksmbd_gcm_decrypt_final(void *ctx, const u8 *tag);

int ksmbd_ccm_key(void *key, const u8 *raw, size_t raw_len, size_t tag_len);
int ksmbd_ccm_init(void *ctx, u64 data_len, u64 ad_len, const u8 *nonce, size_t nonce_len, const void *key);
void ksmbd_ccm_auth(void *ctx, const u8 *ad, size_t len);
void ksmbd_ccm_encrypt(void *ctx, u8 *dst, const u8 *src, size_t len);
void ksmbd_ccm_decrypt(void *ctx, u8 *dst, const u8 *src, size_t len);
void ksmbd_ccm_encrypt_final(void *ctx, u8 *tag);
int ksmbd_ccm_decrypt_final(void *ctx, const u8 *tag);

void *ksmbd_aead_alloc(const char *name);
void ksmbd_aead_free(void *tfm);
int ksmbd_aead_key(void *tfm, const u8 *key, unsigned int key_len);
int ksmbd_aead_tag_size(void *tfm, unsigned int tag_len);
size_t ksmbd_aead_request_size(void *tfm);
int ksmbd_aead_encrypt(void *request, void *tfm, struct scatterlist *src, struct scatterlist *dst, unsigned int len, unsigned int ad_len, u8 *nonce);
int ksmbd_aead_decrypt(void *request, void *tfm, struct scatterlist *src, struct scatterlist *dst, unsigned int len, unsigned int ad_len, u8 *nonce);
void *ksmbd_skcipher_alloc(const char *name);
void ksmbd_skcipher_free(void *tfm);
bool ksmbd_skcipher_is_template(void *tfm);
int ksmbd_skcipher_key(void *tfm, const u8 *key, unsigned int key_len);
int ksmbd_skcipher_encrypt(void *tfm, u8 *dst, const u8 *src, unsigned int len, u8 *iv);
void ksmbd_sg_set(struct scatterlist *sg, const void *at, unsigned int len);
void ksmbd_sg_end(struct scatterlist *sg);
void *ksmbd_linear_address(const void *at);

struct page *ksmbd_alloc_page(gfp_t gfp);
unsigned long ksmbd_alloc_pages(gfp_t gfp, unsigned int count, struct page **pages);
void *ksmbd_page_address(const struct page *page);
void ksmbd_get_page(struct page *page);
void ksmbd_put_page(struct page *page);
size_t ksmbd_page_room(struct page *page);

/* A keyed hash; the key is of two words. */
u32 ksmbd_hash(const void *data, size_t len, const unsigned long *key);

#endif
