/* Words, and the pieces that they are made of. */
#include "embed/wordpiece.h"

#include "base/buffer.h"
#include "base/rng.h"
#include "base/text.h"
#include "cmocka_ready.h"

static const char LINES[] = "[PAD]\nun\nunaff\n##aff\n##able\naffable\nhello\nworld\n,\n!\n=\ncafe\nnaive\n##s\n"
                            "\xe4\xb8\xad\n\xe5\x9b\xbd\nthe\nquick\n"
                            "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\n\xd0\xbc\xd0\xb8\xd1\x80\n"
                            "\xcf\x83\xcf\x89\xcf\x83\na\n##a\n'\n#\nistanbul\n.\n";

static struct slice
lines(void)
{
    return slice_make(LINES, sizeof(LINES) - 1);
}

struct heard {
    const struct vocabulary *vocabulary;
    struct buffer pieces; /* as the vocabulary has them, a space behind each */
    struct buffer text;   /* what they stand for, all together */
};

static void
hear(void *user, uint32_t id, struct slice text)
{
    struct heard *heard = user;

    buffer_add(&heard->pieces, id != PIECE_NONE ? vocabulary_text(heard->vocabulary, id) : SLICE_LITERAL("[UNK]"));
    buffer_add_byte(&heard->pieces, ' ');
    buffer_add(&heard->text, text);
}

static void
hear_all(struct heard *heard, const struct vocabulary *vocabulary, struct slice text, size_t most)
{
    struct wordpiece cutter;

    *heard = (struct heard){.vocabulary = vocabulary};
    wordpiece_init(&cutter, vocabulary, hear, heard);
    while (text.len > 0) {
        wordpiece_feed(&cutter, slice_first(text, most));
        text = slice_from(text, most);
    }
    wordpiece_end(&cutter);
}

static void
forget(struct heard *heard)
{
    buffer_free(&heard->pieces);
    buffer_free(&heard->text);
}

static void
check(const char *text, const char *pieces)
{
    struct vocabulary vocabulary;
    struct heard heard;

    assert_int_equal(vocabulary_init(&vocabulary, lines()), OK);
    hear_all(&heard, &vocabulary, slice_of(text), SIZE_MAX);
    buffer_add_byte(&heard.pieces, '\0');
    assert_string_equal(heard.pieces.data, pieces);
    forget(&heard);
    vocabulary_free(&vocabulary);
}

static void
the_longest_piece_comes_first(void **state)
{
    (void)state;
    check("unaffable", "unaff ##able ");
    check("unaffables", "unaff ##able ##s ");
    check("affable", "affable ");
    check("sunaff", "[UNK] ");     /* "##s" only goes on words */
    check("helloworld", "[UNK] "); /* "world" only begins them */
    check("aaaa", "a ##a ##a ##a ");
    check("##s", "# # [UNK] "); /* a text cannot name a piece that goes on */
    check("", "");
}

static void
words_are_those_of_bert(void **state)
{
    (void)state;
    check("Hello, WORLD!", "hello , world ! ");
    check(" hello\t\n\r world  ", "hello world ");
    check("caf\xc3\xa9 CAF\xc3\x89 cafe\xcc\x81 na\xc3\xafve", "cafe cafe cafe naive ");
    check("he\xc2\xadllo wor\xe2\x80\x8bld", "hello world "); /* soft hyphen, zero width space */
    check("hello\xc2\xa0world\xe3\x80\x80hello", "hello world hello ");
    check("hello\xe4\xb8\xad\xe5\x9b\xbdworld", "hello \xe4\xb8\xad \xe5\x9b\xbd world ");
    check("\xed\x95\x9c", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab "); /* Hangul, decomposed */
    check("\xd0\x9c\xd0\x98\xd0\xa0 \xce\xa3\xce\xa9\xce\xa3", "\xd0\xbc\xd0\xb8\xd1\x80 \xcf\x83\xcf\x89\xcf\x83 ");
    check("\xc4\xb0stanbul", "istanbul ");
    check("\xe2\x89\xa0", "= "); /* without its stroke, a punctuation mark */
    check("hello\xf0\x9f\x99\x82", "[UNK] ");
}

static void
bytes_that_are_no_text_are_dropped(void **state)
{
    (void)state;
    check("he\xffllo \xc0\x80world\xe2\x82", "hello world ");
    check("hel\xed\xa0\x80lo", "hello "); /* half of a surrogate pair */
    check("\x01\x02hello\x7f", "hello ");
}

static void
a_word_of_101_characters_is_unknown(void **state)
{
    char text[102];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[101] = '\0';
    check(text, "[UNK] ");
    text[100] = '\0';
    {
        char pieces[2 + 99 * 4 + 1] = "a ";

        for (int i = 0; i < 99; i++)
            strcat(pieces, "##a ");
        check(text, pieces);
    }
}

/* Any text, with cuts at any byte. */
static size_t
any_text(struct rng *rng, char *text, size_t most)
{
    static const char *const parts[] = {
        "hello",    "Un",   "able",         " ", "\xe4\xb8\xad", "\xcc\x81", "\xff", "\xf0\x9f", "\x99\x82",
        "\xe2\x82", "\xac", "\xed\x95\x9c", "!", "\xe1\x84\x92", "\n",       "\xc3", "a"};
    size_t len = 0, pieces = rng_below(rng, 12);

    for (size_t i = 0; i < pieces; i++) {
        const char *part = parts[rng_below(rng, sizeof(parts) / sizeof(parts[0]))];

        ENSURE(len + strlen(part) < most);
        memcpy(text + len, part, strlen(part));
        len += strlen(part);
    }
    return len;
}

static void
parts_make_the_same_pieces_as_the_whole(void **state)
{
    struct vocabulary vocabulary;
    struct rng rng;
    char text[256];

    (void)state;
    rng_seed(&rng, 11);
    assert_int_equal(vocabulary_init(&vocabulary, lines()), OK);
    for (int round = 0; round < 3000; round++) {
        struct slice bytes = slice_make(text, any_text(&rng, text, sizeof(text)));
        struct heard whole, cut;

        hear_all(&whole, &vocabulary, bytes, SIZE_MAX);
        hear_all(&cut, &vocabulary, bytes, 1 + rng_below(&rng, 4));
        assert_true(slice_equal(buffer_content(&whole.pieces), buffer_content(&cut.pieces)));
        assert_true(slice_equal(buffer_content(&whole.text), buffer_content(&cut.text)));
        forget(&whole);
        forget(&cut);
    }
    vocabulary_free(&vocabulary);
}

static void
a_vocabulary_without_sense_is_refused(void **state)
{
    struct vocabulary vocabulary;
    char longest[VOCABULARY_PIECE_BYTES_MOST + 3];

    (void)state;
    assert_int_equal(vocabulary_init(&vocabulary, SLICE_NONE), ERR_INVALID);
    assert_int_equal(vocabulary_init(&vocabulary, SLICE_LITERAL("a\nb")), ERR_INVALID);
    assert_int_equal(vocabulary_init(&vocabulary, SLICE_LITERAL("a\n\nb\n")), ERR_INVALID);
    assert_int_equal(vocabulary_init(&vocabulary, SLICE_LITERAL("a\nb\na\n")), ERR_INVALID);
    assert_int_equal(vocabulary_init(&vocabulary, SLICE_LITERAL("a\n##a\n")), OK);
    vocabulary_free(&vocabulary);
    memset(longest, 'a', sizeof(longest));
    longest[VOCABULARY_PIECE_BYTES_MOST + 1] = '\n';
    assert_int_equal(vocabulary_init(&vocabulary, slice_make(longest, VOCABULARY_PIECE_BYTES_MOST + 2)), ERR_INVALID);
    assert_int_equal(vocabulary_init(&vocabulary, slice_make(longest + 1, VOCABULARY_PIECE_BYTES_MOST + 1)), OK);
    vocabulary_free(&vocabulary);
}

/* Every character, against what must hold of all of them. */
static void
folding_is_final(void **state)
{
    unsigned uppers = 0;

    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint32_t folded[UNICODE_FOLD_MOST], again[UNICODE_FOLD_MOST];
        unsigned count = unicode_fold(c, folded);
        char bytes[UNICODE_BYTES_MOST];
        size_t len;

        assert_in_range(count, 1, UNICODE_FOLD_MOST);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(unicode_fold(folded[i], again), 1);
            assert_int_equal(again[0], folded[i]);
            assert_false(unicode_is_upper(folded[i]));
        }
        uppers += unicode_is_upper(c);
        len = unicode_write(c, bytes);
        if (c - 0xd800 >= 0x800) /* half of a surrogate pair is no character */
            assert_int_equal(unicode_read(slice_make(bytes, len), &len), c);
    }
    assert_in_range(uppers, 1300, 1500);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_piece_comes_first),
        cmocka_unit_test(words_are_those_of_bert),
        cmocka_unit_test(bytes_that_are_no_text_are_dropped),
        cmocka_unit_test(a_word_of_101_characters_is_unknown),
        cmocka_unit_test(parts_make_the_same_pieces_as_the_whole),
        cmocka_unit_test(a_vocabulary_without_sense_is_refused),
        cmocka_unit_test(folding_is_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
