/* Prompt and reply text, where the settings allow it: a short text goes into
 * the record; a long one is kept in blocks and sent in pieces, so that it never
 * takes more than an eighth of a ring at once. */
#include <string.h>

#include "trace/span.h"

static uint32_t
piece_max(const llmlab__recorders_t *recorders)
{
    return recorders->block_bytes / 4; /* a block is half a ring */
}

static llmlab__block_t *
take_block(llmlab_span_t *span)
{
    llmlab_drop_t why;
    llmlab__recorder_t *recorder = llmlab__recorder_enter(span->tracer, &why);
    llmlab__block_t *block;

    if (recorder == NULL) {
        return NULL;
    }
    block = llmlab__recorder_take_block(recorder, span->recorders);
    llmlab__recorder_leave(recorder);
    return block;
}

/* As much of the text as there are blocks for; the rest is cut. */
static llmlab__block_t *
keep(llmlab_span_t *span, const char *text, size_t size)
{
    uint32_t block_bytes = span->recorders->block_bytes;
    llmlab__block_t *first = NULL;
    llmlab__block_t **link = &first;

    while (size > 0) {
        llmlab__block_t *block = take_block(span);
        size_t part = size < block_bytes ? size : block_bytes;

        if (block == NULL) {
            span->record.flags |= LLMLAB__RECORD_CUT;
            break;
        }
        memcpy(block->data, text, part);
        block->used = (uint32_t)part;
        *link = block;
        link = &block->next;
        text += part;
        size -= part;
    }
    return first;
}

static llmlab_status_t
set_content(llmlab_span_t *span, llmlab__item_type_t type,
            llmlab__block_t **kept, const char *text, size_t size)
{
    llmlab_status_t status = llmlab__span_usable(span);

    if (status != LLMLAB_OK) {
        return status;
    }
    if (span->tracer->capture != LLMLAB__CAPTURE_FULL || !span->sampled ||
        text == NULL) {
        return LLMLAB_OK;
    }
    if (size > span->tracer->capture_max_bytes) {
        size = llmlab__text_cut(text, span->tracer->capture_max_bytes);
        span->record.flags |= LLMLAB__RECORD_CUT;
    }
    if ((span->items.has & UINT64_C(1) << type) != 0) {
        llmlab__items_remove(&span->items, type);
    }
    llmlab__recorder_give_blocks(span->recorders, *kept);
    *kept = NULL;
    if (size <= piece_max(span->recorders) &&
        size <= span->items.room - span->items.used) {
        return llmlab__span_put(span, type, text, size);
    }
    *kept = keep(span, text, size);
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_span_set_input(llmlab_span_t *span, const char *text, size_t size)
{
    return set_content(span, LLMLAB__ITEM_INPUT,
                       span == NULL ? NULL : &span->input, text, size);
}

llmlab_status_t
llmlab_span_set_output(llmlab_span_t *span, const char *text, size_t size)
{
    return set_content(span, LLMLAB__ITEM_OUTPUT,
                       span == NULL ? NULL : &span->output, text, size);
}

static bool
send_piece(const llmlab_span_t *span, llmlab__recorder_t *recorder,
           llmlab__item_type_t type, const unsigned char *text, uint32_t size)
{
    llmlab__record_t piece = span->record;
    unsigned char *at;

    piece.type = LLMLAB__RECORD_CHUNK;
    piece.items = llmlab__item_room(0, size);
    piece.size = ((uint32_t)sizeof(piece) + piece.items + 7) & ~UINT32_C(7);
    at = llmlab__tracer_claim(span->tracer, recorder, piece.size);
    if (at == NULL) {
        return false;
    }
    memset(at + piece.size - 4, 0, 4);
    memcpy(at, &piece, sizeof(piece));
    llmlab__item_write(at + sizeof(piece), (uint8_t)type, NULL, 0, text, size);
    llmlab__ring_commit_part(recorder->ring, piece.size);
    return true;
}

static bool
send_blocks(const llmlab_span_t *span, llmlab__recorder_t *recorder,
            llmlab__item_type_t type, const llmlab__block_t *block)
{
    uint32_t most = piece_max(span->recorders);

    for (; block != NULL; block = block->next) {
        for (uint32_t at = 0; at < block->used; at += most) {
            uint32_t left = block->used - at;

            if (!send_piece(span, recorder, type, block->data + at,
                            left < most ? left : most)) {
                return false;
            }
        }
    }
    return true;
}

void
llmlab__span_send_content(llmlab_span_t *span, llmlab__recorder_t *recorder)
{
    if (!send_blocks(span, recorder, LLMLAB__ITEM_INPUT, span->input) ||
        !send_blocks(span, recorder, LLMLAB__ITEM_OUTPUT, span->output)) {
        span->record.flags |= LLMLAB__RECORD_CUT;
    }
}
