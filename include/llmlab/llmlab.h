/* libllmlab: what language-model calls cost, exactly, while they happen.
 * Including this header is all a program needs.
 *
 * What holds unless a function's comment says otherwise:
 * - It does not block, and any thread may call it. One handle is used by one
 *   thread at a time; clients and price books by any number.
 * - NULL does not crash. Without its handle, its result or a text that it
 *   needs, a function answers LLMLAB_EINVAL, or 0 or NULL where it returns no
 *   status, or does nothing.
 * - Texts and bytes that are passed in are copied, or not kept. A pointer that
 *   is returned is borrowed; one that is stored in a **out is owned: its
 *   function names what frees it. */
#ifndef LLMLAB_LLMLAB_H
#define LLMLAB_LLMLAB_H

#include <llmlab/client.h>
#include <llmlab/config.h>
#include <llmlab/export.h>
#include <llmlab/macros.h>
#include <llmlab/pricing.h>
#include <llmlab/score.h>
#include <llmlab/span.h>
#include <llmlab/status.h>
#include <llmlab/text.h>
#include <llmlab/tokens.h>
#include <llmlab/usage.h>
#include <llmlab/version.h>

#endif
