/* Visibility and compiler attributes. Every public header includes this. */
#ifndef LLMLAB_EXPORT_H
#define LLMLAB_EXPORT_H

#if defined(LLMLAB_BUILDING) || !defined(LLMLAB_STATIC)
#if defined(__GNUC__)
#define LLMLAB_API __attribute__((visibility("default")))
#else
#define LLMLAB_API
#endif
#else
#define LLMLAB_API
#endif

#if defined(__GNUC__)
/** The result tells whether the call worked: ignoring it is a warning. */
#define LLMLAB_NODISCARD           __attribute__((warn_unused_result))
#define LLMLAB_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define LLMLAB_NODISCARD
#define LLMLAB_PRINTF(text, first)
#endif

#ifdef __cplusplus
#define LLMLAB_BEGIN_DECLS extern "C" {
#define LLMLAB_END_DECLS   }
#else
#define LLMLAB_BEGIN_DECLS
#define LLMLAB_END_DECLS
#endif

#endif
