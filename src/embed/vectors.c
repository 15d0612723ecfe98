#include "embed/vectors.h"

#include <math.h>

/* A partition of no more is compared exactly, all of it: some 20 us. */
enum { EXACT_MOST = 1024 };

/* Of a run that is longer than EXACT_MOST, one in so many is compared at most: a bound on the time, where thousands of
 * vectors are all nearly the same. */
enum { COMPARED_SHARE = 8 };

/* What stands that many standard errors below the cosine to be beaten is not compared: of those that would beat it, fewer
 * than one in two hundred are missed. */
#define ERRORS_ALLOWED 2.7f

void
vectors_init(struct vectors *vectors, unsigned dims)
{
    *vectors = (struct vectors){.dims = dims, .kernels = scan_kernels_best()};
    shared_lock_init(&vectors->lock);
    store_init(&vectors->store, dims);
    partitions_init(&vectors->partitions);
}

void
vectors_free(struct vectors *vectors)
{
    partitions_free(&vectors->partitions);
    store_free(&vectors->store);
    shared_lock_destroy(&vectors->lock);
}

static float
inverse_length(const struct vectors *vectors, const int8_t *vector)
{
    int32_t square = vectors->kernels->dot(vector, vector, vectors->dims);

    ENSURE(square > 0);
    return 1 / sqrtf((float)square);
}

enum status
vectors_add(struct vectors *vectors, uint64_t partition, const int8_t *vector, uint64_t id, uint32_t *slot)
{
    uint64_t signs[SCAN_WORDS_MOST];
    float inverse = inverse_length(vectors, vector);
    enum status status;

    scan_signs(vector, vectors->dims, signs);
    shared_lock_take_to_write(&vectors->lock);
    status = partitions_take_slot(&vectors->partitions, &vectors->store, partition, slot);
    if (status == OK) {
        struct vector_chunk *chunk = store_chunk(&vectors->store, *slot);
        uint32_t at = store_at(*slot), words = vectors->store.words;

        memcpy(chunk->vectors + (size_t)at * vectors->dims, vector, vectors->dims);
        memcpy(chunk->signs + (size_t)at * words, signs, words * sizeof(signs[0]));
        chunk->ids[at] = id;
        chunk->partitions[at] = partition;
        chunk->inverses[at] = inverse;
        vectors->count++;
    }
    shared_lock_drop(&vectors->lock);
    return status;
}

static bool
holds(const struct vectors *vectors, uint32_t slot, uint64_t id)
{
    const struct vector_chunk *chunk = slot < store_slots(&vectors->store) ? store_chunk(&vectors->store, slot) : NULL;

    return chunk != NULL && store_is_live(chunk, store_at(slot)) && chunk->ids[store_at(slot)] == id;
}

enum status
vectors_remove(struct vectors *vectors, uint32_t slot, uint64_t id)
{
    bool found;

    shared_lock_take_to_write(&vectors->lock);
    found = holds(vectors, slot, id);
    if (found) {
        uint64_t partition = store_chunk(&vectors->store, slot)->partitions[store_at(slot)];

        partitions_give_slot(&vectors->partitions, &vectors->store, partition, slot);
        vectors->count--;
    }
    shared_lock_drop(&vectors->lock);
    return found ? OK : ERR_NOT_FOUND;
}

enum status
vectors_get(struct vectors *vectors, uint32_t slot, uint64_t id, int8_t *out)
{
    bool found;

    shared_lock_take_to_read(&vectors->lock);
    found = holds(vectors, slot, id);
    if (found)
        memcpy(out, store_chunk(&vectors->store, slot)->vectors + (size_t)store_at(slot) * vectors->dims,
               vectors->dims);
    shared_lock_drop(&vectors->lock);
    return found ? OK : ERR_NOT_FOUND;
}

uint64_t
vectors_count(struct vectors *vectors)
{
    uint64_t count;

    shared_lock_take_to_read(&vectors->lock);
    count = vectors->count;
    shared_lock_drop(&vectors->lock);
    return count;
}

uint32_t
vectors_partition_count(struct vectors *vectors, uint64_t partition)
{
    const struct vector_partition *found;
    uint32_t count;

    shared_lock_take_to_read(&vectors->lock);
    found = partitions_find(&vectors->partitions, partition);
    count = found != NULL ? found->live : 0;
    shared_lock_drop(&vectors->lock);
    return count;
}

size_t
vectors_bytes(struct vectors *vectors)
{
    size_t bytes;

    shared_lock_take_to_read(&vectors->lock);
    bytes = sizeof(*vectors) + store_bytes(&vectors->store) + partitions_bytes(&vectors->partitions);
    shared_lock_drop(&vectors->lock);
    return bytes;
}

void
vectors_search_init(struct vectors_search *search, struct vectors *vectors, uint64_t partition, const int8_t *query,
                    unsigned most, float least)
{
    ENSURE(most >= 1 && most <= VECTORS_FOUND_MOST);
    *search = (struct vectors_search){
        .vectors = vectors, .partition = partition, .query = query, .step = 1, .least = least, .most = most};
    search->query_inverse = inverse_length(vectors, query);
    scan_query_init(&search->scan, query, vectors->dims);
}

void
vectors_search_share(struct vectors_search *search, uint32_t part, uint32_t parts)
{
    ENSURE(part < parts && search->place == 0);
    search->place = part;
    search->step = parts;
}

/* A similarity below cannot become a result. */
static float
to_beat(const struct vectors_search *search)
{
    return search->count == search->most ? search->found[search->most - 1].similarity : search->least;
}

/* Among those as near, the first that was found stays first. */
static void
keep(struct vectors_search *search, struct vectors_found found)
{
    unsigned at = search->count;

    if (found.similarity < to_beat(search) ||
        (search->count == search->most && found.similarity <= search->found[search->most - 1].similarity))
        return;
    if (search->count < search->most)
        search->count++;
    else
        at--;
    while (at > 0 && search->found[at - 1].similarity < found.similarity) {
        search->found[at] = search->found[at - 1];
        at--;
    }
    search->found[at] = found;
}

void
vectors_search_merge(struct vectors_search *search, const struct vectors_search *part)
{
    for (unsigned i = 0; i < part->count; i++)
        keep(search, part->found[i]);
    search->compared += part->compared;
}

static void
compare(struct vectors_search *search, const struct vector_chunk *chunk, uint32_t slot)
{
    const struct vectors *vectors = search->vectors;
    uint32_t at = store_at(slot);
    int32_t dot = vectors->kernels->dot(search->query, chunk->vectors + (size_t)at * vectors->dims, vectors->dims);

    search->compared++;
    keep(search, (struct vectors_found){.slot = slot,
                                        .id = chunk->ids[at],
                                        .similarity = (float)dot * search->query_inverse * chunk->inverses[at]});
}

static void
compare_all(struct vectors_search *search, uint32_t first, uint32_t len)
{
    const struct vector_chunk *chunk = store_chunk(&search->vectors->store, first);

    for (uint32_t i = 0; i < len; i++)
        if (store_is_live(chunk, store_at(first + i)))
            compare(search, chunk, first + i);
}

/* The distance of the vector that is the `rank`th nearest by its signs. */
static unsigned
distance_of_rank(const uint16_t *distances, uint32_t len, uint32_t rank)
{
    uint16_t with_distance[SCAN_DISTANCE_MOST + 1] = {0};
    uint32_t within;
    unsigned distance = 0;

    for (uint32_t i = 0; i < len; i++)
        with_distance[distances[i]]++;
    for (within = with_distance[0]; within < rank; within += with_distance[distance])
        distance++;
    return distance;
}

/* The largest distance that may stand for a cosine worth comparing. */
static unsigned
distance_limit(const struct vectors_search *search, const uint16_t *distances, uint32_t len)
{
    float beat = fminf(to_beat(search), 1), limit;
    uint32_t within = 0;

    limit = scan_distance(&search->scan, beat - ERRORS_ALLOWED * scan_error(&search->scan, beat));
    if (limit < 0)
        return 0;
    for (uint32_t i = 0; i < len; i++)
        within += (float)distances[i] <= limit;
    if (len <= EXACT_MOST || within <= len / COMPARED_SHARE)
        return (unsigned)limit;
    return distance_of_rank(distances, len, len / COMPARED_SHARE);
}

static void
compare_near(struct vectors_search *search, uint32_t first, uint32_t len)
{
    const struct vector_chunk *chunk = store_chunk(&search->vectors->store, first);
    const struct vectors *vectors = search->vectors;
    uint16_t distances[STORE_CHUNK_SLOTS];
    uint16_t near[STORE_CHUNK_SLOTS];
    uint32_t at = store_at(first), count = 0;
    unsigned limit;

    vectors->kernels->distances(&search->scan, chunk->signs + (size_t)at * vectors->store.words, len, distances);
    limit = distance_limit(search, distances, len);
    for (uint32_t i = 0; i < len; i++) {
        near[count] = (uint16_t)i;
        count += distances[i] <= limit;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ahead = i + 4 < count ? near[i + 4] : near[i];

        for (unsigned line = 0; line < vectors->dims; line += 64)
            __builtin_prefetch(chunk->vectors + (size_t)(at + ahead) * vectors->dims + line);
        if (store_is_live(chunk, at + near[i]))
            compare(search, chunk, first + near[i]);
    }
}

/* A bounded part, with the lock held; true when there is nothing left. */
static bool
look(struct vectors_search *search, size_t *slots)
{
    struct vectors *vectors = search->vectors;
    const struct vector_partition *partition = partitions_find(&vectors->partitions, search->partition);
    size_t looked = 0;

    while (partition != NULL && search->place < partition->run_count && looked < VECTORS_AT_A_TIME) {
        uint32_t first = partition_run(partition, search->place);

        search->place += search->step;
        looked++; /* an empty place takes time, too */
        if (first == SLOT_NONE)
            continue;
        looked += (size_t)1 << store_level(&vectors->store, first);
        if (search->exact || partition->live <= EXACT_MOST)
            compare_all(search, first, 1u << store_level(&vectors->store, first));
        else
            compare_near(search, first, 1u << store_level(&vectors->store, first));
    }
    *slots -= looked < *slots ? looked : *slots;
    return partition == NULL || search->place >= partition->run_count;
}

bool
vectors_search_step(struct vectors_search *search, size_t slots)
{
    bool over;

    do {
        shared_lock_take_to_read(&search->vectors->lock);
        over = look(search, &slots);
        shared_lock_drop(&search->vectors->lock);
    } while (!over && slots > 0);
    return over;
}
