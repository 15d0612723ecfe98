/* Hashes: a fast one for tables, SHA-256 (FIPS 180-4) for what must not be guessed. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

/* xxHash, 64 bits. Not for anything an attacker may profit from. */
uint64_t hash_fast(struct slice bytes, uint64_t seed);

/* XXH64, as files name it that others write and read, too. */
uint64_t hash_xxh64(struct slice bytes, uint64_t seed);

struct digest {
    unsigned char bytes[32];
};

struct digest hash_sha256(struct slice bytes);

/* The same for whoever hashes often: what OpenSSL looks up for each digest is kept. Not for several threads at a time. */
struct hasher {
    void *algorithm, *context;
};

void hasher_init(struct hasher *hasher);
void hasher_free(struct hasher *hasher);
struct digest hasher_sha256(struct hasher *hasher, struct slice bytes);

/* HMAC-SHA256 (RFC 2104) of bytes that come in pieces: begin, add as often as wanted, end with the same secret. */
void hasher_begin_keyed(struct hasher *hasher, const struct digest *secret);
void hasher_add(struct hasher *hasher, struct slice bytes);
struct digest hasher_end_keyed(struct hasher *hasher, const struct digest *secret);

/* In a time that does not depend on where they differ. */
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
