/* Base64 with padding (RFC 4648, 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"

void base64_write(struct slice bytes, struct buffer *out);

#endif
