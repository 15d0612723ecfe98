/* Reads a YAML tree into drafts by the table, reporting every problem at its place. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "base/buffer.h"
#include "config/table.h"

struct reader {
    struct arena *arena;
    const char *file; /* NULL: none; paths are then seen from the working directory */
    struct problems *problems;
    const struct config_outside *outside;
    const char *entry; /* the name of the map's entry being read; NULL: none */
};

/* The section's defaults, then what `node` says (NULL: nothing). */
void reader_section(struct reader *reader, const struct section *section, const struct yaml_node *node, void *draft);

/* For what the table leaves to others (FIELD_NODE). Hints may be NULL. */
void reader_error(struct reader *reader, const struct yaml_node *at, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);
void reader_warn(struct reader *reader, const struct yaml_node *at, const char *hint, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* "Did you mean "x"?" in the arena, or else `otherwise`. */
const char *reader_nearest(struct reader *reader, struct slice word, const char *const *words, size_t count,
                           const char *otherwise);

/* "a, b or c", in the arena. */
const char *reader_join(struct reader *reader, const char *const *words, size_t count);

/* True if the node is a scalar with something in it; else reports that `what` is expected. */
bool reader_wants_text(struct reader *reader, const struct yaml_node *node, const char *what);

/* A path as seen from the configuration's folder. */
const char *reader_path(struct reader *reader, struct slice path);

/* Appends the file's content; false with an error reported at `at`. */
bool reader_bytes(struct reader *reader, const struct yaml_node *at, const char *path, size_t most, struct buffer *out);

/* The file's content with a NUL behind, or NULL with an error reported at `at`. */
struct slice reader_file(struct reader *reader, const struct yaml_node *at, const char *path, size_t most);

#endif
