#include "gateway/watch/directory.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/text.h"

/* A list longer than this is cut: no backend has so many. */
enum { MODELS_MOST = 4096 };

/* Invariant: `names` are malloced; `set` maps each to itself. */
struct directory_entry {
    bool told;    /* the backend has answered */
    char **names; /* declared ones first */
    size_t count, declared;
    struct map set;
};

static void
entry_clear(struct directory_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++)
        free(entry->names[i]);
    free(entry->names);
    map_free(&entry->set);
    *entry = (struct directory_entry){0};
}

static void
entry_add(struct directory_entry *entry, struct slice name)
{
    if (entry->count == MODELS_MOST || map_get(&entry->set, name) != NULL)
        return;
    if (name.len == 0 || slice_find_byte(name, '\0') < name.len)
        return; /* no request can name it */
    entry->names = must_realloc(entry->names, (entry->count + 1) * sizeof(char *));
    entry->names[entry->count] = slice_strdup(name);
    map_put(&entry->set, name, entry->names[entry->count]);
    entry->count++;
}

/* What the backend told before is forgotten; what the configuration declares stays. */
static void
entry_forget_told(struct directory_entry *entry)
{
    for (size_t i = entry->declared; i < entry->count; i++)
        free(entry->names[i]);
    entry->count = entry->declared;
    map_free(&entry->set);
    for (size_t i = 0; i < entry->count; i++)
        map_put(&entry->set, slice_of(entry->names[i]), entry->names[i]);
}

void
directory_init(struct directory *directory, const struct config *config)
{
    lock_init(&directory->lock);
    directory->backend_count = config->backend_count;
    directory->backends = must_calloc(config->backend_count + 1, sizeof(struct directory_entry));
    for (size_t i = 0; i < config->backend_count; i++) {
        struct directory_entry *entry = &directory->backends[i];

        for (size_t j = 0; j < config->backends[i].model_count; j++)
            entry_add(entry, slice_of(config->backends[i].models[j].name));
        entry->declared = entry->count;
    }
}

static bool
is_same_place(const struct backend_config *a, const struct backend_config *b)
{
    return a->endpoint_count > 0 && b->endpoint_count > 0 && a->endpoints[0].id == b->endpoints[0].id;
}

void
directory_take_over(struct directory *directory, const struct config *config, struct directory *before,
                    const struct config *config_before)
{
    lock_take(&before->lock);
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *was = config_backend(config_before, slice_of(config->backends[i].name));
        const struct directory_entry *old = was != NULL ? &before->backends[was->index] : NULL;

        if (old == NULL || !old->told || !is_same_place(&config->backends[i], was))
            continue;
        directory->backends[i].told = true;
        for (size_t j = old->declared; j < old->count; j++)
            entry_add(&directory->backends[i], slice_of(old->names[j]));
    }
    lock_drop(&before->lock);
}

void
directory_free(struct directory *directory)
{
    for (size_t i = 0; i < directory->backend_count; i++)
        entry_clear(&directory->backends[i]);
    free(directory->backends);
    lock_destroy(&directory->lock);
}

enum status
directory_learn(struct directory *directory, unsigned backend, struct slice answer)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NOFLAG);
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "data"), *model;
    size_t i, most;

    ENSURE(backend < directory->backend_count);
    if (!yyjson_is_arr(list)) {
        yyjson_doc_free(doc);
        return ERR_INVALID;
    }
    lock_take(&directory->lock);
    directory->backends[backend].told = true;
    entry_forget_told(&directory->backends[backend]);
    yyjson_arr_foreach(list, i, most, model)
    {
        yyjson_val *id = yyjson_obj_get(model, "id");

        if (yyjson_is_str(id))
            entry_add(&directory->backends[backend], slice_make(yyjson_get_str(id), yyjson_get_len(id)));
    }
    lock_drop(&directory->lock);
    yyjson_doc_free(doc);
    return OK;
}

bool
directory_has(struct directory *directory, unsigned backend, struct slice model)
{
    bool has;

    lock_take(&directory->lock);
    has = map_get(&directory->backends[backend].set, model) != NULL;
    lock_drop(&directory->lock);
    return has;
}

bool
directory_knows(struct directory *directory, unsigned backend)
{
    bool told;

    lock_take(&directory->lock);
    told = directory->backends[backend].told;
    lock_drop(&directory->lock);
    return told;
}

static void
put_model(enum dialect dialect, struct slice name, const char *owner, struct buffer *out)
{
    buffer_add_text(out, out->data[out->end - 1] == '[' ? "{\"id\":\"" : ",{\"id\":\"");
    buffer_add_json(out, name);
    if (dialect == DIALECT_ANTHROPIC) {
        buffer_add_text(out, "\",\"type\":\"model\",\"created_at\":\"1970-01-01T00:00:00Z\",\"display_name\":\"");
        buffer_add_json(out, name);
    } else {
        buffer_add_text(out, "\",\"object\":\"model\",\"created\":0,\"owned_by\":\"");
        buffer_add_json(out, slice_of(owner));
    }
    buffer_add_text(out, "\"}");
}

/* Of the backends that speak the dialect's way to chat, or of those into whose API such requests are translated. */
static void
list_models(struct directory *directory, const struct config *config, enum dialect dialect, bool translated,
            struct map *listed, struct buffer *out)
{
    enum api api = dialect == DIALECT_ANTHROPIC ? API_MESSAGES : API_CHAT;

    for (size_t i = 0; i < directory->backend_count; i++) {
        const struct directory_entry *entry = &directory->backends[i];
        const struct backend_config *backend = &config->backends[i];

        if ((backend->dialect != dialect) != translated || (translated && backend_api(backend, api) == API_COUNT))
            continue;
        for (size_t j = 0; j < entry->count; j++)
            if (map_put(listed, slice_of(entry->names[j]), directory) == NULL)
                put_model(dialect, slice_of(entry->names[j]), backend->name, out);
    }
}

void
directory_list(struct directory *directory, const struct config *config, enum dialect dialect, struct buffer *out)
{
    struct map listed;

    map_init(&listed);
    buffer_add_text(out, dialect == DIALECT_ANTHROPIC ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < config->route_count; i++) {
        put_model(dialect, slice_of(config->routes[i].name), "equipoise", out);
        map_put(&listed, slice_of(config->routes[i].name), directory);
    }
    lock_take(&directory->lock);
    list_models(directory, config, dialect, false, &listed, out);
    list_models(directory, config, dialect, true, &listed, out);
    lock_drop(&directory->lock);
    map_free(&listed);
    /* Last: who takes the first of the list wants to chat. */
    if (dialect == DIALECT_OPENAI && config_route(config, SLICE_LITERAL(OWN_MODEL)) == NULL)
        put_model(dialect, SLICE_LITERAL(OWN_MODEL), "equipoise", out);
    buffer_add_text(out,
                    dialect == DIALECT_ANTHROPIC ? "],\"has_more\":false,\"first_id\":null,\"last_id\":null}" : "]}");
}

static void
keep_nearest(struct slice word, const char *name, unsigned *distance, char *out, size_t size)
{
    const char *near = text_nearest(word, &name, 1);
    unsigned far = near != NULL ? text_distance(word, slice_of(name)) : *distance;

    if (near == NULL || far >= *distance || strlen(name) >= size)
        return;
    *distance = far;
    memcpy(out, name, strlen(name) + 1);
}

bool
directory_nearest(struct directory *directory, const struct config *config, struct slice word, char *out, size_t size)
{
    unsigned distance = UINT32_MAX;

    for (size_t i = 0; i < config->route_count; i++)
        keep_nearest(word, config->routes[i].name, &distance, out, size);
    lock_take(&directory->lock);
    for (size_t i = 0; i < directory->backend_count; i++)
        for (size_t j = 0; j < directory->backends[i].count; j++)
            keep_nearest(word, directory->backends[i].names[j], &distance, out, size);
    lock_drop(&directory->lock);
    return distance != UINT32_MAX;
}
