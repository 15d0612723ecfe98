#include "gateway/kept.h"

#include <stdlib.h>

#include "base/hash.h"

/* Invariant: in its bucket from kept_take on; in all->kept exactly while it has an answer. */
struct kept_key {
    struct list bucket, age;
    char *name;
    size_t name_len;
    uint64_t mark;
    struct kept_answer *answer; /* held; NULL: its request is under way */
    usec until_us;
};

struct kept_answer *
kept_new(size_t most)
{
    struct kept_answer *answer = must_calloc(1, sizeof(*answer));

    atomic_init(&answer->holders, 1);
    arena_init(&answer->arena);
    answer->most = most;
    answer->body_len = -1;
    return answer;
}

static void
drop_chunks(struct kept_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        chunk_release(answer->chunks[i].bytes);
    free(answer->chunks);
    answer->chunks = NULL;
    answer->count = answer->size = answer->len = 0;
}

void
kept_add(struct kept_answer *answer, struct kept_chunk chunk)
{
    if (answer->too_long)
        return;
    if (chunk.bytes->len > answer->most - answer->len) {
        drop_chunks(answer);
        answer->too_long = true;
        return;
    }
    if (answer->count == answer->size) {
        answer->size = answer->size != 0 ? 2 * answer->size : 8;
        answer->chunks = must_realloc(answer->chunks, answer->size * sizeof(answer->chunks[0]));
    }
    chunk.bytes = chunk_hold(chunk.bytes);
    answer->chunks[answer->count++] = chunk;
    answer->len += chunk.bytes->len;
}

struct kept_answer *
kept_hold(struct kept_answer *answer)
{
    unsigned before = atomic_fetch_add_explicit(&answer->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return answer;
}

void
kept_release(struct kept_answer *answer)
{
    unsigned before;

    if (answer == NULL)
        return;
    before = atomic_fetch_sub_explicit(&answer->holders, 1, memory_order_acq_rel);
    ENSURE(before > 0);
    if (before > 1)
        return;
    drop_chunks(answer);
    arena_reset(&answer->arena);
    free(answer);
}

/* The store */

void
kept_init(struct kept_answers *all)
{
    lock_init(&all->lock);
    list_init(&all->kept);
    all->len = 0;
    for (size_t i = 0; i < KEPT_BUCKETS; i++)
        list_init(&all->buckets[i]);
}

/* What it takes, about. */
static size_t
size_of(const struct kept_key *key)
{
    const struct kept_answer *answer = key->answer;
    size_t size = sizeof(*key) + key->name_len + sizeof(*answer) + answer->len +
                  answer->count * (sizeof(struct kept_chunk) + sizeof(struct chunk));

    for (size_t i = 0; i < answer->header_count; i++)
        size += sizeof(struct http_header) + answer->headers[i].name.len + answer->headers[i].value.len;
    return size;
}

/* Takes it out of everything; free_key follows, outside of the lock. */
static void
unlink_key(struct kept_answers *all, struct kept_key *key)
{
    if (key->answer != NULL)
        all->len -= size_of(key);
    list_remove(&key->bucket);
    list_remove(&key->age);
}

static void
free_key(struct kept_key *key)
{
    kept_release(key->answer);
    free(key->name);
    free(key);
}

void
kept_free(struct kept_answers *all)
{
    LIST_EACH(&all->kept, node, after)
    {
        struct kept_key *key = CONTAINER_OF(node, struct kept_key, age);

        unlink_key(all, key);
        free_key(key);
    }
    ENSURE(all->len == 0);
    for (size_t i = 0; i < KEPT_BUCKETS; i++)
        ENSURE(list_empty(&all->buckets[i]));
    lock_destroy(&all->lock);
}

static struct kept_key *
find(struct list *bucket, struct slice name)
{
    LIST_EACH(bucket, node, after)
    {
        struct kept_key *key = CONTAINER_OF(node, struct kept_key, bucket);

        if (slice_equal(slice_make(key->name, key->name_len), name))
            return key;
    }
    return NULL;
}

static struct kept_key *
new_key(struct list *bucket, struct slice name, uint64_t mark)
{
    struct kept_key *key = must_calloc(1, sizeof(*key));

    key->name = slice_strdup(name);
    key->name_len = name.len;
    key->mark = mark;
    list_append(bucket, &key->bucket);
    return key;
}

enum kept_state
kept_take(struct kept_answers *all, struct slice name, uint64_t mark, usec now_us, struct kept_key **mine,
          struct kept_answer **answer)
{
    struct list *bucket = &all->buckets[hash_fast(name, 0) % KEPT_BUCKETS];
    struct kept_key *key, *stale = NULL;
    enum kept_state state;

    lock_take(&all->lock);
    key = find(bucket, name);
    if (key != NULL && key->answer != NULL && key->until_us <= now_us) {
        unlink_key(all, key);
        stale = key;
        key = NULL;
    }
    if (key == NULL) {
        *mine = new_key(bucket, name, mark);
        state = KEPT_NONE;
    } else if (key->mark != mark) {
        state = KEPT_OTHER;
    } else if (key->answer == NULL) {
        state = KEPT_BUSY;
    } else {
        *answer = kept_hold(key->answer);
        state = KEPT_HERE;
    }
    lock_drop(&all->lock);
    if (stale != NULL)
        free_key(stale);
    return state;
}

/* The oldest that is due to go: its time is over, or there is no room. NULL: none. */
static struct kept_key *
take_oldest(struct kept_answers *all, usec now_us, size_t most)
{
    struct kept_key *oldest = NULL;

    lock_take(&all->lock);
    if (!list_empty(&all->kept))
        oldest = CONTAINER_OF(list_first(&all->kept), struct kept_key, age);
    if (oldest != NULL && (oldest->until_us <= now_us || all->len > most))
        unlink_key(all, oldest);
    else
        oldest = NULL;
    lock_drop(&all->lock);
    return oldest;
}

void
kept_end(struct kept_answers *all, struct kept_key *mine, struct kept_answer *answer, usec now_us, usec keep_us,
         size_t most)
{
    struct kept_key *oldest;

    ENSURE(mine->answer == NULL && (answer == NULL || !answer->too_long));
    lock_take(&all->lock);
    if (answer == NULL) {
        unlink_key(all, mine);
    } else {
        mine->answer = answer;
        mine->until_us = now_us + keep_us;
        all->len += size_of(mine);
        list_append(&all->kept, &mine->age);
    }
    lock_drop(&all->lock);
    if (answer == NULL)
        free_key(mine);
    while ((oldest = take_oldest(all, now_us, most)) != NULL)
        free_key(oldest);
}
