#include "base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/status.h"

uint64_t
hash_fast(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}

uint64_t
hash_xxh64(struct slice bytes, uint64_t seed)
{
    return XXH64(bytes.data, bytes.len, seed);
}

struct digest
hash_sha256(struct slice bytes)
{
    struct digest digest;
    unsigned len = 0;
    int made = EVP_Digest(bytes.len != 0 ? bytes.data : "", bytes.len, digest.bytes, &len, EVP_sha256(), NULL);

    ENSURE(made == 1 && len == sizeof(digest.bytes));
    return digest;
}

void
hasher_init(struct hasher *hasher)
{
    hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->context = EVP_MD_CTX_new();
    ENSURE(hasher->algorithm != NULL && hasher->context != NULL);
}

void
hasher_free(struct hasher *hasher)
{
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    *hasher = (struct hasher){0};
}

struct digest
hasher_sha256(struct hasher *hasher, struct slice bytes)
{
    struct digest digest;
    unsigned len = 0;
    bool made = EVP_DigestInit_ex(hasher->context, hasher->algorithm, NULL) == 1 &&
                EVP_DigestUpdate(hasher->context, bytes.data, bytes.len) == 1 &&
                EVP_DigestFinal_ex(hasher->context, digest.bytes, &len) == 1;

    ENSURE(made && len == sizeof(digest.bytes));
    return digest;
}

enum { SHA256_BLOCK_BYTES = 64, INNER_PAD = 0x36, OUTER_PAD = 0x5c };

static void
begin_padded(struct hasher *hasher, const struct digest *secret, unsigned char pad)
{
    unsigned char block[SHA256_BLOCK_BYTES];
    bool made;

    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < sizeof(secret->bytes); i++)
        block[i] ^= secret->bytes[i];
    made = EVP_DigestInit_ex(hasher->context, hasher->algorithm, NULL) == 1 &&
           EVP_DigestUpdate(hasher->context, block, sizeof(block)) == 1;
    ENSURE(made);
}

static struct digest
take_digest(struct hasher *hasher)
{
    struct digest digest;
    unsigned len = 0;
    int made = EVP_DigestFinal_ex(hasher->context, digest.bytes, &len);

    ENSURE(made == 1 && len == sizeof(digest.bytes));
    return digest;
}

void
hasher_begin_keyed(struct hasher *hasher, const struct digest *secret)
{
    begin_padded(hasher, secret, INNER_PAD);
}

void
hasher_add(struct hasher *hasher, struct slice bytes)
{
    int made = EVP_DigestUpdate(hasher->context, bytes.len != 0 ? bytes.data : "", bytes.len);

    ENSURE(made == 1);
}

struct digest
hasher_end_keyed(struct hasher *hasher, const struct digest *secret)
{
    struct digest inner = take_digest(hasher);

    begin_padded(hasher, secret, OUTER_PAD);
    hasher_add(hasher, slice_make((const char *)inner.bytes, sizeof(inner.bytes)));
    return take_digest(hasher);
}

bool
digest_equal(const struct digest *a, const struct digest *b)
{
    unsigned char differ = 0;

    for (size_t i = 0; i < sizeof(a->bytes); i++)
        differ |= a->bytes[i] ^ b->bytes[i];
    return differ == 0;
}
