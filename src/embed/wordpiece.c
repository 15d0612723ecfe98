#include "embed/wordpiece.h"

void
wordpiece_init(struct wordpiece *cutter, const struct vocabulary *vocabulary, wordpiece_sink *sink, void *user)
{
    cutter->vocabulary = vocabulary;
    cutter->sink = sink;
    cutter->user = user;
    cutter->word_len = cutter->cut_len = 0;
    cutter->word_characters = 0;
}

/* The pieces of a word; false if it cannot be made of pieces. */
static bool
find_pieces(const struct vocabulary *vocabulary, struct slice word, uint32_t *ids, size_t *lens, unsigned *count)
{
    *count = 0;
    while (word.len > 0) {
        ids[*count] = vocabulary_longest(vocabulary, word, *count > 0, &lens[*count]);
        if (ids[*count] == PIECE_NONE)
            return false;
        word = slice_from(word, lens[*count]);
        (*count)++;
    }
    return true;
}

static void
end_word(struct wordpiece *cutter)
{
    struct slice word = slice_make(cutter->word, cutter->word_len);
    /* A piece takes a character or more, if the vocabulary is UTF-8; a byte or more in any case. */
    uint32_t ids[sizeof(cutter->word)];
    size_t lens[sizeof(cutter->word)];
    unsigned count;

    if (cutter->word_characters == 0)
        return;
    if (cutter->word_characters > WORDPIECE_WORD_MOST || !find_pieces(cutter->vocabulary, word, ids, lens, &count)) {
        cutter->sink(cutter->user, PIECE_NONE, word);
        count = 0;
    }
    for (unsigned i = 0; i < count; i++) {
        cutter->sink(cutter->user, ids[i], slice_first(word, lens[i]));
        word = slice_from(word, lens[i]);
    }
    cutter->word_len = 0;
    cutter->word_characters = 0;
}

static void
add_letter(struct wordpiece *cutter, uint32_t character)
{
    if (cutter->word_characters < WORDPIECE_WORD_MOST)
        cutter->word_len += unicode_write(character, cutter->word + cutter->word_len);
    if (cutter->word_characters <= WORDPIECE_WORD_MOST)
        cutter->word_characters++;
}

/* A character in lower case, neither a space nor dropped. */
static void
add_folded(struct wordpiece *cutter, uint32_t character, enum character_class class)
{
    if (class == CLASS_LETTER) {
        add_letter(cutter, character);
        return;
    }
    end_word(cutter);
    add_letter(cutter, character);
    end_word(cutter);
}

static void
add_character(struct wordpiece *cutter, uint32_t character)
{
    enum character_class class = unicode_class(character);
    uint32_t folded[UNICODE_FOLD_MOST];
    unsigned count;

    if (class == CLASS_DROPPED)
        return;
    if (class == CLASS_SPACE) {
        end_word(cutter);
        return;
    }
    count = unicode_fold(character, folded);
    /* What is left without its marks may be of another class: U+2260, not equal, becomes "=". */
    for (unsigned i = 0; i < count; i++)
        add_folded(cutter, folded[i], folded[i] == character ? class : unicode_class(folded[i]));
}

/* May these bytes be the beginning of a character? Only asked of what is no character as it stands. */
static bool
may_go_on(struct slice bytes)
{
    unsigned char first = (unsigned char)bytes.data[0];
    size_t need = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    for (size_t i = 1; i < bytes.len; i++)
        if ((bytes.data[i] & 0xc0) != 0x80)
            return false;
    return bytes.len < need;
}

/* Reads characters while they are whole; returns what is left: empty, or a beginning of one. */
static struct slice
read_characters(struct wordpiece *cutter, struct slice text)
{
    while (text.len > 0) {
        size_t len;
        uint32_t character = unicode_read(text, &len);

        if (character == UNICODE_REPLACEMENT && text.len < UNICODE_BYTES_MOST && may_go_on(text))
            return text;
        add_character(cutter, character);
        text = slice_from(text, len);
    }
    return text;
}

void
wordpiece_feed(struct wordpiece *cutter, struct slice text)
{
    struct slice rest;

    while (cutter->cut_len > 0 && text.len > 0) {
        cutter->cut[cutter->cut_len++] = text.data[0];
        text = slice_from(text, 1);
        rest = read_characters(cutter, slice_make(cutter->cut, cutter->cut_len));
        memmove(cutter->cut, rest.data, rest.len);
        cutter->cut_len = rest.len;
        ENSURE(cutter->cut_len < UNICODE_BYTES_MOST);
    }
    rest = read_characters(cutter, text);
    if (rest.len > 0) {
        ENSURE(cutter->cut_len == 0 && rest.len < UNICODE_BYTES_MOST);
        memcpy(cutter->cut, rest.data, rest.len);
        cutter->cut_len = rest.len;
    }
}

void
wordpiece_end(struct wordpiece *cutter)
{
    cutter->cut_len = 0; /* a character without its end is no character */
    end_word(cutter);
}
