/* Where alerts go. A webhook's address is often a secret in itself: no message holds its path. */
#include "config/build/build.h"
#include "config/outside.h"
#include "config/value.h"

static const usec CONNECT_US = 5 * USEC_PER_S, ANSWER_US = 10 * USEC_PER_S;
enum { CONNECTIONS_MOST = 8 };

static const unsigned usual_shares_ppm[] = {500000, 800000, 1000000};

/* Its own id as long as nothing about it changes: kept connections go on. */
static unsigned
endpoint_id(struct build *build, const struct endpoint *endpoint)
{
    const struct endpoint *before = build->before != NULL ? build->before->alerts.endpoint : NULL;

    if (before != NULL && strcmp(before->authority, endpoint->authority) == 0 && before->tls == endpoint->tls &&
        before->private_allowed == endpoint->private_allowed)
        return before->id;
    return ++build->config->endpoint_ids;
}

/* Other than a backend's URL, a webhook's is often somebody else's word: a private address must be said twice. */
static void
refuse_private(struct build *build, const struct yaml_node *at, const struct value_url *url)
{
    const char *hint = "If it is really meant, add `private: yes` beside it.";

    if (build_may_be_private(build, at, url, hint))
        reader_error(&build->reader, at, hint, "webhook: %.*s is a private or loopback address, or a name for one",
                     SLICE_ARGS(url->host));
}

static void
make_endpoint(struct build *build, const struct yaml_node *at)
{
    const struct alerts_draft *draft = &build->draft.alerts;
    struct alert_config *alerts = &build->config->alerts;
    struct arena *arena = build->reader.arena;
    struct endpoint *endpoint = arena_alloc(arena, sizeof(*endpoint));
    struct value_url url;
    const char *why;

    if (value_url(slice_of(draft->webhook), &url, &why) != OK) {
        reader_error(&build->reader, at, "For example https://hooks.example.com/x.", "webhook: not a URL: %s", why);
        return;
    }
    if (!draft->private_allowed)
        refuse_private(build, at, &url);
    *endpoint = (struct endpoint){
        .host = arena_slice_text(arena, url.host),
        .port = url.port,
        .tls = url.tls,
        .verify = true,
        .authority = arena_slice_text(arena, url.authority),
        .private_allowed = draft->private_allowed,
        .metadata_allowed = draft->private_allowed,
        .connect_timeout_us = CONNECT_US,
        .first_byte_timeout_us = ANSWER_US,
        .idle_timeout_us = ANSWER_US,
        .connections_most = CONNECTIONS_MOST,
    };
    endpoint->id = endpoint_id(build, endpoint);
    alerts->endpoint = endpoint;
    alerts->target = arena_printf(arena, "%.*s%s%.*s", SLICE_ARGS(url.path.len > 0 ? url.path : SLICE_LITERAL("/")),
                                  url.query.data != NULL ? "?" : "",
                                  SLICE_ARGS(url.query.data != NULL ? url.query : SLICE_LITERAL("")));
}

/* Into its place among the rising ones; once. */
static void
add_share(struct alert_config *alerts, unsigned ppm)
{
    size_t at = alerts->share_count;

    while (at > 0 && alerts->shares_ppm[at - 1] >= ppm)
        at--;
    if (at < alerts->share_count && alerts->shares_ppm[at] == ppm)
        return;
    memmove(&alerts->shares_ppm[at + 1], &alerts->shares_ppm[at], (alerts->share_count - at) * sizeof(unsigned));
    alerts->shares_ppm[at] = ppm;
    alerts->share_count++;
}

static void
read_share(struct build *build, const struct yaml_node *node)
{
    unsigned ppm;

    if (!reader_wants_text(&build->reader, node, "a share such as 80%"))
        return;
    if (value_share(node->text, &ppm) != OK || ppm == 0)
        reader_error(&build->reader, node, "For example shares: [ 50%, 80%, 100% ].",
                     "shares: expected a share above 0%% and up to 100%%, found \"%.*s\"",
                     SLICE_ARGS(slice_first(node->text, 60)));
    else
        add_share(&build->config->alerts, ppm);
}

static void
read_shares(struct build *build, const struct yaml_node *node)
{
    struct alert_config *alerts = &build->config->alerts;

    for (size_t i = 0; node == NULL && i < sizeof usual_shares_ppm / sizeof *usual_shares_ppm; i++)
        add_share(alerts, usual_shares_ppm[i]);
    if (node == NULL)
        return;
    if (node->kind != YAML_LIST || node->count > ALERT_SHARES_MOST) {
        reader_error(&build->reader, node, "For example shares: [ 50%, 80%, 100% ].",
                     "shares: expected a list of at most %d shares", ALERT_SHARES_MOST);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        read_share(build, node->items[i].value);
}

void
build_alerts(struct build *build)
{
    const struct alerts_draft *draft = &build->draft.alerts;
    const struct yaml_node *at = yaml_get(build->root, "alerts");

    build->config->alerts.command = draft->command;
    build->config->alerts.repeat_us = draft->repeat_us;
    build->config->alerts.runaway_times = draft->runaway_times;
    build->config->alerts.runaway_at_least = draft->runaway_at_least;
    if (draft->webhook != NULL && !build->reader.outside->no_secrets)
        make_endpoint(build, yaml_get(at, "webhook"));
    read_shares(build, draft->shares);
}
