/* The version, at compile time and at run time. */
#ifndef LLMLAB_VERSION_H
#define LLMLAB_VERSION_H

#include <llmlab/export.h>

/* CMakeLists.txt reads these three lines; nothing else holds the version. */
#define LLMLAB_VERSION_MAJOR 0
#define LLMLAB_VERSION_MINOR 1
#define LLMLAB_VERSION_PATCH 0

/** 0xMMmmpp00, so that versions compare as integers. */
#define LLMLAB_VERSION_NUMBER                                      \
    ((LLMLAB_VERSION_MAJOR << 24) | (LLMLAB_VERSION_MINOR << 16) | \
     (LLMLAB_VERSION_PATCH << 8))

LLMLAB_BEGIN_DECLS

/** The library's version as text, "0.1.0". Static; never NULL. Any thread. */
LLMLAB_API const char *llmlab_version(void);

/** LLMLAB_VERSION_NUMBER of the library that is loaded. Any thread. */
LLMLAB_API unsigned llmlab_version_number(void);

LLMLAB_END_DECLS

#endif
