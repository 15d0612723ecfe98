#include "fleet/dispatch/prefix_index.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/status.h"

enum { WORDS = PREFIX_PLACES_MOST / 64, NOBODY = 0 /* of all arrays, element 0 stands for none */ };

/* A beginning that some place keeps. */
struct known {
    uint64_t hash;
    uint32_t next;    /* in its bucket, or among the free */
    uint32_t keepers; /* how many bits are set */
    uint64_t places[WORDS];
};

/* A place keeps a beginning. */
struct kept {
    uint32_t known;
    uint32_t next; /* in its bucket, or among the free */
    uint32_t older, newer;
    uint32_t bytes; /* of the last block */
    uint16_t place;
};

struct place {
    struct replica *replica;
    uint32_t oldest, newest;
    uint64_t bytes;
    unsigned count;
    uint64_t used; /* when it last was, in calls of learn */
};

struct prefix_index {
    struct lock lock;
    struct known *known;
    struct kept *kept;
    uint32_t *known_buckets, *kept_buckets; /* as many as there may be elements */
    uint32_t known_free, kept_free;         /* lists */
    uint32_t known_unused, kept_unused;     /* from here on never used */
    struct place places[PREFIX_PLACES_MOST];
    unsigned place_count;
    uint64_t calls;
    struct prefix_index_stats stats;
};

/* Large and zeroed: the pages come when they are written to. */
struct prefix_index *
prefix_index_new(void)
{
    struct prefix_index *index = must_calloc(1, sizeof(*index));

    lock_init(&index->lock);
    index->known = must_calloc(PREFIX_KNOWN_MOST, sizeof(index->known[0]));
    index->kept = must_calloc(PREFIX_KEPT_MOST, sizeof(index->kept[0]));
    index->known_buckets = must_calloc(PREFIX_KNOWN_MOST, sizeof(index->known_buckets[0]));
    index->kept_buckets = must_calloc(PREFIX_KEPT_MOST, sizeof(index->kept_buckets[0]));
    index->known_unused = index->kept_unused = 1;
    return index;
}

void
prefix_index_free(struct prefix_index *index)
{
    if (index == NULL)
        return;
    free(index->known);
    free(index->kept);
    free(index->known_buckets);
    free(index->kept_buckets);
    lock_destroy(&index->lock);
    free(index);
}

/* Beginnings */

static uint32_t *
known_bucket(const struct prefix_index *index, uint64_t hash)
{
    return &index->known_buckets[hash % PREFIX_KNOWN_MOST];
}

static uint32_t
find_known(const struct prefix_index *index, uint64_t hash)
{
    uint32_t at = *known_bucket(index, hash);

    while (at != NOBODY && index->known[at].hash != hash)
        at = index->known[at].next;
    return at;
}

/* There is room. */
static uint32_t
add_known(struct prefix_index *index, uint64_t hash)
{
    uint32_t at = index->known_free != NOBODY ? index->known_free : index->known_unused++;
    struct known *known = &index->known[at];
    uint32_t *bucket = known_bucket(index, hash);

    if (at == index->known_free)
        index->known_free = known->next;
    *known = (struct known){.hash = hash, .next = *bucket};
    *bucket = at;
    index->stats.known++;
    return at;
}

static void
drop_known(struct prefix_index *index, uint32_t at)
{
    uint32_t *link = known_bucket(index, index->known[at].hash);

    while (*link != at)
        link = &index->known[*link].next;
    *link = index->known[at].next;
    index->known[at].next = index->known_free;
    index->known_free = at;
    index->stats.known--;
}

/* Pairs */

static uint32_t *
kept_bucket(const struct prefix_index *index, uint32_t known, unsigned place)
{
    return &index->kept_buckets[rng_mix(((uint64_t)place << 32) | known) % PREFIX_KEPT_MOST];
}

static uint32_t
find_kept(const struct prefix_index *index, uint32_t known, unsigned place)
{
    uint32_t at = *kept_bucket(index, known, place);

    while (at != NOBODY && (index->kept[at].known != known || index->kept[at].place != place))
        at = index->kept[at].next;
    return at;
}

static void
unlink_kept(struct prefix_index *index, uint32_t at)
{
    struct kept *kept = &index->kept[at];
    struct place *place = &index->places[kept->place];

    if (kept->older != NOBODY)
        index->kept[kept->older].newer = kept->newer;
    else
        place->oldest = kept->newer;
    if (kept->newer != NOBODY)
        index->kept[kept->newer].older = kept->older;
    else
        place->newest = kept->older;
}

static void
link_newest(struct prefix_index *index, uint32_t at)
{
    struct kept *kept = &index->kept[at];
    struct place *place = &index->places[kept->place];

    kept->older = place->newest;
    kept->newer = NOBODY;
    if (place->newest != NOBODY)
        index->kept[place->newest].newer = at;
    else
        place->oldest = at;
    place->newest = at;
}

static void
drop_kept(struct prefix_index *index, uint32_t at)
{
    struct kept *kept = &index->kept[at];
    struct known *known = &index->known[kept->known];
    uint32_t *link = kept_bucket(index, kept->known, kept->place);

    unlink_kept(index, at);
    index->places[kept->place].bytes -= kept->bytes;
    index->places[kept->place].count--;
    while (*link != at)
        link = &index->kept[*link].next;
    *link = kept->next;
    known->places[kept->place / 64] &= ~((uint64_t)1 << kept->place % 64);
    if (--known->keepers == 0)
        drop_known(index, kept->known);
    kept->next = index->kept_free;
    index->kept_free = at;
    index->stats.kept--;
}

static void
evict_oldest(struct prefix_index *index, unsigned place)
{
    drop_kept(index, index->places[place].oldest);
    index->stats.evicted++;
}

/* All is in use: whoever has most gives up its oldest. */
static void
make_room(struct prefix_index *index)
{
    bool kept_full = index->kept_free == NOBODY && index->kept_unused == PREFIX_KEPT_MOST;
    unsigned largest = 0;

    while (kept_full || (index->known_free == NOBODY && index->known_unused == PREFIX_KNOWN_MOST)) {
        for (unsigned i = 1; i < index->place_count; i++)
            if (index->places[i].count > index->places[largest].count)
                largest = i;
        evict_oldest(index, largest);
        kept_full = false;
    }
}

static void
keep(struct prefix_index *index, unsigned place, uint64_t hash, uint32_t bytes)
{
    uint32_t known = find_known(index, hash), at = known != NOBODY ? find_kept(index, known, place) : NOBODY;
    uint32_t *bucket;

    if (at != NOBODY) {
        unlink_kept(index, at);
        link_newest(index, at);
        return;
    }
    make_room(index);
    known = find_known(index, hash); /* it may have made way */
    if (known == NOBODY)
        known = add_known(index, hash);
    at = index->kept_free != NOBODY ? index->kept_free : index->kept_unused++;
    if (at == index->kept_free)
        index->kept_free = index->kept[at].next;
    bucket = kept_bucket(index, known, place);
    index->kept[at] = (struct kept){.known = known, .next = *bucket, .bytes = bytes, .place = (uint16_t)place};
    *bucket = at;
    link_newest(index, at);
    index->known[known].keepers++;
    index->known[known].places[place / 64] |= (uint64_t)1 << place % 64;
    index->places[place].bytes += bytes;
    index->places[place].count++;
    index->stats.kept++;
}

/* Places */

static void
empty_place(struct prefix_index *index, unsigned place)
{
    atomic_store_explicit(&index->places[place].replica->prefix_place, 0, memory_order_relaxed);
    while (index->places[place].count > 0)
        evict_oldest(index, place);
    index->places[place] = (struct place){0};
}

/* One that nobody has, else the one that was used least recently. */
static unsigned
free_place(struct prefix_index *index)
{
    unsigned stalest = 0;

    for (unsigned i = 0; i < index->place_count; i++) {
        if (index->places[i].replica == NULL)
            return i;
        if (index->places[i].used < index->places[stalest].used)
            stalest = i;
    }
    if (index->place_count < PREFIX_PLACES_MOST)
        return index->place_count++;
    empty_place(index, stalest);
    return stalest;
}

static unsigned
place_of(struct prefix_index *index, struct replica *replica)
{
    unsigned place = atomic_load_explicit(&replica->prefix_place, memory_order_relaxed);

    if (place != 0)
        return place - 1;
    place = free_place(index);
    index->places[place] = (struct place){.replica = replica};
    atomic_store_explicit(&replica->prefix_place, place + 1, memory_order_relaxed);
    return place;
}

void
prefix_index_forget_place(struct prefix_index *index, struct replica *replica)
{
    unsigned place;

    lock_take(&index->lock);
    place = atomic_load_explicit(&replica->prefix_place, memory_order_relaxed);
    if (place != 0)
        empty_place(index, place - 1);
    lock_drop(&index->lock);
}

void
prefix_index_learn(struct prefix_index *index, struct replica *replica, const struct prefix_chain *chain,
                   uint64_t model, uint64_t bytes_most)
{
    unsigned place;

    if (chain->count == 0)
        return;
    lock_take(&index->lock);
    place = place_of(index, replica);
    index->places[place].used = ++index->calls;
    for (unsigned i = chain->count; i-- > 0;) /* the first are the newest: an engine forgets from the end */
        keep(index, place, chain->blocks[i].hash ^ model,
             (uint32_t)(chain->blocks[i].end - (i > 0 ? chain->blocks[i - 1].end : 0)));
    while (index->places[place].bytes > bytes_most && index->places[place].count > 0)
        evict_oldest(index, place);
    lock_drop(&index->lock);
}

void
prefix_index_forget(struct prefix_index *index, struct replica *replica, const struct prefix_chain *chain,
                    uint64_t model, unsigned from)
{
    unsigned place;

    lock_take(&index->lock);
    place = atomic_load_explicit(&replica->prefix_place, memory_order_relaxed);
    for (unsigned i = from; i < chain->count && place != 0; i++) {
        uint32_t known = find_known(index, chain->blocks[i].hash ^ model);
        uint32_t at = known != NOBODY ? find_kept(index, known, place - 1) : NOBODY;

        if (at != NOBODY)
            drop_kept(index, at);
    }
    lock_drop(&index->lock);
}

/* Matching */

/* A replica whose answer is asked for. */
struct candidate {
    uint16_t place;
    uint16_t at; /* in the caller's array */
};

struct matching {
    const struct prefix_index *index;
    const struct prefix_chain *chain;
    uint64_t model;
    struct candidate *candidates;
    unsigned *blocks;
};

/* The candidates from..to keep at least `least` blocks and at most `most`. Who keeps a block keeps those before it, so
 * a look at the middle block halves the range for everybody at once. */
static void
narrow(struct matching *matching, unsigned from, unsigned to, unsigned least, unsigned most)
{
    while (from < to && least < most) {
        unsigned middle = (least + most + 1) / 2, split = from;
        uint32_t known = find_known(matching->index, matching->chain->blocks[middle - 1].hash ^ matching->model);
        const uint64_t *places = matching->index->known[known].places; /* nobody's has no bit set */

        for (unsigned i = from; i < to && known != NOBODY; i++) {
            struct candidate candidate = matching->candidates[i];

            if ((places[candidate.place / 64] >> candidate.place % 64 & 1) == 0)
                continue;
            matching->candidates[i] = matching->candidates[split];
            matching->candidates[split++] = candidate;
        }
        narrow(matching, from, split, middle, most);
        from = split;
        most = middle - 1;
    }
    for (unsigned i = from; i < to; i++)
        matching->blocks[matching->candidates[i].at] = least;
}

void
prefix_index_match(struct prefix_index *index, const struct prefix_chain *chain, uint64_t model,
                   struct replica *const *replicas, unsigned count, unsigned *blocks)
{
    struct candidate candidates[PREFIX_PLACES_MOST];
    struct matching matching = {index, chain, model, candidates, blocks};
    unsigned candidate_count = 0, most = chain->count;

    lock_take(&index->lock);
    for (unsigned i = 0; i < count; i++) {
        unsigned place = atomic_load_explicit(&replicas[i]->prefix_place, memory_order_relaxed);

        blocks[i] = 0;
        if (place != 0 && candidate_count < PREFIX_PLACES_MOST)
            candidates[candidate_count++] = (struct candidate){(uint16_t)(place - 1), (uint16_t)i};
    }
    if (most > 0 && find_known(index, chain->blocks[0].hash ^ model) == NOBODY)
        most = 0; /* all new, as many are */
    narrow(&matching, 0, candidate_count, 0, most);
    lock_drop(&index->lock);
}

void
prefix_index_stats(struct prefix_index *index, struct prefix_index_stats *out)
{
    lock_take(&index->lock);
    *out = index->stats;
    out->places = index->place_count;
    lock_drop(&index->lock);
}

void
prefix_index_check(struct prefix_index *index)
{
    uint64_t kept = 0;

    lock_take(&index->lock);
    for (unsigned i = 0; i < index->place_count; i++) {
        const struct place *place = &index->places[i];
        uint64_t bytes = 0, count = 0;

        for (uint32_t at = place->oldest, before = NOBODY; at != NOBODY; before = at, at = index->kept[at].newer) {
            ENSURE(index->kept[at].place == i && index->kept[at].older == before);
            ENSURE(index->known[index->kept[at].known].places[i / 64] >> i % 64 & 1);
            ENSURE(find_kept(index, index->kept[at].known, i) == at);
            bytes += index->kept[at].bytes;
            count++;
        }
        ENSURE(bytes == place->bytes && count == place->count);
        kept += count;
    }
    ENSURE(kept == index->stats.kept && index->stats.known <= kept);
    lock_drop(&index->lock);
}
