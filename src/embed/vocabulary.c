#include "embed/vocabulary.h"

#include <stdlib.h>

#include "base/rng.h"

/* Pieces that begin a word and pieces that go on one may have the same text: they start from different hashes. */
#define HASH_BEGINS 0xcbf29ce484222325u
#define HASH_GOES_ON 0x9e3779b97f4a7c15u

struct vocabulary_place {
    uint32_t tag; /* the upper half of the text's hash */
    uint32_t id;  /* PIECE_NONE: free */
};

/* FNV-1a, byte by byte, as the hashes of all beginnings of a word are wanted. */
static uint64_t
hash_step(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001b3u;
}

static uint64_t
hash_start(bool goes_on)
{
    return goes_on ? HASH_GOES_ON : HASH_BEGINS;
}

struct slice
vocabulary_text(const struct vocabulary *vocabulary, uint32_t id)
{
    uint32_t start;

    ENSURE(id < vocabulary->count);
    start = vocabulary->starts[id];
    return slice_make(vocabulary->lines.data + start, vocabulary->starts[id + 1] - start - 1);
}

/* What a piece stands for, and whether it goes on a word. */
static struct slice
piece_bytes(const struct vocabulary *vocabulary, uint32_t id, bool *goes_on)
{
    struct slice text = vocabulary_text(vocabulary, id);

    *goes_on = text.len > 2 && slice_starts(text, "##");
    return *goes_on ? slice_from(text, 2) : text;
}

static uint32_t
look_up(const struct vocabulary *vocabulary, struct slice text, bool goes_on, uint64_t hash)
{
    uint64_t mixed = rng_mix(hash);
    uint32_t at = (uint32_t)mixed & vocabulary->mask, tag = (uint32_t)(mixed >> 32);

    for (;; at = (at + 1) & vocabulary->mask) {
        const struct vocabulary_place *place = &vocabulary->index[at];
        bool piece_goes_on;

        if (place->id == PIECE_NONE)
            return PIECE_NONE;
        if (place->tag == tag && slice_equal(piece_bytes(vocabulary, place->id, &piece_goes_on), text) &&
            piece_goes_on == goes_on)
            return place->id;
    }
}

static enum status
insert(struct vocabulary *vocabulary, uint32_t id)
{
    bool goes_on;
    struct slice text = piece_bytes(vocabulary, id, &goes_on);
    uint64_t hash = hash_start(goes_on), mixed;
    uint32_t at;

    if (text.len == 0 || text.len > VOCABULARY_PIECE_BYTES_MOST)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++)
        hash = hash_step(hash, text.data[i]);
    if (look_up(vocabulary, text, goes_on, hash) != PIECE_NONE)
        return ERR_INVALID;
    mixed = rng_mix(hash);
    at = (uint32_t)mixed & vocabulary->mask;
    while (vocabulary->index[at].id != PIECE_NONE)
        at = (at + 1) & vocabulary->mask;
    vocabulary->index[at] = (struct vocabulary_place){(uint32_t)(mixed >> 32), id};
    if (text.len > vocabulary->longest_bytes)
        vocabulary->longest_bytes = text.len;
    return OK;
}

/* Where the lines begin, and how many there are. */
static enum status
find_lines(struct vocabulary *vocabulary)
{
    struct slice lines = vocabulary->lines;
    uint32_t count = 0;

    if (lines.len == 0 || lines.data[lines.len - 1] != '\n')
        return ERR_INVALID;
    for (size_t i = 0; i < lines.len; i++)
        count += lines.data[i] == '\n';
    if (count > VOCABULARY_PIECES_MOST || lines.len > UINT32_MAX / 2)
        return ERR_LIMIT;
    vocabulary->starts = must_calloc(count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < lines.len; i++)
        if (lines.data[i] == '\n')
            vocabulary->starts[++vocabulary->count] = (uint32_t)(i + 1);
    return OK;
}

enum status
vocabulary_init(struct vocabulary *vocabulary, struct slice lines)
{
    enum status status;
    uint32_t places = 16;

    *vocabulary = (struct vocabulary){.lines = lines};
    status = find_lines(vocabulary);
    while (places < vocabulary->count * 2)
        places *= 2;
    vocabulary->mask = places - 1;
    vocabulary->index = must_alloc(places * sizeof(vocabulary->index[0]));
    for (uint32_t i = 0; i < places; i++)
        vocabulary->index[i].id = PIECE_NONE;
    for (uint32_t id = 0; id < vocabulary->count && status == OK; id++)
        status = insert(vocabulary, id);
    if (status != OK)
        vocabulary_free(vocabulary);
    return status;
}

void
vocabulary_free(struct vocabulary *vocabulary)
{
    free(vocabulary->starts);
    free(vocabulary->index);
    *vocabulary = (struct vocabulary){0};
}

uint32_t
vocabulary_longest(const struct vocabulary *vocabulary, struct slice text, bool goes_on, size_t *len)
{
    uint64_t hashes[VOCABULARY_PIECE_BYTES_MOST + 1];
    size_t most = text.len < vocabulary->longest_bytes ? text.len : vocabulary->longest_bytes;

    hashes[0] = hash_start(goes_on);
    for (size_t i = 0; i < most; i++)
        hashes[i + 1] = hash_step(hashes[i], text.data[i]);
    for (*len = most; *len > 0; (*len)--) {
        uint32_t id = look_up(vocabulary, slice_first(text, *len), goes_on, hashes[*len]);

        if (id != PIECE_NONE)
            return id;
    }
    return PIECE_NONE;
}
