/* Any bytes as a text for the built-in embedder. Fed in parts they make the same pieces as the whole; the pieces, put
 * together, are the text in lower case without its spaces; a vector has the length 1; and the literals of a text are those
 * of its copy. The first byte says how the text is cut. */
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "embed/embedder.h"
#include "embed/literals.h"
#include "embed/static_table.h"
#include "embed/wordpiece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    const struct vocabulary *vocabulary;
    struct buffer text; /* what the pieces stand for */
    uint64_t pieces;    /* all of them, in order */
    bool cut_short;     /* a word was too long, and its end not told */
};

/* Made once: the table is large. */
struct stage {
    struct embedder *embedder;
    struct vocabulary vocabulary;
};

static const struct stage *
stage(void)
{
    static struct stage made;
    struct slice table = static_table();
    uint32_t vocabulary_bytes;
    enum status status;

    if (made.embedder == NULL) {
        memcpy(&vocabulary_bytes, table.data + 24, sizeof(vocabulary_bytes));
        status = embedder_open_builtin(&made.embedder);
        ENSURE(status == OK);
        status = vocabulary_init(&made.vocabulary, slice_first(slice_from(table, 64), vocabulary_bytes));
        ENSURE(status == OK);
    }
    return &made;
}

static unsigned
characters(struct slice text)
{
    unsigned count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

static void
hear(void *user, uint32_t id, struct slice text)
{
    struct heard *heard = user;

    ENSURE(text.len > 0);
    buffer_add(&heard->text, text);
    heard->pieces = heard->pieces * 31 + id;
    if (id == PIECE_NONE) {
        ENSURE(characters(text) <= WORDPIECE_WORD_MOST);
        heard->cut_short |= characters(text) == WORDPIECE_WORD_MOST;
    } else {
        struct slice piece = vocabulary_text(heard->vocabulary, id);

        ENSURE(slice_equal(piece, text) || slice_equal(slice_from(piece, 2), text));
    }
}

static void
hear_all(struct heard *heard, const struct vocabulary *vocabulary, struct slice text, size_t most, struct rng *rng)
{
    struct wordpiece cutter;

    *heard = (struct heard){.vocabulary = vocabulary, .pieces = 1};
    wordpiece_init(&cutter, vocabulary, hear, heard);
    while (text.len > 0) {
        size_t len = 1 + rng_below(rng, most);
        char *copy = slice_strdup(slice_first(text, len)); /* so that ASan sees a reach over the end */

        wordpiece_feed(&cutter, slice_make(copy, len < text.len ? len : text.len));
        text = slice_from(text, len);
        free(copy);
    }
    wordpiece_end(&cutter);
}

/* The text in lower case, without spaces and what is dropped. */
static void
fold_all(struct slice text, struct buffer *out)
{
    while (text.len > 0) {
        size_t len;
        uint32_t c = unicode_read(text, &len), folded[UNICODE_FOLD_MOST];
        enum character_class class = unicode_class(c);
        unsigned count = class == CLASS_DROPPED || class == CLASS_SPACE ? 0 : unicode_fold(c, folded);
        char bytes[UNICODE_BYTES_MOST];

        for (unsigned i = 0; i < count; i++)
            buffer_add(out, slice_make(bytes, unicode_write(folded[i], bytes)));
        text = slice_from(text, len);
    }
}

static void
check_pieces(struct slice text, unsigned cut, struct rng *rng)
{
    struct heard whole, parts;
    struct buffer expected;

    buffer_init(&expected);
    fold_all(text, &expected);
    hear_all(&whole, &stage()->vocabulary, text, 1u << 30, rng);
    hear_all(&parts, &stage()->vocabulary, text, 1 + cut % 16, rng);
    ENSURE(whole.pieces == parts.pieces && slice_equal(buffer_content(&whole.text), buffer_content(&parts.text)));
    ENSURE(whole.cut_short || slice_equal(buffer_content(&whole.text), buffer_content(&expected)));
    buffer_free(&whole.text);
    buffer_free(&parts.text);
    buffer_free(&expected);
}

static void
check_vector(struct slice text)
{
    const struct embedder *embedder = stage()->embedder;
    float vector[EMBED_DIMS_MOST];
    size_t pieces;
    bool found = embedder_embed(embedder, text, vector, &pieces);
    double square = 0;

    for (unsigned i = 0; i < embedder_dims(embedder); i++)
        square += (double)vector[i] * (double)vector[i];
    ENSURE(found ? pieces > 0 && fabs(square - 1) < 1e-4 : square == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct literals literals, again;
    struct slice text;
    struct rng rng;
    char *copy;

    if (size < 1)
        return 0;
    rng_seed(&rng, data[0]);
    text = slice_make((const char *)data + 1, size - 1);
    check_pieces(text, data[0], &rng);
    check_vector(text);
    copy = slice_strdup(text);
    literals = literals_of(text);
    again = literals_of(slice_make(copy, text.len));
    ENSURE(literals_equal(&literals, &again, NULL));
    free(copy);
    return 0;
}
