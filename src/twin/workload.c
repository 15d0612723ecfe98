#include "twin/workload.h"

#include <math.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "dialect/sse.h"
#include "twin/ask.h"
#include "twin/reply.h"
#include "twin/tasks.h"

enum { FRAME_MOST = 1 << 20, OUTPUT_TOKENS_MOST = 600, OTHER_WORDS_PERCENT = 25 };

/* One application of the company. */
struct feature {
    const char *name;
    unsigned share; /* of all requests, against the others' */
    enum api api;
    bool stream;
    bool task;         /* else the question is for prose */
    unsigned families; /* bits of enum task_family */
    unsigned easiest, hardest;
    unsigned pool; /* different questions; 0: each is new */
    bool chatty;   /* asked by people, in words of their own */
    const char *temperature;
    unsigned handbook; /* tokens of house rules, the same for all, after the system prompt */
    const char *system;
};

static const struct feature features[] = {
    {"assistant", 30, API_CHAT, true, true, 1U << TASK_ARITHMETIC | 1U << TASK_UNITS | 1U << TASK_DATES, 1, 5, 2000,
     true, "0", 0, "You are the assistant on our intranet. Answer briefly and exactly."},
    {"support", 100, API_CHAT, false, true, 1U << TASK_CLASSIFY, 1, 4, 0, false, "0", 0,
     "You sort messages of customers for the support team. You answer with one label."},
    {"orders", 100, API_CHAT, false, true, 1U << TASK_EXTRACT, 1, 5, 0, false, "0", 0,
     "You read messages about orders and hand over what they say as JSON."},
    {"figures", 80, API_CHAT, false, true, 1U << TASK_ARITHMETIC | 1U << TASK_UNITS, 1, 4, 0, false, "0", 0,
     "You work things out for our accounts. You answer with one number."},
    {"catalogue", 15, API_MESSAGES, false, true, 1U << TASK_LOOKUP, 1, 5, 600, false, NULL, 1400,
     "You answer questions about our price list and nothing else."},
    {"writer", 5, API_CHAT, true, false, 0, 1, 1, 300, false, "0.8", 0, "You write short texts for our newsletter."},
    {"helpdesk", 60, API_CHAT, false, true, 1U << TASK_GUIDE, 1, 2, 20000, false, "0", 0,
     "You are the helpdesk of our company. You answer with the title of the page of our guide that helps, and nothing "
     "else."},
    {"search", 10, API_EMBEDDINGS, false, false, 0, 1, 1, 3000, false, NULL, 0, ""},
};

static const char *const topics[] = {"our new warehouse", "the summer fair", "saving energy", "the repair service",
                                     "bees on the roof",  "the night train", "good coffee",   "a museum visit"};

/* How people say the same thing again. */
static const char *const wordings[] = {"Hello! %s", "Could you help me? %s", "%s Thank you.", "A quick question. %s",
                                       "Hi there, one more for you: %s"};

static uint64_t
all_shares(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        sum += features[i].share;
    return sum;
}

static const struct feature *
pick_feature(struct rng *rng, const struct workload_models *models)
{
    for (;;) {
        uint64_t draw = rng_below(rng, all_shares());
        const struct feature *feature = features;

        for (; draw >= feature->share; feature++)
            draw -= feature->share;
        ENSURE(feature < features + sizeof features / sizeof features[0]);
        if (feature->api != API_EMBEDDINGS || models->embedding != NULL)
            return feature;
    }
}

/* From 0 to below pool, k about as often as 1/(k + 1): the logarithm of the rank is even. */
static uint64_t
pick_popular(struct rng *rng, unsigned pool)
{
    uint64_t rank = (uint64_t)exp(rng_unit(rng) * log((double)pool + 1));

    return rank <= pool ? rank - 1 : pool - 1;
}

static uint64_t
pick_question(struct rng *rng, const struct feature *feature, uint64_t number)
{
    return feature->pool != 0 ? pick_popular(rng, feature->pool) : number;
}

/* NULL: that application has none of its own. */
static const char *
own_model(const struct feature *feature, const struct workload_models *models)
{
    const struct {
        const char *feature, *model;
    } own[] = {{"helpdesk", models->helpdesk},
               {"support", models->support},
               {"orders", models->orders},
               {"figures", models->figures}};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(feature->name, own[i].feature) == 0)
            return own[i].model;
    return NULL;
}

static const char *
pick_model(const struct feature *feature, enum api api, const struct workload_models *models)
{
    const char *own = own_model(feature, models);

    if (api == API_MESSAGES)
        return models->messages;
    if (api == API_EMBEDDINGS)
        return models->embedding;
    return own != NULL ? own : models->chat;
}

static const char *
make_task(const struct feature *feature, uint64_t question, struct arena *arena)
{
    struct rng rng;
    struct task task;
    enum task_family family;

    rng_seed(&rng, question);
    do
        family = (enum task_family)rng_below(&rng, TASK_FAMILIES);
    while ((feature->families & 1U << family) == 0);
    task_make(&task, family, feature->easiest + (unsigned)rng_below(&rng, feature->hardest - feature->easiest + 1),
              question, arena);
    return task.prompt;
}

static const char *
make_topic(const struct feature *feature, uint64_t question, struct arena *arena)
{
    const char *topic = topics[question % (sizeof topics / sizeof topics[0])];

    if (feature->api == API_EMBEDDINGS)
        return arena_printf(arena, "%s, part %u", topic, (unsigned)(question % 1000));
    return arena_printf(arena, "Write %u words about %s.", 60 + (unsigned)(question % 8) * 20, topic);
}

static const char *
reword(struct rng *rng, const char *question, struct arena *arena)
{
    const char *wording = wordings[rng_below(rng, sizeof wordings / sizeof wordings[0])];
    struct slice before = slice_first(slice_of(wording), slice_find_byte(slice_of(wording), '%'));

    return arena_printf(arena, "%.*s%s%s", SLICE_ARGS(before), question, wording + before.len + strlen("%s"));
}

static const char *
system_prompt(const struct feature *feature, struct arena *arena)
{
    if (feature->handbook == 0)
        return feature->system;
    return arena_printf(arena, "%s\n\nThe rules of the house:\n%.*s", feature->system,
                        SLICE_ARGS(prose_write(feature->pool, feature->handbook, arena)));
}

static void
add_member(struct buffer *body, const char *key, const char *text)
{
    buffer_printf(body, "\"%s\":\"", key);
    buffer_add_json(body, slice_of(text));
    buffer_add_byte(body, '"');
}

static void
write_body(const struct workload_request *request, const struct feature *feature, const char *question,
           struct arena *arena, struct buffer *body)
{
    const char *system = system_prompt(feature, arena);

    buffer_add_byte(body, '{');
    add_member(body, "model", request->model);
    buffer_add_byte(body, ',');
    if (request->api == API_EMBEDDINGS) {
        add_member(body, "input", question);
        buffer_add_byte(body, '}');
        return;
    }
    if (request->api == API_MESSAGES) {
        buffer_printf(body, "\"max_tokens\":%d,", OUTPUT_TOKENS_MOST);
        add_member(body, "system", system);
        buffer_add_text(body, ",\"messages\":[{\"role\":\"user\",");
    } else {
        buffer_add_text(body, "\"messages\":[{\"role\":\"system\",");
        add_member(body, "content", system);
        buffer_add_text(body, "},{\"role\":\"user\",");
    }
    add_member(body, "content", question);
    buffer_add_text(body, "}]");
    if (request->stream)
        buffer_add_text(body, ",\"stream\":true");
    if (feature->temperature != NULL)
        buffer_printf(body, ",\"temperature\":%s", feature->temperature);
    buffer_add_byte(body, '}');
}

void
workload_make(struct workload_request *request, uint64_t seed, uint64_t number, const struct workload_models *models,
              struct arena *arena)
{
    struct rng rng;
    struct buffer body;
    const struct feature *feature;
    const char *question;
    uint64_t which;

    rng_seed(&rng, rng_mix(seed) ^ rng_mix(number + 1));
    feature = pick_feature(&rng, models);
    which = rng_mix(seed ^ (uint64_t)(feature - features) << 32 ^ pick_question(&rng, feature, number));
    *request = (struct workload_request){.api = feature->api, .feature = feature->name, .stream = feature->stream};
    question = feature->task ? make_task(feature, which, arena) : make_topic(feature, which, arena);
    if (feature->chatty && rng_below(&rng, 100) < OTHER_WORDS_PERCENT)
        question = reword(&rng, question, arena);
    request->prompt = feature->task ? question : NULL;
    if (request->api == API_MESSAGES && models->messages == NULL)
        request->api = API_CHAT;
    request->model = pick_model(feature, request->api, models);
    buffer_init(&body);
    write_body(request, feature, question, arena, &body);
    request->body = arena_copy(arena, buffer_content(&body));
    buffer_free(&body);
}

/* Reading answers */

static bool
whole_text(enum api api, struct slice body, struct arena *arena, struct slice *text)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *value = yyjson_doc_ptr_get(doc, api == API_MESSAGES ? "/content/0/text" : "/choices/0/message/content");

    *text = arena_copy(arena, ask_text(value));
    yyjson_doc_free(doc);
    return text->data != NULL;
}

/* Adds a chunk's text; true if the frame says that the stream is complete. */
static bool
add_frame(struct slice frame, struct buffer *joined, struct buffer *text)
{
    struct slice event = SLICE_NONE, data = SLICE_NONE;
    yyjson_doc *doc;

    if (!sse_parse(frame, joined, &event, &data))
        return false;
    if (slice_is(data, "[DONE]"))
        return true;
    doc = yyjson_read(data.data, data.len, 0);
    buffer_add(text, ask_text(yyjson_doc_ptr_get(doc, "/choices/0/delta/content")));
    buffer_add(text, ask_text(yyjson_doc_ptr_get(doc, "/delta/text")));
    yyjson_doc_free(doc);
    return slice_is(event, "message_stop");
}

static bool
streamed_text(struct slice body, struct arena *arena, struct slice *out)
{
    struct sse_framer framer;
    struct buffer joined, text;
    struct slice frame;
    bool complete = false;

    sse_init(&framer, FRAME_MOST);
    buffer_init(&joined);
    buffer_init(&text);
    while (sse_next(&framer, &body, &frame) == SSE_FRAME)
        complete = add_frame(frame, &joined, &text) || complete;
    *out = buffer_len(&text) != 0 ? arena_copy(arena, buffer_content(&text)) : SLICE_LITERAL("");
    sse_free(&framer);
    buffer_free(&joined);
    buffer_free(&text);
    return complete;
}

bool
workload_answer_text(const struct workload_request *request, struct slice body, struct arena *arena, struct slice *text)
{
    *text = SLICE_NONE;
    if (request->api == API_EMBEDDINGS || body.data == NULL)
        return false;
    return request->stream ? streamed_text(body, arena, text) : whole_text(request->api, body, arena, text);
}
