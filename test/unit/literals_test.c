/* What two texts say literally. */
#include "embed/literals.h"

#include "base/rng.h"
#include "cmocka_ready.h"
#include "embed/literal_words.h"

static void
same(const char *a, const char *b)
{
    struct literals one = literals_of(slice_of(a)), other = literals_of(slice_of(b));
    enum literal_kind why = LITERAL_KINDS;

    if (!literals_equal(&one, &other, &why))
        fail_msg("%s | %s: %s differ", a, b, literal_kind_text(why));
}

static void
differ(const char *a, const char *b, enum literal_kind kind)
{
    struct literals one = literals_of(slice_of(a)), other = literals_of(slice_of(b));
    enum literal_kind why = LITERAL_KINDS, back = LITERAL_KINDS;

    if (literals_equal(&one, &other, &why))
        fail_msg("%s | %s: equal", a, b);
    assert_string_equal(literal_kind_text(why), literal_kind_text(kind));
    assert_false(literals_equal(&other, &one, &back));
    assert_int_equal(why, back);
}

static void
numbers_are_compared_as_numbers(void **state)
{
    (void)state;
    same("What is 1,234,567 plus 2?", "Tell me: 1234567 and 2, what is the sum?");
    same("1,000.50", "1000.5");
    same("1.234.567,5", "1234567.5");
    same("1 000 000 people", "1,000,000 people");
    same("1\xe2\x80\xaf"
         "000",
         "1000");
    same("1'000", "1000");
    same("two cats", "2 cats");
    same("zwei katzen", "2 cats");
    same("the first one", "the 1st one");
    differ("5 apples", "6 apples", LITERAL_NUMBERS);
    differ("5 apples", "apples", LITERAL_NUMBERS);
    differ("two cats", "three cats", LITERAL_NUMBERS);
    differ("first world war", "second world war", LITERAL_NUMBERS);
    differ("1.000", "1", LITERAL_NUMBERS);    /* a thousand, in German */
    differ("1.000", "1000", LITERAL_NUMBERS); /* one, in English */
    differ("-5 degrees", "5 degrees", LITERAL_NUMBERS);
    differ("from 2 to 5", "from 5 to 2", LITERAL_NUMBERS);
    differ("version 1.2.3", "version 1.2.4", LITERAL_NUMBERS);
    differ("at 10:30", "at 10:45", LITERAL_NUMBERS);
    differ("agent 007", "agent 7", LITERAL_NUMBERS);
    differ("1,2,3", "1,2,4", LITERAL_NUMBERS);
    differ("123456789012345678901234567890123456789012345678901234567890123456789012345678901",
           "123456789012345678901234567890123456789012345678901234567890123456789012345678902", LITERAL_NUMBERS);
    differ("5", "2nd", LITERAL_NUMBERS);
}

static void
units_belong_to_numbers(void **state)
{
    (void)state;
    same("5km", "5 kilometres");
    same("a 5-mile run", "a 5 miles run");
    same("5%", "5 percent");
    same("$5", "5 dollars");
    same("\xe2\x82\xac"
         "5",
         "5 euros");
    same("\xc2\xa3"
         "5",
         "5 gbp");
    same("\xe2\x82\xac 20", "20 euro");
    same("two hours", "2 h");
    differ("5 km", "5 miles", LITERAL_NUMBERS);
    differ("5 km", "5", LITERAL_NUMBERS);
    differ("$5",
           "\xe2\x82\xac"
           "5",
           LITERAL_NUMBERS);
    differ("5 million", "5 billion", LITERAL_NUMBERS);
    differ("3d printer", "2d printer", LITERAL_NUMBERS);
    differ("10 am", "10 pm", LITERAL_NUMBERS);
}

static void
dates_are_the_same_however_they_are_written(void **state)
{
    (void)state;
    same("on January 5, 2024", "on 5 January 2024");
    same("on 2024-01-05", "on Jan 5th, 2024");
    same("am 5.1.2024", "on 2024-01-05");
    same("on 12/31/2024", "on 31/12/2024");
    same("in May 2024", "in may, 2024");
    same("tomorrow", "demain");
    same("5. Januar 2024", "January 5th 2024");
    differ("on January 5, 2024", "on January 6, 2024", LITERAL_DATES);
    differ("on January 5, 2024", "on February 5, 2024", LITERAL_DATES);
    differ("on January 5, 2024", "on January 5, 2023", LITERAL_DATES);
    differ("on 1/5/2024", "on 5/1/2024", LITERAL_DATES);
    differ("monday", "tuesday", LITERAL_DATES);
    differ("today", "tomorrow", LITERAL_DATES);
    same("may I ask", "I ask");
}

static void
quotes_and_code_are_compared_byte_by_byte(void **state)
{
    (void)state;
    same("Translate \"good night\" please", "Please translate \xe2\x80\x9cgood night\xe2\x80\x9d");
    same("say 'good  night' now", "now say \"good night\"");
    differ("translate \"good night\"", "translate \"good day\"", LITERAL_QUOTES);
    differ("translate \xc2\xab"
           "bon\xc2\xbb",
           "translate \xc2\xab"
           "mal\xc2\xbb",
           LITERAL_QUOTES);
    same("it's the dog's bone, isn't it", "it's the dogs' bone, isn't it");
    differ("what does `x + 1` do", "what does `x - 1` do", LITERAL_CODE);
    differ("run\n```\na\n```\n", "run\n```\nb\n```\n", LITERAL_CODE);
    differ("run\n```\na", "run\n```\nb", LITERAL_CODE);
    differ("call read_file now", "call write_file now", LITERAL_CODE);
    differ("the getName method", "the getAge method", LITERAL_CODE);
    differ("use python3 here", "use python2 here", LITERAL_CODE);
    differ("open /etc/passwd please", "open /etc/group please", LITERAL_CODE);
    differ("with --force set", "with --quiet set", LITERAL_CODE);
    differ("std::map is", "std::set is", LITERAL_CODE);
    differ("edit main.c now", "edit test.c now", LITERAL_CODE);
    same("this and/or that, e.g. here", "this and/or that e.g. here");
}

static void
addresses_are_found(void **state)
{
    (void)state;
    same("see https://a.example/x.", "look at (https://a.example/x)");
    differ("see https://a.example/x", "see https://a.example/y", LITERAL_ADDRESSES);
    differ("mail to bob@a.example", "mail to eve@a.example", LITERAL_ADDRESSES);
    differ("on www.a.example", "on www.b.example", LITERAL_ADDRESSES);
}

static void
names_are_capitals_inside_of_sentences(void **state)
{
    (void)state;
    same("Who is Barack Obama?", "Tell me who Barack Obama is.");
    same("What is Obama's age?", "How old is Obama?");
    differ("Who is Barack Obama?", "Who is Angela Merkel?", LITERAL_NAMES);
    differ("Is Paris larger than London?", "Is London larger than Paris?", LITERAL_NAMES);
    differ("about Dr. Smith", "About Dr. Jones", LITERAL_NAMES);
    differ("NASA was founded when?", "ESA was founded when?", LITERAL_NAMES);
    same("Can I go? Fine.", "Could I go? Sure.");
    same("what is the capital of france", "capital of france");
    same("WHAT IS THIS", "what is this");
    differ("What is the capital of France", "what is the capital of france", LITERAL_NAMES); /* cannot be told: no */
    same("Wie ist der Preis von dem Auto?", "Was kostet und wie ist der Wagen?");            /* nouns in German */
}

static void
negations_are_counted(void **state)
{
    (void)state;
    same("I don't like it", "I do not like it");
    same("it isn\xe2\x80\x99t so", "it isnt so");
    differ("is it safe", "is it not safe", LITERAL_NEGATIONS);
    differ("with sugar", "without sugar", LITERAL_NEGATIONS);
    differ("ist es sicher", "ist es nicht sicher", LITERAL_NEGATIONS);
    differ("c'est bon", "ce n'est pas bon", LITERAL_NEGATIONS);
    differ("con az\xc3\xba"
           "car",
           "sin az\xc3\xba"
           "car",
           LITERAL_NEGATIONS);
    differ("isto \xc3\xa9 bom", "isto n\xc3\xa3o \xc3\xa9 bom", LITERAL_NEGATIONS);
    differ("\xd1\x8d\xd1\x82\xd0\xbe \xd1\x82\xd0\xb0\xd0\xba",
           "\xd1\x8d\xd1\x82\xd0\xbe \xd0\xbd\xd0\xb5 \xd1\x82\xd0\xb0\xd0\xba", LITERAL_NEGATIONS);
    differ("\xe6\x98\xaf", "\xe4\xb8\x8d\xe6\x98\xaf", LITERAL_NEGATIONS);
    differ("\xe9\xa3\x9f\xe3\x81\xb9\xe3\x81\xbe\xe3\x81\x99",
           "\xe9\xa3\x9f\xe3\x81\xb9\xe3\x81\xbe\xe3\x81\x9b\xe3\x82\x93", LITERAL_NEGATIONS);
}

static void
words_stand_in_order(void **state)
{
    size_t count = 0;

    (void)state;
    for (; literal_word_at(count + 1).data != NULL; count++) {
        struct slice word = literal_word_at(count);
        unsigned value;

        assert_true(strcmp(word.data, literal_word_at(count + 1).data) < 0);
        assert_int_not_equal(literal_word(word, &value), WORD_PLAIN);
    }
    assert_true(count > 400);
    same("5 percent", "5 %");
    same("5 yen", "\xc2\xa5"
                  "5");
}

/* Any bytes are a text; it says the same twice. */
static void
any_text_has_literals(void **state)
{
    static const char *const parts[] = {
        "`",  "```", "\"",  "'",   "\xe2\x80\x99", "5",   ",",    ".",    "-",    "$",
        "km", "May", " ",   "\n",  "n't",          "not", "://",  "@",    "\xff", "\xe2\x80",
        "_",  "/",   "IBM", "1st", "\xe4\xb8\x8d", "(",   "\xc2", "\xa0", "e",    ":"};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 21);
    for (int round = 0; round < 20000; round++) {
        char text[128];
        size_t len = 0, pieces = rng_below(&rng, 20);
        struct literals one, other;
        char *copy;

        for (size_t i = 0; i < pieces; i++) {
            const char *part = parts[rng_below(&rng, sizeof(parts) / sizeof(parts[0]))];

            memcpy(text + len, part, strlen(part));
            len += strlen(part);
        }
        copy = slice_strdup(slice_make(text, len)); /* of its own size, for ASan */
        one = literals_of(slice_make(text, len));
        other = literals_of(slice_make(copy, len));
        assert_true(literals_equal(&one, &other, NULL));
        free(copy);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_as_numbers),
        cmocka_unit_test(units_belong_to_numbers),
        cmocka_unit_test(dates_are_the_same_however_they_are_written),
        cmocka_unit_test(quotes_and_code_are_compared_byte_by_byte),
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(names_are_capitals_inside_of_sentences),
        cmocka_unit_test(negations_are_counted),
        cmocka_unit_test(words_stand_in_order),
        cmocka_unit_test(any_text_has_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
