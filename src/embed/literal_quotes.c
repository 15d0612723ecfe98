/* Quotes and code: what stands between marks counts as it is, but for white space. */
#include "embed/literal_reading.h"

#include "base/hash.h"

enum { QUOTE_BYTES_MOST = 1024, CODE_BYTES_MOST = 4096 };

/* White space of any kind and length is one space. */
static void
note_collapsed(struct reading *reading, enum literal_kind kind, struct slice bytes)
{
    uint64_t digest = 0;

    for (bytes = slice_trim(bytes); bytes.len > 0; bytes = slice_trim(bytes)) {
        size_t len = 0;

        while (len < bytes.len && strchr(" \t\r\n", bytes.data[len]) == NULL)
            len++;
        len += len == 0; /* a zero byte, which strchr takes for its end */
        digest = hash_fast(slice_first(bytes, len), digest);
        bytes = slice_from(bytes, len);
    }
    reading_note(reading, kind, slice_make((const char *)&digest, sizeof(digest)));
}

bool
reading_code(struct reading *reading)
{
    struct slice text = reading_rest(reading), inside;
    size_t ticks = 0, end;

    while (ticks < text.len && text.data[ticks] == '`')
        ticks++;
    if (ticks == 0)
        return false;
    inside = slice_from(text, ticks);
    if (ticks < 3)
        inside = slice_first(inside, CODE_BYTES_MOST);
    end = slice_find(inside, slice_first(text, ticks));
    if (end == inside.len && ticks < 3) {
        reading->at += ticks;
        return true;
    }
    note_collapsed(reading, LITERAL_CODE, slice_first(inside, end)); /* a block without an end is code to the end */
    reading->at += ticks + end + (end < inside.len ? ticks : 0);
    reading->sentence_begins = false;
    return true;
}

/* Is a single quotation mark, behind `inside`, an end and no apostrophe? */
static bool
ends_quote(struct slice inside, size_t end, size_t mark)
{
    return end > 0 && inside.data[end - 1] != ' ' && !literal_wordlike_at(slice_from(inside, end + mark));
}

static bool
read_quote_of(struct reading *reading, struct slice open, struct slice close)
{
    struct slice text = reading_rest(reading), inside;
    bool single = slice_is(close, "'") || slice_is(close, "\xe2\x80\x99");
    size_t end, line;

    if (text.len < open.len || !slice_equal(slice_first(text, open.len), open))
        return false;
    if (reading_wordlike_before(reading) && open.len == 1)
        return false; /* an apostrophe, or inches */
    inside = slice_first(slice_from(text, open.len), QUOTE_BYTES_MOST);
    line = slice_find_byte(inside, '\n');
    for (end = slice_find(inside, close); end < inside.len && single && !ends_quote(inside, end, close.len);)
        end += close.len + slice_find(slice_from(inside, end + close.len), close);
    if (end >= inside.len || end > line || end == 0)
        return false;
    note_collapsed(reading, LITERAL_QUOTES, slice_first(inside, end));
    reading->at += open.len + end + close.len;
    reading->sentence_begins = false;
    return true;
}

bool
reading_quote(struct reading *reading)
{
    static const struct slice marks[][2] = {
        {SLICE_CONSTANT("\""), SLICE_CONSTANT("\"")},
        {SLICE_CONSTANT("'"), SLICE_CONSTANT("'")},
        {SLICE_CONSTANT("\xe2\x80\x9c"), SLICE_CONSTANT("\xe2\x80\x9d")}, /* 66, 99 */
        {SLICE_CONSTANT("\xe2\x80\x9e"), SLICE_CONSTANT("\xe2\x80\x9c")}, /* low 99, 66 */
        {SLICE_CONSTANT("\xe2\x80\x98"), SLICE_CONSTANT("\xe2\x80\x99")}, /* 6, 9 */
        {SLICE_CONSTANT("\xc2\xab"), SLICE_CONSTANT("\xc2\xbb")},         /* guillemets, and inside out */
        {SLICE_CONSTANT("\xc2\xbb"), SLICE_CONSTANT("\xc2\xab")},
        {SLICE_CONSTANT("\xe3\x80\x8c"), SLICE_CONSTANT("\xe3\x80\x8d")}, /* corner brackets */
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (read_quote_of(reading, marks[i][0], marks[i][1]))
            return true;
    return false;
}
