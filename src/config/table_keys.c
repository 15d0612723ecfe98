/* Who asks: keys and tenants. */
#include "config/table_parts.h"

static const struct field key_fields[] = {
    FIELD("sha256", FIELD_DIGEST, AT(key_draft, sha256), "The key's SHA-256; `equipoise keys add NAME` makes both.",
          .required = true),
    FIELD("tenant", FIELD_NAME, AT(key_draft, tenant), "Whose key it is. Default: nobody's in particular."),
    FIELD("tags", FIELD_NODE, AT(key_draft, tags), "Tags on every request, for the report and tag_budgets; at most 16.",
          .type = "map of text"),
    FIELD("expires", FIELD_DATE, AT(key_draft, expires_wall_us), "When it stops to be accepted.", .standard = "never",
          .word = "never"),
    FIELD("routes", FIELD_TEXTS, AT(key_draft, routes),
          "The only routes and models it may ask for; `BACKEND/*` allows `/backend/BACKEND/...`. Default: all."),
    FIELD("priority", FIELD_INTEGER, AT(key_draft, priority),
          "Who goes first where requests wait for a backend (`admission`): the higher. What is lower leaves free what "
          "is higher needed of late. At most 8 different ones.",
          .standard = "0", .least = -100, .most = 100),
    BUDGET_FIELDS(key_draft, "the key"),
};

const struct section config_key_section = {SECTION("A client's key", "keys.NAME", key_fields, key_draft)};

static const struct field allow_fields[] = {
    FIELD("region", FIELD_TEXT, AT(tenant_draft, region), "Only backends of this region."),
    FIELD("retention", FIELD_TEXT, AT(tenant_draft, retention), "Only backends with this retention."),
    FIELD("classes", FIELD_TEXTS, AT(tenant_draft, classes), "Only backends that have all of these."),
};

static const struct section allow_section = {
    SECTION("Where a tenant's requests may go", "tenants.NAME.allow", allow_fields, tenant_draft)};

static const struct field tenant_fields[] = {
    FIELD("allow", FIELD_SECTION, 0, "Where its requests may be sent; without it, anywhere.", .inside = &allow_section),
    FIELD("weight", FIELD_COUNT, AT(tenant_draft, weight),
          "Its share where requests of several tenants wait for a backend (`admission`): twice the weight, twice the "
          "tokens.",
          .standard = "1", .least = 1, .most = 1000),
    BUDGET_FIELDS(tenant_draft, "the tenant"),
};

const struct section config_tenant_section = {SECTION("A tenant", "tenants.NAME", tenant_fields, tenant_draft)};
