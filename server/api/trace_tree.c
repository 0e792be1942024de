#include "api/trace_tree.h"

#include <string.h>

#include "api/write.h"
#include "base/alloc.h"
#include "services/ingest_fields.h"
#include "store/hash.h"

#define NONE UINT32_MAX

/* A step: its members' text, and its place in the tree. */
typedef struct step_s {
    uint64_t span_id;
    uint64_t parent_id;
    size_t text;
    size_t text_size;
    uint32_t first_child;
    uint32_t last_child;
    uint32_t next; /* sibling */
    uint32_t parent;
    bool written;
} step_t;

typedef struct tree_s {
    llmlab__buf_t texts;
    step_t *steps;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* index + 1, by hash of the span's id */
    uint32_t slot_count;
    bool failed;
} tree_t;

static void
optional_money(llmlab__json_out_t *out, bool present, int64_t nano,
               int64_t rest)
{
    if (present) {
        llmlab__write_money(out, nano, rest);
    } else {
        llmlab__json_put_null(out);
    }
}

int
llmlab__step_kind(const char *name)
{
    for (int i = 0; i < LLMLAB_SPAN_KINDS; i++) {
        if (llmlab__kind_names[i] != NULL &&
            strcmp(llmlab__kind_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void
llmlab__step_write(llmlab__json_out_t *out, const llmlab__span_view_t *span)
{
    static const char *const usage_sources[] = {"none", "provider",
                                                "estimated"};
    static const char *const cost_sources[] = {"none", "computed", "provider"};

    llmlab__json_key(out, "span_id");
    llmlab__write_id(out, 0, span->span_id, 16);
    llmlab__json_key(out, "parent_id");
    if (span->parent_id != 0) {
        llmlab__write_id(out, 0, span->parent_id, 16);
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_key(out, "type");
    llmlab__json_put_text(out, span->kind >= 0 && span->kind < LLMLAB_SPAN_KINDS
                                   ? llmlab__kind_names[span->kind]
                                   : "span");
    llmlab__json_key(out, "name");
    llmlab__json_put_string(out, span->name.data, span->name.size);
    llmlab__json_key(out, "status");
    llmlab__json_put_text(out, llmlab__outcome_word(span->status));
    llmlab__json_key(out, "start");
    llmlab__write_time(out, span->start_ns);
    llmlab__json_key(out, "latency_ms");
    llmlab__write_ms(out, span->duration_ns);
    if (span->ttft_ns >= 0) {
        llmlab__json_key(out, "ttft_ms");
        llmlab__write_ms(out, span->ttft_ns);
    }
    llmlab__json_key(out, "provider");
    llmlab__write_text(out, span->provider);
    llmlab__json_key(out, "model");
    llmlab__write_text(out, span->model);
    llmlab__json_key(out, "agent");
    llmlab__write_text(out, span->agent);
    llmlab__json_key(out, "user");
    llmlab__write_text(out, span->user);
    llmlab__json_key(out, "session");
    llmlab__write_text(out, span->session);
    llmlab__json_key(out, "environment");
    llmlab__write_text(out, span->environment);
    llmlab__json_key(out, "service");
    llmlab__write_text(out, span->service);
    llmlab__json_key(out, "tags");
    if (span->tags.size > 0) {
        llmlab__json_put_raw(out, span->tags.data, span->tags.size);
    } else {
        llmlab__json_put_raw(out, "[]", 2);
    }
    llmlab__json_key(out, "usage");
    if (span->usage.size > 0) {
        llmlab__json_put_raw(out, span->usage.data, span->usage.size);
    } else {
        llmlab__json_put_null(out);
    }
    llmlab__json_key(out, "cost_usd");
    optional_money(out, span->has_cost, span->cost_nano, span->cost_rest);
    llmlab__json_key(out, "client_cost_usd");
    optional_money(out, span->has_client_cost, span->client_nano,
                   span->client_rest);
    llmlab__json_key(out, "counted");
    llmlab__json_put_bool(out, span->counted != 0);
    llmlab__json_key(out, "pricing");
    llmlab__json_put_text(out,
                          llmlab_priced_name((llmlab_priced_t)span->priced));
    llmlab__json_key(out, "match");
    llmlab__json_put_text(out, llmlab_match_name((llmlab_match_t)span->match));
    llmlab__json_key(out, "usage_source");
    llmlab__json_put_text(out, usage_sources[span->usage_source % 3]);
    llmlab__json_key(out, "cost_source");
    llmlab__json_put_text(out, cost_sources[span->cost_source % 3]);
    llmlab__json_key(out, "price_key");
    llmlab__write_text(out, span->price_key);
    if (span->detail.size > 0) {
        llmlab__buf_append(out->buf, ",", 1);
        llmlab__buf_append(out->buf, span->detail.data, span->detail.size);
    }
}

static bool
on_span(void *payload, const llmlab__span_view_t *span)
{
    tree_t *tree = payload;
    llmlab__json_out_t out;
    step_t *step;

    if (tree->count == tree->capacity) {
        uint32_t capacity = tree->capacity == 0 ? 64 : tree->capacity * 2;
        void *grown =
            llmlab__realloc(tree->steps, capacity * sizeof(*tree->steps));

        if (grown == NULL) {
            tree->failed = true;
            return false;
        }
        tree->steps = grown;
        tree->capacity = capacity;
    }
    step = &tree->steps[tree->count++];
    memset(step, 0, sizeof(*step));
    step->span_id = span->span_id;
    step->parent_id = span->parent_id;
    step->first_child = NONE;
    step->last_child = NONE;
    step->next = NONE;
    step->parent = NONE;
    step->text = tree->texts.size;
    llmlab__json_out_init(&out, &tree->texts);
    llmlab__step_write(&out, span);
    step->text_size = tree->texts.size - step->text;
    return true;
}

static uint32_t
step_find(const tree_t *tree, uint64_t span_id)
{
    uint32_t mask = tree->slot_count - 1;
    uint32_t at = (uint32_t)llmlab__hash_mix(span_id) & mask;

    while (tree->slots[at] != 0) {
        uint32_t index = tree->slots[at] - 1;

        if (tree->steps[index].span_id == span_id) {
            return index;
        }
        at = (at + 1) & mask;
    }
    return NONE;
}

static bool
tree_link(tree_t *tree)
{
    tree->slot_count = 16;
    while (tree->slot_count < tree->count * 2) {
        tree->slot_count *= 2;
    }
    tree->slots = llmlab__calloc(tree->slot_count, sizeof(*tree->slots));
    if (tree->slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t mask = tree->slot_count - 1;
        uint32_t at = (uint32_t)llmlab__hash_mix(tree->steps[i].span_id) & mask;

        while (tree->slots[at] != 0) {
            at = (at + 1) & mask;
        }
        tree->slots[at] = i + 1;
    }
    for (uint32_t i = 0; i < tree->count; i++) {
        step_t *step = &tree->steps[i];
        uint32_t parent =
            step->parent_id == 0 ? NONE : step_find(tree, step->parent_id);

        if (parent == NONE || parent == i) {
            continue;
        }
        step->parent = parent;
        if (tree->steps[parent].first_child == NONE) {
            tree->steps[parent].first_child = i;
        } else {
            tree->steps[tree->steps[parent].last_child].next = i;
        }
        tree->steps[parent].last_child = i;
    }
    return true;
}

static void
step_open(const tree_t *tree, uint32_t index, llmlab__buf_t *to, bool comma)
{
    step_t *step = &tree->steps[index];

    step->written = true;
    llmlab__buf_text(to, comma ? ",{" : "{");
    llmlab__buf_append(to, tree->texts.data + step->text, step->text_size);
    llmlab__buf_text(to, ",\"children\":[");
}

/* A step and all below it, without recursion: a chain may be as long as the
 * trace. Members of a ring of parents are written once. */
static void
subtree_write(const tree_t *tree, uint32_t root, llmlab__buf_t *to)
{
    uint32_t at = root;

    step_open(tree, root, to, false);
    for (;;) {
        uint32_t next = tree->steps[at].first_child;
        bool first = true;

        while (next != NONE && tree->steps[next].written) {
            next = tree->steps[next].next;
        }
        while (next == NONE) {
            llmlab__buf_text(to, "]}");
            if (at == root) {
                return;
            }
            next = tree->steps[at].next;
            while (next != NONE && tree->steps[next].written) {
                next = tree->steps[next].next;
            }
            at = tree->steps[at].parent;
            first = false;
        }
        step_open(tree, next, to, !first);
        at = next;
    }
}

bool
llmlab__trace_tree_write(llmlab__request_t *request,
                         const llmlab__trace_row_t *trace,
                         llmlab__json_out_t *out)
{
    const llmlab__store_ops_t *ops = request->server->store->ops;
    tree_t tree = {.count = 0};
    bool good;

    llmlab__buf_init(&tree.texts);
    good = ops->spans(request->reader, request->project.id, trace, on_span,
                      &tree) == LLMLAB_OK &&
           !tree.failed && !tree.texts.failed && tree_link(&tree);
    llmlab__json_begin_array(out);
    for (uint32_t i = 0; good && i < tree.count; i++) {
        if (tree.steps[i].parent == NONE) {
            llmlab__json_put_raw(out, "", 0); /* the comma */
            subtree_write(&tree, i, out->buf);
        }
    }
    for (uint32_t i = 0; good && i < tree.count; i++) {
        if (!tree.steps[i].written) {
            llmlab__json_put_raw(out, "", 0);
            subtree_write(&tree, i, out->buf);
        }
    }
    llmlab__json_end_array(out);
    llmlab__buf_cleanup(&tree.texts);
    llmlab__free(tree.steps);
    llmlab__free(tree.slots);
    return good;
}
