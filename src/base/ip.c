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

/* The IPv4 address that a packet to this one may reach after all: IPv4-mapped and -compatible (RFC 4291, 2.5.5), translated
 * (RFC 6052, RFC 7915), 6to4 (RFC 3056). NULL: none. */
static const unsigned char *
v4_within(const struct ip *ip)
{
    static const unsigned char compatible[12], translated[12] = {0x00, 0x64, 0xff, 0x9b},
                                               stateless[12] = {[8] = 0xff, 0xff};
    const unsigned char *b = ip->bytes;

    if (ip_is_v4(ip) || memcmp(b, translated, 12) == 0 || memcmp(b, stateless, 12) == 0)
        return b + 12;
    if (memcmp(b, compatible, 12) == 0)
        return b + 12;
    return b[0] == 0x20 && b[1] == 0x02 ? b + 2 : NULL;
}

/* A range of addresses by its first bits; of IPv4 the first four bytes count. */
struct range {
    unsigned char bytes[16];
    unsigned bits;
};

static bool
is_within(const unsigned char *bytes, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned whole = ranges[i].bits / 8, rest = ranges[i].bits % 8;

        if (memcmp(bytes, ranges[i].bytes, whole) == 0 &&
            (rest == 0 || (bytes[whole] ^ ranges[i].bytes[whole]) >> (8 - rest) == 0))
            return true;
    }
    return false;
}

#define IS_WITHIN(bytes, ranges) is_within(bytes, ranges, sizeof(ranges) / sizeof(*(ranges)))

bool
ip_is_metadata(const struct ip *ip)
{
    /* RFC 3927, of AWS, Google, Azure, Oracle and others; Azure's and Alibaba's further ones. */
    static const struct range v4[] = {{{169, 254}, 16}, {{168, 63, 129, 16}, 32}, {{100, 100, 100, 200}, 32}};
    /* RFC 4291, 2.5.6; AWS. */
    static const struct range v6[] = {{{0xfe, 0x80}, 10}, {{0xfd, 0x00, 0x0e, 0xc2}, 32}};
    const unsigned char *within = v4_within(ip);

    return within != NULL ? IS_WITHIN(within, v4) : IS_WITHIN(ip->bytes, v6);
}

bool
ip_is_private(const struct ip *ip)
{
    /* RFC 6890 and what it names: this network, private, shared, loopback, link-local, IETF's, documentation, benchmarks,
     * multicast and reserved. */
    static const struct range v4[] = {{{0}, 8},         {{10}, 8},       {{100, 64}, 10},      {{127}, 8},
                                      {{169, 254}, 16}, {{172, 16}, 12}, {{192, 0, 0}, 24},    {{192, 0, 2}, 24},
                                      {{192, 168}, 16}, {{198, 18}, 15}, {{198, 51, 100}, 24}, {{203, 0, 113}, 24},
                                      {{224}, 3}};
    /* RFC 8215, RFC 6666, RFC 4380 (Teredo), RFC 3849, RFC 4193, RFC 4291 (link-local, the old site-local, multicast). */
    static const struct range v6[] = {{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48},
                                      {{0x01}, 64},
                                      {{0x20, 0x01, 0x00, 0x00}, 32},
                                      {{0x20, 0x01, 0x0d, 0xb8}, 32},
                                      {{0xfc}, 7},
                                      {{0xfe, 0x80}, 9},
                                      {{0xff}, 8}};
    const unsigned char *within = v4_within(ip);

    return ip_is_metadata(ip) || (within != NULL ? IS_WITHIN(within, v4) : IS_WITHIN(ip->bytes, v6));
}
