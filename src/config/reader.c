#define _GNU_SOURCE /* vasprintf */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/kinds.h"
#include "config/outside.h"
#include "config/value.h"

enum {
    SHOWN_BYTES_MOST = 60, /* of a value in an error */
    WORDS_MOST = 64        /* keys of a section, choices */
};

static void
report(struct reader *reader, enum severity severity, const struct yaml_node *at, const char *hint, const char *format,
       va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);

    ENSURE(len >= 0);
    /* cppcheck-suppress varFuncNullUB ; that NULL is a member */
    problems_add(reader->problems, (struct problem){severity, reader->file, at->line, at->column, NULL, hint, false},
                 "%s", text);
    free(text);
}

void
reader_error(struct reader *reader, const struct yaml_node *at, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(reader, PROBLEM_ERROR, at, hint, format, args);
    va_end(args);
}

void
reader_warn(struct reader *reader, const struct yaml_node *at, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report(reader, PROBLEM_WARNING, at, hint, format, args);
    va_end(args);
}

const char *
reader_nearest(struct reader *reader, struct slice word, const char *const *words, size_t count, const char *otherwise)
{
    const char *nearest = text_nearest(word, words, count);

    return nearest != NULL ? arena_printf(reader->arena, "Did you mean \"%s\"?", nearest) : otherwise;
}

bool
reader_wants_text(struct reader *reader, const struct yaml_node *node, const char *what)
{
    if (node->kind == YAML_SCALAR && !yaml_is_null(node))
        return true;
    reader_error(reader, node, NULL, "expected %s, found %s", what, yaml_kind_name(node));
    return false;
}

const char *
reader_path(struct reader *reader, struct slice path)
{
    const char *slash = reader->file != NULL ? strrchr(reader->file, '/') : NULL;

    if (slash == NULL || slice_starts(path, "/"))
        return arena_slice_text(reader->arena, path);
    return arena_printf(reader->arena, "%.*s%.*s", (int)(slash - reader->file + 1), reader->file, SLICE_ARGS(path));
}

bool
reader_bytes(struct reader *reader, const struct yaml_node *at, const char *path, size_t most, struct buffer *out)
{
    enum status status = reader->outside->read_file(path, most, out);

    if (status == ERR_INVALID)
        reader_error(reader, at, NULL, "%s is not a file", path);
    else if (status == ERR_LIMIT)
        reader_error(reader, at, NULL, "%s is larger than %zu bytes", path, most);
    else if (status != OK)
        reader_error(reader, at, "Paths are seen from the configuration's folder.", "%s cannot be read: %s", path,
                     status_text(status));
    return status == OK;
}

struct slice
reader_file(struct reader *reader, const struct yaml_node *at, const char *path, size_t most)
{
    struct buffer content;
    struct slice copy = SLICE_NONE;

    buffer_init(&content);
    if (reader_bytes(reader, at, path, most, &content))
        copy = arena_copy(reader->arena, slice_make(content.data != NULL ? content.data : "", buffer_len(&content)));
    if (content.data != NULL)
        explicit_bzero(content.data, content.size);
    buffer_free(&content);
    return copy;
}

const char *
reader_join(struct reader *reader, const char *const *words, size_t count)
{
    const char *joined = count != 0 ? words[0] : "";

    for (size_t i = 1; i < count; i++)
        joined = arena_printf(reader->arena, "%s%s%s", joined, i + 1 < count ? ", " : " or ", words[i]);
    return joined;
}

static void read_map(struct reader *reader, const struct section *section, const struct yaml_node *node,
                     struct entries *entries);

/* The value as a person may see it in an error. */
static const char *
show(struct reader *reader, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || yaml_is_null(node))
        return yaml_kind_name(node);
    return arena_printf(reader->arena, "\"%.*s\"%s", SLICE_ARGS(slice_first(node->text, SHOWN_BYTES_MOST)),
                        node->text.len > SHOWN_BYTES_MOST ? "..." : "");
}

static void
refuse_value(struct reader *reader, const struct field *field, const struct yaml_node *node, bool shown)
{
    reader_error(reader, node, NULL, "%s: expected %s%s%s, found %s", field->key, field_expected(field),
                 field->word != NULL ? " or " : "", field->word != NULL ? field->word : "",
                 shown ? show(reader, node) : yaml_kind_name(node));
}

static void
read_inside(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    if (node->kind != YAML_MAP && !yaml_is_null(node))
        refuse_value(reader, field, node, false);
    else if (field->kind == FIELD_SECTION)
        reader_section(reader, field->inside, node, at);
    else
        read_map(reader, field->inside, node, at);
}

static void
read_field(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    enum status status = ERR_INVALID;
    const struct kind *kind;

    if (field->inside != NULL) {
        read_inside(reader, field, node, at);
        return;
    }
    kind = kind_of(field);
    if (!yaml_is_null(node) && (node->kind == YAML_SCALAR || !kind->scalar))
        status = kind->read(reader, field, node, at);
    if (status == ERR_LIMIT)
        reader_error(reader, node, NULL, "%s: %s is too large", field->key, show(reader, node));
    else if (status == ERR_INVALID)
        refuse_value(reader, field, node, !kind->secret);
}

/* Where the section is, with the entry's own name for NAME: "backends.gpus". */
static const char *
section_place(struct reader *reader, const struct section *section)
{
    const char *before = section->path, *name = strstr(before, "NAME"), *model = strstr(before, "BACKEND/MODEL");
    const char *at = name != NULL ? name : model;

    if (at == NULL || reader->entry == NULL)
        return before;
    return arena_printf(reader->arena, "%.*s%s%s", (int)(at - before), before, reader->entry,
                        at + (name != NULL ? strlen("NAME") : strlen("BACKEND/MODEL")));
}

/* The first section within this one that has the key: who writes a key one level too high knows its name, not its place. */
static const struct section *
find_home(const struct section *section, struct slice key)
{
    const struct section *home = section_field(section, key) != NULL ? section : NULL;

    for (size_t i = 0; i < section->count && home == NULL; i++)
        if (section->fields[i].inside != NULL)
            home = find_home(section->fields[i].inside, key);
    return home;
}

static const char *
hint_at_key(struct reader *reader, const struct section *section, struct slice key, const char *const *words)
{
    const struct section *near = find_home(section, key), *home = near != NULL ? near : find_home(&config_root, key);
    const char *slip = near == NULL ? reader_nearest(reader, key, words, section->count, NULL) : NULL;

    if (slip != NULL)
        return slip;
    if (home != NULL)
        return home->path[0] == '\0' ? "It belongs at the top, in no section."
                                     : arena_printf(reader->arena, "It belongs in \"%s\".", home->path);
    return arena_printf(reader->arena, "Known here: %s.", reader_join(reader, words, section->count));
}

static void
refuse_key(struct reader *reader, const struct section *section, const struct yaml_item *item)
{
    const struct later *later = section_later(section, item->key->text);
    const char *words[WORDS_MOST];

    ENSURE(section->count <= WORDS_MOST);
    if (later != NULL) {
        /* A lever that is off asks for nothing. */
        if (item->value->kind != YAML_SCALAR || !slice_is(item->value->text, "off"))
            reader_error(reader, item->key, "Take it out: what stands in the file must be what happens.",
                         "\"%s\" (%s) is not in this version", later->key, later->words);
        return;
    }
    for (size_t i = 0; i < section->count; i++)
        words[i] = section->fields[i].key;
    reader_error(reader, item->key, hint_at_key(reader, section, item->key->text, words), "unknown key \"%.*s\"%s%s",
                 SLICE_ARGS(slice_first(item->key->text, SHOWN_BYTES_MOST)), section->path[0] != '\0' ? " in " : "",
                 section_place(reader, section));
}

/* Sections within the same draft have offset 0 and set their own defaults. */
static void
set_default(struct reader *reader, const struct field *field, void *draft)
{
    void *at = (char *)draft + field->offset;
    struct yaml_node node = {.kind = YAML_SCALAR, .plain = true, .text = slice_of(field->standard)};
    usd unknown = USD_UNKNOWN;
    usd_rate none = USD_RATE_NONE;
    enum status status = OK;

    if (field->kind == FIELD_SECTION)
        reader_section(reader, field->inside, NULL, at);
    else if (field->standard != NULL)
        status = kind_of(field)->read(reader, field, &node, at);
    else if (field->kind == FIELD_MONEY)
        memcpy(at, &unknown, sizeof unknown);
    else if (field->kind == FIELD_RATE)
        memcpy(at, &none, sizeof none);
    ENSURE(status == OK);
}

static void
read_items(struct reader *reader, const struct section *section, const struct yaml_node *node, void *draft)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct field *field = section_field(section, node->items[i].key->text);

        if (field != NULL)
            read_field(reader, field, node->items[i].value, (char *)draft + field->offset);
        else
            refuse_key(reader, section, &node->items[i]);
    }
}

void
reader_section(struct reader *reader, const struct section *section, const struct yaml_node *node, void *draft)
{
    for (size_t i = 0; i < section->count; i++)
        set_default(reader, &section->fields[i], draft);
    if (node == NULL)
        return;
    read_items(reader, section, node, draft);
    for (size_t i = 0; i < section->count; i++)
        if (section->fields[i].required && yaml_get(node, section->fields[i].key) == NULL)
            reader_error(reader, node, NULL, "%s needs \"%s\": %s", section_place(reader, section),
                         section->fields[i].key, section->fields[i].words);
}

/* Names of prices are targets ("backend/model"), names of routes are models, all others are plain. */
static bool
check_name(struct reader *reader, const struct section *section, const struct yaml_node *key)
{
    bool model = strstr(section->path, "MODEL") != NULL || slice_starts(slice_of(section->path), "routes.");

    if (model ? value_is_model(key->text) : value_is_name(key->text))
        return true;
    reader_error(reader, key,
                 model ? "At most 200 bytes, without control characters."
                       : "Letters, digits, '-', '_' and '.', at most 64.",
                 "\"%.*s\" cannot be a name here", SLICE_ARGS(slice_first(key->text, SHOWN_BYTES_MOST)));
    return false;
}

/* Of what is no map only the name is kept, so that what refers to it is not refused as well. */
static void
read_entry(struct reader *reader, const struct section *section, const struct yaml_item *item, struct entry *entry)
{
    bool usable = item->value->kind == YAML_MAP || yaml_is_null(item->value);

    if (!usable)
        reader_error(reader, item->value, NULL, "%.*s: expected a map of keys, found %s", SLICE_ARGS(item->key->text),
                     yaml_kind_name(item->value));
    *entry = (struct entry){item->key->text.data, item->key, item->value};
    reader->entry = entry->name;
    reader_section(reader, section, usable ? item->value : NULL, entry);
    reader->entry = NULL;
}

static void
read_map(struct reader *reader, const struct section *section, const struct yaml_node *node, struct entries *entries)
{
    char *items = arena_alloc(reader->arena, node->count * section->size);

    entries->items = items;
    for (size_t i = 0; i < node->count; i++)
        if (check_name(reader, section, node->items[i].key))
            read_entry(reader, section, &node->items[i], (void *)(items + entries->count++ * section->size));
}
