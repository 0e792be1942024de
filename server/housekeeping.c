#include "housekeeping.h"

#include <string.h>

#include "base/clock.h"
#include "log.h"

#define USES_MAX     512
#define USES_SECONDS 30
/* Of each second, for what deleted projects left. */
#define PURGE_NS INT64_C(300000000)

typedef struct use_s {
    llmlab__meter_kind_t kind;
    int64_t id;
    int64_t at_ns;
    unsigned char mark[LLMLAB__HASH_SIZE];
} use_t;

typedef struct uses_s {
    use_t of[USES_MAX];
    unsigned count;
} uses_t;

static void
on_use(void *payload, llmlab__meter_kind_t kind, int64_t id,
       const unsigned char mark[32], int64_t at_ns)
{
    uses_t *uses = payload;
    use_t *use = &uses->of[uses->count++];

    use->kind = kind;
    use->id = id;
    use->at_ns = at_ns;
    memcpy(use->mark, mark, sizeof(use->mark));
}

static llmlab_status_t
uses_write(const llmlab__admin_ops_t *ops, llmlab__reader_t *changer,
           const uses_t *uses)
{
    llmlab_status_t status = LLMLAB_OK;

    for (unsigned i = 0; i < uses->count && status == LLMLAB_OK; i++) {
        const use_t *use = &uses->of[i];

        status = use->kind == LLMLAB__METER_SESSION
                     ? ops->session_seen(changer, use->mark, use->at_ns)
                 : use->kind == LLMLAB__METER_KEY
                     ? ops->key_used(changer, use->id, use->at_ns)
                     : LLMLAB_OK;
    }
    return status;
}

/* One change for both. False: it failed, and is tried again later. */
static bool
change(llmlab__server_t *server, const uses_t *uses, bool purge)
{
    llmlab__store_t *store = server->store;
    llmlab__reader_t *changer;
    llmlab_status_t status = store->ops->change_begin(store, &changer);
    llmlab_status_t ended;
    bool more = false;

    if (status == LLMLAB_OK) {
        status = uses_write(store->ops->admin, changer, uses);
        if (status == LLMLAB_OK && purge) {
            status = store->ops->admin->purge(changer, &more);
        }
        ended = store->ops->change_end(store, changer, status == LLMLAB_OK);
        status = status == LLMLAB_OK ? ended : status;
    }
    if (status != LLMLAB_OK) {
        llmlab__server_log(LLMLAB_LOG_ERROR, "housekeeping failed", "%s",
                           llmlab_status_detail());
    } else if (purge && !more) {
        atomic_store(&server->purge_wanted, false);
    }
    return status == LLMLAB_OK;
}

static void
uses_collect(llmlab__server_t *server, uses_t *uses)
{
    uses->count = 0;
    (void)llmlab__meter_collect(server->meter, USES_MAX, on_use, uses);
}

void
llmlab__housekeeping_step(llmlab__server_t *server)
{
    static unsigned seconds;
    static uses_t uses;
    bool purge = atomic_load(&server->purge_wanted);
    int64_t begin = llmlab__clock_mono_ns();

    uses.count = 0;
    if (++seconds % USES_SECONDS == 0) {
        uses_collect(server, &uses);
    }
    if (uses.count > 0 || purge) {
        purge = change(server, &uses, purge) && purge;
    }
    /* The batch writer has its turn between two steps. */
    while (purge && atomic_load(&server->purge_wanted) &&
           llmlab__clock_mono_ns() - begin < PURGE_NS) {
        uses.count = 0;
        purge = change(server, &uses, true);
    }
}

void
llmlab__housekeeping_end(llmlab__server_t *server)
{
    static uses_t uses;

    if (server->meter == NULL) {
        return;
    }
    uses_collect(server, &uses);
    if (uses.count > 0) {
        (void)change(server, &uses, false);
    }
}
