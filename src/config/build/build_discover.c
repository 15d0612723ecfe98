#include "base/ip.h"
#include "config/build/build.h"
#include "config/found.h"
#include "config/value.h"

static bool
is_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_'))
            return false;
    }
    return text.len > 0;
}

/* "NAME:PORT", or a service's name (RFC 2782: "_http._tcp.engines.example"), which needs none. */
static bool
split_name(struct build *build, struct slice text, struct discover_config *out)
{
    size_t colon = slice_find_byte(text, ':');
    bool service = colon == text.len && slice_starts(text, "_");
    unsigned number = 0;

    if (!service &&
        (colon == text.len || value_count(slice_from(text, colon + 1), &number) != OK || number == 0 || number > 65535))
        return false;
    out->dns_host = arena_slice_text(build->reader.arena, slice_first(text, colon));
    out->dns_port = number;
    return is_name(slice_first(text, colon));
}

/* Its address, for whoever is asked for names cannot have one; IPv6 with a port stands in brackets. */
static bool
is_server(struct build *build, const char *text)
{
    struct value_url url;
    const char *why;
    struct ip ip;

    if (ip_parse(slice_of(text), &ip) == OK)
        return true;
    return value_url(slice_of(arena_printf(build->reader.arena, "http://%s", text)), &url, &why) == OK &&
           ip_parse(url.host, &ip) == OK && url.path.len == 0 && url.query.data == NULL;
}

/* NULL, with an error reported: it says nothing to go by. */
static const struct discover_config *
read_discover(struct build *build, const struct backend_draft *draft, const struct yaml_node *at)
{
    struct discover_config *discover = arena_alloc(build->reader.arena, sizeof(*discover));

    *discover = (struct discover_config){.file = draft->discover_file,
                                         .resolver = draft->discover_resolver,
                                         .server_name = draft->discover_server_name,
                                         .every_us = draft->discover_every_us};
    if ((draft->discover_file == NULL) == (draft->discover_dns == NULL)) {
        reader_error(&build->reader, at, "For example discover: { file: replicas.json }.",
                     "discover: needs either `file` or `dns`");
        return NULL;
    }
    if (draft->discover_dns != NULL && !split_name(build, slice_of(draft->discover_dns), discover)) {
        reader_error(&build->reader, yaml_get(at, "dns"),
                     "For example dns: engines.default.svc:8000, or dns: _http._tcp.engines.example for a service's "
                     "records.",
                     "dns: expected NAME:PORT, or a service's name without a port");
        return NULL;
    }
    if (draft->discover_resolver != NULL &&
        (draft->discover_dns == NULL || !is_server(build, draft->discover_resolver))) {
        reader_error(&build->reader, yaml_get(at, "resolver"), "For example resolver: 10.0.0.2:53, beside dns.",
                     "resolver: expected the address of a server that is asked for the name in `dns`");
        return NULL;
    }
    if (draft->discover_server_name != NULL && !is_name(slice_of(draft->discover_server_name))) {
        reader_error(&build->reader, yaml_get(at, "server_name"), "For example server_name: engines.example.",
                     "server_name: expected the name on the replicas' certificates");
        return NULL;
    }
    return discover;
}

static bool
same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* In the same place, by the configuration before; NULL: there was none. */
static const struct found *
found_before(const struct build *build, const struct backend_config *backend)
{
    const struct backend_config *before =
        build->before != NULL ? config_backend(build->before, slice_of(backend->name)) : NULL;
    const struct discover_config *now = backend->discover, *was = before != NULL ? before->discover : NULL;

    if (was == NULL || !same_text(was->file, now->file) || !same_text(was->dns_host, now->dns_host) ||
        was->dns_port != now->dns_port || !same_text(was->resolver, now->resolver) ||
        !same_text(was->server_name, now->server_name))
        return NULL;
    return before->found;
}

static void
copy_found(struct arena *arena, const struct found *from, struct found *out)
{
    out->urls = arena_alloc(arena, from->count * sizeof(out->urls[0]));
    for (out->count = 0; out->count < from->count; out->count++)
        out->urls[out->count] = arena_strdup(arena, from->urls[out->count]);
}

/* With many backends, what each waits for a silent server would add up to minutes. One that is silent about another's name
 * may still know this one's, so it is asked. */
static bool
is_hurried(const struct build *build, const struct backend_config *backend)
{
    for (size_t i = 0; i < backend->index; i++)
        if (build->config->backends[i].discover != NULL && build->config->backends[i].found->silent)
            return true;
    return false;
}

void
build_discover(struct build *build, const struct backend_draft *draft, struct backend_config *backend)
{
    const struct yaml_node *at = yaml_get(draft->entry.value, "discover");
    struct found *found = arena_alloc(build->reader.arena, sizeof(*found));
    const struct found *before;
    const char *why = NULL;

    if (at == NULL || at->kind != YAML_MAP)
        return;
    backend->discover = read_discover(build, draft, at);
    if (backend->discover == NULL)
        return;
    backend->found = found;
    if (found_read(backend->discover, build->reader.outside, is_hurried(build, backend), build->reader.arena, found,
                   &why) == OK)
        return;
    found->count = 0;
    before = found_before(build, backend);
    if (before == NULL) {
        reader_error(&build->reader, at, NULL, "discover: %s", why);
        return;
    }
    reader_warn(&build->reader, at, NULL, "discover: %s, so its replicas stay as they are", why);
    copy_found(build->reader.arena, before, found);
}
