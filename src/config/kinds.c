#include "config/kinds.h"

#include "base/clock.h"
#include "base/text.h"
#include "config/outside.h"
#include "config/value.h"

enum {
    SHOWN_BYTES_MOST = 60, /* of a value in an error */
    TEXT_BYTES_MOST = 4096,
    SECRET_BYTES_MOST = 16 * 1024,
    FILE_BYTES_MOST = 4 * 1024 * 1024
};

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
read_integer(struct reader *reader, const struct field *field, const struct yaml_node *node, void *at)
{
    int value;
    enum status status = value_integer(node->text, &value);

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

    if (reader->outside->no_secrets)
        return "unread";
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
    if (!field->plain)
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
                 "%s: expected %s, found \"%.*s\"", field->key, reader_join(reader, field->choices, count),
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

static const struct kind kinds[FIELD_KIND_COUNT] = {
    [FIELD_BOOL] = {read_bool, true, false},       [FIELD_COUNT] = {read_count, true, false},
    [FIELD_INTEGER] = {read_integer, true, false}, [FIELD_DURATION] = {read_duration, true, false},
    [FIELD_SIZE] = {read_size, true, false},       [FIELD_SHARE] = {read_share, true, false},
    [FIELD_MONEY] = {read_money, true, false},     [FIELD_RATE] = {read_rate, true, false},
    [FIELD_DATE] = {read_date, true, false},       [FIELD_TEXT] = {read_text, true, false},
    [FIELD_TEXTS] = {read_texts, false, false},    [FIELD_NAME] = {read_name, true, false},
    [FIELD_PATH] = {read_path, true, false},       [FIELD_FILE] = {read_file_content, true, false},
    [FIELD_SECRET] = {read_secret, true, true},    [FIELD_DIGEST] = {read_digest, true, true},
    [FIELD_ADDRESS] = {read_address, true, false}, [FIELD_CHOICE] = {read_choice, true, false},
    [FIELD_LEVER] = {read_lever, false, false},    [FIELD_NODE] = {read_node, false, false},
};

const struct kind *
kind_of(const struct field *field)
{
    ENSURE(field->kind < FIELD_KIND_COUNT && kinds[field->kind].read != NULL);
    return &kinds[field->kind];
}
