/* A compiled schema, shared by json_schema.c, which makes it, and json_schema_check.c, which applies it. */
#ifndef DIALECT_JSON_SCHEMA_NODE_H
#define DIALECT_JSON_SCHEMA_NODE_H

#include "dialect/json/json_pattern.h"
#include "dialect/json/json_schema.h"

enum {
    TYPE_NULL = 1,
    TYPE_BOOLEAN = 2,
    TYPE_OBJECT = 4,
    TYPE_ARRAY = 8,
    TYPE_NUMBER = 16,
    TYPE_STRING = 32,
    TYPE_INTEGER = 64 /* numbers without a fraction */
};

struct schema_node;

struct schema_list {
    const struct schema_node **all;
    size_t count;
};

/* A schema by a property's name (properties, dependentSchemas) or by a pattern (patternProperties). */
struct schema_entry {
    struct slice name;
    const struct pattern *pattern;
    const struct schema_node *node;
};

struct schema_entries {
    struct schema_entry *all;
    size_t count;
};

struct schema_names {
    struct slice *all;
    size_t count;
};

/* dependentRequired: where `name` is, so must be all of `others`. */
struct schema_dependence {
    struct slice name;
    struct schema_names others;
};

/* One schema. NULL and zero counts: the keyword is not there. */
struct schema_node {
    const char *pointer; /* where it stands */
    bool refuses_all;    /* the schema `false` */
    unsigned types;      /* TYPE_*; 0: any */
    yyjson_val *constant, *enumeration;
    yyjson_val *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;
    size_t least_length, most_length; /* most: SIZE_MAX if it is not there */
    size_t least_items, most_items;
    size_t least_properties, most_properties;
    size_t least_contains, most_contains;
    bool unique_items;
    const struct pattern *pattern;
    struct schema_names required;
    struct schema_dependence *dependences;
    size_t dependence_count;
    struct schema_entries properties, pattern_properties, dependent_schemas;
    const struct schema_node *additional_properties, *property_names, *items, *contains;
    struct schema_list prefix_items, all_of, any_of, one_of;
    const struct schema_node *negated, *condition, *consequence, *alternative, *reference;
};

struct json_schema {
    const struct schema_node *root;
};

#endif
