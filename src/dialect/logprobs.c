#include "dialect/logprobs.h"

#include <math.h>

#include "dialect/json/json.h"
#include "dialect/sse.h"

#define OF_TEXTS "\"message.output_text.logprobs\""

/* One in half a billion. Providers tell -9999 where they know no more than that a token was unlikely: one such must not
 * stand for all the others. */
static const double LEAST = -20.0;

/* Requests */

const char *
logprobs_member(enum api api)
{
    if (api == API_RESPONSES)
        return "include";
    return api == API_CHAT || api == API_COMPLETIONS ? "logprobs" : NULL;
}

const char *
logprobs_translated(enum api api)
{
    if (api == API_RESPONSES)
        return ",\"include\":[" OF_TEXTS "]";
    return api == API_CHAT ? ",\"logprobs\":true" : NULL;
}

static bool
is_nothing(yyjson_val *value)
{
    return value == NULL || yyjson_is_null(value);
}

/* Some more of them, without the first: refused by most, and no wish of ours to make good. */
static bool
asks_for_others(yyjson_val *root)
{
    yyjson_val *others = yyjson_obj_get(root, "top_logprobs");

    return !is_nothing(others) && !(yyjson_is_num(others) && yyjson_get_num(others) == 0.0);
}

static struct logprobs_wish
wish_of_chat(yyjson_val *root, struct slice raw)
{
    yyjson_val *own = yyjson_obj_get(root, "logprobs");
    struct logprobs_wish wish = {.asked = yyjson_is_true(own), .place = raw};

    wish.with = raw.data != NULL ? "true" : "\"logprobs\":true,";
    if (!is_nothing(own) && !yyjson_is_bool(own))
        wish.why = "its 'logprobs' is neither true nor false";
    else if (!wish.asked && asks_for_others(root))
        wish.why = "it has 'top_logprobs' without 'logprobs'";
    return wish;
}

/* A prompt that is repeated has them as well. */
static struct logprobs_wish
wish_of_completions(yyjson_val *root, struct slice raw)
{
    yyjson_val *own = yyjson_obj_get(root, "logprobs");
    struct logprobs_wish wish = {.asked = yyjson_is_num(own) || yyjson_is_true(own), .place = raw};

    wish.with = raw.data != NULL ? "1" : "\"logprobs\":1,";
    if (!is_nothing(own) && !yyjson_is_num(own) && !yyjson_is_bool(own))
        wish.why = "its 'logprobs' is no number";
    else if (yyjson_is_true(yyjson_obj_get(root, "echo")))
        wish.why = "it wants its prompt repeated ('echo'), whose tokens would count as well";
    return wish;
}

static bool
includes_them(yyjson_val *include)
{
    size_t i, most;
    yyjson_val *one;
    bool found = false;

    yyjson_arr_foreach(include, i, most, one) found |= yyjson_equals_str(one, "message.output_text.logprobs");
    return found;
}

static struct logprobs_wish
wish_of_responses(yyjson_val *root, struct slice raw)
{
    yyjson_val *include = yyjson_obj_get(root, "include");
    struct logprobs_wish wish = {.asked = includes_them(include), .place = raw};

    if (!is_nothing(include) && !yyjson_is_arr(include))
        wish.why = "its 'include' is no list";
    else if (!wish.asked && asks_for_others(root))
        wish.why = "it has 'top_logprobs' without including any";
    wish.with = raw.data == NULL ? "\"include\":[" OF_TEXTS "]," : "[" OF_TEXTS "]";
    if (yyjson_arr_size(include) > 0) {
        wish.place = slice_make(raw.data + 1, 0);
        wish.with = OF_TEXTS ",";
    }
    return wish;
}

struct logprobs_wish
logprobs_wish(enum api api, yyjson_val *root, struct slice raw)
{
    if (api == API_CHAT)
        return wish_of_chat(root, raw);
    if (api == API_COMPLETIONS)
        return wish_of_completions(root, raw);
    if (api == API_RESPONSES)
        return wish_of_responses(root, raw);
    return (struct logprobs_wish){.why = "its API has no logprobs"};
}

bool
logprobs_in_words(enum api api, const struct logprobs_wish *wish, struct slice body)
{
    const struct slice word = SLICE_LITERAL("ogprobs"); /* at the beginning of a sentence, too */
    bool own = (api == API_CHAT || api == API_COMPLETIONS) && wish->place.data != NULL;
    unsigned count = 0;

    for (size_t at; (at = slice_find(body, word)) < body.len; count++)
        body = slice_from(body, at + word.len);
    return count > (own ? 1 : 0);
}

/* Answers */

/* As a number that is a logarithm of a probability; a little above 0 is rounding. */
static void
add(struct logprobs_told *told, yyjson_val *logprob)
{
    double value = yyjson_get_num(logprob);

    if (!yyjson_is_num(logprob) || isnan(value) || value > 1e-3) {
        told->odd = true;
        return;
    }
    told->sum += fmax(LEAST, fmin(0.0, value));
    told->tokens++;
}

/* [{"token": ..., "logprob": ...}] */
static void
add_tokens(struct logprobs_told *told, yyjson_val *tokens)
{
    size_t i, most;
    yyjson_val *token;

    yyjson_arr_foreach(tokens, i, most, token) add(told, yyjson_obj_get(token, "logprob"));
}

static void
add_choices(struct logprobs_told *told, yyjson_val *choices)
{
    size_t i, most, at, count;
    yyjson_val *choice, *logprob;

    yyjson_arr_foreach(choices, i, most, choice)
    {
        yyjson_val *logprobs = yyjson_obj_get(choice, "logprobs");

        if (yyjson_get_int(yyjson_obj_get(choice, "index")) != 0)
            continue;
        add_tokens(told, yyjson_obj_get(logprobs, "content"));
        yyjson_arr_foreach(yyjson_obj_get(logprobs, "token_logprobs"), at, count, logprob) add(told, logprob);
    }
}

/* A stream tells them with each piece of text; what repeats them at the end of a text is not read. */
static void
add_responses(struct logprobs_told *told, yyjson_val *root)
{
    size_t i, most, at, count;
    yyjson_val *item, *part;

    if (yyjson_equals_str(yyjson_obj_get(root, "type"), "response.output_text.delta"))
        add_tokens(told, yyjson_obj_get(root, "logprobs"));
    yyjson_arr_foreach(yyjson_obj_get(root, "output"), i, most, item)
    {
        yyjson_arr_foreach(yyjson_obj_get(item, "content"), at, count, part)
            add_tokens(told, yyjson_obj_get(part, "logprobs"));
    }
}

void
logprobs_of_event(struct logprobs_told *told, enum api api, yyjson_val *root)
{
    if (api == API_CHAT || api == API_COMPLETIONS)
        add_choices(told, yyjson_obj_get(root, "choices"));
    else if (api == API_RESPONSES)
        add_responses(told, root);
}

bool
logprobs_sureness(const struct logprobs_told *told, double *out)
{
    if (told->odd || told->tokens == 0)
        return false;
    *out = exp(told->sum / (double)told->tokens);
    return true;
}

/* Taking them out */

/* Where they stand: response.output[].content[].logprobs is the deepest. */
enum { DEEPEST = 3 };

struct taking_out {
    enum api api;
    struct slice rest; /* of the answer, not yet copied */
    struct buffer *out;
    bool any;
};

static void
replace(struct taking_out *taking, struct slice value)
{
    struct slice instead = taking->api == API_RESPONSES ? SLICE_LITERAL("[]") : SLICE_LITERAL("null");

    if (slice_is(value, "null") || slice_is(value, "[]"))
        return;
    buffer_add(taking->out, slice_make(taking->rest.data, (size_t)(value.data - taking->rest.data)));
    buffer_add(taking->out, instead);
    taking->rest = slice_from(taking->rest, (size_t)(value.data + value.len - taking->rest.data));
    taking->any = true;
}

static bool
holds_them(const struct taking_out *taking, struct slice key, unsigned depth)
{
    static const struct slice names[] = {SLICE_CONSTANT("response"), SLICE_CONSTANT("output"), SLICE_CONSTANT("item"),
                                         SLICE_CONSTANT("part"), SLICE_CONSTANT("content")};

    if (taking->api != API_RESPONSES)
        return depth == 0 && slice_is(key, "choices");
    for (size_t i = 0; depth < DEEPEST && i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(key, names[i]))
            return true;
    return false;
}

static void take_from(struct taking_out *taking, struct slice object, unsigned depth);

/* An object, or a list of some. */
static void
look_into(struct taking_out *taking, struct slice value, unsigned depth)
{
    struct slice element;

    if (value.data[0] == '{')
        take_from(taking, value, depth);
    else if (value.data[0] == '[')
        while (json_next_element(&value, &element))
            if (element.data[0] == '{')
                take_from(taking, element, depth);
}

static void
take_from(struct taking_out *taking, struct slice object, unsigned depth)
{
    bool here = taking->api == API_RESPONSES || depth > 0;
    struct json_member member;

    while (json_next_member(&object, &member))
        if (here && slice_is(member.key, "logprobs"))
            replace(taking, member.value);
        else if (holds_them(taking, member.key, depth))
            look_into(taking, member.value, depth + 1);
}

static bool
is_object(struct slice text)
{
    struct json_scratch scratch;
    yyjson_doc *doc = json_parse_lenient(text, false, &scratch);
    bool is = yyjson_is_obj(yyjson_doc_get_root(doc));

    yyjson_doc_free(doc);
    return is;
}

enum status
logprobs_take_out(enum api api, struct slice answer, struct buffer *out)
{
    struct taking_out taking = {.api = api, .rest = answer, .out = out};

    if (slice_find(answer, SLICE_LITERAL("\"logprobs\"")) == answer.len)
        return ERR_NOT_FOUND;
    if (!is_object(answer))
        return ERR_INVALID;
    take_from(&taking, slice_trim(answer), 0);
    if (!taking.any)
        return ERR_NOT_FOUND;
    buffer_add(out, taking.rest);
    return OK;
}

enum status
logprobs_take_out_of_frame(enum api api, struct slice frame, struct buffer *out)
{
    struct buffer joined = {0};
    struct slice event, data = SLICE_NONE;
    bool inside = sse_parse(frame, &joined, &event, &data) && data.data >= frame.data &&
                  data.data + data.len <= frame.data + frame.len;
    enum status status = ERR_NOT_FOUND;

    if (slice_find(frame, SLICE_LITERAL("\"logprobs\"")) < frame.len && data.len > 0) {
        size_t before = (size_t)(data.data - frame.data), at = buffer_len(out);

        buffer_add(out, inside ? slice_first(frame, before) : SLICE_NONE);
        status = inside ? logprobs_take_out(api, data, out) : ERR_INVALID;
        if (status == OK)
            buffer_add(out, slice_from(frame, before + data.len));
        else
            out->end -= buffer_len(out) - at;
    }
    buffer_free(&joined);
    return status;
}
