#include "levers/semantic_index.h"

#include <stdlib.h>

/* Links are 1 + a number: 0, as fresh memory has it, is none. */
#define NOBODY 0

/* A turn that is known. Its number is its vector's id. */
struct known {
    struct digest key;
    uint64_t partition, check;
    struct literals literals;
    uint32_t slot; /* of the vector; SLOT_NONE: this place is free */
    uint32_t next; /* in its bucket, or among the free places; 1 + its number */
    bool used;     /* since the hand passed */
};

struct semantic_index {
    struct lock lock;  /* of all below but the vectors, which have their own and never take this one */
    struct known *all; /* `most` places */
    uint32_t *buckets; /* the first of each */
    uint32_t mask;     /* buckets - 1, which is a power of two */
    uint32_t count, most;
    uint32_t fresh, free; /* places never used begin there; the first of those given back */
    uint32_t hand;
    uint64_t evicted;
    struct vectors vectors;
};

bool
semantic_turn_of(const struct embedder *embedder, const struct digest *rest, struct slice text,
                 struct semantic_turn *out)
{
    float vector[EMBED_DIMS_MOST];

    memcpy(&out->partition, rest->bytes, sizeof(out->partition));
    memcpy(&out->check, rest->bytes + sizeof(out->partition), sizeof(out->check));
    out->literals = literals_of(text);
    return embedder_embed(embedder, text, vector, NULL) &&
           embedder_quantize(vector, embedder_dims(embedder), out->vector);
}

struct semantic_index *
semantic_index_new(unsigned dims, uint32_t entries_most)
{
    struct semantic_index *index = must_calloc(1, sizeof(*index));
    uint32_t buckets = 1;

    ENSURE(entries_most > 0 && entries_most <= 1u << 28);
    while (buckets < entries_most)
        buckets *= 2;
    lock_init(&index->lock);
    index->most = entries_most;
    index->all = must_calloc(entries_most, sizeof(*index->all));
    index->buckets = must_calloc(buckets, sizeof(*index->buckets));
    index->mask = buckets - 1;
    vectors_init(&index->vectors, dims);
    return index;
}

void
semantic_index_free(struct semantic_index *index)
{
    if (index == NULL)
        return;
    vectors_free(&index->vectors);
    lock_destroy(&index->lock);
    free(index->all);
    free(index->buckets);
    free(index);
}

/* Keys are hashes already. */
static uint32_t *
bucket_of(const struct semantic_index *index, const struct digest *key)
{
    uint32_t bits;

    memcpy(&bits, key->bytes, sizeof(bits));
    return &index->buckets[bits & index->mask];
}

/* NULL if it is not there. */
static struct known *
find(const struct semantic_index *index, const struct digest *key)
{
    uint32_t link = *bucket_of(index, key);

    while (link != NOBODY && memcmp(&index->all[link - 1].key, key, sizeof(*key)) != 0)
        link = index->all[link - 1].next;
    return link != NOBODY ? &index->all[link - 1] : NULL;
}

static uint32_t
number_of(const struct semantic_index *index, const struct known *known)
{
    return (uint32_t)(known - index->all);
}

static void
give_back(struct semantic_index *index, struct known *known)
{
    known->slot = SLOT_NONE;
    known->next = index->free;
    index->free = number_of(index, known) + 1;
}

static void
take_out(struct semantic_index *index, struct known *known)
{
    uint32_t *link = bucket_of(index, &known->key), at = number_of(index, known);

    while (*link != at + 1)
        link = &index->all[*link - 1].next;
    *link = known->next;
    if (vectors_remove(&index->vectors, known->slot, at) != OK)
        ensure_failed("a turn that is known has its vector", __FILE__, __LINE__);
    give_back(index, known);
    index->count--;
}

/* What was found since the hand last passed gets another round. */
static void
make_room(struct semantic_index *index)
{
    while (index->count >= index->most) {
        struct known *known = &index->all[index->hand];

        if (known->slot != SLOT_NONE && !known->used) {
            take_out(index, known);
            index->evicted++;
        }
        known->used = false;
        index->hand = (index->hand + 1) % index->fresh;
    }
}

static struct known *
new_place(struct semantic_index *index)
{
    struct known *known = index->free != NOBODY ? &index->all[index->free - 1] : &index->all[index->fresh];

    if (index->free != NOBODY)
        index->free = known->next;
    else
        index->fresh++;
    ENSURE(index->fresh <= index->most);
    return known;
}

static void
link_in(struct semantic_index *index, struct known *known)
{
    uint32_t *bucket = bucket_of(index, &known->key);

    known->next = *bucket;
    *bucket = number_of(index, known) + 1;
    index->count++;
}

static void
add(struct semantic_index *index, const struct semantic_turn *turn, const struct digest *key)
{
    struct known *known = find(index, key);

    if (known != NULL)
        take_out(index, known);
    make_room(index);
    known = new_place(index);
    *known =
        (struct known){.key = *key, .partition = turn->partition, .check = turn->check, .literals = turn->literals};
    if (vectors_add(&index->vectors, turn->partition, turn->vector, number_of(index, known), &known->slot) == OK)
        link_in(index, known);
    else
        give_back(index, known);
}

void
semantic_index_add(struct semantic_index *index, const struct semantic_turn *turn, const struct digest *key)
{
    lock_take(&index->lock);
    add(index, turn, key);
    lock_drop(&index->lock);
}

void
semantic_index_remove(struct semantic_index *index, const struct digest *key)
{
    struct known *known;

    lock_take(&index->lock);
    known = find(index, key);
    if (known != NULL)
        take_out(index, known);
    lock_drop(&index->lock);
}

void
semantic_index_used(struct semantic_index *index, const struct digest *key)
{
    struct known *known;

    lock_take(&index->lock);
    known = find(index, key);
    if (known != NULL)
        known->used = true;
    lock_drop(&index->lock);
}

/* Under the lock. */
static bool
copy_turn(struct semantic_index *index, const struct known *known, struct semantic_turn *turn, struct digest *key)
{
    if (known->slot == SLOT_NONE ||
        vectors_get(&index->vectors, known->slot, number_of(index, known), turn->vector) != OK)
        return false;
    turn->partition = known->partition;
    turn->check = known->check;
    turn->literals = known->literals;
    *key = known->key;
    return true;
}

bool
semantic_index_next(struct semantic_index *index, uint64_t *at, struct semantic_turn *turn, struct digest *key)
{
    bool found = false;

    lock_take(&index->lock);
    while (!found && *at < index->fresh)
        found = copy_turn(index, &index->all[(*at)++], turn, key);
    lock_drop(&index->lock);
    return found;
}

uint32_t
semantic_index_to_search(struct semantic_index *index, const struct semantic_turn *turn)
{
    return vectors_partition_count(&index->vectors, turn->partition);
}

/* What the search found may be gone meanwhile, and its place another's. */
static void
take_matches(const struct semantic_index *index, const struct semantic_turn *turn, const struct vectors_search *search,
             struct semantic_matches *out)
{
    for (unsigned i = 0; i < search->count; i++) {
        const struct vectors_found *found = &search->found[i];
        const struct known *known = found->id < index->fresh ? &index->all[found->id] : NULL;
        struct semantic_match *match = &out->all[out->count];

        if (known == NULL || known->slot != found->slot || known->partition != turn->partition ||
            known->check != turn->check)
            continue;
        *match = (struct semantic_match){.key = known->key, .similarity = found->similarity};
        match->differs = !literals_equal(&turn->literals, &known->literals, &match->where);
        out->count++;
    }
}

void
semantic_index_search(struct semantic_index *index, const struct semantic_turn *turn, struct semantic_matches *out)
{
    struct vectors_search search;

    out->count = 0;
    vectors_search_init(&search, &index->vectors, turn->partition, turn->vector, VECTORS_FOUND_MOST, SEMANTIC_LEAST);
    while (!vectors_search_step(&search, VECTORS_AT_A_TIME))
        continue;
    lock_take(&index->lock);
    take_matches(index, turn, &search, out);
    lock_drop(&index->lock);
}

void
semantic_index_stats(struct semantic_index *index, struct semantic_index_stats *out)
{
    lock_take(&index->lock);
    out->entries = index->count;
    out->entries_most = index->most;
    out->evicted = index->evicted;
    out->bytes = index->fresh * sizeof(struct known) + (index->mask + (size_t)1) * sizeof(uint32_t);
    lock_drop(&index->lock);
    out->bytes += vectors_bytes(&index->vectors);
}
