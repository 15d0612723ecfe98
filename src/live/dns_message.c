#include "live/dns_message.h"

#include <stdio.h>

enum { HEAD_BYTES = 12, LABEL_MOST = 63, OPT = 41, CLASS_IN = 1, JUMPS_MOST = 64 };

enum flag { ANSWER = 0x8000, TRUNCATED = 0x0200, RECURSION_WANTED = 0x0100, CODE = 0x000f };

static unsigned char *
put_u16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

/* NULL: it is none. A name that ends with a dot is the same without it. */
static unsigned char *
put_name(unsigned char *at, const char *name)
{
    struct slice rest = slice_of(name);

    if (slice_ends(rest, "."))
        rest.len--;
    if (rest.len == 0 || rest.len >= DNS_NAME_SIZE - 2)
        return NULL;
    while (rest.data != NULL) {
        struct slice label = slice_split(&rest, '.');

        if (label.len == 0 || label.len > LABEL_MOST)
            return NULL;
        *at++ = (unsigned char)label.len;
        memcpy(at, label.data, label.len);
        at += label.len;
    }
    *at++ = 0;
    return at;
}

size_t
dns_put_question(unsigned char out[DNS_QUESTION_MOST], unsigned id, const char *name, enum dns_type type)
{
    unsigned char *at = out;

    at = put_u16(at, id);
    at = put_u16(at, RECURSION_WANTED);
    at = put_u16(at, 1); /* questions */
    at = put_u16(at, 0);
    at = put_u16(at, 0);
    at = put_u16(at, 1); /* additional: the last one below */
    at = put_name(at, name);
    if (at == NULL)
        return 0;
    at = put_u16(at, type);
    at = put_u16(at, CLASS_IN);
    *at++ = 0; /* the root's name */
    at = put_u16(at, OPT);
    at = put_u16(at, DNS_UDP_BYTES);
    at = put_u16(at, 0);
    at = put_u16(at, 0);
    at = put_u16(at, 0);
    return (size_t)(at - out);
}

/* Reading. False: beyond the end, or nonsense. */

static bool
take_u16(struct slice message, size_t *at, unsigned *out)
{
    if (message.len - *at < 2)
        return false;
    *out = (unsigned)(unsigned char)message.data[*at] << 8 | (unsigned char)message.data[*at + 1];
    *at += 2;
    return true;
}

static bool
add_label(struct slice message, size_t at, size_t len, char *out, size_t *out_len)
{
    if (message.len - at < len || *out_len + len + 2 > DNS_NAME_SIZE)
        return false;
    if (*out_len > 0)
        out[(*out_len)++] = '.';
    for (size_t i = 0; i < len; i++) {
        char byte = message.data[at + i];

        out[(*out_len)++] = byte > ' ' && byte < 127 && byte != '.' ? byte : '?';
    }
    return true;
}

/* Names may point to the ends of names before them (RFC 1035, 4.1.4): only back, and not for ever. */
static bool
take_name(struct slice message, size_t *at, char out[DNS_NAME_SIZE])
{
    size_t here = *at, len = 0;
    bool jumped = false;

    for (unsigned jumps = 0; jumps < JUMPS_MOST && here < message.len;) {
        unsigned byte = (unsigned char)message.data[here];
        unsigned to;

        if (byte == 0) {
            *at = jumped ? *at : here + 1;
            out[len] = '\0';
            return true;
        }
        if (byte > LABEL_MOST) {
            size_t pointer = here;

            if (byte < 0xc0 || !take_u16(message, &pointer, &to) || (to & 0x3fff) >= here)
                return false;
            *at = jumped ? *at : pointer;
            jumped = true;
            here = to & 0x3fff;
            jumps++;
            continue;
        }
        if (!add_label(message, here + 1, byte, out, &len))
            return false;
        here += 1 + byte;
    }
    return false;
}

bool
dns_same_name(const char *a, const char *b)
{
    struct slice left = slice_of(a), right = slice_of(b);

    if (slice_ends(left, "."))
        left.len--;
    if (slice_ends(right, "."))
        right.len--;
    return slice_equal_nocase(left, right);
}

enum status
dns_answer_open(struct dns_answer *answer, struct slice message, unsigned id, const char *name, enum dns_type type)
{
    unsigned its_id, flags, questions, its_type, its_class;
    char its_name[DNS_NAME_SIZE];
    size_t at = 0;

    if (message.len < HEAD_BYTES)
        return ERR_INVALID;
    *answer = (struct dns_answer){.message = message};
    if (!take_u16(message, &at, &its_id) || !take_u16(message, &at, &flags) || !take_u16(message, &at, &questions) ||
        !take_u16(message, &at, &answer->answers) || !take_u16(message, &at, &answer->authorities) ||
        !take_u16(message, &at, &answer->additional))
        return ERR_INVALID;
    if (its_id != id || (flags & ANSWER) == 0 || questions != 1 || !take_name(message, &at, its_name) ||
        !take_u16(message, &at, &its_type) || !take_u16(message, &at, &its_class))
        return ERR_INVALID;
    if (!dns_same_name(its_name, name) || its_type != (unsigned)type || its_class != CLASS_IN)
        return ERR_INVALID;
    answer->at = at;
    answer->code = flags & CODE;
    answer->truncated = (flags & TRUNCATED) != 0;
    return OK;
}

static bool
take_service(struct slice message, size_t at, struct dns_record *out)
{
    return take_u16(message, &at, &out->priority) && take_u16(message, &at, &out->weight) &&
           take_u16(message, &at, &out->port) && take_name(message, &at, out->target);
}

/* Its content, which ends at `end`. A record of a type that we do not know is fine whatever it holds. */
static bool
take_content(struct slice message, size_t at, size_t end, struct dns_record *out)
{
    size_t len = end - at;

    message.len = end;
    if (out->type == DNS_SRV)
        return take_service(message, at, out);
    if ((out->type == DNS_A && len != 4) || (out->type == DNS_AAAA && len != 16))
        return false;
    if (out->type == DNS_A || out->type == DNS_AAAA)
        memcpy(out->address, message.data + at, len);
    return true;
}

static bool
take_record(struct dns_answer *answer, struct dns_record *out, unsigned *class)
{
    struct slice message = answer->message;
    unsigned ttl_high, ttl_low, len;
    size_t at = answer->at;

    *out = (struct dns_record){.type = 0};
    if (!take_name(message, &at, out->owner) || !take_u16(message, &at, &out->type) || !take_u16(message, &at, class) ||
        !take_u16(message, &at, &ttl_high) || !take_u16(message, &at, &ttl_low) || !take_u16(message, &at, &len) ||
        message.len - at < len)
        return false;
    answer->at = at + len;
    return take_content(message, at, at + len, out);
}

enum status
dns_answer_next(struct dns_answer *answer, struct dns_record *out)
{
    while (answer->answers + answer->authorities + answer->additional > 0) {
        bool is_authority = answer->answers == 0 && answer->authorities > 0;
        unsigned *left = answer->answers > 0 ? &answer->answers
                         : is_authority      ? &answer->authorities
                                             : &answer->additional;
        unsigned class;

        (*left)--;
        if (!take_record(answer, out, &class))
            return ERR_INVALID;
        if (!is_authority && class == CLASS_IN && (out->type == DNS_A || out->type == DNS_AAAA || out->type == DNS_SRV))
            return OK;
    }
    return ERR_NOT_FOUND;
}
