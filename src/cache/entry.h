/* A stored answer: immutable once made, counted by its holders, which may sit on any thread. What the store keeps of it
 * (`place`) is the store's alone, under its lock. */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/chunk.h"
#include "base/hash.h"
#include "base/timers.h"
#include "dialect/usage.h"

enum {
    CACHE_TEXT = 1 /* it says something and calls no tool, so that it might answer another's question */
};

/* What there is to say of an answer beside its bytes. */
struct cache_facts {
    struct digest key; /* dialect/canonical.h */
    enum api api;
    unsigned status; /* of its head: 200 to 299 */
    unsigned form;   /* 0 to 255: what the content is, for whoever stores and serves it: bits as below */
    /* For purges; only hashes of them are kept. `model` is the target that answered, "backend/model". */
    struct slice tenant, key_name, route, model;
    const struct usage *usage; /* of the call that made it; NULL: none */
    usd cost;                  /* what that call cost, which a hit saves; USD_UNKNOWN counts as nothing */
    usec created_wall_us;
    usec ttl_us;                   /* USEC_NEVER: as long as there is room */
    usec first_token_us, total_us; /* how long the call took */
};

/* Which entries a purge means. */
enum cache_mark { CACHE_TENANT, CACHE_KEY_NAME, CACHE_ROUTE, CACHE_MODEL, CACHE_MARKS };

struct cache_place {
    wide_int priority; /* GreedyDual-Size-Frequency's */
    uint64_t touched;  /* among equal priorities the one touched longest ago goes first */
    size_t heap;       /* 1 + where in the heap; 0: not in the store */
    uint64_t uses;
};

struct cache_entry {
    atomic_uint holders;
    unsigned char api, form;
    unsigned short status;
    unsigned usage_len;
    bool packed; /* the content is a zstd frame */
    struct digest key;
    uint64_t marks[CACHE_MARKS]; /* hashes */
    usd cost;                    /* never unknown, never negative */
    usec created_wall_us, ttl_us, first_token_us, total_us;
    size_t len;            /* of the answer */
    struct chunk *content; /* held */
    struct cache_place place;
    unsigned char usage[]; /* written small */
};

/* An answer as large as this is not stored. */
#define CACHE_CONTENT_MOST ((size_t)1 << 30)

/* With one holder, the caller. Copies the content, and compresses it (zstd) where it is longer than `compress_above`
 * bytes and gets smaller by it: above 64 KiB that takes long enough to belong on another thread (2 ms per MiB). */
struct cache_entry *cache_entry_new(const struct cache_facts *facts, struct slice content, size_t compress_above)
    __attribute__((returns_nonnull));

/* An entry as bytes, appended to *out, and back again. Only for this machine: numbers are in its order. */
void cache_entry_write(const struct cache_entry *entry, uint64_t uses, struct buffer *out);

/* NULL: the bytes are no entry. */
struct cache_entry *cache_entry_read(struct slice bytes, uint64_t *uses);

struct cache_entry *cache_entry_hold(struct cache_entry *entry);
void cache_entry_release(struct cache_entry *entry); /* NULL is fine */

/* The answer's bytes, held for the caller; decompressed if need be (1 ms per MiB). NULL: they are damaged. */
struct chunk *cache_entry_content(const struct cache_entry *entry);

void cache_entry_usage(const struct cache_entry *entry, struct usage *out);

/* How old it is; never negative, as the wall clock may jump. */
usec cache_entry_age_us(const struct cache_entry *entry, usec now_wall_us);
bool cache_entry_expired(const struct cache_entry *entry, usec now_wall_us);

/* What it takes in memory, everything included. */
size_t cache_entry_bytes(const struct cache_entry *entry);

uint64_t cache_mark_of(struct slice name);

#endif
