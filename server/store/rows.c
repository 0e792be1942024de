#include "store/rows.h"

#include <string.h>

#include "base/alloc.h"

#define ARENA_BLOCK (64 * 1024)
/* What a cleared batch keeps: a burst of large ones must not stay. */
#define KEEP_BODY (512u << 10)
#define KEEP_ROWS 4096

typedef struct llmlab__arena_block_s {
    struct llmlab__arena_block_s *next;
    size_t size;
    max_align_t bytes[];
} arena_block_t;

void *
llmlab__arena_alloc(llmlab__arena_t *arena, size_t size)
{
    arena_block_t *block = arena->blocks;
    size_t aligned = (size + 15) & ~(size_t)15;
    size_t block_size = aligned > ARENA_BLOCK ? aligned : ARENA_BLOCK;
    void *memory;

    if (aligned < size) {
        return NULL;
    }
    if (block == NULL || block->size - arena->used < aligned) {
        block = llmlab__alloc(sizeof(*block) + block_size);
        if (block == NULL) {
            return NULL;
        }
        block->next = arena->blocks;
        block->size = block_size;
        arena->blocks = block;
        arena->used = 0;
    }
    memory = (unsigned char *)block->bytes + arena->used;
    arena->used += aligned;
    return memory;
}

void
llmlab__arena_clear(llmlab__arena_t *arena)
{
    arena_block_t *keep = arena->blocks;

    if (keep == NULL) {
        return;
    }
    while (keep->next != NULL) {
        arena_block_t *next = keep->next->next;

        llmlab__free(keep->next);
        keep->next = next;
    }
    arena->used = 0;
}

void
llmlab__arena_cleanup(llmlab__arena_t *arena)
{
    llmlab__arena_clear(arena);
    llmlab__free(arena->blocks);
    arena->blocks = NULL;
}

bool
llmlab__sums_add(llmlab__sums_t *sums, const llmlab__sums_t *more)
{
    llmlab__sums_t result;

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        if (__builtin_add_overflow(sums->of[i], more->of[i], &result.of[i])) {
            return false;
        }
    }
    for (int i = LLMLAB__SUM_COST_NANO; i <= LLMLAB__SUM_CLIENT_NANO;
         i += LLMLAB__SUM_CLIENT_NANO - LLMLAB__SUM_COST_NANO) {
        int64_t rest = result.of[i + 1] % LLMLAB__FEMTO_PER_NANO;
        int64_t carry = result.of[i + 1] / LLMLAB__FEMTO_PER_NANO;

        if (rest < 0) {
            rest += LLMLAB__FEMTO_PER_NANO;
            carry--;
        }
        result.of[i + 1] = rest;
        if (__builtin_add_overflow(result.of[i], carry, &result.of[i])) {
            return false;
        }
    }
    *sums = result;
    return true;
}

void
llmlab__sums_subtract(llmlab__sums_t *sums, const llmlab__sums_t *less)
{
    llmlab__sums_t negative;

    for (int i = 0; i < LLMLAB__SUMS; i++) {
        negative.of[i] = -less->of[i];
    }
    (void)llmlab__sums_add(sums, &negative);
}

int64_t
llmlab__sums_input(const llmlab__sums_t *sums)
{
    int64_t total = 0;

    for (int i = LLMLAB__SUM_INPUT_TEXT; i <= LLMLAB__SUM_INPUT_VIDEO; i++) {
        if (__builtin_add_overflow(total, sums->of[i], &total)) {
            return INT64_MAX;
        }
    }
    return total;
}

int64_t
llmlab__sums_output(const llmlab__sums_t *sums)
{
    int64_t total = 0;

    for (int i = LLMLAB__SUM_OUTPUT_TEXT; i <= LLMLAB__SUM_OUTPUT_VIDEO; i++) {
        if (__builtin_add_overflow(total, sums->of[i], &total)) {
            return INT64_MAX;
        }
    }
    return total;
}

llmlab__batch_t *
llmlab__batch_new(void)
{
    llmlab__batch_t *batch = llmlab__calloc(1, sizeof(*batch));

    if (batch != NULL) {
        llmlab__buf_init(&batch->body);
    }
    return batch;
}

void
llmlab__batch_destroy(llmlab__batch_t *batch)
{
    if (batch == NULL) {
        return;
    }
    llmlab__buf_cleanup(&batch->body);
    llmlab__arena_cleanup(&batch->arena);
    llmlab__free(batch->rows);
    llmlab__free(batch->unsampled);
    llmlab__free(batch->scores);
    llmlab__free(batch->fills);
    llmlab__free(batch->rejections);
    llmlab__free(batch);
}

void
llmlab__batch_clear(llmlab__batch_t *batch)
{
    llmlab__batch_t kept = {0};

    if (batch->row_capacity > KEEP_ROWS) {
        llmlab__free(batch->rows);
        batch->rows = NULL;
        batch->row_capacity = 0;
    }
    if (batch->body.capacity > KEEP_BODY) {
        llmlab__buf_cleanup(&batch->body);
        llmlab__buf_init(&batch->body);
    }
    llmlab__buf_clear(&batch->body);
    llmlab__arena_clear(&batch->arena);
    kept.body = batch->body;
    kept.arena = batch->arena;
    kept.rows = batch->rows;
    kept.row_capacity = batch->row_capacity;
    kept.unsampled = batch->unsampled;
    kept.unsampled_capacity = batch->unsampled_capacity;
    kept.scores = batch->scores;
    kept.score_capacity = batch->score_capacity;
    kept.fills = batch->fills;
    kept.fill_capacity = batch->fill_capacity;
    kept.rejections = batch->rejections;
    kept.rejection_capacity = batch->rejection_capacity;
    *batch = kept;
}

/* Room for one more of an array; its index is *count, which grows. */
static void *
array_add(void **array, size_t *count, size_t *capacity, size_t size)
{
    void *item;

    if (*count == *capacity) {
        size_t wanted = *capacity == 0 ? 128 : *capacity * 2;
        void *grown = llmlab__realloc(*array, wanted * size);

        if (grown == NULL) {
            return NULL;
        }
        *array = grown;
        *capacity = wanted;
    }
    item = (unsigned char *)*array + *count * size;
    memset(item, 0, size);
    *count += 1;
    return item;
}

llmlab__row_t *
llmlab__batch_add_row(llmlab__batch_t *batch)
{
    void *array = batch->rows;
    llmlab__row_t *row = array_add(&array, &batch->row_count,
                                   &batch->row_capacity, sizeof(*row));

    batch->rows = array;
    return row;
}

llmlab__row_t *
llmlab__batch_add_unsampled(llmlab__batch_t *batch)
{
    void *array = batch->unsampled;
    llmlab__row_t *row = array_add(&array, &batch->unsampled_count,
                                   &batch->unsampled_capacity, sizeof(*row));

    batch->unsampled = array;
    return row;
}

llmlab__score_row_t *
llmlab__batch_add_score(llmlab__batch_t *batch)
{
    void *array = batch->scores;
    llmlab__score_row_t *row = array_add(&array, &batch->score_count,
                                         &batch->score_capacity, sizeof(*row));

    batch->scores = array;
    return row;
}

llmlab__trace_fill_t *
llmlab__batch_add_fill(llmlab__batch_t *batch)
{
    void *array = batch->fills;
    llmlab__trace_fill_t *fill = array_add(
        &array, &batch->fill_count, &batch->fill_capacity, sizeof(*fill));

    batch->fills = array;
    return fill;
}

llmlab__rejection_t *
llmlab__batch_add_rejection(llmlab__batch_t *batch)
{
    void *array = batch->rejections;
    llmlab__rejection_t *rejection =
        array_add(&array, &batch->rejection_count, &batch->rejection_capacity,
                  sizeof(*rejection));

    batch->rejections = array;
    return rejection;
}
