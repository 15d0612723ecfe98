/* Filling JSON schemas from a question, simply: enums by what the question names, numbers and names in the order in
 * which they stand in it. */
#include <ctype.h>

#include "twin/reply.h"
#include "twin/scan.h"

/* A schema that refers to itself would fill without end: beyond OUT_MOST bytes all is null. */
enum { DEPTH_MOST = 12, WORD_MOST = 64, OUT_MOST = 65536 };

struct filling {
    yyjson_val *root; /* for "$ref": "#/$defs/..." */
    struct slice question;
    const char *answer;
    unsigned words_used, numbers_used;
    struct buffer out;
};

static bool
is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) != 0 || byte == '-' || byte == '_' || byte == '\'' || (byte & 0x80) != 0;
}

static struct slice
next_word(struct slice *rest)
{
    size_t len = 0;
    struct slice word;

    while (rest->len != 0 && !is_word_byte(*rest->data))
        *rest = slice_from(*rest, 1);
    while (len < rest->len && is_word_byte(rest->data[len]))
        len++;
    word = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return word;
}

/* The nth text worth passing on: what stands in quotes, then words with a capital but for the first. */
static struct slice
nth_name(struct slice question, unsigned n)
{
    struct slice rest = question, quoted = SLICE_NONE, word;

    while (scan_quoted(&rest, &quoted))
        if (n-- == 0)
            return quoted;
    rest = question;
    (void)next_word(&rest);
    while ((word = next_word(&rest)).len != 0)
        if (isupper((unsigned char)*word.data) != 0 && n-- == 0)
            return slice_first(word, WORD_MOST);
    return SLICE_NONE;
}

static bool
nth_number(struct slice question, unsigned n, int64_t *thousandths)
{
    while (question.len != 0) {
        struct slice rest = question;

        if (*question.data != ' ' && scan_thousandths(&rest, thousandths)) {
            if (n-- == 0)
                return true;
            question = rest;
        } else {
            question = slice_from(question, 1);
        }
    }
    return false;
}

static void
add_string(struct filling *filling, struct slice text)
{
    buffer_add_byte(&filling->out, '"');
    buffer_add_json(&filling->out, text);
    buffer_add_byte(&filling->out, '"');
}

static bool
asks_for_result(struct slice key)
{
    static const char *const keys[] = {"answer", "result", "value", "label", "final_answer"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (slice_is_nocase(key, keys[i]))
            return true;
    return false;
}

static void
fill_string(struct filling *filling, struct slice key)
{
    struct slice name, last = SLICE_NONE, rest = filling->question, word;

    if (filling->answer != NULL && asks_for_result(key)) {
        add_string(filling, slice_of(filling->answer));
        return;
    }
    name = nth_name(filling->question, filling->words_used++);
    while ((word = next_word(&rest)).len != 0)
        last = slice_first(word, WORD_MOST);
    add_string(filling, name.len != 0 ? name : last.len != 0 ? last : SLICE_LITERAL("none"));
}

static void
fill_number(struct filling *filling, yyjson_val *schema, struct slice key, bool whole)
{
    struct slice answer = slice_of(filling->answer);
    yyjson_val *least = yyjson_obj_get(schema, "minimum");
    int64_t thousandths = 1000;

    if (yyjson_get_num(least) > 1 && yyjson_get_num(least) < 1e9)
        thousandths = (int64_t)(yyjson_get_num(least) * 1000);
    if (!asks_for_result(key) || answer.data == NULL || !scan_thousandths(&answer, &thousandths))
        (void)nth_number(filling->question, filling->numbers_used++, &thousandths);
    if (whole)
        buffer_printf(&filling->out, "%lld", (long long)(thousandths / 1000));
    else
        buffer_printf(&filling->out, "%.10g", (double)thousandths / 1000);
}

static void
fill_enum(struct filling *filling, yyjson_val *values)
{
    size_t index = 0, count = 0, len = 0;
    yyjson_val *value = NULL, *best = yyjson_arr_get_first(values);
    char *text;

    yyjson_arr_foreach(values, index, count, value)
    {
        struct slice word = ask_text(value);
        struct slice from = filling->answer != NULL ? slice_of(filling->answer) : filling->question;

        if (yyjson_is_str(value) && word.len != 0 && scan_find(from, word) < from.len) {
            best = value;
            break;
        }
    }
    text = best != NULL ? yyjson_val_write(best, 0, &len) : NULL;
    buffer_add(&filling->out, text != NULL ? slice_make(text, len) : SLICE_LITERAL("null"));
    free(text);
}

static void fill(struct filling *filling, yyjson_val *schema, struct slice key, unsigned depth);

/* What the answer, being JSON itself, has under this key. */
static bool
fill_from_answer(struct filling *filling, struct slice key)
{
    struct slice answer = slice_of(filling->answer);
    yyjson_doc *doc = answer.len != 0 && *answer.data == '{' ? yyjson_read(answer.data, answer.len, 0) : NULL;
    yyjson_val *value = yyjson_obj_getn(yyjson_doc_get_root(doc), key.data, key.len);
    size_t len = 0;
    char *text = value != NULL ? yyjson_val_write(value, 0, &len) : NULL;

    if (text != NULL)
        buffer_add(&filling->out, slice_make(text, len));
    free(text);
    yyjson_doc_free(doc);
    return value != NULL;
}

static void
fill_object(struct filling *filling, yyjson_val *schema, unsigned depth)
{
    size_t index = 0, count = 0;
    yyjson_val *key = NULL, *value = NULL, *properties = yyjson_obj_get(schema, "properties");

    if (!yyjson_is_obj(properties)) {
        buffer_add_text(&filling->out, "{}");
        return;
    }
    buffer_add_byte(&filling->out, '{');
    yyjson_obj_foreach(properties, index, count, key, value)
    {
        struct slice name = ask_text(key);

        buffer_add_text(&filling->out, index == 0 ? "" : ", ");
        add_string(filling, name);
        buffer_add_text(&filling->out, ": ");
        if (depth != 0 || !fill_from_answer(filling, name))
            fill(filling, value, name, depth + 1);
    }
    buffer_add_byte(&filling->out, '}');
}

static yyjson_val *
follow(struct filling *filling, yyjson_val *schema)
{
    const char *ref = yyjson_get_str(yyjson_obj_get(schema, "$ref"));
    yyjson_val *any = yyjson_obj_get(schema, "anyOf");

    if (ref != NULL && *ref == '#')
        return ref[1] == '\0' ? filling->root : yyjson_ptr_get(filling->root, ref + 1);
    return any != NULL ? yyjson_arr_get_first(any) : schema;
}

static const char *
type_of(yyjson_val *schema)
{
    yyjson_val *type = yyjson_obj_get(schema, "type");
    const char *word = yyjson_get_str(yyjson_is_arr(type) ? yyjson_arr_get_first(type) : type);

    if (word != NULL)
        return word;
    return yyjson_obj_get(schema, "properties") != NULL ? "object" : "string";
}

static void
fill(struct filling *filling, yyjson_val *schema, struct slice key, unsigned depth)
{
    const char *type;
    yyjson_val *constant;

    for (unsigned i = 0; i < DEPTH_MOST && (yyjson_obj_get(schema, "$ref") || yyjson_obj_get(schema, "anyOf")); i++)
        schema = follow(filling, schema);
    type = type_of(schema);
    constant = yyjson_obj_get(schema, "const");
    if (depth > DEPTH_MOST || buffer_len(&filling->out) > OUT_MOST || strcmp(type, "null") == 0) {
        buffer_add_text(&filling->out, "null");
    } else if (yyjson_obj_get(schema, "enum") != NULL) {
        fill_enum(filling, yyjson_obj_get(schema, "enum"));
    } else if (yyjson_is_str(constant)) {
        add_string(filling, ask_text(constant));
    } else if (strcmp(type, "object") == 0) {
        fill_object(filling, schema, depth);
    } else if (strcmp(type, "array") == 0) {
        buffer_add_byte(&filling->out, '[');
        fill(filling, yyjson_obj_get(schema, "items"), key, depth + 1);
        buffer_add_byte(&filling->out, ']');
    } else if (strcmp(type, "boolean") == 0) {
        buffer_add_text(&filling->out, "true");
    } else if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0) {
        fill_number(filling, schema, key, *type == 'i');
    } else {
        fill_string(filling, key);
    }
}

struct slice
schema_fill(yyjson_val *schema, struct slice question, const char *answer, struct arena *arena)
{
    struct filling filling = {.root = schema, .question = question, .answer = answer};
    struct slice text;

    if (schema == NULL)
        return SLICE_LITERAL("{}");
    buffer_init(&filling.out);
    fill(&filling, schema, SLICE_LITERAL("answer"), 0);
    text = arena_copy(arena, buffer_content(&filling.out));
    buffer_free(&filling.out);
    return text;
}

bool
tool_is_meant(const struct ask_tool *tool, struct slice question)
{
    enum { TELLING = 4 }; /* letters; "get" and "the" tell nothing */
    struct slice rest = tool->name;
    unsigned telling = 0;

    if (scan_find(question, tool->name) < question.len)
        return true;
    while (rest.data != NULL && rest.len != 0) {
        struct slice word = slice_split(&rest, slice_find_byte(rest, '_') < rest.len ? '_' : '-');

        if (word.len < TELLING)
            continue;
        telling++;
        if (scan_find(question, word) == question.len)
            return false;
    }
    return telling > 0;
}
