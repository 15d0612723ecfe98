#include "twin/embed.h"

#include <ctype.h>
#include <math.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/rng.h"
#include "twin/render.h"
#include "twin/tokens.h"

enum { WORD_MOST = 32, LETTERS = 3, COMPONENTS = 16 };

static const float WORD_WEIGHT = 1.0F;
static const float LETTERS_WEIGHT = 0.3F;

/* A sparse random direction: COMPONENTS places, each plus or minus. */
static void
add_direction(uint64_t hash, float weight, float *vector, size_t dimensions)
{
    for (unsigned i = 0; i < COMPONENTS; i++) {
        hash = rng_mix(hash);
        vector[(hash >> 1) % dimensions] += (hash & 1) != 0 ? weight : -weight;
    }
}

static void
add_word(struct slice word, float *vector, size_t dimensions)
{
    add_direction(hash_fast(word, 1), WORD_WEIGHT, vector, dimensions);
    for (size_t i = 0; i + LETTERS <= word.len; i++)
        add_direction(hash_fast(slice_make(word.data + i, LETTERS), 2), LETTERS_WEIGHT, vector, dimensions);
}

static void
make_unit(float *vector, size_t dimensions)
{
    double sum = 0;

    for (size_t i = 0; i < dimensions; i++)
        sum += (double)vector[i] * (double)vector[i];
    if (sum == 0) {
        vector[0] = 1;
        return;
    }
    for (size_t i = 0; i < dimensions; i++)
        vector[i] = (float)((double)vector[i] / sqrt(sum));
}

void
embed_text(struct slice text, float *vector, size_t dimensions)
{
    char word[WORD_MOST];
    size_t len = 0;

    memset(vector, 0, dimensions * sizeof *vector);
    for (size_t i = 0; i <= text.len; i++) {
        unsigned char byte = i < text.len ? (unsigned char)text.data[i] : ' ';

        if (isalnum(byte) != 0 || byte >= 0x80) {
            if (len < WORD_MOST)
                word[len++] = (char)tolower(byte);
            continue;
        }
        if (len != 0)
            add_word(slice_make(word, len), vector, dimensions);
        len = 0;
    }
    make_unit(vector, dimensions);
}

static void
write_vector(const float *vector, size_t dimensions, bool base64, struct buffer *out)
{
    if (base64) {
        buffer_add_byte(out, '"');
        /* little-endian floats, as the API has it and every machine we build for */
        base64_write(slice_make((const char *)vector, dimensions * sizeof *vector), out);
        buffer_add_byte(out, '"');
        return;
    }
    buffer_add_byte(out, '[');
    for (size_t i = 0; i < dimensions; i++)
        buffer_printf(out, "%s%.9g", i == 0 ? "" : ",", (double)vector[i]);
    buffer_add_byte(out, ']');
}

struct embedding {
    const struct ask *ask;
    float *vector;
    size_t dimensions, index;
    struct buffer *out;
};

/* A text, or an array of tokens, each of which then stands for a word. */
static void
embed_one(struct embedding *work, yyjson_val *input)
{
    size_t len = 0;
    char *written = yyjson_is_str(input) ? NULL : yyjson_val_write(input, 0, &len);
    struct slice text = written != NULL ? slice_make(written, len) : ask_text(input);

    embed_text(text, work->vector, work->dimensions);
    buffer_printf(work->out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", work->index == 0 ? "" : ",",
                  work->index);
    write_vector(work->vector, work->dimensions, work->ask->base64, work->out);
    buffer_add_byte(work->out, '}');
    work->index++;
    free(written);
}

/* Several inputs, rather than one text or one array of tokens. */
static bool
is_batch(const struct ask *ask)
{
    return yyjson_is_arr(ask->inputs) && !yyjson_is_num(yyjson_arr_get_first(ask->inputs));
}

size_t
embed_inputs(const struct ask *ask)
{
    return is_batch(ask) ? yyjson_arr_size(ask->inputs) : 1;
}

const char *
embed_objection(const struct ask *ask)
{
    if (ask->dimensions < 0 || ask->dimensions > EMBED_DIMENSIONS_MOST)
        return "'dimensions' must be from 1 to 4096";
    if (embed_inputs(ask) > EMBED_INPUTS_MOST)
        return "'input' must have at most 2048 elements";
    return NULL;
}

static int64_t
input_tokens(yyjson_val *input)
{
    if (yyjson_is_arr(input))
        return (int64_t)yyjson_arr_size(input);
    return token_count(ask_text(input));
}

int64_t
embed_tokens(const struct ask *ask)
{
    size_t index = 0, count = 0;
    yyjson_val *input = NULL;
    int64_t tokens = 0;

    if (!is_batch(ask))
        return input_tokens(ask->inputs);
    yyjson_arr_foreach(ask->inputs, index, count, input)
    {
        tokens += input_tokens(input);
    }
    return tokens;
}

void
embed_answer(const struct ask *ask, bool no_usage, struct buffer *out)
{
    struct embedding work = {.ask = ask, .out = out};
    long long tokens = (long long)embed_tokens(ask);
    size_t index = 0, count = 0;
    yyjson_val *input = NULL;

    ENSURE(embed_objection(ask) == NULL);
    work.dimensions = ask->dimensions != 0 ? (size_t)ask->dimensions : EMBED_DIMENSIONS;
    work.vector = must_calloc(work.dimensions, sizeof *work.vector);
    buffer_add_text(out, "{\"object\":\"list\",\"data\":[");
    if (!is_batch(ask))
        embed_one(&work, ask->inputs);
    yyjson_arr_foreach(is_batch(ask) ? ask->inputs : NULL, index, count, input)
    {
        embed_one(&work, input);
    }
    buffer_add_text(out, "],\"model\":");
    render_string(out, ask->model);
    if (!no_usage)
        buffer_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}", tokens, tokens);
    buffer_add_byte(out, '}');
    free(work.vector);
}
