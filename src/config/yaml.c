#include "config/yaml.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/map.h"
#include "base/text.h"

struct parse {
    yaml_parser_t yaml;
    struct arena *arena;
    const char *file;
    struct slice text;
    struct problems *problems;
    struct map anchors; /* -> struct yaml_node */
    size_t weight;      /* of all nodes so far */
    bool failed;        /* the rest cannot be read */
};

/* Items of the list or map being read; moved to the arena when it ends. */
struct items {
    struct yaml_item *all;
    size_t count, size;
};

static struct problem
error_at(const struct parse *parse, unsigned line, unsigned column, const char *hint)
{
    return (struct problem){PROBLEM_ERROR, parse->file, line, column, NULL, hint, false};
}

static struct problem
error_at_mark(const struct parse *parse, yaml_mark_t mark, const char *hint)
{
    return error_at(parse, (unsigned)mark.line + 1, (unsigned)mark.column + 1, hint);
}

/* The byte at line and column; '\0' past the end. Lines of ASCII only need be right. */
static char
byte_at(struct slice text, yaml_mark_t mark)
{
    struct slice rest = text, line = text;

    for (size_t i = 0; i <= mark.line && rest.data != NULL; i++)
        line = slice_split(&rest, '\n');
    return mark.column < line.len ? line.data[mark.column] : '\0'; /* NOLINT: a line with bytes has data */
}

/* What libyaml could not read. Its words are kept, but for the commonest slip, which it describes badly. */
static void
report_syntax(struct parse *parse)
{
    const yaml_parser_t *yaml = &parse->yaml;
    const char *what = yaml->problem != NULL ? yaml->problem : "cannot be read";

    parse->failed = true;
    if (yaml->error == YAML_SCANNER_ERROR && byte_at(parse->text, yaml->problem_mark) == '\t')
        problems_add(parse->problems, error_at_mark(parse, yaml->problem_mark, "Indent with spaces."),
                     "a tab stands where YAML wants spaces");
    else if (yaml->error == YAML_READER_ERROR)
        problems_add(parse->problems, error_at_mark(parse, yaml->mark, "Save the file as UTF-8 text."),
                     "the file holds a character that YAML forbids: %s", what);
    else if (yaml->context != NULL)
        problems_add(parse->problems, error_at_mark(parse, yaml->problem_mark, NULL),
                     "not YAML: %s, %s that starts in line %zu", what, yaml->context, yaml->context_mark.line + 1);
    else
        problems_add(parse->problems, error_at_mark(parse, yaml->problem_mark, NULL), "not YAML: %s", what);
}

/* False when the file cannot be read on; the event is then empty. */
static bool
next_event(struct parse *parse, yaml_event_t *event)
{
    if (parse->failed)
        return false;
    if (yaml_parser_parse(&parse->yaml, event))
        return true;
    report_syntax(parse);
    return false;
}

static void
give_up(struct parse *parse, yaml_mark_t mark, const char *text, const char *hint)
{
    parse->failed = true;
    problems_add(parse->problems, error_at_mark(parse, mark, hint), "%s", text);
}

static void
add_weight(struct parse *parse, yaml_mark_t mark, size_t weight)
{
    parse->weight += weight;
    if (parse->weight > YAML_NODES_MOST && !parse->failed)
        give_up(parse, mark, "the file is larger than a configuration may be (200,000 values, aliases counted in full)",
                "Repeat less, or generate less.");
}

static struct yaml_node *
new_node(struct parse *parse, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = arena_alloc(parse->arena, sizeof(*node));

    node->kind = kind;
    node->line = (unsigned)mark.line + 1;
    node->column = (unsigned)mark.column + 1;
    node->weight = 1;
    add_weight(parse, mark, 1);
    return node;
}

static void
remember_anchor(struct parse *parse, const yaml_char_t *anchor, struct yaml_node *node)
{
    if (anchor != NULL)
        map_put(&parse->anchors, slice_of((const char *)anchor), node);
}

static void
refuse_tag(struct parse *parse, const yaml_char_t *tag, yaml_mark_t mark)
{
    if (tag != NULL)
        problems_add(parse->problems, error_at_mark(parse, mark, "Leave the tag out; each key knows its type."),
                     "tags such as %s are not used here", (const char *)tag);
}

static void
items_add(struct items *items, struct yaml_item item)
{
    if (items->count == items->size) {
        items->size = items->size != 0 ? items->size * 2 : 16;
        items->all = must_realloc(items->all, items->size * sizeof(*items->all));
    }
    items->all[items->count++] = item;
}

static void
items_finish(struct parse *parse, struct items *items, struct yaml_node *node)
{
    node->items = arena_alloc(parse->arena, items->count * sizeof(*items->all));
    if (items->count != 0)
        memcpy(node->items, items->all, items->count * sizeof(*items->all));
    node->count = items->count;
    node->closed = true;
    free(items->all);
}

static const struct yaml_node *read_node(struct parse *parse, yaml_event_t *event, unsigned depth);

/* Reads one node, its event included; NULL when the file cannot be read on or `end` came, which ends what is around. */
static const struct yaml_node *
read_next(struct parse *parse, yaml_event_type_t end, unsigned depth)
{
    yaml_event_t event;
    const struct yaml_node *node = NULL;

    if (!next_event(parse, &event))
        return NULL;
    if (event.type != end)
        node = read_node(parse, &event, depth);
    yaml_event_delete(&event);
    return node;
}

static void
read_list(struct parse *parse, struct yaml_node *list, unsigned depth)
{
    struct items items = {0};
    const struct yaml_node *value;

    while ((value = read_next(parse, YAML_SEQUENCE_END_EVENT, depth)) != NULL) {
        items_add(&items, (struct yaml_item){NULL, value});
        list->weight += value->weight;
    }
    items_finish(parse, &items, list);
}

/* True if the key may be used: text, and the first of its name. */
static bool
check_key(struct parse *parse, struct map *seen, const struct yaml_node *key)
{
    const struct yaml_node *before;

    if (key->kind != YAML_SCALAR || key->text.len == 0) {
        problems_add(parse->problems, error_at(parse, key->line, key->column, NULL),
                     "a key must be plain text, but this is %s", yaml_kind_name(key));
        return false;
    }
    if (key->plain && slice_is(key->text, "<<")) {
        problems_add(parse->problems,
                     error_at(parse, key->line, key->column, "Repeat the keys, or use an alias for the whole value."),
                     "merge keys (<<) are not read");
        return false;
    }
    before = map_put(seen, key->text, (void *)(uintptr_t)key);
    if (before == NULL)
        return true;
    problems_add(parse->problems, error_at(parse, key->line, key->column, "Keep one of them."),
                 "the key \"%.*s\" stands here twice; first in line %u", SLICE_ARGS(key->text), before->line);
    return false;
}

static void
read_map(struct parse *parse, struct yaml_node *map, unsigned depth)
{
    struct items items = {0};
    struct map seen;
    const struct yaml_node *key, *value;

    map_init(&seen);
    while ((key = read_next(parse, YAML_MAPPING_END_EVENT, depth)) != NULL) {
        bool good = check_key(parse, &seen, key);

        value = read_next(parse, YAML_NO_EVENT, depth);
        if (value == NULL)
            break;
        if (good)
            items_add(&items, (struct yaml_item){key, value});
        map->weight += key->weight + value->weight;
    }
    map_free(&seen);
    items_finish(parse, &items, map);
}

static const struct yaml_node *
read_alias(struct parse *parse, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct yaml_node *node = map_get(&parse->anchors, slice_of(name));

    if (node == NULL || (node->kind != YAML_SCALAR && !node->closed)) {
        parse->failed = true;
        problems_add(parse->problems, error_at_mark(parse, event->start_mark, NULL),
                     node == NULL ? "nothing before is marked &%s" : "*%s stands inside what it names", name);
        return NULL;
    }
    add_weight(parse, event->start_mark, node->weight);
    return node;
}

static const struct yaml_node *
read_scalar(struct parse *parse, const yaml_event_t *event)
{
    struct yaml_node *node = new_node(parse, YAML_SCALAR, event->start_mark);

    refuse_tag(parse, event->data.scalar.tag, event->start_mark);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text =
        arena_copy(parse->arena, slice_make((const char *)event->data.scalar.value, event->data.scalar.length));
    if (memchr(node->text.data, '\0', node->text.len) != NULL)
        give_up(parse, event->start_mark, "text with a zero byte in it", "Take the \\0 out.");
    remember_anchor(parse, event->data.scalar.anchor, node);
    return node;
}

static const struct yaml_node *
read_inside(struct parse *parse, const yaml_event_t *event, unsigned depth)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    struct yaml_node *node = new_node(parse, is_map ? YAML_MAP : YAML_LIST, event->start_mark);

    if (depth == YAML_DEPTH_MOST) {
        give_up(parse, event->start_mark, "nested deeper than a configuration can be", NULL);
        return NULL;
    }
    refuse_tag(parse, is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag, event->start_mark);
    remember_anchor(parse, is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor, node);
    if (is_map)
        read_map(parse, node, depth + 1);
    else
        read_list(parse, node, depth + 1);
    return node;
}

/* NULL when the file cannot be read on. */
static const struct yaml_node *
read_node(struct parse *parse, yaml_event_t *event, unsigned depth)
{
    const struct yaml_node *node;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node = read_scalar(parse, event);
        break;
    case YAML_ALIAS_EVENT:
        node = read_alias(parse, event);
        break;
    default:
        ENSURE(event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT);
        node = read_inside(parse, event, depth);
    }
    return parse->failed ? NULL : node;
}

/* The type of the next event, which is dropped; YAML_NO_EVENT when there is none. */
static yaml_event_type_t
skip_event(struct parse *parse)
{
    yaml_event_t event;
    yaml_event_type_t type = YAML_NO_EVENT;

    if (next_event(parse, &event)) {
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && parse->weight > 0)
            give_up(parse, event.start_mark, "a second document starts here; a configuration is one", "Join the two.");
        yaml_event_delete(&event);
    }
    return type;
}

static const struct yaml_node *
read_document(struct parse *parse)
{
    const struct yaml_node *root = NULL;
    yaml_mark_t top = {0};

    skip_event(parse); /* the start of the stream */
    if (skip_event(parse) != YAML_DOCUMENT_START_EVENT)
        return parse->failed ? NULL : new_node(parse, YAML_MAP, top);
    root = read_next(parse, YAML_NO_EVENT, 0);
    if (root == NULL)
        return NULL;
    skip_event(parse); /* the document's end */
    skip_event(parse); /* the stream's, or a second document */
    if (yaml_is_null(root))
        return new_node(parse, YAML_MAP, top);
    return root;
}

static bool
check_text(struct parse *parse)
{
    if (parse->text.len > YAML_BYTES_MOST)
        problems_add(parse->problems, error_at(parse, 0, 0, NULL), "the file is larger than 4 MiB");
    else if (!text_is_utf8(parse->text))
        problems_add(parse->problems, error_at(parse, 0, 0, "Save it as UTF-8."), "the file is not UTF-8 text");
    else
        return true;
    return false;
}

enum status
yaml_parse(struct arena *arena, const char *file, struct slice text, struct problems *problems,
           const struct yaml_node **root)
{
    struct parse parse = {.arena = arena, .file = file, .text = text, .problems = problems};
    size_t errors_before = problems->errors;

    if (!check_text(&parse))
        return ERR_INVALID;
    if (!yaml_parser_initialize(&parse.yaml))
        return ERR_NO_MEMORY;
    yaml_parser_set_encoding(&parse.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parse.yaml, (const unsigned char *)text.data, text.len);
    *root = read_document(&parse);
    map_free(&parse.anchors);
    yaml_parser_delete(&parse.yaml);
    ENSURE(*root != NULL || problems->errors > errors_before);
    return *root != NULL && !parse.failed ? OK : ERR_INVALID;
}

const struct yaml_node *
yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->count; i++)
        if (slice_is(map->items[i].key->text, key))
            return map->items[i].value;
    return NULL;
}

bool
yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->plain &&
           (node->text.len == 0 || slice_is(node->text, "~") || slice_is(node->text, "null"));
}

const char *
yaml_kind_name(const struct yaml_node *node)
{
    if (yaml_is_null(node))
        return "nothing";
    return node->kind == YAML_MAP ? "a map" : node->kind == YAML_LIST ? "a list" : "text";
}
