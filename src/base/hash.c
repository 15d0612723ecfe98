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

bool
digest_equal(const struct digest *a, const struct digest *b)
{
    unsigned char differ = 0;

    for (size_t i = 0; i < sizeof(a->bytes); i++)
        differ |= a->bytes[i] ^ b->bytes[i];
    return differ == 0;
}
