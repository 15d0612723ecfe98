/* Whatever a configuration's text is, it is read or refused, and no problem shows the secret that the machine holds. */
#include <stdlib.h>

#include "base/buffer.h"
#include "config/compare.h"
#include "config/config.h"
#include "config/facts.h"
#include "config/insert.h"
#include "config/outside.h"

#define SECRET "TheSecretOfTheMachine"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
environment(const char *name)
{
    (void)name;
    return SECRET;
}

static enum status
read_file(const char *path, size_t most, struct buffer *out)
{
    (void)path;
    (void)most;
    buffer_add_text(out, SECRET "\n");
    return OK;
}

static void
check_problems(const struct problems *problems, struct slice text)
{
    struct buffer shown;

    buffer_init(&shown);
    config_print_problems(problems, text, false, &shown);
    ENSURE(slice_find(text, SLICE_LITERAL(SECRET)) < text.len ||
           slice_find(buffer_content(&shown), SLICE_LITERAL(SECRET)) == buffer_len(&shown));
    for (size_t i = 0; i < problems->count; i++)
        ENSURE(problems->all[i].text[0] != '\0');
    buffer_free(&shown);
}

static void
no_difference(void *context, struct slice path, enum config_difference how, bool restart)
{
    (void)context;
    (void)path;
    (void)how;
    (void)restart;
    ENSURE(false); /* a configuration differs from itself */
}

/* What the log of changes would say of it. */
static void
check_facts(const struct config *config)
{
    struct arena arena = {0};
    struct config_fact *facts;
    size_t count = config_facts(config, 1, &arena, &facts);

    for (size_t i = 0; i < count; i++)
        ENSURE(facts[i].what[0] != '\0' && facts[i].value != NULL);
    arena_reset(&arena);
    config_compare(config, config, no_difference, NULL);
}

/* What comes out is held to the promises of config.h. */
static void
check_config(const struct config *config)
{
    check_facts(config);
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];

        ENSURE(backend->endpoint_count > 0 && backend->index == i);
        ENSURE(config_backend(config, slice_of(backend->name)) == backend);
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        ENSURE(route->reference.backend != NULL && route->baseline.backend != NULL && route->attempts >= 1);
        ENSURE(config_route(config, slice_of(route->name)) == route);
    }
    for (size_t i = 0; i < config->key_count; i++)
        ENSURE(config->keys[i].tenant != NULL);
    ENSURE(config->prices != NULL && config->admin.loopback);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config_outside outside = {environment, read_file, NULL, false};
    struct slice text = {(const char *)data, size};
    struct problems problems;
    struct config *config = NULL;
    struct buffer inserted;

    problems_init(&problems);
    if (config_load_input(&(struct config_input){"f.yaml", text, NULL, &outside}, &problems, &config) == OK)
        check_config(config);
    else
        ENSURE(problems.errors > 0);
    check_problems(&problems, text);
    config_release(config);
    problems_free(&problems);
    buffer_init(&inserted);
    if (config_insert_key(text, "new", "new: { sha256: x }", &inserted) == OK)
        ENSURE(buffer_len(&inserted) > size);
    buffer_free(&inserted);
    return 0;
}
