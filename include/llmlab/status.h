/* Status codes: 0 is success, errors are negative, each with a name, a text
 * and, per thread, a detail of the last one. */
#ifndef LLMLAB_STATUS_H
#define LLMLAB_STATUS_H

#include <llmlab/export.h>

/** Every status once: X(name, value, text). Bindings make their constants from
 * llmlab_status_list(), C from this. Values never change and are not reused. */
#define LLMLAB_STATUS_MAP(X)                                    \
    X(OK, 0, "ok")                                              \
    X(EINVAL, -1, "invalid argument")                           \
    X(ENOMEM, -2, "out of memory")                              \
    X(ECLOSED, -3, "the client is closed")                      \
    X(ETIMEOUT, -4, "the deadline passed")                      \
    X(ESTALE, -5, "the span has already ended")                 \
    X(EDISABLED, -6, "the client is disabled")                  \
    X(EFULL, -7, "the queue is full")                           \
    X(ECONFIG, -8, "unknown setting or bad value")              \
    X(EPARSE, -9, "malformed input")                            \
    X(EUNPRICED, -10, "no price is known for this model")       \
    X(EOVERFLOW, -11, "the number is too large")                \
    X(EIO, -12, "input or output failed")                       \
    X(ENETWORK, -13, "the server cannot be reached")            \
    X(EAUTH, -14, "the key was refused")                        \
    X(EREJECTED, -15, "the server refused the data")            \
    X(ENOTFOUND, -16, "not found")                              \
    X(ETOOBIG, -17, "larger than the limit")                    \
    X(EUNSUPPORTED, -18, "not supported")                       \
    X(EFORKED, -19, "the object belongs to the parent process") \
    X(ENOUSAGE, -20, "the reply holds no usage")                \
    X(EINTERNAL, -21, "internal error")

typedef enum llmlab_status_e {
#define LLMLAB_STATUS_ENUM_(name, value, text) LLMLAB_##name = value,
    LLMLAB_STATUS_MAP(LLMLAB_STATUS_ENUM_)
#undef LLMLAB_STATUS_ENUM_
        LLMLAB_STATUS_LAST_ = -22
} llmlab_status_t;

LLMLAB_BEGIN_DECLS

/** The code's name, "LLMLAB_EINVAL"; "LLMLAB_UNKNOWN" for a foreign value.
 * Static; never NULL. Any thread. */
LLMLAB_API const char *llmlab_status_name(llmlab_status_t status);

/** What the code means, in English. Static; never NULL. Any thread. */
LLMLAB_API const char *llmlab_status_text(llmlab_status_t status);

/** What exactly went wrong in the last call of this thread that returned an
 * error: "batch.max_calls: 0 is below 1". Empty after none; never NULL. Owned
 * by the library, overwritten by the thread's next error. A success leaves it,
 * and so do the functions of span.h, which say all by their status, but for
 * llmlab_span_set_response(). */
LLMLAB_API const char *llmlab_status_detail(void);

/** Walk over all codes: stores the i-th code and returns 1, or returns 0 past
 * the end. For bindings that make their constants at run time. */
LLMLAB_API int llmlab_status_list(int i, llmlab_status_t *out);

LLMLAB_END_DECLS

#endif
