#include "embed/embedder.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "embed/static_table.h"
#include "embed/wordpiece.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the table is little-endian, and read where it lies");

enum { HEADER_BYTES = 64, SECTION_AT = 64, CHECKSUM_BYTES = 8, VERSION = 1, PAIRS_MOST = 1 << 20 };

/* Before the first piece of a text stands this. */
#define PIECE_BEGIN UINT32_MAX

/* As it lies in the file. */
struct table_header {
    char magic[8];
    uint32_t version, dims, pieces, pairs, vocabulary_bytes;
    float unknown_scale;
    uint64_t unknown_seed;
    uint64_t zero[3];
};

_Static_assert(sizeof(struct table_header) == HEADER_BYTES, "the header of FORMAT.md");

struct embedder {
    struct table_header header;
    struct vocabulary vocabulary;
    const uint64_t *pair_keys; /* rising */
    const float *scales;       /* of each row */
    const int8_t *rows;        /* pieces, pairs, the constant one */
    uint32_t *pairs_of;        /* by the first piece, where its pairs begin; PIECE_BEGIN's begin at [pieces] */
    uint64_t table_id;
};

/* A sum under way. */
struct embedding {
    const struct embedder *embedder;
    uint32_t before; /* the piece before, or PIECE_BEGIN */
    bool after_unknown;
    size_t pieces;
    float sum[EMBED_DIMS_MOST];
};

/* Takes the next section off *rest; false if it is not there. */
static bool
take_section(struct slice table, size_t *at, size_t len, struct slice *out)
{
    *at = (*at + SECTION_AT - 1) / SECTION_AT * SECTION_AT;
    if (len > table.len || *at > table.len - len)
        return false;
    *out = slice_make(table.data + *at, len);
    *at += len;
    return true;
}

static bool
header_makes_sense(const struct table_header *header)
{
    return memcmp(header->magic, "EQSTATIC", sizeof(header->magic)) == 0 && header->version == VERSION &&
           header->dims > 0 && header->dims % 32 == 0 && header->dims <= EMBED_DIMS_MOST && header->pieces > 0 &&
           header->pieces <= VOCABULARY_PIECES_MOST && header->pairs <= PAIRS_MOST && isfinite(header->unknown_scale) &&
           header->unknown_scale >= 0;
}

static size_t
row_count(const struct table_header *header)
{
    return (size_t)header->pieces + header->pairs + 1;
}

static enum status
check_table(struct slice table, struct table_header *header)
{
    uint64_t checksum;

    ENSURE((uintptr_t)table.data % SECTION_AT == 0);
    if (table.len < HEADER_BYTES + CHECKSUM_BYTES)
        return ERR_CORRUPT;
    memcpy(&checksum, table.data + table.len - CHECKSUM_BYTES, CHECKSUM_BYTES);
    if (hash_xxh64(slice_first(table, table.len - CHECKSUM_BYTES), 0) != checksum)
        return ERR_CORRUPT;
    memcpy(header, table.data, sizeof(*header));
    return header_makes_sense(header) ? OK : ERR_CORRUPT;
}

static enum status
find_sections(struct embedder *embedder, struct slice table)
{
    const struct table_header *header = &embedder->header;
    struct slice lines, keys, scales, rows, checksum;
    size_t at = HEADER_BYTES;

    if (!take_section(table, &at, header->vocabulary_bytes, &lines) ||
        !take_section(table, &at, header->pairs * sizeof(uint64_t), &keys) ||
        !take_section(table, &at, row_count(header) * sizeof(float), &scales) ||
        !take_section(table, &at, row_count(header) * header->dims, &rows) ||
        !take_section(table, &at, CHECKSUM_BYTES, &checksum) || at != table.len)
        return ERR_CORRUPT;
    embedder->pair_keys = (const void *)keys.data;
    embedder->scales = (const void *)scales.data;
    embedder->rows = (const void *)rows.data;
    for (size_t i = 0; i < row_count(header); i++)
        if (!isfinite(embedder->scales[i]))
            return ERR_CORRUPT;
    if (vocabulary_init(&embedder->vocabulary, lines) != OK || embedder->vocabulary.count != header->pieces)
        return ERR_CORRUPT;
    return OK;
}

/* Which pairs each piece begins. */
static enum status
index_pairs(struct embedder *embedder)
{
    uint32_t pieces = embedder->header.pieces, pairs = embedder->header.pairs, filled = 0;

    embedder->pairs_of = must_calloc((size_t)pieces + 2, sizeof(uint32_t));
    for (uint32_t i = 0; i < pairs; i++) {
        uint64_t key = embedder->pair_keys[i];
        uint32_t first = (uint32_t)(key >> 32), second = (uint32_t)key;

        if ((i > 0 && embedder->pair_keys[i - 1] >= key) || second >= pieces ||
            (first >= pieces && first != PIECE_BEGIN))
            return ERR_CORRUPT;
        for (uint32_t at = first < pieces ? first : pieces; filled <= at; filled++)
            embedder->pairs_of[filled] = i;
    }
    for (; filled <= pieces + 1; filled++)
        embedder->pairs_of[filled] = pairs;
    return OK;
}

enum status
embedder_open(struct slice table, struct embedder **out)
{
    struct embedder *embedder = must_calloc(1, sizeof(*embedder));
    enum status status = check_table(table, &embedder->header);

    if (status == OK) {
        memcpy(&embedder->table_id, table.data + table.len - CHECKSUM_BYTES, CHECKSUM_BYTES);
        status = find_sections(embedder, table);
    }
    if (status == OK)
        status = index_pairs(embedder);
    if (status != OK) {
        embedder_close(embedder);
        embedder = NULL;
    }
    *out = embedder;
    return status;
}

enum status
embedder_open_builtin(struct embedder **out)
{
    return embedder_open(static_table(), out);
}

void
embedder_close(struct embedder *embedder)
{
    if (embedder == NULL)
        return;
    vocabulary_free(&embedder->vocabulary);
    free(embedder->pairs_of);
    free(embedder);
}

unsigned
embedder_dims(const struct embedder *embedder)
{
    return embedder->header.dims;
}

uint64_t
embedder_table_id(const struct embedder *embedder)
{
    return embedder->table_id;
}

static void
add_row(struct embedding *embedding, size_t row)
{
    const struct embedder *embedder = embedding->embedder;
    unsigned dims = embedder->header.dims;
    const int8_t *numbers = embedder->rows + row * dims;
    float scale = embedder->scales[row];

    for (unsigned i = 0; i < dims; i++)
        embedding->sum[i] += scale * (float)numbers[i];
}

/* A direction of its own for each word that the table does not know. */
static void
add_unknown(struct embedding *embedding, struct slice word)
{
    const struct table_header *header = &embedding->embedder->header;
    uint64_t hash = hash_xxh64(word, header->unknown_seed), signs = 0;

    for (unsigned i = 0; i < header->dims; i++) {
        if (i % 64 == 0)
            signs = rng_mix(hash + i / 64);
        embedding->sum[i] += (signs >> i % 64 & 1) != 0 ? header->unknown_scale : -header->unknown_scale;
    }
}

/* Adds what the two side by side are beyond each of them alone, if the table has it. */
static void
add_pair(struct embedding *embedding, uint32_t first, uint32_t second)
{
    const struct embedder *embedder = embedding->embedder;
    uint32_t at = first != PIECE_BEGIN ? first : embedder->header.pieces;
    uint32_t low = embedder->pairs_of[at], end = embedder->pairs_of[at + 1], high = end;
    uint64_t key = (uint64_t)first << 32 | second;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (embedder->pair_keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < end && embedder->pair_keys[low] == key)
        add_row(embedding, (size_t)embedder->header.pieces + low);
}

static void
add_piece(void *user, uint32_t id, struct slice text)
{
    struct embedding *embedding = user;

    embedding->pieces++;
    if (id == PIECE_NONE) {
        add_unknown(embedding, text);
        embedding->after_unknown = true;
        return;
    }
    add_row(embedding, id);
    if (!embedding->after_unknown)
        add_pair(embedding, embedding->before, id);
    embedding->before = id;
    embedding->after_unknown = false;
}

static void
cut_text(struct embedding *embedding, struct slice text)
{
    struct wordpiece cutter;

    wordpiece_init(&cutter, &embedding->embedder->vocabulary, add_piece, embedding);
    if (text.len <= EMBED_TEXT_FIRST + EMBED_TEXT_LAST) {
        wordpiece_feed(&cutter, text);
    } else {
        wordpiece_feed(&cutter, slice_first(text, EMBED_TEXT_FIRST));
        wordpiece_end(&cutter); /* what is left out is a space */
        wordpiece_feed(&cutter, slice_from(text, text.len - EMBED_TEXT_LAST));
    }
    wordpiece_end(&cutter);
}

bool
embedder_embed(const struct embedder *embedder, struct slice text, float *out, size_t *pieces)
{
    struct embedding embedding = {.embedder = embedder, .before = PIECE_BEGIN};
    unsigned dims = embedder->header.dims;
    double square = 0;
    bool found;

    add_row(&embedding, row_count(&embedder->header) - 1);
    cut_text(&embedding, text);
    for (unsigned i = 0; i < dims; i++)
        square += (double)embedding.sum[i] * (double)embedding.sum[i];
    found = embedding.pieces > 0 && square > 0;
    for (unsigned i = 0; i < dims; i++)
        out[i] = found ? (float)(embedding.sum[i] / sqrt(square)) : 0;
    if (pieces != NULL)
        *pieces = embedding.pieces;
    return found;
}

bool
embedder_similarity(void *context, struct slice a, struct slice b, double *cosine)
{
    const struct embedder *embedder = context;
    float left[EMBED_DIMS_MOST] = {0}, right[EMBED_DIMS_MOST] = {0};

    if (!embedder_embed(embedder, a, left, NULL) || !embedder_embed(embedder, b, right, NULL))
        return false;
    *cosine = 0; /* both have the length 1 */
    for (unsigned i = 0; i < embedder_dims(embedder); i++)
        *cosine += (double)left[i] * (double)right[i];
    return true;
}

bool
embedder_quantize(const float *vector, unsigned dims, int8_t *out)
{
    float largest = 0;

    for (unsigned i = 0; i < dims; i++)
        largest = fmaxf(largest, fabsf(vector[i]));
    for (unsigned i = 0; i < dims; i++)
        out[i] = largest > 0 ? (int8_t)lrintf(vector[i] / largest * 127) : 0;
    return largest > 0;
}
