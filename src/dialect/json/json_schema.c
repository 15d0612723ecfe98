#include "dialect/json/json_schema.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/json/json_schema_node.h"

enum { DEPTH_MOST = 64 };

/* A schema that was compiled, or is being: by its place in the document, so that a reference finds it again. */
struct known_schema {
    yyjson_val *at;
    struct schema_node *node;
    struct known_schema *next;
};

struct compiler {
    struct arena *arena;
    yyjson_doc *doc;
    struct known_schema *known;
    unsigned depth;
    char *problem; /* empty: all well so far */
};

/* How a keyword is read, and into which member of the node. */
enum keyword_kind {
    KEYWORD_IGNORED,
    KEYWORD_COUNT,   /* a whole number: size_t */
    KEYWORD_NUMBER,  /* yyjson_val * */
    KEYWORD_SCHEMA,  /* const struct schema_node * */
    KEYWORD_SCHEMAS, /* struct schema_list */
    KEYWORD_ENTRIES, /* struct schema_entries */
    KEYWORD_OWN      /* by the function */
};

struct keyword {
    const char *name;
    enum keyword_kind kind;
    size_t offset;
    void (*read)(struct compiler *, struct schema_node *, yyjson_val *value, const char *pointer);
};

static const struct schema_node *compile(struct compiler *compiler, yyjson_val *at, const char *pointer);

static void PRINTF_LIKE(3, 4) refuse(struct compiler *compiler, const char *pointer, const char *format, ...)
{
    va_list arguments;
    int len;

    if (compiler->problem[0] != '\0')
        return;
    len = snprintf(compiler->problem, SCHEMA_WORDS_SIZE, "at %.100s: ", pointer);
    va_start(arguments, format);
    if (len > 0 && len < SCHEMA_WORDS_SIZE)
        vsnprintf(compiler->problem + len, SCHEMA_WORDS_SIZE - (size_t)len, format, arguments);
    va_end(arguments);
}

static bool
is_well(const struct compiler *compiler)
{
    return compiler->problem[0] == '\0';
}

static struct slice
text_of(yyjson_val *value)
{
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* A pointer one step longer (RFC 6901, 3). */
static const char *
deeper(struct compiler *compiler, const char *pointer, struct slice token)
{
    size_t len = strlen(pointer);
    char *out = arena_alloc(compiler->arena, len + 2 + 2 * token.len), *to;

    memcpy(out, pointer, len);
    to = out + len;
    *to++ = '/';
    for (size_t i = 0; i < token.len; i++) {
        if (token.data[i] == '~' || token.data[i] == '/') {
            *to++ = '~';
            *to++ = token.data[i] == '~' ? '0' : '1';
        } else {
            *to++ = token.data[i];
        }
    }
    return out;
}

static const char *
deeper_index(struct compiler *compiler, const char *pointer, size_t index)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", index);
    return deeper(compiler, pointer, slice_of(text));
}

/* The values of keywords */

static void
read_type(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    static const struct {
        const char *name;
        unsigned type;
    } types[] = {{"null", TYPE_NULL},     {"boolean", TYPE_BOOLEAN}, {"object", TYPE_OBJECT},  {"array", TYPE_ARRAY},
                 {"number", TYPE_NUMBER}, {"string", TYPE_STRING},   {"integer", TYPE_INTEGER}};
    size_t count = yyjson_is_arr(value) ? yyjson_arr_size(value) : 1;

    for (size_t i = 0; i < count; i++) {
        yyjson_val *name = yyjson_is_arr(value) ? yyjson_arr_get(value, i) : value;
        unsigned type = 0;

        for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++)
            if (yyjson_equals_str(name, types[k].name))
                type = types[k].type;
        if (type == 0)
            refuse(compiler, pointer,
                   "expected null, boolean, object, array, number, integer or string, or a list of these");
        node->types |= type;
    }
    if (node->types == 0)
        refuse(compiler, pointer, "an empty list of types fits nothing");
}

static void
read_constant(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    (void)compiler, (void)pointer;
    node->constant = value;
}

static void
read_enumeration(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    if (!yyjson_is_arr(value))
        refuse(compiler, pointer, "expected a list of values");
    node->enumeration = value;
}

static void
read_unique(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    if (!yyjson_is_bool(value))
        refuse(compiler, pointer, "expected true or false");
    node->unique_items = yyjson_is_true(value);
}

static void
read_multiple(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    if (!yyjson_is_num(value) || yyjson_get_num(value) <= 0.0)
        refuse(compiler, pointer, "expected a number above 0");
    node->multiple_of = value;
}

static const struct pattern *
compile_pattern(struct compiler *compiler, struct slice text, const char *pointer)
{
    const char *why;
    const struct pattern *pattern = pattern_compile(compiler->arena, text, &why);

    if (pattern == NULL)
        refuse(compiler, pointer, "this regular expression cannot be used: %s", why);
    return pattern;
}

static void
read_pattern(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    if (yyjson_is_str(value))
        node->pattern = compile_pattern(compiler, text_of(value), pointer);
    else
        refuse(compiler, pointer, "expected a regular expression as text");
}

static struct schema_names
read_names(struct compiler *compiler, yyjson_val *value, const char *pointer)
{
    struct schema_names names = {0};
    size_t i, most;
    yyjson_val *name;

    if (!yyjson_is_arr(value)) {
        refuse(compiler, pointer, "expected a list of names");
        return names;
    }
    names.all = arena_alloc(compiler->arena, yyjson_arr_size(value) * sizeof(*names.all) + 1);
    yyjson_arr_foreach(value, i, most, name)
    {
        if (!yyjson_is_str(name))
            refuse(compiler, pointer, "expected a list of names, of which each is a text");
        names.all[names.count++] = text_of(name);
    }
    return names;
}

static void
read_required(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    node->required = read_names(compiler, value, pointer);
}

static void
read_dependences(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    size_t i, most;
    yyjson_val *name, *others;

    if (!yyjson_is_obj(value)) {
        refuse(compiler, pointer, "expected an object of lists of names");
        return;
    }
    node->dependences = arena_alloc(compiler->arena, yyjson_obj_size(value) * sizeof(*node->dependences) + 1);
    yyjson_obj_foreach(value, i, most, name, others)
    {
        const char *at = deeper(compiler, pointer, text_of(name));

        node->dependences[node->dependence_count++] =
            (struct schema_dependence){text_of(name), read_names(compiler, others, at)};
    }
}

static void
read_entries(struct compiler *compiler, struct schema_entries *entries, yyjson_val *value, const char *pointer,
             bool by_pattern)
{
    size_t i, most;
    yyjson_val *name, *schema;

    if (!yyjson_is_obj(value)) {
        refuse(compiler, pointer, "expected an object of schemas");
        return;
    }
    entries->all = arena_alloc(compiler->arena, yyjson_obj_size(value) * sizeof(*entries->all) + 1);
    yyjson_obj_foreach(value, i, most, name, schema)
    {
        struct schema_entry *entry = &entries->all[entries->count++];
        const char *at = deeper(compiler, pointer, text_of(name));

        entry->name = text_of(name);
        if (by_pattern)
            entry->pattern = compile_pattern(compiler, entry->name, at);
        entry->node = compile(compiler, schema, at);
        if (!is_well(compiler))
            return;
    }
}

static void
read_pattern_properties(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    read_entries(compiler, &node->pattern_properties, value, pointer, true);
}

/* Definitions are compiled even if nothing refers to them, so that what is wrong in them is said. */
static void
read_definitions(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    struct schema_entries definitions = {0};

    (void)node;
    read_entries(compiler, &definitions, value, pointer, false);
}

static void
read_reference(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    struct slice to = text_of(value);
    yyjson_val *target = NULL;

    if (yyjson_is_str(value) && slice_is(to, "#"))
        target = yyjson_doc_get_root(compiler->doc);
    else if (yyjson_is_str(value) && slice_starts(to, "#/") && slice_find_byte(to, '%') == to.len)
        target = yyjson_doc_ptr_getn(compiler->doc, to.data + 1, to.len - 1);
    else
        refuse(compiler, pointer, "only references within the schema are taken, as #/$defs/name");
    if (target == NULL)
        refuse(compiler, pointer, "there is nothing at %.*s", SLICE_ARGS(slice_first(to, 80)));
    else
        node->reference = compile(compiler, target, arena_slice_text(compiler->arena, to));
}

static void
read_dialect(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    static const char *const taken[] = {
        "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#",
        "https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2019-09/schema#",
        "http://json-schema.org/draft-07/schema",       "http://json-schema.org/draft-07/schema#"};

    (void)node;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (yyjson_equals_str(value, taken[i]))
            return;
    refuse(compiler, pointer, "expected %s, or draft 2019-09 or draft-07, which are read as that", taken[0]);
}

static void
read_identity(struct compiler *compiler, struct schema_node *node, yyjson_val *value, const char *pointer)
{
    (void)node, (void)value;
    if (strcmp(pointer, "#/$id") != 0)
        refuse(compiler, pointer, "an $id below the top of the schema is not taken");
}

/* The keywords */

#define AT(member) offsetof(struct schema_node, member), NULL

static const struct keyword keywords[] = {
    {"$schema", KEYWORD_OWN, 0, read_dialect},
    {"$id", KEYWORD_OWN, 0, read_identity},
    {"$ref", KEYWORD_OWN, 0, read_reference},
    {"$defs", KEYWORD_OWN, 0, read_definitions},
    {"definitions", KEYWORD_OWN, 0, read_definitions},
    {"$comment", KEYWORD_IGNORED, 0, NULL},
    {"title", KEYWORD_IGNORED, 0, NULL},
    {"description", KEYWORD_IGNORED, 0, NULL},
    {"default", KEYWORD_IGNORED, 0, NULL},
    {"examples", KEYWORD_IGNORED, 0, NULL},
    {"deprecated", KEYWORD_IGNORED, 0, NULL},
    {"readOnly", KEYWORD_IGNORED, 0, NULL},
    {"writeOnly", KEYWORD_IGNORED, 0, NULL},
    {"format", KEYWORD_IGNORED, 0, NULL},
    {"contentEncoding", KEYWORD_IGNORED, 0, NULL},
    {"contentMediaType", KEYWORD_IGNORED, 0, NULL},
    {"contentSchema", KEYWORD_IGNORED, 0, NULL},
    {"type", KEYWORD_OWN, 0, read_type},
    {"const", KEYWORD_OWN, 0, read_constant},
    {"enum", KEYWORD_OWN, 0, read_enumeration},
    {"minimum", KEYWORD_NUMBER, AT(minimum)},
    {"maximum", KEYWORD_NUMBER, AT(maximum)},
    {"exclusiveMinimum", KEYWORD_NUMBER, AT(exclusive_minimum)},
    {"exclusiveMaximum", KEYWORD_NUMBER, AT(exclusive_maximum)},
    {"multipleOf", KEYWORD_OWN, 0, read_multiple},
    {"minLength", KEYWORD_COUNT, AT(least_length)},
    {"maxLength", KEYWORD_COUNT, AT(most_length)},
    {"pattern", KEYWORD_OWN, 0, read_pattern},
    {"minItems", KEYWORD_COUNT, AT(least_items)},
    {"maxItems", KEYWORD_COUNT, AT(most_items)},
    {"uniqueItems", KEYWORD_OWN, 0, read_unique},
    {"prefixItems", KEYWORD_SCHEMAS, AT(prefix_items)},
    {"items", KEYWORD_SCHEMA, AT(items)},
    {"contains", KEYWORD_SCHEMA, AT(contains)},
    {"minContains", KEYWORD_COUNT, AT(least_contains)},
    {"maxContains", KEYWORD_COUNT, AT(most_contains)},
    {"minProperties", KEYWORD_COUNT, AT(least_properties)},
    {"maxProperties", KEYWORD_COUNT, AT(most_properties)},
    {"required", KEYWORD_OWN, 0, read_required},
    {"dependentRequired", KEYWORD_OWN, 0, read_dependences},
    {"dependentSchemas", KEYWORD_ENTRIES, AT(dependent_schemas)},
    {"properties", KEYWORD_ENTRIES, AT(properties)},
    {"patternProperties", KEYWORD_OWN, 0, read_pattern_properties},
    {"additionalProperties", KEYWORD_SCHEMA, AT(additional_properties)},
    {"propertyNames", KEYWORD_SCHEMA, AT(property_names)},
    {"allOf", KEYWORD_SCHEMAS, AT(all_of)},
    {"anyOf", KEYWORD_SCHEMAS, AT(any_of)},
    {"oneOf", KEYWORD_SCHEMAS, AT(one_of)},
    {"not", KEYWORD_SCHEMA, AT(negated)},
    {"if", KEYWORD_SCHEMA, AT(condition)},
    {"then", KEYWORD_SCHEMA, AT(consequence)},
    {"else", KEYWORD_SCHEMA, AT(alternative)},
};

static void
read_count(struct compiler *compiler, size_t *out, yyjson_val *value, const char *pointer)
{
    double number = yyjson_get_num(value);

    if (!yyjson_is_num(value) || !(number >= 0.0) || number > 1e15 || number != (double)(size_t)number)
        refuse(compiler, pointer, "expected a whole number, 0 or more");
    else
        *out = (size_t)number;
}

static void
read_schemas(struct compiler *compiler, struct schema_list *list, yyjson_val *value, const char *pointer)
{
    size_t i, most;
    yyjson_val *schema;

    if (yyjson_arr_size(value) == 0) {
        refuse(compiler, pointer, "expected a list of schemas, of one at least");
        return;
    }
    list->all = arena_alloc(compiler->arena, yyjson_arr_size(value) * sizeof(*list->all));
    yyjson_arr_foreach(value, i, most, schema) list->all[list->count++] =
        compile(compiler, schema, deeper_index(compiler, pointer, i));
}

/* `seen`: a bit for each keyword of this object. Twice, it would say two things (RFC 8259, 4). */
static void
read_keyword(struct compiler *compiler, struct schema_node *node, yyjson_val *name, yyjson_val *value, uint64_t *seen)
{
    const char *pointer = deeper(compiler, node->pointer, text_of(name));
    const struct keyword *keyword = NULL;
    void *member;

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]) && keyword == NULL; i++)
        if (yyjson_equals_str(name, keywords[i].name))
            keyword = &keywords[i];
    if (keyword == NULL) {
        refuse(compiler, pointer, "this keyword is not known here, and a schema is not applied by half");
        return;
    }
    _Static_assert(sizeof(keywords) / sizeof(keywords[0]) <= 64, "a bit for each");
    if ((*seen & 1ull << (keyword - keywords)) != 0) {
        refuse(compiler, pointer, "this keyword stands here twice");
        return;
    }
    *seen |= 1ull << (keyword - keywords);
    member = (char *)node + keyword->offset;
    switch (keyword->kind) {
    case KEYWORD_IGNORED:
        break;
    case KEYWORD_COUNT:
        read_count(compiler, member, value, pointer);
        break;
    case KEYWORD_NUMBER:
        if (!yyjson_is_num(value))
            refuse(compiler, pointer, "expected a number");
        *(yyjson_val **)member = value;
        break;
    case KEYWORD_SCHEMA:
        *(const struct schema_node **)member = compile(compiler, value, pointer);
        break;
    case KEYWORD_SCHEMAS:
        read_schemas(compiler, member, value, pointer);
        break;
    case KEYWORD_ENTRIES:
        read_entries(compiler, member, value, pointer, false);
        break;
    case KEYWORD_OWN:
        keyword->read(compiler, node, value, pointer);
        break;
    }
}

static void
read_object(struct compiler *compiler, struct schema_node *node, yyjson_val *at)
{
    size_t i, most;
    yyjson_val *name, *value;
    uint64_t seen = 0;

    if (++compiler->depth > DEPTH_MOST)
        refuse(compiler, node->pointer, "schemas are nested more than %u deep", DEPTH_MOST);
    yyjson_obj_foreach(at, i, most, name, value)
    {
        if (!is_well(compiler))
            break;
        read_keyword(compiler, node, name, value, &seen);
    }
    compiler->depth--;
}

static struct schema_node *
find_known(const struct compiler *compiler, yyjson_val *at)
{
    for (const struct known_schema *known = compiler->known; known != NULL; known = known->next)
        if (known->at == at)
            return known->node;
    return NULL;
}

static const struct schema_node *
compile(struct compiler *compiler, yyjson_val *at, const char *pointer)
{
    struct schema_node *node = find_known(compiler, at);
    struct known_schema *known;

    if (node != NULL)
        return node;
    node = arena_alloc(compiler->arena, sizeof(*node));
    known = arena_alloc(compiler->arena, sizeof(*known));
    *known = (struct known_schema){at, node, compiler->known};
    compiler->known = known;
    node->pointer = pointer;
    node->most_length = node->most_items = node->most_properties = node->most_contains = SIZE_MAX;
    node->least_contains = 1;
    if (yyjson_is_obj(at))
        read_object(compiler, node, at);
    else if (yyjson_is_bool(at))
        node->refuses_all = yyjson_is_false(at);
    else
        refuse(compiler, pointer, "expected a schema: an object, true or false");
    return node;
}

/* The document's memory is the arena's. */

static void *
arena_malloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void *
arena_realloc(void *arena, void *old, size_t old_size, size_t size)
{
    void *larger = arena_alloc(arena, size);

    memcpy(larger, old, old_size < size ? old_size : size);
    return larger;
}

static void
arena_leave(void *arena, void *old)
{
    (void)arena, (void)old;
}

const struct json_schema *
json_schema_compile(struct arena *arena, struct slice text, char problem[SCHEMA_WORDS_SIZE])
{
    const yyjson_alc allocator = {arena_malloc, arena_realloc, arena_leave, arena};
    struct compiler compiler = {.arena = arena, .problem = problem};
    struct json_schema *schema = arena_alloc(arena, sizeof(*schema));
    yyjson_read_err error;

    problem[0] = '\0';
    compiler.doc = yyjson_read_opts((char *)text.data, text.len, YYJSON_READ_NOFLAG, &allocator, &error);
    if (compiler.doc == NULL) {
        snprintf(problem, SCHEMA_WORDS_SIZE, "not JSON: %s at byte %zu", error.msg, error.pos);
        return NULL;
    }
    schema->root = compile(&compiler, yyjson_doc_get_root(compiler.doc), "#");
    return is_well(&compiler) ? schema : NULL;
}
