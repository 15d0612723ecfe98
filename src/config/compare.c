#include "config/compare.h"

#include "config/table.h"

enum { PATH_BYTES_MOST = 512 };

struct comparison {
    config_differs *differs;
    void *context;
    char path[PATH_BYTES_MOST];
    size_t len;
};

/* Puts a part behind the path; returns the length to go back to. */
static size_t
enter(struct comparison *comparison, const char *part)
{
    size_t before = comparison->len, len = strlen(part);

    if (before + len + 1 >= sizeof comparison->path)
        return before; /* names are shorter than that; a path cut here still tells where */
    if (before > 0)
        comparison->path[comparison->len++] = '.';
    memcpy(comparison->path + comparison->len, part, len);
    comparison->len += len;
    return before;
}

static void
tell(const struct comparison *comparison, enum config_difference how, bool restart)
{
    comparison->differs(comparison->context, slice_make(comparison->path, comparison->len), how, restart);
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_texts(const char *const *a, const char *const *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    for (; *a != NULL && *b != NULL; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

static bool
same_node(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->count != b->count)
        return false;
    if (a->kind == YAML_SCALAR)
        return slice_equal(a->text, b->text);
    for (size_t i = 0; i < a->count; i++)
        if (!same_node(a->items[i].key, b->items[i].key) || !same_node(a->items[i].value, b->items[i].value))
            return false;
    return true;
}

static bool
same_address(const struct listen_address *a, const struct listen_address *b)
{
    return same_text(a->host, b->host) && a->port == b->port;
}

static bool
same_lever(const struct lever_setting *a, const struct lever_setting *b)
{
    return a->mode == b->mode && a->share_ppm == b->share_ppm;
}

/* Bytes of a value that is compared as it lies; 0: it is not. */
static size_t
plain_size(enum field_kind kind)
{
    switch (kind) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_COUNT:
    case FIELD_INTEGER:
    case FIELD_SHARE:
    case FIELD_CHOICE:
        return sizeof(unsigned);
    case FIELD_DURATION:
    case FIELD_DATE:
        return sizeof(usec);
    case FIELD_SIZE:
        return sizeof(size_t);
    case FIELD_MONEY:
        return sizeof(usd);
    case FIELD_RATE:
        return sizeof(usd_rate);
    case FIELD_DIGEST:
        return sizeof(struct digest);
    default:
        return 0;
    }
}

static bool
same_value(const struct field *field, const void *a, const void *b)
{
    if (plain_size(field->kind) > 0)
        return memcmp(a, b, plain_size(field->kind)) == 0;
    if (field->kind == FIELD_TEXTS)
        return same_texts(*(const char *const *const *)a, *(const char *const *const *)b);
    if (field->kind == FIELD_NODE)
        return same_node(*(const struct yaml_node *const *)a, *(const struct yaml_node *const *)b);
    if (field->kind == FIELD_ADDRESS)
        return same_address(a, b);
    if (field->kind == FIELD_LEVER)
        return same_lever(a, b);
    ENSURE(field->kind == FIELD_TEXT || field->kind == FIELD_NAME || field->kind == FIELD_PATH ||
           field->kind == FIELD_FILE || field->kind == FIELD_SECRET);
    return same_text(*(const char *const *)a, *(const char *const *)b);
}

static const struct entry *
entry_at(const struct entries *entries, const struct section *section, size_t index)
{
    return (const struct entry *)(const void *)((const char *)entries->items + index * section->size);
}

static const struct entry *
entry_named(const struct entries *entries, const struct section *section, const char *name)
{
    for (size_t i = 0; i < entries->count; i++)
        if (strcmp(entry_at(entries, section, i)->name, name) == 0)
            return entry_at(entries, section, i);
    return NULL;
}

static void compare_section(struct comparison *comparison, const struct section *section, const void *a, const void *b);

static void
compare_entry(struct comparison *comparison, const struct section *section, const struct entry *a,
              const struct entry *b)
{
    /* cppcheck-suppress nullPointerRedundantCheck ; one of them is there */
    size_t back = enter(comparison, a != NULL ? a->name : b->name);

    if (a == NULL || b == NULL)
        tell(comparison, a == NULL ? DIFFERENCE_ADDED : DIFFERENCE_REMOVED, false);
    else
        compare_section(comparison, section, a, b);
    comparison->len = back;
}

static void
compare_entries(struct comparison *comparison, const struct section *section, const struct entries *a,
                const struct entries *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct entry *entry = entry_at(a, section, i);

        compare_entry(comparison, section, entry, entry_named(b, section, entry->name));
    }
    for (size_t i = 0; i < b->count; i++)
        if (entry_named(a, section, entry_at(b, section, i)->name) == NULL)
            compare_entry(comparison, section, NULL, entry_at(b, section, i));
}

static void
compare_section(struct comparison *comparison, const struct section *section, const void *a, const void *b)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];
        const void *value_a = (const char *)a + field->offset, *value_b = (const char *)b + field->offset;
        size_t back = enter(comparison, field->key);

        if (field->kind == FIELD_SECTION)
            compare_section(comparison, field->inside, value_a, value_b);
        else if (field->kind == FIELD_MAP)
            compare_entries(comparison, field->inside, value_a, value_b);
        else if (!same_value(field, value_a, value_b))
            tell(comparison, DIFFERENCE_CHANGED, field->restart);
        comparison->len = back;
    }
}

void
config_compare(const struct config *before, const struct config *after, config_differs *differs, void *context)
{
    struct comparison comparison = {.differs = differs, .context = context};

    compare_section(&comparison, &config_root, before->draft, after->draft);
    if (same_text(before->draft->price_file, after->draft->price_file) &&
        !digest_equal(&before->price_file_sha256, &after->price_file_sha256))
        differs(context, SLICE_LITERAL("prices.file (its content)"), DIFFERENCE_CHANGED, false);
}

static struct listen_address
copy_address(struct arena *arena, struct listen_address address)
{
    address.host = address.host != NULL ? arena_strdup(arena, address.host) : NULL;
    return address;
}

static const char *
copy_text(struct arena *arena, const char *text)
{
    return text != NULL ? arena_strdup(arena, text) : NULL;
}

void
config_keep_started(struct config *after, const struct config *before)
{
    struct arena *arena = &after->arena;
    struct limits_config limits = before->limits;

    after->listen = copy_address(arena, before->listen);
    after->admin = copy_address(arena, before->admin);
    after->health = copy_address(arena, before->health);
    after->health_token = copy_text(arena, before->health_token);
    after->data = copy_text(arena, before->data);
    after->workers = before->workers;
    after->tls = (struct tls_files){copy_text(arena, before->tls.cert), copy_text(arena, before->tls.key)};
    after->journal_sync_us = before->journal_sync_us;
    limits.body_max = after->limits.body_max;
    limits.answer_max = after->limits.answer_max;
    after->limits = limits;
}
