#include "services/trace_shape.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "store/hash.h"

#define NONE      UINT32_MAX
#define KEPT      16
#define BYTES_MAX ((size_t)16 << 20)
#define FIELDS    16

/* A step while the tree is made. */
typedef struct node_s {
    llmlab__span_node_t is;
    uint32_t parent;
    uint32_t first_child;
    uint32_t last_child;
    uint32_t next;  /* sibling */
    uint32_t place; /* in the tree's order; NONE: not yet */
} node_t;

typedef struct build_s {
    node_t *nodes; /* by start */
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* index + 1, by hash of the span's id */
    uint32_t slot_mask;
    llmlab__shape_t *shape;
    llmlab_status_t status;
} build_t;

static bool
on_node(void *payload, const llmlab__span_node_t *is)
{
    build_t *build = payload;

    if (build->count == LLMLAB__SHAPE_MAX) {
        build->status =
            llmlab__fail(LLMLAB_EUNSUPPORTED, "the trace is too long");
        return false;
    }
    if (build->count == build->capacity) {
        uint32_t capacity = build->capacity == 0 ? 64 : build->capacity * 2;
        void *grown =
            llmlab__realloc(build->nodes, capacity * sizeof(*build->nodes));

        if (grown == NULL) {
            build->status = llmlab__fail(LLMLAB_ENOMEM, "no memory for a tree");
            return false;
        }
        build->nodes = grown;
        build->capacity = capacity;
    }
    build->nodes[build->count++] = (node_t){*is, NONE, NONE, NONE, NONE, NONE};
    return true;
}

static uint32_t *
slot_of(const build_t *build, uint64_t span_id)
{
    uint32_t at = (uint32_t)llmlab__hash_mix(span_id) & build->slot_mask;

    while (build->slots[at] != 0 &&
           build->nodes[build->slots[at] - 1].is.span_id != span_id) {
        at = (at + 1) & build->slot_mask;
    }
    return &build->slots[at];
}

static void
link_nodes(build_t *build)
{
    for (uint32_t i = 0; i < build->count; i++) {
        *slot_of(build, build->nodes[i].is.span_id) = i + 1;
    }
    for (uint32_t i = 0; i < build->count; i++) {
        node_t *node = &build->nodes[i];
        uint32_t parent =
            node->is.parent_id == 0 ? 0 : *slot_of(build, node->is.parent_id);

        if (parent == 0 || parent == i + 1) {
            continue;
        }
        node->parent = parent - 1;
        if (build->nodes[parent - 1].first_child == NONE) {
            build->nodes[parent - 1].first_child = i;
        } else {
            build->nodes[build->nodes[parent - 1].last_child].next = i;
        }
        build->nodes[parent - 1].last_child = i;
    }
}

static void
place(build_t *build, uint32_t index, uint32_t depth)
{
    node_t *node = &build->nodes[index];

    node->place = build->shape->count++;
    build->shape->steps[node->place] =
        (llmlab__shape_step_t){.span_id = node->is.span_id,
                               .start_ns = node->is.start_ns,
                               .depth = depth,
                               .steps = 1,
                               .unpriced = node->is.unpriced,
                               .cost_nano = node->is.cost_nano,
                               .cost_rest = node->is.cost_rest};
}

static uint32_t
unplaced(const build_t *build, uint32_t index)
{
    while (index != NONE && build->nodes[index].place != NONE) {
        index = build->nodes[index].next;
    }
    return index;
}

/* A step is done: its parent gets what it adds up to. */
static void
add_up(build_t *build, uint32_t index)
{
    llmlab__shape_step_t *steps = build->shape->steps;
    const node_t *node = &build->nodes[index];
    const llmlab__shape_step_t *from = &steps[node->place];
    llmlab__shape_step_t *to = &steps[build->nodes[node->parent].place];

    to->children++;
    to->steps += from->steps;
    to->unpriced += from->unpriced;
    to->cost_nano += from->cost_nano;
    to->cost_rest += from->cost_rest;
    if (to->cost_rest >= LLMLAB__FEMTO_PER_NANO) {
        to->cost_rest -= LLMLAB__FEMTO_PER_NANO;
        to->cost_nano++;
    }
}

/* A step and all below it, without recursion: a chain may be as long as the
 * trace. Members of a ring of parents are placed once. */
static void
place_all(build_t *build, uint32_t root)
{
    uint32_t at = root;
    uint32_t depth = 0;

    place(build, root, 0);
    for (;;) {
        uint32_t next = unplaced(build, build->nodes[at].first_child);

        while (next == NONE) {
            if (at == root) {
                return;
            }
            add_up(build, at);
            next = unplaced(build, build->nodes[at].next);
            at = build->nodes[at].parent;
            depth--;
        }
        depth++;
        place(build, next, depth);
        at = next;
    }
}

static llmlab_status_t
tree_make(build_t *build)
{
    uint32_t slots = 16;

    while (slots < build->count * 2) {
        slots *= 2;
    }
    build->slot_mask = slots - 1;
    build->slots = llmlab__calloc(slots, sizeof(*build->slots));
    build->shape = llmlab__calloc(
        1, sizeof(*build->shape) + build->count * sizeof(llmlab__shape_step_t));
    if (build->slots == NULL || build->shape == NULL) {
        llmlab__free(build->shape);
        return llmlab__fail(LLMLAB_ENOMEM, "no memory for a tree");
    }
    atomic_init(&build->shape->holders, 1);
    link_nodes(build);
    /* Rings have no step without a parent: then their first one stands for
     * it. */
    for (int rings = 0; rings < 2; rings++) {
        for (uint32_t i = 0; i < build->count; i++) {
            if (build->nodes[i].place == NONE &&
                (rings != 0 || build->nodes[i].parent == NONE)) {
                place_all(build, i);
            }
        }
    }
    return LLMLAB_OK;
}

static llmlab_status_t
shape_make(llmlab__store_t *store, llmlab__reader_t *reader, int64_t project,
           const llmlab__trace_row_t *trace, llmlab__shape_t **out)
{
    build_t build = {.status = LLMLAB_OK};
    llmlab_status_t status =
        store->ops->nodes(reader, project, trace, on_node, &build);

    if (status == LLMLAB_OK) {
        status = build.status;
    }
    if (status == LLMLAB_OK) {
        status = tree_make(&build);
    }
    *out = status == LLMLAB_OK ? build.shape : NULL;
    llmlab__free(build.nodes);
    llmlab__free(build.slots);
    return status;
}

/* What a kept shape is of. Whatever is added to a trace changes its row; other
 * changes are rewrites. */
typedef struct identity_s {
    int64_t fields[FIELDS];
    uint64_t rewrites;
} identity_t;

typedef struct kept_s {
    identity_t identity;
    llmlab__shape_t *shape; /* NULL: none */
    uint64_t used;
} kept_t;

struct llmlab__shapes_s {
    pthread_mutex_t lock;
    kept_t kept[KEPT];
    uint64_t clock;
    size_t bytes;
};

static size_t
bytes_of(const llmlab__shape_t *shape)
{
    return sizeof(*shape) + shape->count * sizeof(shape->steps[0]);
}

llmlab__shapes_t *
llmlab__shapes_new(void)
{
    llmlab__shapes_t *shapes = llmlab__calloc(1, sizeof(*shapes));

    if (shapes != NULL) {
        (void)pthread_mutex_init(&shapes->lock, NULL);
    }
    return shapes;
}

void
llmlab__shapes_destroy(llmlab__shapes_t *shapes)
{
    if (shapes == NULL) {
        return;
    }
    for (int i = 0; i < KEPT; i++) {
        llmlab__shape_release(shapes->kept[i].shape);
    }
    (void)pthread_mutex_destroy(&shapes->lock);
    llmlab__free(shapes);
}

void
llmlab__shape_release(llmlab__shape_t *shape)
{
    if (shape != NULL && atomic_fetch_sub(&shape->holders, 1) == 1) {
        llmlab__free(shape);
    }
}

static void
drop(llmlab__shapes_t *shapes, kept_t *kept)
{
    if (kept->shape != NULL) {
        shapes->bytes -= bytes_of(kept->shape);
        llmlab__shape_release(kept->shape);
        kept->shape = NULL;
    }
}

static llmlab__shape_t *
find(llmlab__shapes_t *shapes, const identity_t *identity)
{
    llmlab__shape_t *shape = NULL;

    pthread_mutex_lock(&shapes->lock);
    for (int i = 0; i < KEPT && shape == NULL; i++) {
        kept_t *kept = &shapes->kept[i];

        if (kept->shape != NULL &&
            memcmp(&kept->identity, identity, sizeof(*identity)) == 0) {
            shape = kept->shape;
            kept->used = ++shapes->clock;
            atomic_fetch_add(&shape->holders, 1);
        }
    }
    pthread_mutex_unlock(&shapes->lock);
    return shape;
}

/* The one that was used least recently; NULL: there is none. *out_free: where
 * there is none, NULL when all are taken. */
static kept_t *
oldest(llmlab__shapes_t *shapes, kept_t **out_free)
{
    kept_t *oldest = NULL;

    *out_free = NULL;
    for (int i = 0; i < KEPT; i++) {
        kept_t *kept = &shapes->kept[i];

        if (kept->shape == NULL) {
            *out_free = kept;
        } else if (oldest == NULL || kept->used < oldest->used) {
            oldest = kept;
        }
    }
    return oldest;
}

static void
keep(llmlab__shapes_t *shapes, const identity_t *identity,
     llmlab__shape_t *shape)
{
    size_t bytes = bytes_of(shape);
    kept_t *last;
    kept_t *to;

    if (bytes > BYTES_MAX) {
        return;
    }
    pthread_mutex_lock(&shapes->lock);
    for (int i = 0; i < KEPT; i++) { /* older ones of the same trace */
        if (memcmp(shapes->kept[i].identity.fields, identity->fields,
                   3 * sizeof(int64_t)) == 0) {
            drop(shapes, &shapes->kept[i]);
        }
    }
    last = oldest(shapes, &to);
    while (last != NULL && (to == NULL || shapes->bytes + bytes > BYTES_MAX)) {
        drop(shapes, last);
        last = oldest(shapes, &to);
    }
    to->identity = *identity;
    to->shape = shape;
    to->used = ++shapes->clock;
    shapes->bytes += bytes;
    atomic_fetch_add(&shape->holders, 1);
    pthread_mutex_unlock(&shapes->lock);
}

llmlab_status_t
llmlab__shape_hold(llmlab__shapes_t *shapes, llmlab__store_t *store,
                   llmlab__reader_t *reader, int64_t project,
                   const llmlab__trace_row_t *trace, llmlab__shape_t **out)
{
    const identity_t identity = {
        .fields = {project, (int64_t)trace->trace_high,
                   (int64_t)trace->trace_low, trace->start_ns, trace->last_ns,
                   trace->end_ns, (int64_t)trace->root_id, trace->steps,
                   trace->calls, trace->errors, trace->unpriced,
                   trace->cost_nano, trace->cost_rest, trace->input_tokens,
                   trace->output_tokens},
        .rewrites = store->ops->rewrites(store)};
    bool may_keep = shapes != NULL && identity.rewrites % 2 == 0;
    llmlab_status_t status;

    *out = may_keep ? find(shapes, &identity) : NULL;
    if (*out != NULL) {
        return LLMLAB_OK;
    }
    status = shape_make(store, reader, project, trace, out);
    /* Steps that came since the row was read are in the shape, but the next
     * reader's row is another. */
    if (status == LLMLAB_OK && may_keep &&
        store->ops->rewrites(store) == identity.rewrites) {
        keep(shapes, &identity, *out);
    }
    return status;
}
