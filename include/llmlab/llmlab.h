/* libllmlab: what language-model calls cost, exactly, while they happen.
 * Including this header is all a program needs. */
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
