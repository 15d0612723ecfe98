/* What `check` understood of a configuration, for a person and for a program. Never a secret. */
#ifndef CMD_CHECK_SUMMARY_H
#define CMD_CHECK_SUMMARY_H

#include "base/buffer.h"
#include "config/config.h"

void summary_text(const struct config *config, struct buffer *out);

/* One JSON object; `config` is NULL where the file has errors. */
void summary_json(const char *file, const struct problems *problems, const struct config *config, struct buffer *out);

/* "vllm": as the configuration says it. */
const char *summary_engine(enum engine engine);

/* "https://api.openai.com:8443/openai" */
void summary_url(const struct backend_config *backend, size_t endpoint, struct buffer *out);

#endif
