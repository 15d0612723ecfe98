#define _GNU_SOURCE /* vasprintf */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/outside.h"
#include "config/value.h"

enum {
    SHOWN_BYTES_MOST = 60, /* of a value in an error */
    TEXT_BYTES_MOST = 4096,
    SECRET_BYTES_MOST = 16 * 1024,
    FILE_BYTES_MOST = 4 * 1024 * 1024,
    WORDS_MOST = 64 /* keys of a section, choices */
};

static void
report(struct reader *reader, enum severity severity, const struct yaml_node *at, const char *hint, const char *format,
       va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);

    ENSURE(len >= 0);
    problems_add(reader->problems, (struct problem){severity, reader->file, at->line, at->column, NULL, hint}, "%s",
                 text);
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

struct slice
reader_file(struct reader *reader, const struct yaml_node *at, const char *path, size_t most)
{
    struct buffer content;
    struct slice copy = SLICE_NONE;
    enum status status;

    buffer_init(&content);
    status = reader->outside->read_file(path, most, &content);
    if (status == OK)
        copy = arena_copy(reader->arena, slice_make(content.data != NULL ? content.data : "", buffer_len(&content)));
    else if (status == ERR_INVALID)
        reader_error(reader, at, NULL, "%s is not a file", path);
    else if (status == ERR_LIMIT)
        reader_error(reader, at, NULL, "%s is larger than %zu bytes", path, most);
    else
        reader_error(reader, at, "Paths are seen from the configuration's folder.", "%s cannot be read: %s", path,
                     status_text(status));
    if (content.data != NULL)
        explicit_bzero(content.data, content.size);
    buffer_free(&content);
    return copy;
}

/* Readers of one kind each. ERR_INVALID and ERR_LIMIT are reported by the caller, with what was expected; ERR_DENIED:
 * reported already. */
typedef enum status read_value(struct reader *, const struct field *, const struct yaml_node *, void *at);

static enum status
read_bool(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    (void)reader;
    (void)field;
    return value_bool(node->text, at);
}

static enum status
check_bounds(struct reader *reader, const struct field *field, const struct yaml_node *node, int64_t value)
{
    if (value >= field->least && (field->most == 0 || value <= field->most))
        return OK;
    reader_error(reader, node, NULL, "%s: %.*s is too %s", field->key, SLICE_ARGS(node->text),
                 value < field->least ? "small" : "large");
    return ERR_DENIED;
}

static enum status
read_count(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    unsigned value = 0;
    enum status status;

    if (field->word != NULL && slice_is(node->text, field->word)) {
        memcpy(at, &value, sizeof value);
        return OK;
    }
    status = value_count(node->text, &value);
    if (status == OK)
        status = check_bounds(reader, field, node, value);
    if (status == OK)
        memcpy(at, &value, sizeof value);
    return status;
}

static enum status
read_duration(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    usec value = USEC_NEVER;
    enum status status = OK;

    if (field->word == NULL || !slice_is(node->text, field->word)) {
        status = value_duration(node->text, &value);
        if (status == OK)
            status = check_bounds(reader, field, node, value);
    }
    if (status == OK)
        memcpy(at, &value, sizeof value);
    return status;
}

static enum status
read_size(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    size_t value;
    enum status status = value_size(node->text, &value);

    if (status == OK)
        status = check_bounds(reader, field, node, (int64_t)value);
    if (status == OK)
        memcpy(at, &value, sizeof value);
    return status;
}

static enum status
read_share(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    (void)reader;
    (void)field;
    return value_share(node->text, at);
}

static enum status
read_money(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    (void)reader;
    (void)field;
    return value_money(node->text, at);
}

static enum status
read_rate(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    struct slice text = node->text;
    usd_rate rate;
    enum status status;

    (void)reader;
    (void)field;
    if (!slice_starts(text, "$") || !slice_ends(text, "/M"))
        return ERR_INVALID;
    text = slice_make(text.data + 1, text.len - 3);
    status = usd_rate_parse(text, &rate);
    if (status == OK)
        memcpy(at, &rate, sizeof rate);
    return status;
}

static enum status
read_date(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    usec value = USEC_NEVER;
    enum status status = OK;

    (void)reader;
    if (field->word == NULL || !slice_is(node->text, field->word))
        status = clock_parse_utc(node->text, &value);
    if (status == OK)
        memcpy(at, &value, sizeof value);
    return status;
}

static bool
is_one_line(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return false;
    return true;
}

static enum status
store_text(void *at, const char *text)
{
    memcpy(at, &text, sizeof text);
    return OK;
}

static enum status
check_text(struct reader *reader, const struct field *field, const struct yaml_node *node)
{
    if (node->text.len > TEXT_BYTES_MOST)
        reader_error(reader, node, NULL, "%s: longer than %d bytes", field->key, TEXT_BYTES_MOST);
    else if (!is_one_line(node->text))
        reader_error(reader, node, "Put it on one line, without control characters.",
                     "%s: the text holds a line break or a control character", field->key);
    else
        return OK;
    return ERR_DENIED;
}

static enum status
read_text(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    enum status status = check_text(reader, field, node);

    return status == OK ? store_text(at, node->text.data) : status;
}

static enum status
read_texts(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    bool list = node->kind == YAML_LIST;
    size_t count = list ? node->count : 1;
    const char **texts = arena_alloc(reader->arena, (count + 1) * sizeof(*texts));

    if (node->kind == YAML_MAP)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *one = list ? node->items[i].value : node;

        if (!reader_wants_text(reader, one, "text") || check_text(reader, field, one) != OK)
            return ERR_DENIED;
        texts[i] = one->text.data;
    }
    memcpy(at, &texts, sizeof texts);
    return OK;
}

static enum status
read_name(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    (void)reader;
    (void)field;
    return value_is_name(node->text) ? store_text(at, node->text.data) : ERR_INVALID;
}

static enum status
read_path(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    enum status status = check_text(reader, field, node);

    return status == OK && node->text.len != 0 ? store_text(at, reader_path(reader, node->text)) : ERR_INVALID;
}

static enum status
read_file_content(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    enum status status = check_text(reader, field, node);
    struct slice content;

    if (status != OK)
        return status;
    content = reader_file(reader, node, reader_path(reader, node->text), FILE_BYTES_MOST);
    return content.data != NULL ? store_text(at, content.data) : ERR_DENIED;
}

/* NAME of "$NAME" or "${NAME}"; empty if it is neither. */
static struct slice
variable_name(struct slice text)
{
    struct slice name = slice_from(text, 1);

    if (!slice_starts(text, "$"))
        return slice_first(text, 0);
    if (slice_starts(name, "{") && slice_ends(name, "}"))
        name = slice_make(name.data + 1, name.len - 2);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && (i == 0 || c < '0' || c > '9'))
            return slice_first(text, 0);
    }
    return name;
}

/* The secret that the text stands for, or NULL with the error reported. Its text is in no message. */
static const char *
find_secret(struct reader *reader, const struct field *field, const struct yaml_node *node)
{
    struct slice name = variable_name(node->text);
    const char *value;

    if (name.len > 0) {
        value = reader->outside->environment(arena_slice_text(reader->arena, name));
        if (value == NULL || value[0] == '\0')
            reader_error(reader, node, "Set it where equipoise starts, or use file:/path.",
                         "%s: the environment variable %.*s is %s", field->key, SLICE_ARGS(name),
                         value == NULL ? "not set" : "empty");
        return value != NULL && value[0] != '\0' ? value : NULL;
    }
    if (slice_starts(node->text, "file:"))
        return reader_file(reader, node, reader_path(reader, slice_from(node->text, 5)), SECRET_BYTES_MOST).data;
    reader_warn(reader, node, "Use $NAME (an environment variable) or file:/path instead.",
                "%s: the secret stands in the file itself", field->key);
    return node->text.data;
}

/* A secret goes into a header: one line of visible ASCII (RFC 9110, 5.5). */
static bool
fits_header(struct slice secret)
{
    for (size_t i = 0; i < secret.len; i++)
        if (secret.data[i] <= 0x20 || secret.data[i] > 0x7e)
            return false;
    return secret.len > 0;
}

static enum status
read_secret(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    const char *found = find_secret(reader, field, node);
    struct slice secret;

    if (found == NULL)
        return ERR_DENIED;
    secret = slice_trim(slice_of(found));
    if (!fits_header(secret)) {
        reader_error(reader, node, NULL, "%s: the secret is empty, or holds blanks or other than plain characters",
                     field->key);
        return ERR_DENIED;
    }
    return store_text(at, arena_slice_text(reader->arena, secret));
}

static enum status
read_digest(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    struct digest *digest = at;

    (void)reader;
    (void)field;
    return text_parse_hex(node->text, digest->bytes, sizeof digest->bytes);
}

static enum status
read_address(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    struct listen_address *out = at;
    struct value_address address;
    enum status status = value_address(node->text, &address);

    (void)field;
    if (status == OK)
        *out = (struct listen_address){arena_slice_text(reader->arena, address.host), address.port, address.loopback};
    return status;
}

static size_t
count_words(const char *const *words)
{
    size_t count = 0;

    while (words[count] != NULL)
        count++;
    return count;
}

static const char *
join_words(struct reader *reader, const char *const *words, size_t count)
{
    const char *joined = count != 0 ? words[0] : "";

    for (size_t i = 1; i < count; i++)
        joined = arena_printf(reader->arena, "%s%s%s", joined, i + 1 < count ? ", " : " or ", words[i]);
    return joined;
}

static enum status
read_choice(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    size_t count = count_words(field->choices);

    for (unsigned i = 0; i < count; i++) {
        if (slice_is(node->text, field->choices[i])) {
            memcpy(at, &i, sizeof i);
            return OK;
        }
    }
    reader_error(reader, node, reader_nearest(reader, node->text, field->choices, count, NULL),
                 "%s: expected %s, found \"%.*s\"", field->key, join_words(reader, field->choices, count),
                 SLICE_ARGS(slice_first(node->text, SHOWN_BYTES_MOST)));
    return ERR_DENIED;
}

static enum status
lever_mode_of(struct slice text, enum lever_mode *mode)
{
    static const char *const names[] = {[LEVER_OFF] = "off", [LEVER_SHADOW] = "shadow", [LEVER_ON] = "on"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(text, names[i])) {
            *mode = (enum lever_mode)i;
            return OK;
        }
    }
    return ERR_INVALID;
}

static enum status
read_lever(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    struct lever_setting *setting = at;
    struct lever_setting read = {.mode = LEVER_ON, .share_ppm = 1000000};
    enum status status = ERR_INVALID;

    (void)reader;
    (void)field;
    if (node->kind == YAML_SCALAR)
        status = lever_mode_of(node->text, &read.mode);
    else if (node->kind == YAML_MAP && node->count == 1 && slice_is(node->items[0].key->text, "on") &&
             node->items[0].value->kind == YAML_SCALAR)
        status = value_share(node->items[0].value->text, &read.share_ppm);
    if (status == OK)
        *setting = read;
    return status;
}

static enum status
read_node(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    (void)reader;
    (void)field;
    memcpy(at, &node, sizeof node);
    return OK;
}

static enum status read_map(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at);

static const struct {
    read_value *read;
    bool scalar; /* gets nothing else */
    bool secret; /* its text may be shown to nobody */
} readers[FIELD_KIND_COUNT] = {
    [FIELD_BOOL] = {read_bool, true, false},         [FIELD_COUNT] = {read_count, true, false},
    [FIELD_DURATION] = {read_duration, true, false}, [FIELD_SIZE] = {read_size, true, false},
    [FIELD_SHARE] = {read_share, true, false},       [FIELD_MONEY] = {read_money, true, false},
    [FIELD_RATE] = {read_rate, true, false},         [FIELD_DATE] = {read_date, true, false},
    [FIELD_TEXT] = {read_text, true, false},         [FIELD_TEXTS] = {read_texts, false, false},
    [FIELD_NAME] = {read_name, true, false},         [FIELD_PATH] = {read_path, true, false},
    [FIELD_FILE] = {read_file_content, true, false}, [FIELD_SECRET] = {read_secret, true, true},
    [FIELD_DIGEST] = {read_digest, true, false},     [FIELD_ADDRESS] = {read_address, true, false},
    [FIELD_CHOICE] = {read_choice, true, false},     [FIELD_LEVER] = {read_lever, false, false},
    [FIELD_NODE] = {read_node, false, false},        [FIELD_MAP] = {read_map, false, false},
};

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
read_field(struct reader *reader, const struct field *field, const struct yaml_node *node, void *draft)
{
    enum status status = ERR_INVALID;
    void *at = (char *)draft + field->offset;

    if (field->kind == FIELD_SECTION && (node->kind == YAML_MAP || yaml_is_null(node))) {
        reader_section(reader, field->inside, node, at);
        return;
    }
    if (field->kind == FIELD_MAP && yaml_is_null(node))
        return;
    if (field->kind != FIELD_SECTION && !yaml_is_null(node) &&
        (node->kind == YAML_SCALAR || !readers[field->kind].scalar))
        status = readers[field->kind].read(reader, field, node, at);
    if (status == ERR_LIMIT)
        reader_error(reader, node, NULL, "%s: %s is too large", field->key, show(reader, node));
    else if (status == ERR_INVALID)
        reader_error(reader, node, NULL, "%s: expected %s%s%s, found %s", field->key, field_expected(field),
                     field->word != NULL ? " or " : "", field->word != NULL ? field->word : "",
                     field->kind == FIELD_SECTION || field->kind == FIELD_MAP || readers[field->kind].secret
                         ? yaml_kind_name(node)
                         : show(reader, node));
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
    reader_error(
        reader, item->key,
        reader_nearest(reader, item->key->text, words, section->count,
                       arena_printf(reader->arena, "Known here: %s.", join_words(reader, words, section->count))),
        "unknown key \"%.*s\"%s%s", SLICE_ARGS(slice_first(item->key->text, SHOWN_BYTES_MOST)),
        section->path[0] != '\0' ? " in " : "", section_place(reader, section));
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
        status = readers[field->kind].read(reader, field, &node, at);
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
            read_field(reader, field, node->items[i].value, draft);
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

static enum status
read_map(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    struct entries *entries = at;
    const struct section *section = field->inside;
    char *items;

    if (node->kind != YAML_MAP)
        return ERR_INVALID;
    items = arena_alloc(reader->arena, node->count * section->size);
    entries->items = items;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->items[i].key, *value = node->items[i].value;
        struct entry *entry = (void *)(items + entries->count * section->size);

        if (!check_name(reader, section, key))
            continue;
        if (value->kind != YAML_MAP && !yaml_is_null(value)) {
            reader_error(reader, value, NULL, "%.*s: expected a map of keys, found %s", SLICE_ARGS(key->text),
                         yaml_kind_name(value));
            continue;
        }
        *entry = (struct entry){key->text.data, key, value};
        reader->entry = entry->name;
        reader_section(reader, section, value, entry);
        reader->entry = NULL;
        entries->count++;
    }
    return OK;
}
