/* Which sanitizer watches: WITH_ASAN, WITH_TSAN, WITH_SANITIZER are 1 or 0.
 * Sanitizers allocate, keep what was freed, and remember every thread. */
#ifndef LLMLAB_TESTS_SANITIZER_H
#define LLMLAB_TESTS_SANITIZER_H

#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#else
#define WITH_TSAN 0
#endif

#define WITH_SANITIZER (WITH_ASAN || WITH_TSAN)

#endif
