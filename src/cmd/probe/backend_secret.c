#define _GNU_SOURCE /* popen */
#include "cmd/probe/backend_secret.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECRET_BYTES_MOST = 16 * 1024 };

/* What the command prints, trimmed; NULL if it fails or prints nothing. */
static char *
run_command(const char *command)
{
    char *output = must_calloc(1, SECRET_BYTES_MOST);
    FILE *pipe = popen(command, "r"); /* the user's own command: NOLINT(cert-env33-c) */
    size_t len = pipe != NULL ? fread(output, 1, SECRET_BYTES_MOST - 1, pipe) : 0;
    struct slice secret = slice_trim(slice_make(output, len));
    bool good = pipe != NULL && pclose(pipe) == 0 && secret.len > 0;
    char *copy = good ? slice_strdup(secret) : NULL;

    explicit_bzero(output, SECRET_BYTES_MOST);
    free(output);
    return copy;
}

char *
backend_secret_value(const struct credential *credential, bool *failed)
{
    char *printed = credential->command != NULL ? run_command(credential->command) : NULL;
    const char *secret = credential->command != NULL ? printed : credential->secret;
    size_t size;
    char *value;

    *failed = credential->command != NULL && printed == NULL;
    if (credential->header == NULL || secret == NULL)
        return NULL;
    size = strlen(credential->prefix) + strlen(secret) + 1;
    value = must_alloc(size);
    snprintf(value, size, "%s%s", credential->prefix, secret);
    if (printed != NULL)
        explicit_bzero(printed, strlen(printed));
    free(printed);
    return value;
}

void
backend_secret_forget(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}
