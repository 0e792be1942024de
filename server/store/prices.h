/* The store's table of what projects pay. */
#ifndef LLMLAB_STORE_PRICES_H
#define LLMLAB_STORE_PRICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llmlab/status.h>

struct llmlab__reader_s;

typedef enum llmlab__price_kind_e {
    LLMLAB__PRICE_OVERRIDE = 1,
    LLMLAB__PRICE_DISCOUNT = 2,
    LLMLAB__PRICE_ALIAS = 3
} llmlab__price_kind_t;

#define LLMLAB__PRICE_ALWAYS INT64_MIN

typedef struct llmlab__price_s {
    int64_t id;
    int64_t project;
    llmlab__price_kind_t kind;
    const char *provider; /* "": any */
    const char *model;    /* "": any */
    const char *alias;    /* "" but for an alias */
    const char *value;    /* an override's prices, a JSON object; a discount's
                             percent */
    const char *note;
    int64_t from_s; /* LLMLAB__PRICE_ALWAYS */
    int64_t created_ns;
    int64_t changed_ns;
    int64_t version;
} llmlab__price_t;

/* Texts live until the function returns. False ends the walk. */
typedef bool (*llmlab__price_fn)(void *payload, const llmlab__price_t *price);

/* Statuses as in store.h. A changer is one of store.h's changes. */
typedef struct llmlab__price_ops_s {
    /* In the order of their ids, those above `after`. */
    llmlab_status_t (*list)(struct llmlab__reader_s *reader, int64_t project,
                            int64_t after, size_t limit, llmlab__price_fn visit,
                            void *payload);
    /* All of a project by kind, model and date. */
    llmlab_status_t (*book)(struct llmlab__reader_s *reader, int64_t project,
                            llmlab__price_fn visit, void *payload);
    /* Sets the id. LLMLAB_EINVAL: there is one of the same kind, names and
     * date. */
    llmlab_status_t (*add)(struct llmlab__reader_s *changer,
                           llmlab__price_t *price);
    /* Writes value, note, changed_ns and version. */
    llmlab_status_t (*change)(struct llmlab__reader_s *changer,
                              const llmlab__price_t *price);
    llmlab_status_t (*remove)(struct llmlab__reader_s *changer, int64_t project,
                              int64_t id);
} llmlab__price_ops_t;

#endif
