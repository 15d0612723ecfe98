#include "config/build.h"
#include "config/found.h"
#include "config/value.h"

/* "NAME:PORT". */
static bool
split_name(struct build *build, struct slice text, struct discover_config *out)
{
    size_t colon = slice_find_byte(text, ':');
    struct slice port = slice_from(text, colon + 1);
    unsigned number = 0;

    if (colon == 0 || colon == text.len || value_count(port, &number) != OK || number == 0 || number > 65535)
        return false;
    for (size_t i = 0; i < colon; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_'))
            return false;
    }
    out->dns_host = arena_slice_text(build->reader.arena, slice_first(text, colon));
    out->dns_port = number;
    return true;
}

const struct discover_config *
build_discover(struct build *build, const struct backend_draft *draft, const struct yaml_node *at)
{
    struct discover_config *discover = arena_alloc(build->reader.arena, sizeof(*discover));

    *discover = (struct discover_config){.file = draft->discover_file, .every_us = draft->discover_every_us};
    if ((draft->discover_file == NULL) == (draft->discover_dns == NULL)) {
        reader_error(&build->reader, at, "For example discover: { file: replicas.json }.",
                     "discover: needs either `file` or `dns`");
        return NULL;
    }
    if (draft->discover_dns != NULL && !split_name(build, slice_of(draft->discover_dns), discover)) {
        reader_error(&build->reader, yaml_get(at, "dns"), "For example dns: engines.default.svc:8000.",
                     "dns: expected NAME:PORT");
        return NULL;
    }
    return discover;
}
