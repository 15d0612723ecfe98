#include "cmd/prices_quote.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cmd/cmd.h"

/* How the object is laid out: over lines for people, or on one. */
struct layout {
    const char *start, *between, *end;
};

static const struct layout over_lines = {"{\n  ", ",\n  ", "\n}\n"};
static const struct layout on_one_line = {"{", ",", "}\n"};

static void
add_text(struct buffer *out, const char *name, struct slice text)
{
    buffer_printf(out, "\"%s\": ", name);
    if (text.data == NULL) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_byte(out, '"');
    buffer_add_json(out, text);
    buffer_add_byte(out, '"');
}

static void
add_amount(struct buffer *out, const char *name, usd amount)
{
    char text[USD_TEXT_SIZE];

    usd_format(amount, text);
    add_text(out, name, usd_known(amount) ? slice_of(text) : SLICE_NONE);
}

/* Counts as their names say them: seconds again, where microseconds are kept. */
static void
add_count(struct buffer *out, enum usage_kind kind, int64_t count)
{
    int64_t scale = usage_kind_scale(kind);
    int64_t rest = count % scale, unit = scale / 10;

    buffer_printf(out, "\"%s\": %" PRId64, usage_kind_name(kind), count / scale);
    if (rest != 0)
        buffer_add_byte(out, '.');
    for (; rest != 0; unit /= 10) {
        /* cppcheck-suppress zerodivcond ; a rest of less than `scale` is used up with the last unit */
        buffer_add_byte(out, (char)('0' + rest / unit));
        rest %= unit;
    }
}

static void
add_usage(struct buffer *out, const struct usage *usage)
{
    bool some = false;

    buffer_add_text(out, "\"usage\": {");
    for (unsigned kind = 0; kind < USAGE_KIND_COUNT; kind++) {
        if (usage->counts[kind] == 0)
            continue;
        buffer_add_text(out, some ? ", " : "");
        add_count(out, kind, usage->counts[kind]);
        some = true;
    }
    buffer_add_text(out, "}");
}

/* What an answer came to. */
struct quoted {
    const char *provider;
    struct slice model;
    const struct price *price;
    struct usage usage;
    struct cost cost;
    char why[PRICES_WHY_SIZE];
};

static void
add_quoted(struct buffer *out, const struct quote *quote, const struct quoted *quoted, const struct layout *layout)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format_utc(quote->at, at);
    buffer_add_text(out, layout->start);
    add_text(out, "provider", slice_of(quoted->provider));
    buffer_add_text(out, layout->between);
    add_text(out, "model", quoted->model);
    buffer_add_text(out, layout->between);
    add_text(out, "priced_as", quoted->price != NULL ? slice_of(price_model(quoted->price)) : SLICE_NONE);
    buffer_add_text(out, layout->between);
    add_text(out, "at", slice_of(at));
    buffer_add_text(out, layout->between);
    add_usage(out, &quoted->usage);
    buffer_add_text(out, layout->between);
    add_amount(out, "input_usd", quoted->cost.input);
    buffer_add_text(out, layout->between);
    add_amount(out, "output_usd", quoted->cost.output);
    buffer_add_text(out, layout->between);
    add_amount(out, "other_usd", quoted->cost.other);
    buffer_add_text(out, layout->between);
    add_amount(out, "total_usd", quoted->cost.total);
    buffer_add_text(out, layout->between);
    add_text(out, "why", slice_of(quoted->cost.why_unknown));
    buffer_add_text(out, layout->end);
}

static struct slice
model_named_by(yyjson_val *root)
{
    yyjson_val *name = yyjson_obj_get(root, "model");

    if (!yyjson_is_str(name))
        name = yyjson_obj_get(root, "modelVersion");
    return yyjson_is_str(name) ? slice_make(yyjson_get_str(name), yyjson_get_len(name)) : SLICE_NONE;
}

/* The provider as named, else whose model it is. NULL, with quoted->why. */
static const char *
find_provider(const struct quote *quote, yyjson_val *root, struct quoted *quoted)
{
    struct slice model = quote->model != NULL ? slice_of(quote->model) : model_named_by(root);
    const char *provider = quote->provider != NULL ? prices_provider_by_name(quote->book, slice_of(quote->provider))
                                                   : prices_provider_by_model(quote->book, model);

    if (provider == NULL && quote->provider != NULL)
        snprintf(quoted->why, sizeof quoted->why, "the price book has no provider '%.100s'", quote->provider);
    else if (provider == NULL)
        snprintf(quoted->why, sizeof quoted->why, "whose answer is it? Name the provider");
    return provider;
}

static void
price_answer(const struct quote *quote, yyjson_val *root, struct quoted *quoted)
{
    struct price_terms terms = {.wall_us = quote->at};

    *quoted = (struct quoted){0};
    usage_init(&quoted->usage);
    quoted->cost = cost_unknown(quoted->why);
    quoted->provider = find_provider(quote, root, quoted);
    if (quoted->provider == NULL)
        return;
    if (prices_extract(quote->book, quoted->provider, quote->flavor, root, &quoted->usage, &quoted->model,
                       quoted->why) != OK)
        return;
    if (quote->model != NULL)
        quoted->model = slice_of(quote->model);
    if (quoted->model.data == NULL) {
        quoted->cost = cost_unknown("the answer names no model");
        return;
    }
    quoted->price = prices_resolve(quote->book, NULL, quoted->provider, quoted->model);
    quoted->cost = prices_cost(quoted->price, &terms, &quoted->usage);
}

int
quote_body(struct slice json, const struct quote *quote, struct buffer *out)
{
    struct quoted quoted;
    yyjson_read_err error;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json.data, json.len, 0, NULL, &error);

    if (doc == NULL) {
        cmd_complain("the answer is not JSON: %s at byte %zu.", json.len > 0 ? error.msg : "it is empty", error.pos);
        return CMD_FAILED;
    }
    price_answer(quote, yyjson_doc_get_root(doc), &quoted);
    add_quoted(out, quote, &quoted, &over_lines);
    yyjson_doc_free(doc);
    return CMD_FINE;
}

static void
take_member(yyjson_val *line, const char *name, const char **out)
{
    const char *text = yyjson_get_str(yyjson_obj_get(line, name));

    if (text != NULL)
        *out = text;
}

static int
quote_line(struct slice text, const struct quote *defaults, struct buffer *out)
{
    struct quote quote = *defaults;
    struct quoted quoted;
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);
    yyjson_val *line = yyjson_doc_get_root(doc);

    if (!yyjson_is_obj(line)) {
        cmd_complain("a line is not a JSON object: %.*s", SLICE_ARGS(slice_first(text, 60)));
        yyjson_doc_free(doc);
        return CMD_FAILED;
    }
    take_member(line, "provider", &quote.provider);
    take_member(line, "flavor", &quote.flavor);
    take_member(line, "model", &quote.model);
    price_answer(&quote, yyjson_obj_get(line, "body"), &quoted);
    add_quoted(out, &quote, &quoted, &on_one_line);
    yyjson_doc_free(doc);
    return CMD_FINE;
}

int
quote_lines(struct slice lines, const struct quote *quote, struct buffer *out)
{
    int worst = CMD_FINE;

    if (lines.data == NULL)
        return CMD_FINE;
    while (lines.data != NULL) {
        struct slice line = slice_trim(slice_split(&lines, '\n'));
        int end = line.len > 0 ? quote_line(line, quote, out) : CMD_FINE;

        worst = end != CMD_FINE ? end : worst;
    }
    return worst;
}
