/* Lists and tables. */
#include "base/map.h"

#include "base/list.h"
#include "base/rng.h"
#include "cmocka_ready.h"

enum { KEYS = 5000 };

static void
holds_many_keys(void **state)
{
    static int values[KEYS], others[KEYS];
    struct map map;
    char key[32];

    (void)state;
    map_init(&map);
    assert_null(map_get(&map, SLICE_LITERAL("absent")));
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_null(map_put(&map, slice_of(key), &values[i])); /* the key is copied: the buffer is used again */
    }
    for (int i = 0; i < KEYS; i += 2) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_ptr_equal(map_put(&map, slice_of(key), &others[i]), &values[i]);
    }
    assert_int_equal(map.count, KEYS);
    assert_true(map.count * 4 <= map.size * 3 && (map.size & (map.size - 1)) == 0);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_ptr_equal(map_get(&map, slice_of(key)), i % 2 == 0 ? &others[i] : &values[i]);
    }
    assert_null(map_get(&map, SLICE_LITERAL("key 5000")));
    map_free(&map);
    assert_null(map_get(&map, SLICE_LITERAL("key 1")));
}

static void
any_bytes_are_a_key(void **state)
{
    int a, b, c;
    struct map map;

    (void)state;
    map_init(&map);
    map_put(&map, SLICE_LITERAL("x\0a"), &a);
    map_put(&map, SLICE_LITERAL("x\0b"), &b);
    map_put(&map, SLICE_NONE, &c);
    assert_int_equal(map.count, 3);
    assert_ptr_equal(map_get(&map, SLICE_LITERAL("x\0a")), &a);
    assert_ptr_equal(map_get(&map, SLICE_LITERAL("x\0b")), &b);
    assert_ptr_equal(map_get(&map, SLICE_LITERAL("")), &c);
    assert_null(map_get(&map, SLICE_LITERAL("x")));
    map_free(&map);
}

static void
a_walk_meets_each_once(void **state)
{
    static unsigned met[KEYS];
    struct map map;
    size_t at = 0, count = 0;
    struct slice key;
    void *value;

    (void)state;
    map_init(&map);
    assert_false(map_next(&map, &at, &key, &value));
    for (int i = 0; i < KEYS; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%d", i);
        map_put(&map, slice_of(name), &met[i]);
    }
    for (at = 0; map_next(&map, &at, &key, &value); count++) {
        assert_int_equal((unsigned *)value - met, atoi(key.data));
        assert_int_equal((*(unsigned *)value)++, 0);
    }
    assert_int_equal(count, KEYS);
    map_free(&map);
}

/* Against a table that is looked through from end to end. */
static void
what_is_taken_out_is_gone(void **state)
{
    enum { NAMES = 200, STEPS = 20000 };
    static int values[NAMES];
    bool there[NAMES] = {false};
    size_t count = 0;
    struct map map;
    struct rng rng;

    (void)state;
    map_init(&map);
    rng_seed(&rng, 11);
    assert_null(map_take(&map, SLICE_LITERAL("0")));
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned which = (unsigned)rng_below(&rng, NAMES);
        char key[32];

        snprintf(key, sizeof(key), "%u", which);
        if (rng_below(&rng, 2) == 0)
            assert_ptr_equal(map_put(&map, slice_of(key), &values[which]), there[which] ? &values[which] : NULL);
        else
            assert_ptr_equal(map_take(&map, slice_of(key)), there[which] ? &values[which] : NULL);
        count -= there[which];
        there[which] = map_get(&map, slice_of(key)) != NULL;
        count += there[which];
        assert_int_equal(map.count, count);
        for (unsigned i = 0; step % 100 == 0 && i < NAMES; i++) {
            snprintf(key, sizeof(key), "%u", i);
            assert_ptr_equal(map_get(&map, slice_of(key)), there[i] ? &values[i] : NULL);
        }
    }
    map_free(&map);
}

struct item {
    int number;
    struct list link;
};

static void
expect(struct list *head, const char *wanted)
{
    char text[64] = "";

    LIST_EACH(head, node, after)
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d", CONTAINER_OF(node, struct item, link)->number);
    assert_string_equal(text, wanted);
}

static void
lists(void **state)
{
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head) && list_first(&head) == NULL);
    for (int i = 0; i < 4; i++)
        list_append(&head, &items[i].link);
    expect(&head, "0123");
    list_remove(&items[0].link);
    list_remove(&items[0].link); /* in none: fine */
    assert_false(list_linked(&items[0].link));
    list_remove(&items[2].link);
    expect(&head, "13");
    list_append(&head, &items[0].link);
    expect(&head, "130");
    assert_ptr_equal(list_first(&head), &items[1].link);
    LIST_EACH(&head, node, after)
    list_remove(node);
    assert_true(list_empty(&head));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_many_keys),
        cmocka_unit_test(any_bytes_are_a_key),
        cmocka_unit_test(a_walk_meets_each_once),
        cmocka_unit_test(what_is_taken_out_is_gone),
        cmocka_unit_test(lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
