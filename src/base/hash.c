#include "base/hash.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include "base/status.h"

uint64_t
hash_fast(struct slice bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
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

bool
digest_equal(const struct digest *a, const struct digest *b)
{
    unsigned char differ = 0;

    for (size_t i = 0; i < sizeof(a->bytes); i++)
        differ |= a->bytes[i] ^ b->bytes[i];
    return differ == 0;
}
