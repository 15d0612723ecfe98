#include "base/ip.h"

#include "base/text.h"

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static enum status
parse_v4(struct slice text, unsigned char *out)
{
    for (unsigned i = 0; i < 4; i++) {
        struct slice part = slice_split(&text, '.');
        uint64_t value;

        if (part.len > 3 || (part.len > 1 && part.data[0] == '0') || text_parse_u64(part, &value) != OK || value > 255)
            return ERR_INVALID;
        if ((text.data == NULL) != (i == 3))
            return ERR_INVALID;
        out[i] = (unsigned char)value;
    }
    return OK;
}

/* One to four hexadecimal digits. */
static enum status
parse_group(struct slice text, unsigned char *out)
{
    char padded[4] = {'0', '0', '0', '0'};

    if (text.len == 0 || text.len > 4)
        return ERR_INVALID;
    memcpy(padded + 4 - text.len, text.data, text.len);
    return text_parse_hex(slice_make(padded, 4), out, 2);
}

/* Groups between colons; nothing at all gives none. At the end of the whole address an IPv4 address counts as two. */
static enum status
parse_groups(struct slice text, bool at_end, unsigned char *out, size_t *len)
{
    *len = 0;
    if (text.len == 0)
        return OK;
    while (text.data != NULL) {
        struct slice part = slice_split(&text, ':');
        bool v4 = at_end && text.data == NULL && slice_find_byte(part, '.') < part.len;
        size_t need = v4 ? 4 : 2;

        if (*len + need > 16 || (v4 ? parse_v4(part, out + *len) : parse_group(part, out + *len)) != OK)
            return ERR_INVALID;
        *len += need;
    }
    return OK;
}

static enum status
parse_v6(struct slice text, unsigned char *out)
{
    size_t gap = slice_find(text, SLICE_LITERAL("::"));
    unsigned char tail[16];
    size_t head_len, tail_len = 0;

    memset(out, 0, 16);
    if (parse_groups(slice_first(text, gap), gap == text.len, out, &head_len) != OK)
        return ERR_INVALID;
    if (gap == text.len)
        return head_len == 16 ? OK : ERR_INVALID;
    if (parse_groups(slice_from(text, gap + 2), true, tail, &tail_len) != OK || head_len + tail_len > 14)
        return ERR_INVALID;
    memcpy(out + 16 - tail_len, tail, tail_len);
    return OK;
}

enum status
ip_parse(struct slice text, struct ip *out)
{
    if (text.len == 0 || text.len > 45)
        return ERR_INVALID;
    if (slice_find_byte(text, ':') < text.len)
        return parse_v6(text, out->bytes);
    memcpy(out->bytes, mapped, sizeof mapped);
    return parse_v4(text, out->bytes + sizeof mapped);
}

bool
ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof mapped) == 0;
}

bool
ip_is_loopback(const struct ip *ip)
{
    static const unsigned char one[16] = {[15] = 1};

    return ip_is_v4(ip) ? ip->bytes[12] == 127 : memcmp(ip->bytes, one, sizeof one) == 0;
}

bool
ip_is_link_local(const struct ip *ip)
{
    const unsigned char *b = ip->bytes;

    return ip_is_v4(ip) ? b[12] == 169 && b[13] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

static bool
v4_is_private(const unsigned char *b)
{
    return b[0] == 0 || b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64);
}

bool
ip_is_private(const struct ip *ip)
{
    static const unsigned char none[16];

    if (ip_is_loopback(ip) || ip_is_link_local(ip))
        return true;
    if (ip_is_v4(ip))
        return v4_is_private(ip->bytes + 12);
    return (ip->bytes[0] & 0xfe) == 0xfc || memcmp(ip->bytes, none, sizeof none) == 0;
}
