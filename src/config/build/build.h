/* From drafts, in which names are text, to the snapshot, in which they are pointers. Each step reports its problems and
 * goes on, so that all are seen at once. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/reader.h"

struct build {
    struct reader reader;
    const struct yaml_node *root;
    struct root_draft draft;
    struct config *config;
    const struct config *before; /* NULL: none */
    struct map unpriced;         /* targets that were warned about */
    struct budget_rule *budgets; /* all that were read so far */
    size_t budget_count;
};

/* In this order: each needs what stands before it. */
void build_backends(struct build *build);
void build_prices(struct build *build); /* the book, then the backends' providers */
void build_routes(struct build *build);
void build_keys(struct build *build); /* and tenants */
void build_budgets(struct build *build);

void build_alerts(struct build *build);

/* Where a backend's replicas are found, and which are: `discover` and `found`, of which one is NULL only with the other. On
 * reload, what cannot be found where it was found before stays as it was, with a warning. */
void build_discover(struct build *build, const struct backend_draft *draft, struct backend_config *backend);

/* A backend's accounts: at least one, its own. */
void build_accounts(struct build *build, const struct backend_draft *draft, struct backend_config *backend);

/* Where a backend's replicas are asked about themselves. */
void build_asking(struct build *build, const struct backend_draft *draft, struct backend_config *backend);

/* What a route's validators need beside their texts. */
/* A URL that answers are sent to. */
void build_http(struct build *build, const struct yaml_node *at, const char *text, const struct endpoint **out,
                const char **target);

/* NULL, with a complaint at that place: it is none. */
const struct json_schema *build_schema(struct build *build, const struct yaml_node *at, const char *text);

void build_validators(struct build *build, const struct route_draft *draft, struct validator_config *validate);

/* By what its traffic is cut into slices. Behind its candidates. */
void build_slices(struct build *build, const struct route_draft *draft, struct route_config *route);

/* What the route's router begins with; behind its candidates. And at the end of the configuration's life. */
void build_warm_start(struct build *build, const struct route_draft *draft, struct route_config *route);
void warm_start_free(struct route_config *route);

struct value_url;

/* Whether a URL that the user wrote may lead to private addresses: where it says so itself. A link-local address is
 * reported, with the hint; then false. */
bool build_may_be_private(struct build *build, const struct yaml_node *at, const struct value_url *url,
                          const char *hint);

/* The place of a key within an entry, or else of its name. */
const struct yaml_node *build_place(const struct entry *entry, const char *key);

/* Splits "backend/model". Reports what is wrong with it at `at`; then false. The backend may be NULL for a name that is
 * not known, which is reported too. */
bool build_target(struct build *build, const struct yaml_node *at, struct slice text, struct target *out);

#endif
