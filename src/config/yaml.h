/* A YAML file as a small tree whose nodes know their place. Only what a configuration needs: one document of maps, lists
 * and scalars, in UTF-8. Every scalar is text: what it means is decided by the table that reads it, so that `no` is
 * the country where a text is wanted and false where a bool is. Refused: tags, complex keys, duplicate keys, merge keys,
 * several documents, control bytes. Size, depth and what aliases expand to are bounded. */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "base/arena.h"
#include "base/problem.h"
#include "base/slice.h"

enum {
    YAML_BYTES_MOST = 4 * 1024 * 1024,
    YAML_DEPTH_MOST = 24,
    YAML_NODES_MOST = 200000 /* with every alias counted at its full size */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node;

struct yaml_item {
    const struct yaml_node *key; /* maps; a scalar */
    const struct yaml_node *value;
};

struct yaml_node {
    enum yaml_kind kind;
    bool plain;            /* scalars: not quoted */
    bool closed;           /* lists and maps: all its items are there */
    unsigned line, column; /* from 1; the column counts characters */
    struct slice text;     /* scalars: NUL-terminated too */
    struct yaml_item *items;
    size_t count;
    size_t weight; /* nodes in it, itself counted, aliases in full */
};

/* Everything lives in the arena. An empty file gives an empty map. On ERR_INVALID at least one error was added. */
enum status yaml_parse(struct arena *arena, const char *file, struct slice text, struct problems *problems,
                       const struct yaml_node **root) MUST_CHECK;

/* NULL if there is none. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* True if nothing stands there: `key:`, `key: ~`, `key: null`. */
bool yaml_is_null(const struct yaml_node *node);

/* "a map", "a list", "text", "nothing". */
const char *yaml_kind_name(const struct yaml_node *node);

#endif
