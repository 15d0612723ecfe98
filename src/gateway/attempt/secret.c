#define _GNU_SOURCE /* memmem */
#include "gateway/attempt/secret.h"

enum { SECRET_BYTES_LEAST = 8 };

bool
secret_is_long(struct slice secret)
{
    return secret.len >= SECRET_BYTES_LEAST;
}

void
secret_hide(struct slice secret, char *bytes, size_t len)
{
    char *at;

    while ((at = memmem(bytes, len, secret.data, secret.len)) != NULL) {
        memset(at, '*', secret.len);
        len -= (size_t)(at - bytes) + secret.len;
        bytes = at + secret.len;
    }
}

size_t
secret_begun(struct slice secret, struct slice bytes)
{
    size_t len = secret.len <= bytes.len ? secret.len - 1 : bytes.len;

    while (len > 0 && memcmp(bytes.data + bytes.len - len, secret.data, len) != 0)
        len--;
    return len;
}
