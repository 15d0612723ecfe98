/* Answers put in another API's words: whatever a backend sends, streams say the same however their bytes come in, what is
 * told is well formed, and nothing follows the last event. The first byte chooses the APIs, the second the pieces and
 * whether the rest is a stream or a whole answer. */
#include "base/rng.h"
#include "dialect/json/json.h"
#include "dialect/sse.h"
#include "dialect/translate/translate.h"
#include "dialect/whole_of.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum api apis[] = {API_CHAT, API_MESSAGES, API_RESPONSES};

enum { FRAME_MOST = 4096, MOST = 20000 };

struct told {
    struct buffer all;
    struct whole_of *whole;
    unsigned usage_only, last;
    bool open; /* a block of messages, an item of responses */
    enum status status;
};

static bool
is_json(struct slice text)
{
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse(text, &scratch, NULL);
    bool good = yyjson_is_obj(yyjson_doc_get_root(doc));

    yyjson_doc_free(doc);
    return good;
}

/* What opens closes, one at a time, and grows only in between. */
static void
follow(struct told *told, struct slice name)
{
    bool opens = slice_is(name, "content_block_start") || slice_is(name, "response.output_item.added");
    bool closes = slice_is(name, "content_block_stop") || slice_is(name, "response.output_item.done");
    bool grows = slice_ends(name, ".delta") || slice_is(name, "content_block_delta");
    bool ends = slice_is(name, "message_delta") || slice_is(name, "message_stop") ||
                slice_is(name, "response.completed") || slice_is(name, "response.incomplete");

    if (opens || closes || grows || ends)
        ENSURE(told->open == (closes || grows));
    told->open = (told->open || opens) && !closes;
}

static void
take(void *context, const struct translated_event *event)
{
    struct told *told = context;
    struct slice name, data;
    struct buffer joined = {0};

    ENSURE(told->last == 0);
    ENSURE(sse_parse(event->frame, &joined, &name, &data) && slice_ends(event->frame, "\n\n"));
    ENSURE(slice_is(data, "[DONE]") || is_json(data));
    follow(told, name);
    buffer_add(&told->all, event->frame);
    whole_of_frame(told->whole, event->frame);
    told->usage_only += event->usage_only;
    told->last += event->last;
    buffer_free(&joined);
}

/* In pieces of that size at most. */
static void
tell(enum api from, enum api to, struct slice stream, size_t most, uint8_t seed, struct told *told)
{
    struct translation *translation = translation_new(from, to, 1790000000, MOST);
    struct sse_framer framer;
    struct slice frame;
    struct rng rng;

    rng_seed(&rng, seed);
    sse_init(&framer, FRAME_MOST);
    told->whole = whole_of_new(to);
    while (stream.len > 0 && told->status == OK) {
        struct slice piece = slice_first(stream, 1 + rng_below(&rng, most)), rest = piece;
        enum sse_piece what;

        while (told->status == OK && (what = sse_next(&framer, &rest, &frame)) != SSE_NOTHING)
            told->status = what == SSE_FRAME ? translation_frame(translation, frame, take, told) : ERR_LIMIT;
        stream = slice_from(stream, piece.len);
    }
    translation_end(translation, take, told);
    ENSURE(told->last <= 1 && told->usage_only <= 1);
    sse_free(&framer);
    translation_free(translation);
}

/* An end that was told ends a whole answer. */
static void
check_whole(struct told *told)
{
    struct buffer whole = {0};
    enum status status = whole_of_end(told->whole, &whole);

    if (told->last == 1 && status == OK)
        ENSURE(is_json(buffer_content(&whole)));
    buffer_free(&whole);
    whole_of_free(told->whole);
}

static void
check_stream(enum api from, enum api to, struct slice stream, uint8_t seed)
{
    struct told at_once = {.status = OK}, in_pieces = {.status = OK};

    tell(from, to, stream, stream.len + 1, seed, &at_once);
    tell(from, to, stream, 1 + (size_t)(seed >> 1), seed, &in_pieces);
    ENSURE(at_once.last == in_pieces.last && at_once.status == in_pieces.status);
    ENSURE(slice_equal(buffer_content(&at_once.all), buffer_content(&in_pieces.all)));
    check_whole(&at_once);
    check_whole(&in_pieces);
    buffer_free(&at_once.all);
    buffer_free(&in_pieces.all);
}

/* What is told can be put back, and says the same then. */
static void
check_answer(enum api from, enum api to, struct slice answer)
{
    struct buffer there = {0}, back = {0}, again = {0};
    struct translation *translation = translation_new(from, to, 1790000000, MOST);

    if (translation_whole(translation, answer, &there) == OK) {
        struct translation *backwards = translation_new(to, from, 1790000000, MOST);

        ENSURE(is_json(buffer_content(&there)));
        if (translation_whole(backwards, buffer_content(&there), &back) == OK)
            ENSURE(is_json(buffer_content(&back)));
        translation_free(backwards);
    } else {
        ENSURE(buffer_len(&there) == 0);
    }
    translate_error(to, 400, answer, &again);
    ENSURE(is_json(buffer_content(&again)));
    translation_free(translation);
    buffer_free(&there);
    buffer_free(&back);
    buffer_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum api from, to;
    struct slice rest;

    if (size < 2)
        return 0;
    from = apis[data[0] % 3];
    to = apis[(data[0] + 1 + data[0] / 3 % 2) % 3];
    rest = slice_make((const char *)data + 2, size - 2);
    if (data[1] & 1)
        check_answer(from, to, rest);
    else
        check_stream(from, to, rest, data[1]);
    return 0;
}
