/* Which backend has which model: what the configuration declares and what backends say on /v1/models. Read and written
 * by all workers, under its own lock. */
#ifndef GATEWAY_DIRECTORY_H
#define GATEWAY_DIRECTORY_H

#include "base/buffer.h"
#include "base/lock.h"
#include "config/config.h"

/* The model of this program itself (own_model.h). */
#define OWN_MODEL "equipoise/embed"

struct directory_entry;

struct directory {
    struct lock lock;
    struct directory_entry *backends; /* by index */
    size_t backend_count;
};

void directory_init(struct directory *directory, const struct config *config);

/* What backends told an older directory is taken over, where the backend of that name is at the same place. */
void directory_take_over(struct directory *directory, const struct config *config, struct directory *before,
                         const struct config *config_before);

void directory_free(struct directory *directory);

/* Reads the answer of a backend's /v1/models (OpenAI's or Anthropic's list) in place of what it said before;
 * what the configuration declares stays. ERR_INVALID: it is no such list; what was known stays. */
enum status directory_learn(struct directory *directory, unsigned backend, struct slice answer) MUST_CHECK;

/* True if the backend has said (or the configuration declares) that it has the model. */
bool directory_has(struct directory *directory, unsigned backend, struct slice model);

/* True once the backend has told its models. */
bool directory_knows(struct directory *directory, unsigned backend);

/* All names that a client may ask for, routes first: as the list of /v1/models in that dialect. */
void directory_list(struct directory *directory, const struct config *config, enum dialect dialect, struct buffer *out);

/* The nearest known name, for "did you mean"; copied into `out` (of `size` bytes). False: none is near. */
bool directory_nearest(struct directory *directory, const struct config *config, struct slice word, char *out,
                       size_t size);

#endif
