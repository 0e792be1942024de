/* One JSON text on its way through a format's table. */
#include "usage/reader.h"

#include <stdlib.h>

_Static_assert(LLMLAB__SLOTS <= 64, "facts->present has 64 bits");

typedef struct word_place_s {
    size_t offset;
    size_t size;
} word_place_t;

#define PLACE(member)                                 \
    {                                                 \
        offsetof(llmlab__facts_t, member),            \
            sizeof(((llmlab__facts_t *)NULL)->member) \
    }

static const word_place_t word_places[LLMLAB__WORDS] = {
    [LLMLAB__MODEL] = PLACE(reply.model),
    [LLMLAB__ID] = PLACE(reply.response_id),
    [LLMLAB__FINISH] = PLACE(reply.finish_reason),
    [LLMLAB__TIER] = PLACE(reply.service_tier),
    [LLMLAB__SPEED] = PLACE(reply.speed),
    [LLMLAB__REGION] = PLACE(reply.region),
    [LLMLAB__ERROR_TYPE] = PLACE(reply.error_type),
    [LLMLAB__ERROR_CODE] = PLACE(reply.error_code),
    [LLMLAB__SEARCH_CONTEXT] = PLACE(reply.search_context),
    [LLMLAB__TYPE] = PLACE(type),
    [LLMLAB__REASON] = PLACE(reason),
    [LLMLAB__ITEM_TYPE] = PLACE(item_type),
    [LLMLAB__ITEM_NAME] = PLACE(item_name),
    [LLMLAB__ITEM_STATUS] = PLACE(item_status),
    [LLMLAB__ITEM_MODEL] = PLACE(item_model),
};

static llmlab__level_t *
current_level(llmlab__walk_t *walk)
{
    return &walk->levels[walk->level_count - 1];
}

static void
call_hook(llmlab__walk_t *walk, const llmlab__node_t *node,
          llmlab__moment_t moment)
{
    if (node->hook != NULL) {
        node->hook(walk->reader, moment, LLMLAB__JSON_END, NULL);
    }
}

static void
wrong_type(llmlab__walk_t *walk, const llmlab__node_t *node, const char *text)
{
    if (node->kind == LLMLAB__NODE_COUNT) {
        llmlab__drop(&walk->reader->facts, (llmlab__slot_t)node->slot);
    }
    llmlab__fault(&walk->reader->facts, LLMLAB_EPARSE, text, node->key);
}

/* --- the push scanner's handler ---------------------------------------- */

/* Sound comes as deltas too. */
static bool
is_measured(const llmlab__reader_t *reader, const llmlab__node_t *node)
{
    const char *type = reader->facts.type;

    return reader->measures && node->slot != LLMLAB__SAID_NOTHING &&
           !llmlab__word_is(type, "response.output_audio.delta") &&
           !llmlab__word_is(type, "response.audio.delta");
}

static llmlab__push_mode_t
on_key(void *context, const llmlab__json_text_t *key)
{
    llmlab__walk_t *walk = context;
    llmlab__level_t *level = current_level(walk);
    const llmlab__node_t *nodes = level->node->nodes;
    const llmlab__node_t *node;
    uint64_t bit;

    for (node = nodes; node->key != NULL; node++) {
        if (node->size == key->size &&
            memcmp(node->key, key->data, key->size) == 0) {
            break;
        }
    }
    if (node->key == NULL || key->escaped) {
        return LLMLAB__PUSH_SKIP;
    }
    if (node->kind == LLMLAB__NODE_TOKEN) {
        walk->pending = node;
        if (is_measured(walk->reader, node)) {
            return LLMLAB__PUSH_STREAM;
        }
        return walk->reader->started ? LLMLAB__PUSH_SKIP : LLMLAB__PUSH_LOOK;
    }
    bit = UINT64_C(1) << (node - nodes);
    if ((level->seen & bit) != 0) {
        wrong_type(walk, node, "the key stands here twice");
        return LLMLAB__PUSH_SKIP;
    }
    level->seen |= bit;
    walk->pending = node;
    return node->kind == LLMLAB__NODE_BASE64 ? LLMLAB__PUSH_STREAM
                                             : LLMLAB__PUSH_LOOK;
}

static bool
push_level(llmlab__walk_t *walk, const llmlab__node_t *node, bool is_array,
           bool is_item)
{
    llmlab__level_t *level;

    if (walk->level_count == LLMLAB__LEVELS || node->nodes == NULL) {
        return false;
    }
    level = &walk->levels[walk->level_count++];
    level->node = node;
    level->seen = 0;
    level->is_array = is_array;
    level->is_item = is_item;
    call_hook(walk, node, is_item ? LLMLAB__ITEM : LLMLAB__OPEN);
    return true;
}

static bool
on_enter(void *context, bool object)
{
    llmlab__walk_t *walk = context;
    const llmlab__node_t *node = walk->pending;

    if (walk->level_count > 0 && current_level(walk)->is_array) {
        return object &&
               push_level(walk, current_level(walk)->node, false, true);
    }
    switch (node->kind) {
    case LLMLAB__NODE_CONTAINER:
        return push_level(walk, node, !object, false);
    case LLMLAB__NODE_COUNT:
        wrong_type(walk, node, "not a number");
        return false;
    case LLMLAB__NODE_TOKEN:
        walk->reader->started = true;
        return walk->reader->measures && push_level(walk, node, !object, false);
    default:
        return false;
    }
}

static void
on_leave(void *context)
{
    llmlab__walk_t *walk = context;
    llmlab__level_t *level = &walk->levels[--walk->level_count];

    call_hook(walk, level->node,
              level->is_item ? LLMLAB__ITEMED : LLMLAB__CLOSE);
}

static void
read_count(llmlab__walk_t *walk, const llmlab__node_t *node,
           llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    llmlab__facts_t *facts = &walk->reader->facts;
    llmlab__slot_t slot = (llmlab__slot_t)node->slot;
    uint64_t count = 0;

    if (type == LLMLAB__JSON_NULL) {
        return;
    }
    if (type != LLMLAB__JSON_NUMBER) {
        wrong_type(walk, node, "not a number");
        return;
    }
    switch (llmlab__json_count(text, &count)) {
    case 0:
        if (facts->adding) {
            llmlab__add(facts, slot, count);
        } else {
            llmlab__put(facts, slot, count);
        }
        return;
    case -1:
        wrong_type(walk, node, "not a whole number");
        return;
    case -2:
        wrong_type(walk, node, "a negative count");
        return;
    default:
        llmlab__drop(facts, slot);
        llmlab__fault(&walk->reader->facts, LLMLAB_EOVERFLOW,
                      "a count above 2^63 - 1", node->key);
        return;
    }
}

/* Seconds with a fraction, as microseconds; what is finer is cut off. */
static void
read_seconds(llmlab__walk_t *walk, const llmlab__node_t *node,
             llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    const uint64_t femto_per_micro = UINT64_C(1000000000);
    uint64_t femto[2];

    if (type == LLMLAB__JSON_NULL ||
        !llmlab__read_money(&walk->reader->facts, femto, type, text,
                            node->key)) {
        return;
    }
    if (femto[1] != 0) {
        llmlab__fault(&walk->reader->facts, LLMLAB_EOVERFLOW,
                      "a time of centuries", node->key);
        return;
    }
    llmlab__put(&walk->reader->facts, (llmlab__slot_t)node->slot,
                femto[0] / femto_per_micro);
}

static void
read_word(llmlab__walk_t *walk, const llmlab__node_t *node,
          llmlab__json_type_t type, const llmlab__json_text_t *text)
{
    const word_place_t *place = &word_places[node->slot];
    char *out = (char *)&walk->reader->facts + place->offset;

    /* Codes of errors are numbers as often as texts. */
    if ((type == LLMLAB__JSON_STRING || type == LLMLAB__JSON_NUMBER) &&
        text->size > 0) {
        llmlab__copy_word(out, place->size, text);
    }
}

static void
on_scalar(void *context, llmlab__json_type_t type,
          const llmlab__json_text_t *text)
{
    llmlab__walk_t *walk = context;
    const llmlab__node_t *node = walk->pending;

    if (walk->level_count > 0 && current_level(walk)->is_array) {
        return;
    }
    switch ((llmlab__kind_t)node->kind) {
    case LLMLAB__NODE_CONTAINER:
        if (type == LLMLAB__JSON_NULL) {
            return;
        }
        if (node->hook != NULL) {
            node->hook(walk->reader, LLMLAB__VALUE, type, text);
        } else if (node->strict) {
            wrong_type(walk, node, "not an object");
        }
        return;
    case LLMLAB__NODE_COUNT:
        read_count(walk, node, type, text);
        return;
    case LLMLAB__NODE_SECONDS:
        read_seconds(walk, node, type, text);
        return;
    case LLMLAB__NODE_WORD:
        read_word(walk, node, type, text);
        return;
    case LLMLAB__NODE_TOKEN:
        if (type != LLMLAB__JSON_NULL && text->size > 0) {
            walk->reader->started = true;
        }
        return;
    case LLMLAB__NODE_HOOK:
        node->hook(walk->reader, LLMLAB__VALUE, type, text);
        return;
    case LLMLAB__NODE_BASE64:
        return;
    }
}

static void
on_piece(void *context, const char *bytes, size_t size)
{
    llmlab__walk_t *walk = context;
    llmlab__reader_t *reader = walk->reader;

    if (walk->pending->kind == LLMLAB__NODE_TOKEN) {
        reader->started = true;
        llmlab__measure_add(&reader->facts.said[walk->pending->slot], bytes,
                            size);
    } else {
        llmlab__base64_piece(reader, bytes, size);
    }
}

static const llmlab__push_handler_t handler = {on_key, on_enter, on_leave,
                                               on_scalar, on_piece};

/* --- one text ----------------------------------------------------------- */

void
llmlab__walk_init(llmlab__walk_t *walk, llmlab__reader_t *reader,
                  const llmlab__form_t *told)
{
    walk->reader = reader;
    walk->told = told;
    walk->found = told;
    walk->form = NULL;
    llmlab__walk_begin(walk);
}

static void
start(llmlab__walk_t *walk, const llmlab__form_t *form)
{
    walk->form = form;
    walk->pending = &form->root;
    walk->level_count = 0;
    walk->running = true;
    llmlab__push_init(&walk->push, &handler, walk);
}

void
llmlab__walk_begin(llmlab__walk_t *walk)
{
    walk->running = false;
    if (walk->found != NULL) {
        start(walk, walk->found);
    } else {
        llmlab__detect_begin(walk);
    }
}

/* The format is found, or will not be: walk through what was kept. Returns how
 * much of it was taken. */
static size_t
start_with_prefix(llmlab__walk_t *walk)
{
    start(walk, walk->found != NULL ? walk->found : &llmlab__form_openai_chat);
    return llmlab__push_feed(&walk->push, walk->prefix, walk->prefix_size);
}

/* Look for the format in the text's beginning, which is kept and then walked
 * through. Returns how many bytes were taken. */
static size_t
feed_unknown(llmlab__walk_t *walk, const char *bytes, size_t size)
{
    size_t taken = 0;

    while (taken < size && walk->found == NULL && !walk->detect.done &&
           walk->detect.error == NULL && walk->prefix_size < LLMLAB__PREFIX) {
        size_t slice = LLMLAB__PREFIX - walk->prefix_size;
        size_t step;

        /* Small steps: what is looked through here is looked through again. */
        slice = slice > 128 ? 128 : slice;
        slice = slice > size - taken ? size - taken : slice;
        step = llmlab__push_feed(&walk->detect, bytes + taken, slice);
        if (walk->detect.error != NULL) {
            step = slice; /* the walk stops at the same fault */
        }
        memcpy(walk->prefix + walk->prefix_size, bytes + taken, step);
        walk->prefix_size += step;
        taken += step;
    }
    if (walk->found == NULL && !walk->detect.done &&
        walk->detect.error == NULL && walk->prefix_size < LLMLAB__PREFIX) {
        return taken;
    }
    return taken - (walk->prefix_size - start_with_prefix(walk));
}

size_t
llmlab__walk_feed(llmlab__walk_t *walk, const char *bytes, size_t size)
{
    size_t taken = 0;

    if (!walk->running) {
        taken = feed_unknown(walk, bytes, size);
        if (!walk->running) {
            return taken;
        }
    }
    return taken + llmlab__push_feed(&walk->push, bytes + taken, size - taken);
}

bool
llmlab__walk_finish(llmlab__walk_t *walk)
{
    if (!walk->running) {
        (void)start_with_prefix(walk);
    }
    return llmlab__push_finish(&walk->push);
}

bool
llmlab__walk_done(const llmlab__walk_t *walk)
{
    return walk->running && walk->push.done;
}

const char *
llmlab__walk_error(const llmlab__walk_t *walk)
{
    return walk->running ? walk->push.error : NULL;
}

bool
llmlab__walk_is_empty(const llmlab__walk_t *walk)
{
    return llmlab__push_is_empty(walk->running ? &walk->push : &walk->detect);
}
