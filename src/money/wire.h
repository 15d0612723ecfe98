/* Compact numbers and texts in byte strings: variable-length integers of 7 bits a byte, least significant first; signed
 * ones zigzag; texts with their length in front. What the journal and the ledger's sums are written in. */
#ifndef MONEY_WIRE_H
#define MONEY_WIRE_H

#include "base/slice.h"
#include "base/usd.h"

__extension__ typedef unsigned __int128 wide_unsigned;

/* The most bytes that one number takes: of 64 and of 128 bits. */
enum { WIRE_NUMBER_MOST = 10, WIRE_WIDE_MOST = 19 };

/* Writers return the end of what they wrote; the caller has made the room. */
static inline unsigned char *
wire_put(unsigned char *at, uint64_t number)
{
    while (number >= 0x80) {
        *at++ = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    *at++ = (unsigned char)number;
    return at;
}

static inline unsigned char *
wire_put_signed(unsigned char *at, int64_t number)
{
    return wire_put(at, ((uint64_t)number << 1) ^ (number < 0 ? UINT64_MAX : 0));
}

static inline unsigned char *
wire_put_wide(unsigned char *at, wide_int number)
{
    wide_unsigned rest = ((wide_unsigned)number << 1) ^ (wide_unsigned)(number >> 127);

    while (rest >= 0x80) {
        *at++ = (unsigned char)((unsigned)rest | 0x80u);
        rest >>= 7;
    }
    *at++ = (unsigned char)rest;
    return at;
}

static inline unsigned char *
wire_put_text(unsigned char *at, struct slice text)
{
    at = wire_put(at, text.len);
    if (text.len != 0)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

/* Reads to `end` and no further. `bad` stays set from the first number or text that is not whole; what is read then is
 * 0 or empty. */
struct wire_reader {
    const unsigned char *at, *end;
    bool bad;
};

static inline struct wire_reader
wire_reader_of(struct slice bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;

    return (struct wire_reader){.at = at, .end = at + bytes.len};
}

static inline unsigned char
wire_take_byte(struct wire_reader *reader)
{
    if (reader->at < reader->end)
        return *reader->at++;
    reader->bad = true;
    return 0;
}

static inline uint64_t
wire_take(struct wire_reader *reader)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char byte = wire_take_byte(reader);

        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return reader->bad ? 0 : number;
    }
    reader->bad = true;
    return 0;
}

static inline int64_t
wire_take_signed(struct wire_reader *reader)
{
    uint64_t number = wire_take(reader);

    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

static inline wide_int
wire_take_wide(struct wire_reader *reader)
{
    wide_unsigned number = 0;

    for (unsigned shift = 0; shift < 128; shift += 7) {
        unsigned char byte = wire_take_byte(reader);

        number |= (wide_unsigned)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return reader->bad ? 0 : (wide_int)(number >> 1) ^ -(wide_int)(number & 1);
    }
    reader->bad = true;
    return 0;
}

/* Points into the bytes that are read; SLICE_NONE if empty. */
static inline struct slice
wire_take_text(struct wire_reader *reader)
{
    uint64_t len = wire_take(reader);
    struct slice text = {(const char *)reader->at, len};

    if (len > (uint64_t)(reader->end - reader->at))
        reader->bad = true;
    if (reader->bad || len == 0)
        return SLICE_NONE;
    reader->at += len;
    return text;
}

#endif
