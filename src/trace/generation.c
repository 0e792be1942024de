#include "trace/generation.h"

#include <pthread.h>

#include "base/os.h"
#include "base/sabotage.h"
#include "trace/tracer.h"

/* Used until the page is made, and where there is none. */
static _Atomic uint64_t plain_word;
static _Atomic uint64_t last_generation;
static _Atomic uint64_t parents_generation;
static pthread_once_t page_once = PTHREAD_ONCE_INIT;

_Atomic(_Atomic uint64_t *) llmlab__generation_word = &plain_word;

static void
remember(void)
{
    atomic_store(&parents_generation, llmlab__generation_now());
}

/* In the child. If another's handler has recorded there already, the word is
 * the child's own. */
static void
forget(void)
{
    uint64_t of_parent = atomic_load(&parents_generation);

    atomic_compare_exchange_strong(atomic_load(&llmlab__generation_word),
                                   &of_parent, 0);
}

static void
make_page(void)
{
    _Atomic uint64_t *page = llmlab__os_wiped_page();

    if (llmlab__sabotaged("fork_unseen")) {
        return;
    }
    if (page != NULL) {
        atomic_store(&llmlab__generation_word, page);
    }
    /* Emulators (qemu-user) accept the advice and do not follow it. */
    pthread_atfork(remember, NULL, forget);
}

uint64_t
llmlab__fork_generation(void)
{
    uint64_t known = llmlab__generation_now();
    uint64_t fresh;

    if (known != 0) {
        return known;
    }
    pthread_once(&page_once, make_page);
    fresh = atomic_fetch_add(&last_generation, 1) + 1;
    /* Of several threads that see the zero, the first decides. */
    if (atomic_compare_exchange_strong(atomic_load(&llmlab__generation_word),
                                       &known, fresh)) {
        return fresh;
    }
    return known;
}
