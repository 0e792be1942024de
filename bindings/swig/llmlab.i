/* One interface file for Python, Node and Go over src/bind/llmlab_bind.h.
 * SWIG 4.5.0; users never need it, the generated sources are committed.
 *
 * In every language: integers in and out are plain numbers; a result below 0
 * is a status code and is NOT turned into an exception, because tracing must
 * not raise: the layer above decides. Wrong argument types are the language's
 * own type error. A function that answers with text gives the language's
 * string, or none (None, null) where there is none; where it fails it raises
 * in Python and throws in Node, with the code, its name and the detail. Go
 * gets the text's handle and takes it by Llmlab_bind_text_take().
 *
 *   swig -python -threads                    C, for Py_LIMITED_API 3.10
 *   swig -javascript -napi -c++              C++17, NAPI_VERSION 8
 *   swig -go -intgosize 64 -no-unique-id -package cllm
 *
 * each with -I src -I bindings/swig, linked with -z nodelete. */
%module llmlab_native

%{
#include "bind/llmlab_bind.h"
#include <stdlib.h>
#include <string.h>
%}

%include <stdint.i>

#if defined(SWIGPYTHON)
%include "python.i"
#elif defined(SWIGJAVASCRIPT)
%include "node.i"
#elif defined(SWIGGO)
%include "go.i"
#endif

%apply (const char *TEXT, size_t SIZE) {
    (const char *agent, size_t agent_size),
    (const char *api, size_t api_size),
    (const char *body, size_t body_size),
    (const char *bytes, size_t bytes_size),
    (const char *call, size_t call_size),
    (const char *code, size_t code_size),
    (const char *facts, size_t facts_size),
    (const char *json, size_t json_size),
    (const char *key, size_t key_size),
    (const char *model, size_t model_size),
    (const char *name, size_t name_size),
    (const char *provider, size_t provider_size),
    (const char *reason, size_t reason_size),
    (const char *region, size_t region_size),
    (const char *response_id, size_t response_id_size),
    (const char *score, size_t score_size),
    (const char *session, size_t session_size),
    (const char *settings, size_t settings_size),
    (const char *speed, size_t speed_size),
    (const char *tag, size_t tag_size),
    (const char *text, size_t text_size),
    (const char *tier, size_t tier_size),
    (const char *traceparent, size_t traceparent_size),
    (const char *type, size_t type_size),
    (const char *usd, size_t usd_size),
    (const char *user, size_t user_size),
    (const char *value, size_t value_size),
    (const char *version, size_t version_size)
};

%ignore llmlab_bind_text_data;
#if !defined(SWIGGO)
%ignore llmlab_bind_text_free;
#endif

#define LLMLAB_API
#define LLMLAB_BEGIN_DECLS
#define LLMLAB_END_DECLS
%include "bind/llmlab_bind.h"
