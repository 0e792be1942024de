#include <string.h>

#include <llmlab/client.h>

const char *
llmlab_drop_name(llmlab_drop_t reason)
{
    static const char *const names[] = {
#define NAME(name, wire) wire,
        LLMLAB_DROP_MAP(NAME)
#undef NAME
    };

    return (unsigned)reason < LLMLAB_DROP_REASONS ? names[reason] : NULL;
}

void
llmlab_stats_init(llmlab_stats_t *stats)
{
    if (stats != NULL) {
        memset(stats, 0, sizeof(*stats));
        stats->struct_size = sizeof(*stats);
    }
}
