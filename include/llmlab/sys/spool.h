/* Unstable: may change with any minor version.
 *
 * What lies in the spool: calls that outlived the process that recorded them.
 * The next client with the same url, project and api_key sends them. */
#ifndef LLMLAB_SYS_SPOOL_H
#define LLMLAB_SYS_SPOOL_H

#include <stddef.h>

#include <llmlab/config.h>

LLMLAB_BEGIN_DECLS

/**
 * Look through the spool that the settings name, check every record's sum, and
 * change nothing.
 * @param config NULL: variables and defaults only
 * @param out    a JSON object with a NUL, owned by the caller (llmlab_free()):
 *
 *     {"directory":"...", "ring_directory":"...", "calls":n, "bytes":n,
 *      "torn":n, "instances":[{"instance":"...", "url":"...", "project":"...",
 *      "key":"32 hex: a hash that tells keys apart", "service":"...",
 *      "yours":true, "alive":false, "segments":n, "bytes":n, "calls":n,
 *      "ring_calls":n, "torn":n, "unreadable":n, "oldest":"RFC 3339"}]}
 *
 * yours: the settings' url, project and api_key are those of the calls. alive:
 * its process still runs and will send them. unreadable: files of another
 * version of this library. directory is null when there is none.
 * @return LLMLAB_OK; LLMLAB_ECONFIG; LLMLAB_ENOMEM; LLMLAB_EINVAL (out is NULL)
 * Reads all files of the spool. Any thread.
 */
LLMLAB_API LLMLAB_NODISCARD llmlab_status_t llmlab_spool_report(
    const llmlab_config_t *config, char **out, size_t *out_size);

LLMLAB_END_DECLS

#endif
