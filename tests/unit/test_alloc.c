#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include <llmlab/client.h>
#include <llmlab/sys/alloc.h>

#include "base/alloc.h"

struct counts {
    int allocs;
    int resizes;
    int frees;
};

static void *
counted_alloc(size_t size, void *payload)
{
    ((struct counts *)payload)->allocs++;
    return malloc(size);
}

static void *
counted_resize(void *memory, size_t size, void *payload)
{
    ((struct counts *)payload)->resizes++;
    return realloc(memory, size);
}

static void
counted_free(void *memory, void *payload)
{
    ((struct counts *)payload)->frees++;
    free(memory);
}

static void
test_all_memory_goes_through_the_allocator(void **state)
{
    struct counts counts = {0, 0, 0};
    llmlab_allocator_t allocator = {counted_alloc, counted_resize, counted_free,
                                    &counts};
    unsigned char *zeroed;
    char *text;

    (void)state;
    llmlab_set_allocator(&allocator);
    zeroed = llmlab__calloc(4, 8);
    text = llmlab__strndup("abcdef", 3);
    assert_string_equal(text, "abc");
    for (int i = 0; i < 32; i++) {
        assert_int_equal(zeroed[i], 0);
    }
    text = llmlab__realloc(text, 100);
    assert_string_equal(text, "abc");
    llmlab__free(text);
    llmlab_free(zeroed);
    llmlab__free(NULL);
    llmlab_free(NULL);
    llmlab_set_allocator(NULL);
    llmlab__free(llmlab__alloc(0));
    assert_int_equal(counts.allocs, 2);
    assert_int_equal(counts.resizes, 1);
    assert_int_equal(counts.frees, 2);
}

static void
test_sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(llmlab__calloc(SIZE_MAX / 2, 3));
    assert_null(llmlab__strndup("", SIZE_MAX));
    llmlab__free(llmlab__strndup(NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_memory_goes_through_the_allocator),
        cmocka_unit_test(test_sizes_that_overflow_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
