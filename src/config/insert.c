#include "config/insert.h"

#include "config/yaml.h"

struct place {
    size_t at;       /* bytes from the start of the text */
    unsigned indent; /* of the new line */
    bool new_map;    /* there are no keys yet */
};

static size_t
start_of_line(struct slice text, unsigned line)
{
    size_t at = 0;

    for (unsigned i = 1; i < line; i++)
        at += slice_find_byte(slice_from(text, at), '\n') + 1;
    return at < text.len ? at : text.len;
}

static const struct yaml_node *
find_key_node(const struct yaml_node *root, const char *name)
{
    for (size_t i = 0; i < root->count; i++)
        if (slice_is(root->items[i].key->text, name))
            return root->items[i].key;
    return NULL;
}

/* Flow style, `{ a: 1 }`: the map starts on a brace, a block map on its first key. */
static bool
is_block(struct slice text, const struct yaml_node *map)
{
    size_t at = start_of_line(text, map->line) + map->column - 1;

    return at < text.len && text.data[at] != '{';
}

static enum status
find_place(struct slice text, const struct yaml_node *root, const char *name, struct place *place)
{
    const struct yaml_node *keys = yaml_get(root, "keys");

    if (root->kind != YAML_MAP || (root->count > 0 && !is_block(text, root)))
        return ERR_INVALID;
    *place = (struct place){.at = text.len, .indent = 2, .new_map = true};
    if (keys == NULL)
        return OK;
    if (yaml_get(keys, name) != NULL)
        return ERR_EXISTS;
    place->new_map = false;
    if (yaml_is_null(keys)) {
        place->at = start_of_line(text, find_key_node(root, "keys")->line + 1);
        return keys->text.len == 0 ? OK : ERR_INVALID;
    }
    if (keys->kind != YAML_MAP || keys->count == 0 || !is_block(text, keys) || keys->column < 2)
        return ERR_INVALID;
    place->at = start_of_line(text, keys->items[0].key->line);
    place->indent = keys->column - 1;
    return OK;
}

static void
write_text(struct slice text, const struct place *place, const char *line, struct buffer *out)
{
    buffer_add(out, slice_first(text, place->at));
    if (place->at > 0 && text.data[place->at - 1] != '\n')
        buffer_add_byte(out, '\n');
    if (place->new_map)
        buffer_printf(out, "%skeys:\n", place->at > 0 ? "\n" : "");
    buffer_printf(out, "%*s%s\n", (int)place->indent, "", line);
    buffer_add(out, slice_from(text, place->at));
}

/* True if the text is YAML in which the key stands. */
static bool
has_key(struct arena *arena, struct slice text, const char *name)
{
    const struct yaml_node *root, *keys;
    struct problems problems;
    enum status status;

    problems_init(&problems);
    status = yaml_parse(arena, NULL, text, &problems, &root);
    problems_free(&problems);
    keys = status == OK ? yaml_get(root, "keys") : NULL;
    return keys != NULL && yaml_get(keys, name) != NULL;
}

enum status
config_insert_key(struct slice text, const char *name, const char *line, struct buffer *out)
{
    const struct yaml_node *root;
    struct problems problems;
    struct place place;
    struct arena arena;
    enum status status;

    arena_init(&arena);
    problems_init(&problems);
    status = yaml_parse(&arena, NULL, text, &problems, &root);
    if (status == OK)
        status = find_place(text, root, name, &place);
    if (status == OK)
        write_text(text, &place, line, out);
    /* Looked at again: better to refuse than to break a file that is in use. */
    if (status == OK && !has_key(&arena, buffer_content(out), name))
        status = ERR_INVALID;
    problems_free(&problems);
    arena_reset(&arena);
    return status;
}
