#include "base/base64.h"

void
base64_write(struct slice bytes, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        unsigned group = (unsigned)(unsigned char)bytes.data[i] << 16;

        group |= left > 1 ? (unsigned)(unsigned char)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (unsigned)(unsigned char)bytes.data[i + 2] : 0;
        buffer_add_byte(out, digits[group >> 18]);
        buffer_add_byte(out, digits[group >> 12 & 63]);
        buffer_add_byte(out, left > 1 ? digits[group >> 6 & 63] : '=');
        buffer_add_byte(out, left > 2 ? digits[group & 63] : '=');
    }
}
