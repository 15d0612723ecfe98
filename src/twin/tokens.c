#include "twin/tokens.h"

enum { TOKEN_BYTES = 4 };

static bool
continues_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

struct slice
token_next(struct slice *rest)
{
    size_t len = TOKEN_BYTES < rest->len ? TOKEN_BYTES : rest->len;
    struct slice token;

    while (len < rest->len && continues_character(rest->data[len]))
        len++;
    token = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return token;
}

int64_t
token_count(struct slice text)
{
    int64_t count = 0;

    for (; text.len != 0; count++)
        (void)token_next(&text);
    return count;
}

struct slice
token_first(struct slice text, int64_t most)
{
    struct slice rest = text;

    while (rest.len != 0 && most-- > 0)
        (void)token_next(&rest);
    return slice_first(text, text.len - rest.len);
}
